import HTTPTypes
import Testing
import Weft

/// Tells what was asked for.
private struct Page: HTTPService {
    func respond(to request: HTTPServiceRequest) async throws -> HTTPServiceResponse {
        HTTPServiceResponse(
            headers: [.cacheControl: "no-store"], text: "\(request.path)?\(request.query)")
    }
}

@Suite("HTTPService", .timeLimit(.minutes(2)))
struct HTTPServiceTests {
    /// A page at /, a failing one at /fail, a WebSocket at /ws.
    private func servePage<Result>(
        _ configuration: ListenerConfiguration = .local, _ talk: (RawPeer) async throws -> Result
    ) async throws -> Result {
        let attach: (Listener) throws -> Void = { listener in
            try listener.attach(Page())
            try listener.attach(at: "/fail") { _ -> HTTPServiceResponse in throw Mishap() }
            try listener.attach(at: "/forged") { _ -> HTTPServiceResponse in
                HTTPServiceResponse(headers: [.contentLength: "1"], text: "more than one")
            }
            try listener.attach(at: "/teapot") { request -> HTTPServiceResponse in
                HTTPServiceResponse(
                    status: .init(code: 418), headers: [.contentType: "text/html"],
                    text: request.head.headerFields[.userAgent] ?? "")
            }
            try listener.attach(at: "/method") { request -> HTTPServiceResponse in
                HTTPServiceResponse(body: Array(request.head.method.rawValue.utf8) + request.body)
            }
            try listener.attach(at: "/login") { request -> HTTPServiceResponse in
                guard request.cookies.contains(where: { $0 == (name: "session", value: "\"1 2\"") }) else {
                    throw AuthenticationError("log in", challenge: "Basic realm=\"x\"")
                }
                guard request.queryItems.isEmpty else { throw AuthorizationError("not you") }
                throw UpgradeError(status: .conflict, message: "you are in")
            }
            try listener.attach(at: "/ws") { _ in Echo() }
        }
        return try await withListener(configuration, attach: attach) { listener in
            try await talk(RawPeer.connect(listener.port))
        }
    }

    private func get(_ path: String, _ fields: String...) -> String {
        (["GET \(path) HTTP/1.1", "Host: x"] + fields + ["", ""]).joined(separator: "\r\n")
    }

    @Test("GET gets status, headers and body, with the length counted")
    func get() async throws {
        try await servePage { peer in
            try await peer.send(get("/?a=1"))
            let response = try await peer.readResponse()
            #expect(response.status == 200)
            #expect(response.body == "/?a=1")
            #expect(response.fields["content-length"] == "5")
            #expect(response.fields["content-type"] == "text/plain; charset=utf-8")
            #expect(response.fields["cache-control"] == "no-store")
            #expect(response.fields["server"] == nil)
        }
    }

    @Test("The service chooses status and type, and sees the request's fields")
    func status() async throws {
        try await servePage { peer in
            try await peer.send(get("/teapot", "User-Agent: kettle"))
            let response = try await peer.readResponse()
            #expect(response.status == 418)
            #expect(response.fields["content-type"] == "text/html")
            #expect(response.body == "kettle")
        }
    }

    @Test("HEAD gets the length of the body, not the body")
    func head() async throws {
        try await servePage { peer in
            try await peer.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n" + get("/?next"))
            let response = try await peer.readResponse(toHead: true)
            #expect(response.status == 200)
            #expect(response.fields["content-length"] == "2")
            #expect(try await peer.readResponse().body == "/?next")
        }
    }

    @Test("Connections are kept alive, also for requests in one packet, until the client asks for the end")
    func keepAlive() async throws {
        try await servePage { peer in
            try await peer.send(get("/?1"))
            #expect(try await peer.readResponse().body == "/?1")
            try await peer.send(get("/?2") + get("/?3") + get("/?4", "Connection: close"))
            for number in 2...3 { #expect(try await peer.readResponse().body == "/?\(number)") }
            let last = try await peer.readResponse()
            #expect(last.body == "/?4")
            #expect(last.fields["connection"] == "close")
            #expect(try await peer.readToEnd().isEmpty)
        }
    }

    @Test("A connection may upgrade after plain requests")
    func upgradeLater() async throws {
        try await servePage { peer in
            try await peer.send(get("/"))
            #expect(try await peer.readResponse().status == 200)
            try await peer.send(RawPeer.upgradeRequest())
            #expect(try await peer.readResponse().status == 101)
            try await peer.send(.text("upgraded"))
            #expect(try await peer.readFrame() == .text("upgraded"))
        }
    }

    @Test("Unknown path: 404, for plain requests and upgrades")
    func notFound() async throws {
        for request in [get("/none"), RawPeer.upgradeRequest("/none")] {
            try await servePage { peer in
                try await peer.send(request)
                let response = try await peer.readResponse()
                #expect(response.status == 404)
            }
        }
    }

    @Test("A plain request where a WebSocket service lives: 426 with Upgrade")
    func upgradeRequired() async throws {
        try await servePage { peer in
            try await peer.send(get("/ws"))
            let response = try await peer.readResponse()
            #expect(response.status == 426)
            #expect(response.fields["upgrade"] == "websocket")
        }
    }

    @Test("An upgrade whose method is not GET: 405 with Allow", arguments: ["POST", "HEAD", "BREW"])
    func methodNotAllowed(method: String) async throws {
        try await servePage { peer in
            try await peer.send(method + RawPeer.upgradeRequest().dropFirst(3))
            let response = try await peer.readResponse(toHead: method == "HEAD")
            #expect(response.status == 405)
            #expect(response.fields["allow"] == "GET")
        }
    }

    @Test("The service sees the method and the body")
    func methods() async throws {
        try await servePage { peer in
            try await peer.send("DELETE /method HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
            #expect(try await peer.readResponse().body == "DELETE")
            try await peer.send("POST /method HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody")
            #expect(try await peer.readResponse().body == "POSTbody")
            try await peer.send(
                "PUT /method HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n"
            )
            #expect(try await peer.readResponse().body == "PUTbody")
        }
    }

    @Test("A thrown error is a 500 without its text, and so are headers that are the library's")
    func failures() async throws {
        for path in ["/fail", "/forged"] {
            try await servePage { peer in
                try await peer.send(get(path))
                let response = try await peer.readResponse()
                #expect(response.status == 500)
                #expect(!response.body.contains("mishap"))
            }
        }
    }

    @Test("Errors that have an answer of their own are that answer, and the connection goes on")
    func refusals() async throws {
        try await servePage { peer in
            try await peer.send(get("/login"))
            let challenged = try await peer.readResponse()
            #expect(challenged.status == 401)
            #expect(challenged.body == "log in")
            #expect(challenged.fields["www-authenticate"] == "Basic realm=\"x\"")
            try await peer.send(get("/login?as=you", "Cookie: a=b; session=\"1 2\""))
            #expect(try await peer.readResponse().status == 403)
            try await peer.send(get("/login", "Cookie: session=\"1 2\""))
            let conflict = try await peer.readResponse()
            #expect(conflict.status == 409)
            #expect(conflict.body == "you are in")
        }
    }

    @Test("A header that cannot be sent is a 500, and the log says which")
    func forbiddenHeaders() async throws {
        let log = LogChannel()
        var configuration = ListenerConfiguration.local
        configuration.logger = log.logger
        let control: HTTPFields = {
            var fields = HTTPFields()
            fields.append(HTTPField(name: .location, lenientValue: Array("a\u{1}b".utf8)))
            return fields
        }()
        let attach: (Listener) throws -> Void = { listener in
            try listener.attach(at: "/control") { _ -> HTTPServiceResponse in
                HTTPServiceResponse(headers: control)
            }
            try listener.attach(at: "/refused") { _ -> HTTPServiceResponse in
                throw UpgradeError(message: "no", headers: control)
            }
        }
        try await withListener(configuration, attach: attach) { listener in
            for path in ["/control", "/refused"] {
                let peer = try await RawPeer.connect(listener.port, sending: Array(get(path).utf8))
                let response = try await peer.readResponse()
                #expect(response.status == 500)
                #expect(response.body == "internal server error")
                #expect(try await log.lines.next().contains("Location"))
            }
        }
    }

    @Test("Headers cannot be injected into an answer")
    func headerInjection() async throws {
        let attach: (Listener) throws -> Void = { listener in
            try listener.attach(at: "/") { _ -> HTTPServiceResponse in
                HTTPServiceResponse(headers: [.location: "/\r\nX-Evil: 1\n\nbody"])
            }
        }
        try await withListener(attach: attach) { listener in
            let peer = try await RawPeer.connect(listener.port)
            try await peer.send(get("/"))
            let response = try await peer.readResponse()
            #expect(response.fields["x-evil"] == nil)
            // HTTPField has made spaces of the line breaks before Weft could see them.
            #expect(response.fields["location"] == "/  X-Evil: 1  body")
        }
    }

    @Test("A big body arrives whole")
    func bigBody() async throws {
        let attach: (Listener) throws -> Void = { listener in
            try listener.attach(at: "/") { _ -> HTTPServiceResponse in
                HTTPServiceResponse(body: [UInt8](repeating: 0x62, count: 3_000_000))
            }
        }
        try await withListener(attach: attach) { listener in
            let peer = try await RawPeer.connect(listener.port)
            try await peer.send(get("/"))
            let response = try await peer.readResponse()
            #expect(response.body.utf8.count == 3_000_000)
        }
    }

    @Test("An answer that takes its time does not stop the loop")
    func awaitingAnswer() async throws {
        let (isAsked, mayAnswer) = (Channel<Void>(), Gate())
        let attach: (Listener) throws -> Void = { listener in
            try listener.attach(at: "/slow") { _ -> HTTPServiceResponse in
                isAsked.send(())
                await mayAnswer.pass()
                return HTTPServiceResponse(text: "slow")
            }
            try listener.attach(at: "/ws") { _ in Echo() }
        }
        try await withListener(attach: attach) { listener in
            let peer = try await RawPeer.connect(listener.port)
            try await peer.send(get("/slow"))
            try await isAsked.next()
            let client = try await Client(listener.url())
            try await client.writeTextMessage("meanwhile")
            #expect(try await client.readTextMessage() == "meanwhile")
            mayAnswer.open()
            #expect(try await peer.readResponse().body == "slow")
        }
    }
}
