import HTTPTypes
import Synchronization
import Testing
import Weft

@Suite("Upgrade", .timeLimit(.minutes(2)))
struct UpgradeTests {
    private func decide<Result>(
        configuration: ServiceConfiguration = .init(),
        _ get: @escaping @Sendable (UpgradeRequest) async throws -> Upgrade,
        _ talk: (Listener) async throws -> Result
    ) async throws -> Result {
        let attach: (Listener) throws -> Void = {
            try $0.attach(at: "/ws", configuration: configuration, get)
        }
        return try await withListener(attach: attach, talk)
    }

    private func answer(_ listener: Listener, _ request: String) async throws -> RawResponse {
        let peer = try await RawPeer.connect(listener.port)
        try await peer.send(request)
        return try await peer.readResponse()
    }

    // MARK: The request

    @Test("UpgradeRequest: tells head, path, query, origin, subprotocols and addresses")
    func request() async throws {
        let requests = Channel<UpgradeRequest>()
        let get: @Sendable (UpgradeRequest) -> Upgrade = { request in
            requests.send(request)
            return Upgrade(Echo())
        }
        var configuration = ServiceConfiguration()
        configuration.allowedOrigins = .any
        try await decide(configuration: configuration, get) { listener in
            let peer = try await RawPeer.connect(listener.port)
            try await peer.send(
                RawPeer.upgradeRequest(
                    "/ws?name=J%C3%BCrgen+M&flag&x=1&x=2&bad=%zz", "Origin: https://example.org",
                    "X-Token: a, b",
                    "Sec-WebSocket-Protocol: chat,\t superchat ,", "Sec-WebSocket-Protocol: third"))
            let request = try await requests.next()
            #expect(request.head.method == .get)
            #expect(request.head.authority == "127.0.0.1")
            #expect(request.head.path == "/ws?name=J%C3%BCrgen+M&flag&x=1&x=2&bad=%zz")
            #expect(request.head.headerFields[HTTPField.Name("X-Token")!] == "a, b")
            #expect(request.path == "/ws")
            #expect(request.query == "name=J%C3%BCrgen+M&flag&x=1&x=2&bad=%zz")
            #expect(request.queryItems.map(\.name) == ["name", "flag", "x", "x", "bad"])
            #expect(request.queryItems.map(\.value) == ["Jürgen M", "", "1", "2", "%zz"])
            #expect(request.origin == "https://example.org")
            #expect(request.subprotocols == ["chat", "superchat", "third"])
            #expect(request.localAddress == listener.localAddress)
            #expect(request.remoteAddress.host == "127.0.0.1")
            #expect(!request.isSecure)
        }
    }

    @Test("UpgradeRequest: fields come back as they were sent, also from the caller of the open connection")
    func fieldsAsSent() async throws {
        let sent = [
            "Pragma: no-cache", "pragma: No-Cache", "Accept: */*", "ACCEPT: */*", "User-Agent: x",
            "user-agent: y",
            "Sec-WebSocket-Extensions: permessage-deflate", "Sec-WebSocket-Extensions: x; y", "X-Empty: ",
            "Cookie: a=1; b=2", "Cookie: c=3", "X-Long: \(String(repeating: "long ", count: 4000))end",
        ]
        var configuration = ListenerConfiguration()
        configuration.requestLimits.maxHeaderSize = 1 << 16
        let service = Recorder()
        let attach: (Listener) throws -> Void = { try $0.attach(at: "/ws") { _ in Upgrade(service) } }
        try await withListener(configuration, attach: attach) { listener in
            let peer = try await RawPeer.connect(listener.port)
            try await peer.send(RawPeer.upgradeRequest("http://127.0.0.1/ws?x=1", sent))
            #expect(try await peer.readResponse().status == 101)
            let request = try #require(try await service.callers.next().request)
            let fields = request.head.headerFields.map { "\($0.name.rawName): \($0.value)" }
            #expect(fields.suffix(sent.count) == sent[...])
            #expect(fields.prefix(2) == ["Upgrade: websocket", "Connection: Upgrade"])
            #expect(request.head.authority == "127.0.0.1")
            #expect(request.head.path == "http://127.0.0.1/ws?x=1")
            #expect(request.path == "/ws" && request.query == "x=1")
            #expect(request.peerCertificate == nil)
        }
    }

    @Test("Server answers: bytes that follow the request in the same packet are the first frames")
    func framesInThePacket() async throws {
        try await serve(Echo()) { listener in
            let peer = try await RawPeer.upgrade(listener.port, then: [.text("first"), .text("second")])
            #expect(try await peer.readFrame() == .text("first"))
            #expect(try await peer.readFrame() == .text("second"))
        }
    }

    @Test("UpgradeService: a decision that awaits does not stop the loop")
    func awaitingDecision() async throws {
        let (isAsked, mayDecide) = (Channel<Void>(), Gate())
        let get: @Sendable (UpgradeRequest) async -> Upgrade = { request in
            if request.query == "slow" {
                isAsked.send(())
                await mayDecide.pass()
            }
            return Upgrade(Echo())
        }
        try await decide(get) { listener in
            let url = listener.url()
            let slow = Task { try await Client(url + "?slow") }
            try await isAsked.next()
            let fast = try await Client(url)
            try await fast.writeTextMessage("meanwhile")
            #expect(try await fast.readTextMessage() == "meanwhile")
            mayDecide.open()
            try await slow.value.close()
        }
    }

    @Test("UpgradeService: a client that leaves during the decision does no harm")
    func leavesDuringTheDecision() async throws {
        let (isAsked, mayDecide) = (Channel<Void>(), Gate())
        let service = Recorder()
        let get: @Sendable (UpgradeRequest) async -> Upgrade = { request in
            isAsked.send(())
            await mayDecide.pass()
            return Upgrade(service)
        }
        try await decide(get) { listener in
            var peer: RawPeer? = try await RawPeer.connect(listener.port)
            try await peer?.send(RawPeer.upgradeRequest())
            try await isAsked.next()
            peer?.resetAtEnd()
            peer = nil
            mayDecide.open()
            try await eventually { listener.connectionCount == 0 }
        }
    }

    // MARK: Acceptance

    @Test("Upgrade: its headers are on the 101")
    func headers() async throws {
        let name = HTTPField.Name("X-Room")!
        let get: @Sendable (UpgradeRequest) -> Upgrade = { _ in Upgrade(Echo(), headers: [name: "seven"]) }
        try await decide(get) { listener in
            let client = try await Client(listener.url())
            #expect(client.httpResponse?.status == .switchingProtocols)
            #expect(client.httpResponse?.headerFields[name] == "seven")
        }
    }

    @Test("CR, LF and NUL in a header cannot inject another one")
    func headerInjection() async throws {
        let get: @Sendable (UpgradeRequest) -> Upgrade = { _ in
            Upgrade(Echo(), headers: [HTTPField.Name("X-Room")!: "a\r\nX-Evil: 1\0\n\nbody"])
        }
        try await decide(get) { listener in
            let response = try await answer(listener, RawPeer.upgradeRequest())
            #expect(response.fields["x-evil"] == nil)
            #expect(response.fields["x-room"]?.contains(where: \.isNewline) != true)
        }
    }

    @Test("Upgrade: a header with a control character ends the request with 500")
    func controlInHeader() async throws {
        let get: @Sendable (UpgradeRequest) -> Upgrade = { _ in
            var headers = HTTPFields()
            headers.append(HTTPField(name: .location, lenientValue: Array("a\u{1}b".utf8)))
            return Upgrade(Echo(), headers: headers)
        }
        try await decide(get) { listener in
            let response = try await answer(listener, RawPeer.upgradeRequest())
            #expect(response.status == 500)
            #expect(response.fields["location"] == nil)
        }
    }

    @Test(
        "The handshake's own headers cannot be set and end the request with 500",
        arguments: [
            "Upgrade", "Connection", "Sec-WebSocket-Accept", "Sec-WebSocket-Protocol", "Content-Length",
        ])
    func handshakeHeaders(name: String) async throws {
        let get: @Sendable (UpgradeRequest) -> Upgrade = { _ in
            Upgrade(Echo(), headers: [HTTPField.Name(name)!: "1"])
        }
        try await decide(get) { listener in
            let response = try await answer(listener, RawPeer.upgradeRequest())
            #expect(response.status == 500)
        }
    }

    // MARK: Refusal

    @Test("AuthenticationError: 401 with its challenge; AuthorizationError: 403")
    func authErrors() async throws {
        let get: @Sendable (UpgradeRequest) throws -> Upgrade = { request in
            switch request.query {
            case "who": throw AuthenticationError("who are you", challenge: "Bearer\r\nX-Evil: 1")
            case "bare": throw AuthenticationError()
            default: throw AuthorizationError("not you")
            }
        }
        try await decide(get) { listener in
            let who = try await answer(listener, RawPeer.upgradeRequest("/ws?who"))
            #expect(who.status == 401)
            #expect(who.body == "who are you")
            #expect(who.fields["www-authenticate"] == "Bearer  X-Evil: 1")
            #expect(who.fields["connection"] == "close")
            #expect(
                try await answer(listener, RawPeer.upgradeRequest("/ws?bare")).fields["www-authenticate"]
                    == nil)
            let not = try await answer(listener, RawPeer.upgradeRequest("/ws"))
            #expect(not.status == 403)
            #expect(not.body == "not you")
        }
        #expect(AuthenticationError("who").description == "401 Unauthorized: who")
        #expect(AuthorizationError("no").description == "403 Forbidden: no")
    }

    @Test("UpgradeRequest: pathParameters and cookies")
    func parametersAndCookies() async throws {
        let requests = Channel<UpgradeRequest>()
        let attach: (Listener) throws -> Void = { listener in
            try listener.attach(at: "/{a}/{rest*}") { request in
                requests.send(request)
                return Echo()
            }
        }
        try await withListener(attach: attach) { listener in
            let peer = try await RawPeer.connect(listener.port)
            try await peer.send(
                RawPeer.upgradeRequest(
                    "/x%2Fy/J%C3%BCrgen/%FF", "Cookie: a=1; b=\"2 3\";c=4=5 ; novalue; =noname; d=",
                    "Cookie: a=6"))
            #expect(try await peer.readResponse().status == 101)
            let request = try await requests.next()
            #expect(request.path == "/x%2Fy/J%C3%BCrgen/%FF")
            #expect(request.pathParameters == ["a": "x/y", "rest": "Jürgen/\u{FFFD}"])
            #expect(request.cookies.map(\.name) == ["a", "b", "c", "d", "a"])
            #expect(request.cookies.map(\.value) == ["1", "\"2 3\"", "4=5", "", "6"])
        }
    }

    @Test(
        "throw UpgradeError(status: = .badRequest, message:, headers:): is the HTTP answer with the message as body"
    )
    func upgradeError() async throws {
        let get: @Sendable (UpgradeRequest) throws -> Upgrade = { _ in
            throw UpgradeError(status: .forbidden, message: "members only", headers: [.retryAfter: "120"])
        }
        try await decide(get) { listener in
            let response = try await answer(listener, RawPeer.upgradeRequest())
            #expect(response.status == 403)
            #expect(response.body == "members only")
            #expect(response.fields["content-length"] == "12")
            #expect(response.fields["connection"] == "close")
            #expect(response.fields["retry-after"] == "120")
        }
    }

    @Test(
        "The status of an UpgradeError is from 400 to 599, else 400",
        arguments: [200, 101, 302, 399, 600, 999])
    func upgradeErrorStatus(status: Int) async throws {
        #expect(UpgradeError(status: .init(code: status)).status == .badRequest)
        let get: @Sendable (UpgradeRequest) throws -> Upgrade = { _ in
            var error = UpgradeError(message: "no")
            error.status = .init(code: status)
            throw error
        }
        try await decide(get) { listener in
            let response = try await answer(listener, RawPeer.upgradeRequest())
            #expect(response.status == 400)
        }
    }

    @Test("UpgradeError: the default is 400 without a text")
    func upgradeErrorDefaults() {
        let error = UpgradeError()
        #expect(error.status == .badRequest)
        #expect(error.message.isEmpty && error.headers.isEmpty)
        #expect(UpgradeError(status: .init(code: 599), message: "x").description.contains("599"))
    }

    @Test("logger: any other error that an upgrade throws is a 500 without its text, which goes to the log")
    func otherError() async throws {
        let log = LogChannel()
        var configuration = ListenerConfiguration.local
        configuration.logger = log.logger
        let attach: (Listener) throws -> Void = { listener in
            try listener.attach(at: "/ws") { _ -> Upgrade in throw Mishap() }
        }
        try await withListener(configuration, attach: attach) { listener in
            let response = try await answer(listener, RawPeer.upgradeRequest())
            #expect(response.status == 500)
            #expect(!response.body.contains("mishap"))
            #expect(try await log.lines.next().contains("a mishap"))
        }
    }

    @Test("UpgradeService: has a default configuration and decides for itself")
    func upgradeService() async throws {
        struct Members: UpgradeService {
            func get(_ request: UpgradeRequest) async throws -> Upgrade {
                guard request.query == "member" else { throw UpgradeError(status: .unauthorized) }
                return Upgrade(Echo())
            }
        }
        let attach: (Listener) throws -> Void = { try $0.attach(Members(), at: "/ws") }
        try await withListener(attach: attach) { listener in
            #expect(try await handshakeStatus(listener.url()) == 401)
            try await Client(listener.url("/ws?member")).close()
        }
    }

    @Test("Server answers: requests that break RFC 6455 §4.2.1 are refused", arguments: BadRequest.all)
    func badRequest(_ bad: BadRequest) async throws {
        try await serve(Echo()) { listener in
            let lines = RawPeer.upgradeRequest().components(bad.without)
            let response = try await answer(
                listener, (lines + bad.with + ["", ""]).joined(separator: "\r\n"))
            #expect(response.status == bad.status)
            for (name, value) in bad.fields { #expect(response.fields[name] == value) }
        }
    }

    struct BadRequest: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let without: String
        var with: [String] = []
        let status: Int
        var fields: [String: String] = [:]

        static let all = [
            BadRequest(testDescription: "no key", without: "Sec-WebSocket-Key", status: 400),
            BadRequest(
                testDescription: "repeated key", without: "-",
                with: ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="],
                status: 400),
            BadRequest(
                testDescription: "short key", without: "Sec-WebSocket-Key",
                with: ["Sec-WebSocket-Key: c2hvcnQ="],
                status: 400),
            BadRequest(
                testDescription: "version 8", without: "Sec-WebSocket-Version",
                with: ["Sec-WebSocket-Version: 8"],
                status: 426, fields: ["sec-websocket-version": "13"]),
            BadRequest(
                testDescription: "no version", without: "Sec-WebSocket-Version", status: 426,
                fields: ["sec-websocket-version": "13", "upgrade": "websocket"]),
            BadRequest(
                testDescription: "key that is no base64", without: "Sec-WebSocket-Key",
                with: ["Sec-WebSocket-Key: ????????????????????????"], status: 400),
            BadRequest(
                testDescription: "subprotocol that is no token", without: "-",
                with: ["Sec-WebSocket-Protocol: a b"], status: 400),
            BadRequest(testDescription: "no host", without: "Host", status: 400),
        ]
    }

    // MARK: Subprotocols

    @Test(
        "The first subprotocol of the client's list that the service lists; the star lists all",
        arguments: [
            (["b", "c"], ["a", "b", "c"], "b"), (["c", "b"], ["b", "c"], "b"), (["*"], ["x", "y"], "x"),
            (["a"], ["x"], nil), ([], ["x"], nil), (["x"], [], nil), (["A"], ["a"], nil),
        ] as [([String], [String], String?)])
    func subprotocol(spoken: [String], offered: [String], chosen: String?) async throws {
        let service = Recorder()
        var configuration = ServiceConfiguration()
        configuration.subProtocols = spoken
        try await serve(service, configuration) { listener in
            let fields = offered.isEmpty ? [] : ["Sec-WebSocket-Protocol: \(offered.joined(separator: ", "))"]
            let peer = try await RawPeer.connect(listener.port)
            try await peer.send(RawPeer.upgradeRequest("/ws", fields))
            let response = try await peer.readResponse()
            #expect(response.status == 101)
            #expect(response.fields["sec-websocket-protocol"] == chosen)
            #expect(try await service.callers.next().negotiatedSubprotocol == chosen)
        }
    }

    @Test("Upgrade: it may choose the subprotocol itself, among those offered")
    func chosenSubprotocol() async throws {
        let get: @Sendable (UpgradeRequest) -> Upgrade = { Upgrade(Echo(), subprotocol: $0.query) }
        try await decide(get) { listener in
            var configuration = ClientConfiguration()
            configuration.subProtocols = ["v1", "v2"]
            let client = try await Client(listener.url("/ws?v2"), configuration: configuration)
            #expect(client.negotiatedSubprotocol == "v2")
            #expect(try await handshakeStatus(listener.url("/ws?v3"), configuration) == 500)
        }
    }

    @Test(
        "Upgrade: a subprotocol that was not offered is a 500, nothing of it is sent, and the log names the field",
        arguments: ["v3", "v1, v2", "v1\r\nX-Evil: 1", "v1\0", "v 1", "V1"])
    func foreignSubprotocol(name: String) async throws {
        let log = LogChannel()
        var configuration = ListenerConfiguration.local
        configuration.logger = log.logger
        let attach: (Listener) throws -> Void = { listener in
            try listener.attach(at: "/ws") { _ -> Upgrade in Upgrade(Echo(), subprotocol: name) }
        }
        try await withListener(configuration, attach: attach) { listener in
            let request = RawPeer.upgradeRequest("/ws", "Sec-WebSocket-Protocol: v1, v2")
            let response = try await answer(listener, request)
            #expect(response.status == 500)
            #expect(response.fields["sec-websocket-protocol"] == nil && response.fields["x-evil"] == nil)
            #expect(try await log.lines.next().hasSuffix("subprotocol: the client did not offer it"))
        }
    }

    // MARK: Origins

    @Test(
        "allowedOrigins: a foreign Origin gets 403 with a sentence that says how to allow it; the own one and none pass"
    )
    func sameOrigin() async throws {
        try await serve(Echo()) { listener in
            let foreign = try await answer(
                listener, RawPeer.upgradeRequest("/ws", "Origin: http://evil.example"))
            #expect(foreign.status == 403)
            #expect(foreign.body.contains("rigin"))
            for origin in ["https://127.0.0.1", "http://127.0.0.1:8080", "null"] {
                #expect(
                    try await answer(listener, RawPeer.upgradeRequest("/ws", "Origin: \(origin)")).status
                        == 403)
            }
            #expect(
                try await answer(listener, RawPeer.upgradeRequest("/ws", "Origin: http://127.0.0.1")).status
                    == 101)
            #expect(try await answer(listener, RawPeer.upgradeRequest("/ws")).status == 101)
        }
    }

    @Test("allowedOrigins: listed ones are compared exactly")
    func listedOrigins() async throws {
        var configuration = ServiceConfiguration()
        configuration.allowedOrigins = .list(["https://example.org", "http://other.example:81"])
        let expected = [
            ("https://example.org", 101), ("http://other.example:81", 101), ("http://example.org", 403),
            ("https://example.org.evil", 403), ("http://127.0.0.1", 403),
        ]
        try await serve(Echo(), configuration) { listener in
            for (origin, status) in expected {
                let response = try await answer(listener, RawPeer.upgradeRequest("/ws", "Origin: \(origin)"))
                #expect(response.status == status, "\(origin)")
            }
            #expect(try await answer(listener, RawPeer.upgradeRequest()).status == 101)
        }
    }

    @Test("allowedOrigins: any may be allowed")
    func anyOrigin() async throws {
        var configuration = ServiceConfiguration()
        configuration.allowedOrigins = .any
        try await serve(Echo(), configuration) { listener in
            let response = try await answer(
                listener, RawPeer.upgradeRequest("/ws", "Origin: http://evil.example"))
            #expect(response.status == 101)
        }
    }
}

extension String {
    /// The lines of a request but for those of that name and the empty ones.
    fileprivate func components(_ without: String) -> [String] {
        split(separator: "\r\n").map(String.init).filter { !$0.hasPrefix(without + ":") }
    }
}
