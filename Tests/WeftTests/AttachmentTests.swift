import HTTPTypes
import Testing
import Weft

/// Tells its name to whoever connects.
private final class Named: UpgradeService {
    let name: String
    init(_ name: String) { self.name = name }

    func get(_ request: UpgradeRequest) async throws -> Upgrade {
        let text = name + request.pathParameters.sorted { $0.key < $1.key }.map { " \($0)=\($1)" }.joined()
        return Upgrade(
            Recorder { caller, event in if event == .open { try await caller.writeTextMessage(text) } })
    }
}

private struct Page: HTTPService, Equatable {
    let text: String
    func respond(to request: HTTPServiceRequest) async throws -> HTTPServiceResponse {
        HTTPServiceResponse(text: text + (request.pathParameters["name"].map { " \($0)" } ?? ""))
    }
}

private struct Opaque: HTTPService {
    func respond(to request: HTTPServiceRequest) async throws -> HTTPServiceResponse { .init() }
}

private func name(at path: String, of listener: Listener) async throws -> String {
    try await Client(listener.url(path)).readTextMessage()
}

private func get(_ path: String, of listener: Listener) async throws -> RawResponse {
    let request = Array("GET \(path) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".utf8)
    return try await RawPeer.connect(listener.port, sending: request).readResponse()
}

@Suite("Attachments", .timeLimit(.minutes(2)))
struct AttachmentTests {
    // MARK: Paths

    @Test(
        """
        attach(_ service: some UpgradeService, at path: String = "/"): parameters, the rest, and the longest literal \
        match
        """)
    func patterns() async throws {
        let paths = [
            "/", "/rooms/{room}", "/rooms/main", "/rooms/{room}/in", "/files/{path*}", "/caf%C3%A9",
            "/on-Text_String/abc-d.~",
        ]
        let attach: (Listener) throws -> Void = { listener in
            for path in paths { try listener.attach(Named(path), at: path) }
        }
        try await withListener(attach: attach) { listener in
            let expected = [
                ("/?q", "/"), ("/rooms/main", "/rooms/main"), ("/rooms/x%20y", "/rooms/{room} room=x y"),
                ("/rooms/a%2Fb", "/rooms/{room} room=a/b"), ("/rooms/main/in", "/rooms/{room}/in room=main"),
                ("/files/a/b.c", "/files/{path*} path=a/b.c"), ("/files/", "/files/{path*} path="),
                ("/caf%c3%a9", "/caf%C3%A9"), ("/on-Text_String/abc-d.~", "/on-Text_String/abc-d.~"),
                ("/rooms/x;a=4;b=5", "/rooms/{room} room=x;a=4;b=5"),
            ]
            for (path, expectedAnswer) in expected {
                let answer = try await name(at: path, of: listener)
                #expect(answer == expectedAnswer)
            }
            for path in ["/rooms/", "/rooms", "/Rooms/main", "/rooms/main/", "/files"] {
                #expect(try await handshakeStatus(listener.url(path)) == 404, "at \(path)")
            }
            #expect(try await get("/rooms/%4", of: listener).status == 400)
        }
    }

    @Test("attach: names of parameters that Swift takes for one, as two spellings of é, stop no request")
    func equalNames() async throws {
        let path = "/{\u{E9}}/{e\u{301}}"
        let attach: (Listener) throws -> Void = { listener in try listener.attach(Named(path), at: path) }
        try await withListener(attach: attach) { listener in
            let answer = try await name(at: "/a/b", of: listener)
            #expect(answer == "\(path) \u{E9}=a")
        }
    }

    @Test(
        "attach: an ill-formed path is an error that says why",
        arguments: [
            ("/{}", "no name"), ("/{a}/{a}", "repeated"), ("/{a*}/b", "not the last"),
            ("/a{b}", "inside a segment"),
            ("/%zz", "hexadecimal"), ("a", "slash"), ("/a\0b", "control"), ("/a?b", "query"),
        ])
    func badPattern(path: String, reason: String) async throws {
        let listener = try Listener(port: 0, configuration: .local)
        let error = try await failure(WebSocketError.self) { try listener.attach(Named("x"), at: path) }
        #expect(error.code == .invalidConfiguration)
        #expect(error.message.contains(reason))
        #expect(
            try await failure(WebSocketError.self) { try listener.detach(path: path) }.code == .notAttached)
    }

    @Test("attach: names and escapes do not make another path, before and after start()")
    func samePath() async throws {
        let listener = try Listener(port: 0, configuration: .local)
        func expectDuplicates() async throws {
            for path in ["/a/{other}", "/%61/{x}"] {
                let error = try await failure(WebSocketError.self) {
                    try listener.attach(Named("x"), at: path)
                }
                #expect(error.code == .duplicatePath)
                #expect(error.message.contains(path))
            }
        }
        try listener.attach(Named("x"), at: "/a/{b}")
        try await expectDuplicates()
        try await listener.start()
        try await expectDuplicates()
        try listener.attach(Named("x"), at: "/a/{b*}")
        try await listener.immediateStop()
        let late = try await failure(WebSocketError.self) { try listener.attach(Named("x"), at: "/late") }
        #expect(late.code == .invalidState)
    }

    @Test("attach: thousands of paths are as good as one")
    func manyPaths() async throws {
        let attach: (Listener) throws -> Void = { listener in
            for number in 0..<10_000 { try listener.attach(Page(text: "\(number)"), at: "/\(number)/{name}") }
        }
        try await withListener(attach: attach) { listener in
            #expect(try await get("/9876/x", of: listener).body == "9876 x")
            try listener.detach(path: "/9876/{name}")
            #expect(try await get("/9876/x", of: listener).status == 404)
        }
    }

    // MARK: Both kinds

    @Test(
        "attach(_ service: some HTTPService, at:): a page and a WebSocket live at one path, attached in any order",
        arguments: [false, true])
    func bothKinds(isPageFirst: Bool) async throws {
        let attach: (Listener) throws -> Void = { listener in
            if isPageFirst { try listener.attach(Page(text: "page")) }
            try listener.attach(Named("socket"))
        }
        try await withListener(attach: attach) { listener in
            if !isPageFirst {
                #expect(try await get("/", of: listener).status == 426)
                try listener.attach(Page(text: "page"))
            }
            #expect(try await get("/", of: listener).body == "page")
            #expect(try await name(at: "/", of: listener) == "socket")
            let error = try await failure(WebSocketError.self) { try listener.attach(Page(text: "other")) }
            #expect(error.code == .duplicatePath)
            try listener.detach(Page(text: "page"))
            #expect(try await get("/", of: listener).status == 426)
            try listener.detach(path: "/")
            #expect(try await get("/", of: listener).status == 404)
        }
    }

    // MARK: Detaching

    @Test("detach(_ service): one instance of a class, at every path it has, and not its like")
    func detachInstance() async throws {
        let (one, other) = (Named("same"), Named("same"))
        let attach: (Listener) throws -> Void = { listener in
            try listener.attach(one, at: "/a")
            try listener.attach(one, at: "/b")
            try listener.attach(other, at: "/c")
        }
        try await withListener(attach: attach) { listener in
            try listener.detach(one)
            #expect(try await handshakeStatus(listener.url("/a")) == 404)
            #expect(try await handshakeStatus(listener.url("/b")) == 404)
            #expect(try await name(at: "/c", of: listener) == "same")
            #expect(try await failure(WebSocketError.self) { try listener.detach(one) }.code == .notAttached)
        }
    }

    @Test("detach(_ service): an equal value")
    func detachValue() async throws {
        let listener = try Listener(port: 0, configuration: .local)
        try listener.attach(Page(text: "one"), at: "/")
        let error = try await failure(WebSocketError.self) { try listener.detach(Page(text: "two")) }
        #expect(error.code == .notAttached)
        try listener.detach(Page(text: "one"))
        try listener.attach(Page(text: "two"), at: "/")
    }

    @Test("detach(_ service): what cannot be compared is detached by what attach returned")
    func detachAttachment() async throws {
        let listener = try Listener(port: 0, configuration: .local)
        let attachment = try listener.attach(Opaque(), at: "/{x}")
        #expect(attachment.path == "/{x}")
        let error = try await failure(WebSocketError.self) { try listener.detach(Opaque()) }
        #expect(error.code == .invalidConfiguration)
        #expect(error.message.contains("Opaque"))
        try await listener.start()
        try listener.detach(attachment)
        #expect(try await get("/x", of: listener).status == 404)
        #expect(
            try await failure(WebSocketError.self) { try listener.detach(attachment) }.code == .notAttached)
        try await listener.immediateStop()
    }

    @Test("detach(path:): a service that is detached is let go of")
    func detachedServiceDies() async throws {
        try await withListener(attach: nothing) { listener in
            let reference = try {
                let service = Named("x")
                try listener.attach(service, at: "/x")
                return WeakReference(service)
            }()
            #expect(!reference.isGone)
            try listener.detach(path: "/x")
            try await eventually { reference.isGone }
        }
    }

    // MARK: Sharing

    @Test("init(sharing: Listener): services of both live on one port, each with its own connections")
    func sharing() async throws {
        let owner = try Listener(port: 0, configuration: .local)
        let sharer = Listener(sharing: owner)
        try owner.attach(Named("owner"), at: "/owner")
        try sharer.attach(Named("sharer"), at: "/sharer")
        let early = try await failure(WebSocketError.self) { try await sharer.start() }
        #expect(early.code == .invalidState)
        #expect(early.message.contains("owns the port"))
        try await owner.start()
        #expect(try await handshakeStatus(owner.url("/sharer")) == 404)
        try await sharer.start()
        #expect(sharer.localAddress == owner.localAddress)
        #expect(try await name(at: "/owner", of: owner) == "owner")
        #expect(try await name(at: "/sharer", of: owner) == "sharer")
        let client = try await Client(owner.url("/sharer"))
        try await eventually { sharer.connectionCount == 1 && owner.connectionCount == 0 }
        try sharer.attach(Page(text: "late"), at: "/late")
        #expect(try await get("/late", of: owner).body == "late")
        try await client.close()
        try await owner.immediateStop()
    }

    @Test("init(sharing: Listener): a path that one has is taken for the other")
    func sharingDuplicates() async throws {
        let owner = try Listener(port: 0, configuration: .local)
        try owner.attach(Named("x"), at: "/x/{a}")
        try await owner.start()
        let sharer = Listener(sharing: owner)
        try sharer.attach(Named("y"), at: "/x/{b}")
        let error = try await failure(WebSocketError.self) { try await sharer.start() }
        #expect(error.code == .duplicatePath)
        #expect(error.message.contains("/x/{b}"))
        try sharer.detach(path: "/x/{b}")
        try await sharer.start()
        let late = try await failure(WebSocketError.self) { try sharer.attach(Named("y"), at: "/x/{b}") }
        #expect(late.code == .duplicatePath)
        try await owner.immediateStop()
    }

    @Test("init(sharing: Listener): stopping it leaves the other alone", arguments: [false, true])
    func sharingStop(isGraceful: Bool) async throws {
        let owner = try Listener(port: 0, configuration: .local)
        try owner.attach(at: "/owner") { _ in Echo() }
        try await owner.start()
        let sharer = Listener(sharing: owner)
        let service = Recorder()
        try sharer.attach(at: "/sharer") { _ in service }
        try await sharer.start()
        let (ours, theirs) = (try await Client(owner.url("/owner")), try await Client(owner.url("/sharer")))
        #expect(try await service.next(1) == [.open])
        if isGraceful { try await sharer.gracefulStop() } else { try await sharer.immediateStop() }
        let expected = isGraceful ? CloseCode.goingAway : .abnormalClosure
        var event = try await service.events.next()
        if case .error = event { event = try await service.events.next() }
        guard case .close(let code, _) = event else { throw RawFailure("\(event) instead of a close") }
        #expect(code == expected)
        await #expect(throws: WebSocketError.self) { try await theirs.readMessage() }
        #expect(try await handshakeStatus(owner.url("/sharer")) == 404)
        try await ours.writeTextMessage("still here")
        #expect(try await ours.readTextMessage() == "still here")
        try await owner.immediateStop()
    }

    @Test("init(sharing: Listener): stopping the one that owns the port stops it too")
    func sharingOwnerStops() async throws {
        let owner = try Listener(port: 0, configuration: .local)
        try await owner.start()
        let sharer = Listener(sharing: owner)
        let service = Recorder()
        try sharer.attach(at: "/sharer") { _ in service }
        try await sharer.start()
        let client = try await Client(owner.url("/sharer"))
        #expect(try await service.next(1) == [.open])
        try await owner.gracefulStop()
        #expect(sharer.connectionCount == 0)
        #expect(try await service.next(1) == [.close(.goingAway, "")])
        await #expect(throws: WebSocketError.self) { try await client.readMessage() }
        let late = Listener(sharing: owner)
        #expect(try await failure(WebSocketError.self) { try await late.start() }.code == .invalidState)
    }

    @Test("init(sharing: Listener): dropping it removes its services")
    func sharingDropped() async throws {
        let owner = try Listener(port: 0, configuration: .local)
        try await owner.start()
        try await {
            let sharer = Listener(sharing: Listener(sharing: owner))  // the same port, however many share it
            try sharer.attach(Page(text: "x"), at: "/x")
            try await sharer.start()
            #expect(try await get("/x", of: owner).body == "x")
        }()
        while try await get("/x", of: owner).status != 404 {}
        try await owner.immediateStop()
    }
}
