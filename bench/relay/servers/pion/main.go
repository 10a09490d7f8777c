// A TURN server of github.com/pion/turn, as a program that wants it fast would embed it.
//
// Debian's golang-github-pion-turn.v2-dev is a library: this is the least around it, with a reason for each option. Threads
// (GOMAXPROCS) are the runner's to choose, as many as turnd's. Collection of garbage is as Go does it unasked.
package main

import (
	"context"
	"crypto/tls"
	"flag"
	"log"
	"net"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/pion/turn/v2"
	"golang.org/x/sys/unix"
)

const realm, user, password = "bench.example", "load", "secret"

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	address := flag.String("listen", "", "ADDRESS:PORT for UDP and TCP, on loopback")
	tlsAddress := flag.String("tls-listen", "", "ADDRESS:PORT for TLS")
	cert := flag.String("cert", "", "certificate chain (PEM)")
	key := flag.String("key", "", "its private key (PEM)")
	minPort := flag.Uint("min-port", 49152, "first relay port")
	flag.Parse()
	host, _, err := net.SplitHostPort(*address)
	must(err)

	relays := func() turn.RelayAddressGenerator {
		return &turn.RelayAddressGeneratorPortRange{
			RelayAddress: net.ParseIP(host), // loopback only
			Address:      host,
			MinPort:      uint16(*minPort),
			MaxPort:      65535,
			MaxRetries:   1000, // ports are drawn; the usual ten draws fail when most are taken
		}
	}

	// One goroutine reads each socket, so there is one for each thread, and the kernel spreads clients over them.
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var result error
		err := c.Control(func(fd uintptr) {
			result = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		})
		if err != nil {
			return err
		}
		return result
	}}
	var datagrams []turn.PacketConnConfig
	for i := 0; i < runtime.GOMAXPROCS(0); i++ {
		socket, err := config.ListenPacket(context.Background(), "udp4", *address)
		must(err)
		// All clients share it; Linux's usual 208 KiB are a few milliseconds of their traffic.
		must(socket.(*net.UDPConn).SetReadBuffer(4 << 20))
		must(socket.(*net.UDPConn).SetWriteBuffer(4 << 20))
		datagrams = append(datagrams, turn.PacketConnConfig{PacketConn: socket, RelayAddressGenerator: relays()})
	}

	tcp, err := net.Listen("tcp4", *address)
	must(err)
	streams := []turn.ListenerConfig{{Listener: tcp, RelayAddressGenerator: relays()}}
	if *tlsAddress != "" {
		pair, err := tls.LoadX509KeyPair(*cert, *key)
		must(err)
		listener, err := tls.Listen("tcp4", *tlsAddress, &tls.Config{Certificates: []tls.Certificate{pair}})
		must(err)
		streams = append(streams, turn.ListenerConfig{Listener: listener, RelayAddressGenerator: relays()})
	}

	// The key is made once: no digest of the password for each request.
	secret := turn.GenerateAuthKey(user, realm, password)
	server, err := turn.NewServer(turn.ServerConfig{
		Realm: realm,
		AuthHandler: func(name, _ string, _ net.Addr) ([]byte, bool) {
			return secret, name == user
		},
		PacketConnConfigs: datagrams,
		ListenerConfigs:   streams,
	})
	must(err)

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	<-stop
	must(server.Close())
}
