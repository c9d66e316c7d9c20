// A WebSocket echo server on gorilla/websocket: a goroutine for each connection, on as many cores as it is given.
package main

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"

	"github.com/gorilla/websocket"
)

func echo(upgrader *websocket.Upgrader, writer http.ResponseWriter, request *http.Request) {
	socket, err := upgrader.Upgrade(writer, request, nil)
	if err != nil {
		return
	}
	defer socket.Close()
	if upgrader.EnableCompression {
		_ = socket.SetCompressionLevel(6)
	}
	for {
		kind, message, err := socket.ReadMessage()
		if err != nil {
			return
		}
		if socket.WriteMessage(kind, message) != nil {
			return
		}
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "gorilla-echo:", err)
	os.Exit(1)
}

func main() {
	port := flag.Int("port", 0, "the port, on 127.0.0.1; 0 lets the system choose")
	deflates := flag.Bool("deflate", false, "agree to permessage-deflate")
	certificate := flag.String("tls-cert", "", "a certificate, as PEM")
	key := flag.String("tls-key", "", "its key, as PEM")
	flag.Parse()

	upgrader := &websocket.Upgrader{
		EnableCompression: *deflates,
		CheckOrigin:       func(*http.Request) bool { return true },
	}
	handler := http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		echo(upgrader, writer, request)
	})
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", *port))
	if err != nil {
		fail(err)
	}
	bound := listener.Addr().(*net.TCPAddr).Port
	if *certificate == "" {
		fmt.Printf("gorilla-echo: listening on ws://127.0.0.1:%d/\n", bound)
		fail(http.Serve(listener, handler))
	}
	fmt.Printf("gorilla-echo: listening on wss://127.0.0.1:%d/\n", bound)
	fail(http.ServeTLS(listener, handler, *certificate, *key))
}
