# Process 1 of a real node, in namespaces of its own: gives the node what no other has, says so, and then collects
# processes that lost their parent. Arguments: the node's folder, its name, its control group in each hierarchy.
set -eu
folder=$1
name=$2
shift 2

echo "$name" >/proc/sys/kernel/hostname
echo 1 >/proc/sys/net/ipv4/ip_forward

# As on a machine that has just been started, but its disks and logs are what they were.
mkdir -p "$folder/lib" "$folder/log"
mount --make-rshared /
mount -t tmpfs -o mode=755 tmpfs /run
mount --bind "$folder/lib" /var/lib
mount --bind "$folder/log" /var/log

# Containers' groups have fixed names, so each node sees its own group as the whole hierarchy. Those of containers that
# had no end of their own are still there after a cut of the power, as they would not be on a machine, and a kubelet
# asks for each of them, seconds long.
for group in "$@"; do
    find "$group" -mindepth 1 -depth -type d -exec rmdir {} ';' 2>/dev/null || true
    top=${group%/*/*}
    mount --bind "$group" "$top"
    if [ -e "$top/cgroup.controllers" ]; then
        mkdir -p "$top/init"
        echo 0 >"$top/init/cgroup.procs"
    fi
done

# kubelet sets these, and they belong to the whole machine. It finds them set.
mkdir /run/sysctl
set_apart() {
    echo "$2" >"/run/sysctl/${1##*/}"
    mount --bind "/run/sysctl/${1##*/}" "/proc/sys/$1"
}
set_apart vm/overcommit_memory 1
set_apart vm/panic_on_oom 0
set_apart kernel/panic 10
set_apart kernel/panic_on_oops 1
set_apart kernel/keys/root_maxkeys 1000000
set_apart kernel/keys/root_maxbytes 25000000

echo "the node is up"
while :; do
    sleep 1000000 &
    wait
done
