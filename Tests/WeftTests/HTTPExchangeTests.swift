import HTTPTypes
import Testing

@testable import Weft

@Suite("HTTPExchange", .timeLimit(.minutes(2)))
struct HTTPExchangeTests {
    /// A server of ours, which tells what it was asked.
    private func withServer(_ talk: (String) async throws -> Void) async throws {
        let attach: (Listener) throws -> Void = { listener in
            try listener.attach(at: "/echo") { request -> HTTPServiceResponse in
                let said = request.head.headerFields[.contentType] ?? "nothing"
                let text = "\(request.head.method) \(request.query) \(said) "
                return HTTPServiceResponse(
                    status: .accepted, headers: [.server: "me"], body: Array(text.utf8) + request.body)
            }
        }
        try await withListener(attach: attach) { try await talk("http://127.0.0.1:\($0.port)") }
    }

    private func perform(_ request: HTTPExchangeRequest) async throws -> HTTPExchange.Answer {
        try await HTTPExchange.perform(request, on: EventLoops.shared.next())
    }

    @Test("A request goes out with method, fields and body, and its answer comes back whole")
    func exchange() async throws {
        try await withServer { server in
            var request = HTTPExchangeRequest(url: server + "/echo?a=b")
            var (response, body) = try await perform(request)
            #expect(response.status == .accepted)
            #expect(response.headerFields[.server] == "me")
            #expect(String(decoding: body, as: UTF8.self) == "GET a=b nothing ")
            request.method = .post
            request.headers[.contentType] = "text/plain"
            request.body = Array(repeating: 120, count: 100_000)
            (response, body) = try await perform(request)
            #expect(
                String(decoding: body, as: UTF8.self) == "POST a=b text/plain "
                    + String(repeating: "x", count: 100_000))
            request.url = server + "/nowhere"
            (response, body) = try await perform(request)
            #expect(response.status == .notFound)
        }
    }

    @Test("Bounds of size and time hold, and an error names the server, not what was asked")
    func bounds() async throws {
        let server = try RawServer()
        let place = "http://127.0.0.1:\(server.port): "
        let url = "http://127.0.0.1:\(server.port)/?secret"
        let tooLarge = Task { try await perform(HTTPExchangeRequest(url: url, maxBodySize: 3)) }
        let first = try await server.accept()
        #expect(try await first.readHead().hasPrefix("GET /?secret HTTP/1.1\r\n"))
        try await first.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfour")
        var error = try await failure(WebSocketError.self) { _ = try await tooLarge.value }
        #expect(error.code == .payloadTooLarge)
        #expect(error.message == place + "the body of the answer is over 3 bytes")
        error = try await failure(WebSocketError.self) {
            _ = try await perform(HTTPExchangeRequest(url: url, timeout: .milliseconds(50)))
        }
        #expect(error.message == place + "the answer was not whole after 0.05 s")
    }

    @Test("A cancelled task gives the request up, before it begins as well")
    func cancellation() async throws {
        let server = try RawServer()
        let request = HTTPExchangeRequest(url: "http://127.0.0.1:\(server.port)/")
        let task = Task { _ = try await perform(request) }
        let peer = try await server.accept()
        _ = try await peer.readHead()
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(try await peer.readToEnd() == [])

        let gate = Gate()
        let second = Task {
            await gate.pass()
            _ = try await perform(HTTPExchangeRequest(url: "http://nobody.invalid/"))
        }
        second.cancel()
        gate.open()
        await #expect(throws: CancellationError.self) { try await second.value }
    }

    @Test("Over TLS the server's certificate is checked as a client's settings have it")
    func secure() async throws {
        let files = try KeyFiles()
        let key = try files.makeKey("key.pem", "ec_paramgen_curve:P-256")
        _ = try files.makeStore("store", of: key, alias: "x", password: "secret")
        let certificate = files.path("store.pem")  // of "test", which signs itself
        var configuration = ListenerConfiguration.local
        configuration.secureSocket = ListenerSecureSocket(
            key: .certificate(certFile: certificate, keyFile: key))
        let attach: (Listener) throws -> Void = { listener in
            try listener.attach(at: "/") { _ in HTTPServiceResponse(text: "hello") }
        }
        try await withListener(configuration, attach: attach) { listener in
            let place = "https://127.0.0.1:\(listener.port)"
            var request = HTTPExchangeRequest(url: place + "/?secret")
            let stranger = try await failure(WebSocketError.self) { _ = try await perform(request) }
            #expect(stranger.code == .ssl)
            #expect(
                stranger.message.hasPrefix(
                    place + ": the certificate of 127.0.0.1:\(listener.port) is refused"))
            request.secureSocket = ClientSecureSocket(cert: .file(certificate))
            let otherName = try await failure(WebSocketError.self) { _ = try await perform(request) }
            #expect(otherName.code == .ssl)
            request.secureSocket?.verifyHostName = false
            #expect(String(decoding: try await perform(request).1, as: UTF8.self) == "hello")
            request.secureSocket?.cert = .file(files.path("missing"))
            let missing = try await failure(WebSocketError.self) { _ = try await perform(request) }
            #expect(missing.message.contains("missing"))
        }
    }

    @Test("What cannot be asked is refused at once")
    func refusal() async throws {
        var request = HTTPExchangeRequest(url: "http://me:secret@host/")
        let url = try await failure(WebSocketError.self) { _ = try await perform(request) }
        #expect(url.code == .invalidURL)
        #expect(!url.description.contains("secret"))
        request.url = "http://127.0.0.1:1/"
        request.headers[.contentLength] = "5"
        let field = try await failure(WebSocketError.self) { _ = try await perform(request) }
        #expect(field.code == .invalidConfiguration)
        request.headers = [:]
        let nobody = try await failure(WebSocketError.self) { _ = try await perform(request) }
        #expect(nobody.code == .connectionRefused)
        #expect(nobody.message.hasPrefix("http://127.0.0.1:1: "))
    }
}
