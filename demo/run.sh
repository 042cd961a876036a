#!/usr/bin/env bash
# The demo: a real control plane, one cloud node, five edge nodes, and pods that ask to be near something.
# Needs Rust, Go and kubectl. Exits with 0 only if every pod is where it must be.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=${CARGO_TARGET_DIR:-target}/debug

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
  bold=$'\e[1m' dim=$'\e[2m' green=$'\e[32m' red=$'\e[31m' yellow=$'\e[33m' plain=$'\e[0m'
else
  bold='' dim='' green='' red='' yellow='' plain=''
fi
step() { printf '\n%s== %s%s\n' "$bold" "$1" "$plain"; }
fail() { printf '%s✗ %s%s\n' "$red" "$1" "$plain"; exit 1; }

work=$(mktemp -d)
scheduler=''
cleanup() {
  status=$?
  [ -z "$scheduler" ] || { kill "$scheduler" && wait "$scheduler"; } 2>/dev/null || true
  [ ! -s "$work/kubeconfig" ] || "$bin"/controlplane down "$(cat "$work/folder")" || true
  if [ "$status" -ne 0 ] && [ -s "$work/scheduler.log" ]; then tail -n 20 "$work/scheduler.log" >&2; fi
  rm -rf "$work"
  exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

step 'Building (the first time takes a while: it builds Kubernetes too)'
cargo build --quiet --locked -p edge-scheduler -p controlplane

step 'Starting etcd, kube-apiserver, kube-controller-manager and KWOK'
export KUBECONFIG
KUBECONFIG=$("$bin"/controlplane up --controller-manager --kwok)
echo "$KUBECONFIG" >"$work/kubeconfig"
dirname "$KUBECONFIG" >"$work/folder"
kubectl apply -f demo/nodes.yaml >/dev/null
kubectl wait --for=condition=Ready node --all --timeout=60s >/dev/null
kubectl get nodes -L kubernetes.io/role

step 'Starting edge-scheduler with these delays (ms)'
cp demo/delays.txt demo/metadata.json "$work/"
column -t "$work/delays.txt" 2>/dev/null || cat "$work/delays.txt"
"$bin"/edge-scheduler --secure-port 0 --delay-matrix "$work/delays.txt" --metadata "$work/metadata.json" \
  2>"$work/scheduler.log" &
scheduler=$!

# What was decided about a pod, from the annotation that the scheduler wrote with the binding.
decision() { # pod field
  kubectl get pod "$1" -o 'jsonpath={.metadata.annotations.kubectl-edge\.dev/decision}' |
    sed -n "s/.*\"$2\":\"\{0,1\}\([^,\"}]*\).*/\1/p"
}

# Asks again and again until the command prints something, which is kept in $answer.
ask() { # what command...
  what=$1; shift
  answer=''
  deadline=$((SECONDS + 60))
  until [ -n "$answer" ]; do
    [ "$SECONDS" -lt "$deadline" ] || fail "waited in vain for $what"
    answer=$("$@")
  done
}

row() { printf '%-14s %-10s %-16s %9s %9s   %s\n' "$@"; }

# Waits for the Deployment's pod, prints where it is, and checks that against the nodes it may be on.
placed() { # deployment allowed-node...
  deployment=$1; shift
  ask "a pod of $deployment" kubectl get pod -l "app=$deployment" -o name
  pod=$answer
  kubectl wait --for=condition=PodScheduled "$pod" --timeout=60s >/dev/null || fail "$deployment was not placed"
  node=$(kubectl get "$pod" -o 'jsonpath={.spec.nodeName}')
  case " $* " in
    *" $node "*) verdict="${green}✓${plain}" ;;
    *) verdict="${red}✗ must be one of: $*${plain}" ;;
  esac
  name=${pod#pod/}
  row "$deployment" "$node" "$(decision "$name" anchor)" "$(decision "$name" delayMs)" "$(decision "$name" boundMs)" "$verdict"
  case "$verdict" in *✗*) fail "$deployment is in the wrong place" ;; esac
}

step 'The four requests of the BME demo (SIGCOMM 2019)'
kubectl apply -f demo/requests/1-near-a-node.yaml -f demo/requests/2-anywhere.yaml \
  -f demo/requests/3-one-for-each-worker.yaml -f demo/requests/4-near-a-workload.yaml >/dev/null
row WORKLOAD NODE 'DELAY FROM' 'DELAY ms' 'BOUND ms' ''
placed request-1 edge-1 edge-2 edge-3 edge-4
placed request-2 cloud-1
for worker in 1 2 3 4 5; do placed "deployment$worker" "edge-$worker"; done
placed request-4 edge-3

step 'A request that has to wait, and why'
kubectl apply -f demo/requests/5-has-to-wait.yaml >/dev/null
ask 'a reason of request-5' kubectl get pod -l app=request-5 \
  -o 'jsonpath={.items[*].status.conditions[?(@.type=="PodScheduled")].message}'
why=$answer
printf '%srequest-5 is Pending:%s %s\n' "$yellow" "$plain" "$why"
expected='0/6 nodes are available: 1 Insufficient memory, 5 node(s) exceeded the delay to edge-5 (10 ms).'
expected="$expected no new claims to deallocate, preemption: 0/6 nodes are available: 1 No preemption victims found for incoming pod,"
expected="$expected 5 Preemption is not helpful for scheduling."
[ "$why" = "$expected" ] || fail "expected: $expected"

step 'The link between edge-4 and edge-5 gets faster: 8 ms'
sed -e '5s/12\.2/ 8.0/' -e '6s/12\.6/ 8.0/' demo/delays.txt >"$work/new"
mv "$work/new" "$work/delays.txt"
row WORKLOAD NODE 'DELAY FROM' 'DELAY ms' 'BOUND ms' ''
placed request-5 edge-4

step 'Every pod runs where it must'
kubectl wait --for=jsonpath='{.status.phase}'=Running pod --all --timeout=60s >/dev/null
kubectl get pods -o wide --no-headers | awk '{ print $3 }' | sort | uniq -c
printf '%s✓ all placements are right%s %s(cleaning up)%s\n' "$green" "$plain" "$dim" "$plain"
