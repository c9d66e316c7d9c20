import Testing
import Weft

@Suite("Proxy", .timeLimit(.minutes(2)))
struct ProxyTests {
    private func through(
        _ port: Int, username: String? = nil, password: String? = nil
    ) -> ClientConfiguration {
        var configuration = ClientConfiguration()
        configuration.proxy = Proxy(
            host: "127.0.0.1", port: port, username: username, password: password)
        return configuration
    }

    /// Copies bytes until either side ends.
    private func relay(_ one: RawPeer, _ other: RawPeer) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (from, to) in [(one, other), (other, one)] {
                group.addTask {
                    while let bytes = try await from.readSome() { try await to.send(bytes) }
                    to.finish()
                }
            }
            try await group.waitForAll()
        }
    }

    @Test("proxy: Proxy?: the connection goes through a tunnel that the proxy opens")
    func tunnel() async throws {
        try await serve(Echo()) { listener in
            let proxy = try RawServer()
            let relaying = Task {
                let client = try await proxy.accept()
                let request = try await client.readHead()
                let server = try await RawPeer.connect(listener.port)
                try await client.send("HTTP/1.1 200 Connection established\r\n\r\n")
                try await relay(client, server)
                return request
            }
            let client = try await Client(
                listener.url(),
                configuration: through(proxy.port, username: "Aladdin", password: "open sesame"))
            try await client.writeTextMessage("hello")
            #expect(try await client.readTextMessage() == "hello")
            #expect(client.remoteAddress.port == proxy.port)
            try await client.close()
            let lines = try await relaying.value.split(separator: "\r\n")
            #expect(
                lines == [
                    "CONNECT 127.0.0.1:\(listener.port) HTTP/1.1", "Host: 127.0.0.1:\(listener.port)",
                    "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
                ])
        }
    }

    @Test("secureSocket: through a proxy's tunnel TLS is with the server, by the server's name")
    func secureTunnel() async throws {
        let authority = try TestAuthority.shared.get()
        try await serve(Echo(), on: authority.listener) { listener in
            let proxy = try RawServer()
            let relaying = Task {
                let client = try await proxy.accept()
                _ = try await client.readHead()
                let server = try await RawPeer.connect(listener.port)
                try await client.send("HTTP/1.1 200 Connection established\r\n\r\n")
                try await relay(client, server)
            }
            var configuration = through(proxy.port)
            configuration.secureSocket = ClientSecureSocket(cert: authority.authorities)
            let client = try await Client(
                listener.secureURL(host: "localhost"), configuration: configuration)
            #expect(client.isSecure)
            try await client.writeTextMessage("hello")
            #expect(try await client.readTextMessage() == "hello")
            try await client.close()
            try await relaying.value
        }
    }

    @Test("proxy: Proxy?: what the proxy refuses is invalidHandshake with its answer, said to be the proxy's")
    func refusal() async throws {
        let proxy = try RawServer()
        let answering = Task {
            let client = try await proxy.accept()
            _ = try await client.readHead()
            try await client.send(
                "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n"
                    + "Content-Length: 2\r\n\r\nno")
            return try await client.readToEnd()
        }
        let error = try await failure(WebSocketError.self) {
            _ = try await Client(
                "ws://host.invalid/",
                configuration: through(proxy.port, username: "user", password: "secret"))
        }
        #expect(error.code == .invalidHandshake)
        #expect(error.httpResponse?.status == .proxyAuthenticationRequired)
        #expect(error.httpResponseBody == Array("no".utf8))
        #expect(error.message.contains("the proxy answered 407"))
        #expect(!"\(error)".contains("secret"))
        _ = try await answering.value
    }

    @Test("proxy: Proxy?: a proxy that nobody serves is connectionRefused, and said to be the proxy")
    func unreachable() async throws {
        let configuration = through(1)  // where nobody listens
        let error = try await failure(WebSocketError.self) {
            _ = try await Client("ws://host.invalid/", configuration: configuration)
        }
        #expect(error.code == .connectionRefused)
        #expect(error.message.contains("proxy"))
    }

    @Test("proxy: Proxy?: handShakeTimeout is for the proxy too")
    func silence() async throws {
        let proxy = try RawServer()
        var configuration = through(proxy.port)
        configuration.handShakeTimeout = .milliseconds(500)
        let error = try await failure(WebSocketError.self) { [configuration] in
            _ = try await Client("ws://host.invalid/", configuration: configuration)
        }
        #expect(error.code == .handshakeTimedOut)
        #expect(error.message.contains("proxy"))
    }

    @Test("proxy: Proxy?: a value out of range throws, names the field and tells no credential")
    func outOfRange() async throws {
        let bad: [(String, Proxy)] = [
            ("proxy.port", Proxy(host: "a", port: 0)), ("proxy.port", Proxy(host: "a", port: 65536)),
            ("proxy.host", Proxy(host: "", port: 1)), ("proxy.host", Proxy(host: "a b", port: 1)),
            ("proxy.host", Proxy(host: "a\r\nX: y", port: 1)),
            ("proxy.username", Proxy(host: "a", port: 1, username: "secret:", password: "secret")),
            ("proxy.username", Proxy(host: "a", port: 1, username: "secret\r\n", password: "secret")),
            ("proxy.username", Proxy(host: "a", port: 1, password: "secret")),
            ("proxy.password", Proxy(host: "a", port: 1, username: "user", password: "secret\0")),
        ]
        for (field, proxy) in bad {
            var configuration = ClientConfiguration()
            configuration.proxy = proxy
            let error = try await failure(WebSocketError.self) { [configuration] in
                _ = try await Client("ws://127.0.0.1:1/", configuration: configuration)
            }
            #expect(error.code == .invalidConfiguration)
            #expect(error.message.contains(field))
            #expect(!error.message.contains("secret"))
        }
    }

    @Test("A proxy's descriptions leave the credentials out")
    func description() {
        let proxy = Proxy(host: "::1", port: 3128, username: "user", password: "secret")
        var dumped = ""
        dump(proxy, to: &dumped)
        #expect("\(proxy)" == "[::1]:3128")
        #expect(!(dumped + String(reflecting: proxy) + String(reflecting: [proxy])).contains("secret"))
        var configuration = ClientConfiguration()
        configuration.proxy = proxy
        #expect(!"\(configuration)".contains("secret"))
    }
}
