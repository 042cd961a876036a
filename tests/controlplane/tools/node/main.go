// Command node is the one program in the image that real nodes run: the sandbox's pause, and what tests do in pods.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const usage = `node pause          waits for a signal to end
node ping ADDRESS   sends ICMP echo requests until one is answered, 10 s at most, and says after how long that was
node api PATH       reads PATH from the API server at the service address, with the pod's own token`

const account = "/var/run/secrets/kubernetes.io/serviceaccount/"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 1 && args[0] == "pause":
		return pause()
	case len(args) == 2 && args[0] == "ping":
		return ping(args[1])
	case len(args) == 2 && args[0] == "api":
		return api(args[1])
	}
	return errors.New(usage)
}

// As process 1 of a pod it also has to collect processes that lost their parent.
func pause() error {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD)
	for received := range signals {
		if received != syscall.SIGCHLD {
			break
		}
		for pid := 1; pid > 0; {
			pid, _ = syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		}
	}
	return nil
}

// An ICMP socket without privileges: the kernel fills in identifier and checksum.
func ping(target string) error {
	address := net.ParseIP(target).To4()
	if address == nil {
		return fmt.Errorf("%s is no IPv4 address", target)
	}
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, syscall.IPPROTO_ICMP)
	if err != nil {
		return fmt.Errorf("ICMP socket: %w", err)
	}
	patience := syscall.Timeval{Usec: 200_000}
	if err := syscall.SetsockoptTimeval(socket, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &patience); err != nil {
		return fmt.Errorf("time-out: %w", err)
	}
	request := []byte{8, 0, 0, 0, 0, 0, 0, 1}
	to := &syscall.SockaddrInet4{Addr: [4]byte(address)}
	last := errors.New("no answer")
	for began := time.Now(); time.Since(began) < 10*time.Second; {
		sent := time.Now()
		if err := syscall.Sendto(socket, request, 0, to); err != nil {
			last = err
			time.Sleep(100 * time.Millisecond)
			continue
		}
		answer := make([]byte, 64)
		length, _, err := syscall.Recvfrom(socket, answer, 0)
		if err == nil && length >= 8 && answer[0] == 0 {
			fmt.Println("answered after", time.Since(sent).Microseconds(), "us")
			return nil
		}
	}
	return fmt.Errorf("ping %s: %w", target, last)
}

func api(path string) error {
	token, err := os.ReadFile(account + "token")
	if err != nil {
		return err
	}
	authority, err := os.ReadFile(account + "ca.crt")
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	client := http.Client{
		Timeout:   10 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}},
	}
	server := net.JoinHostPort(os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT"))
	request, err := http.NewRequest(http.MethodGet, "https://"+server+path, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+string(token))
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, answer.Status)
	}
	_, err = io.Copy(os.Stdout, answer.Body)
	return err
}
