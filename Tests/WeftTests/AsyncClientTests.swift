import Synchronization
import Testing
import Weft

@Suite("AsyncClient", .timeLimit(.minutes(2)))
struct AsyncClientTests {
    @Test("AsyncClient: a service gets the callbacks of the connection")
    func service() async throws {
        let (there, here) = (Recorder(), Recorder())
        try await serve(there) { listener in
            let client = try await AsyncClient(listener.url(), service: here)
            let caller = try await there.callers.next()
            try await caller.writeTextMessage("hello")
            try await caller.writeBinaryMessage([1])
            try await caller.ping([2])
            try await caller.pong([3])
            try await caller.close(statusCode: CloseCode(4002), reason: "bye")
            #expect(
                try await here.next(6) == [
                    .open, .text("hello"), .binary([1]), .ping([2]), .pong([3]),
                    .close(CloseCode(4002), "bye"),
                ])
            #expect(try await there.next(2) == [.open, .close(CloseCode(4002), "")])
            #expect(client.httpResponse?.status == .switchingProtocols)
            #expect(!client.isOpen)
        }
    }

    @Test("AsyncClient: an inline service gets the callbacks of the connection")
    func inlineService() async throws {
        let (there, here) = (Recorder(), InlineRecorder())
        try await serve(there) { listener in
            let client = try await AsyncClient(listener.url(), service: here)
            let caller = try await there.callers.next()
            try await caller.writeTextMessage("hello")
            #expect(try await here.next(2) == [.open, .text("hello")])
            try await client.close(statusCode: .goingAway)
            #expect(try await here.next(1) == [.close(.goingAway, "")])
        }
    }

    @Test("AsyncClient: without a service messages are dropped and pings answered")
    func noService() async throws {
        let there = Recorder()
        try await serve(there) { listener in
            let client = try await AsyncClient(listener.url())
            let caller = try await there.callers.next()
            for _ in 0..<100 { try await caller.writeBinaryMessage([UInt8](repeating: 0, count: 60_000)) }
            try await caller.ping([9])
            try await client.writeTextMessage("writes work")
            #expect(try await Set(there.next(3).map { "\($0)" }).count == 3)
            try await client.close()
            #expect(try await there.next(1) == [.close(.normalClosure, "")])
        }
    }

    @Test("AsyncClient: inside of a service it relays texts, binaries and the close, both ways")
    func relay() async throws {
        let far = Recorder { caller, event in
            if case .text(let text) = event { try await caller.writeTextMessage("far \(text)") }
            if case .binary(let data) = event { try await caller.writeBinaryMessage(data.reversed()) }
        }
        try await serve(far) { target in
            try await serve(Relay(url: target.url())) { listener in
                let client = try await Client(listener.url())
                try await client.writeTextMessage("one")
                try await client.writeBinaryMessage([1, 2, 3])
                #expect(try await client.readTextMessage() == "far one")
                #expect(try await client.readBinaryMessage() == [3, 2, 1])
                try await client.close(statusCode: CloseCode(4005), reason: "through")
                #expect(
                    try await far.next(4) == [
                        .open, .text("one"), .binary([1, 2, 3]), .close(CloseCode(4005), "through"),
                    ])
            }
        }
    }

    /// A server that is a client of another one.
    private struct Relay: Service {
        let url: String

        struct Back: Service {
            let caller: Caller

            func onTextMessage(_ far: Caller, _ text: String) async throws {
                try await caller.writeTextMessage(text)
            }
            func onBinaryMessage(_ far: Caller, _ data: [UInt8]) async throws {
                try await caller.writeBinaryMessage(data)
            }
        }

        func onOpen(_ caller: Caller) async throws {
            caller.setAttribute("far", try await AsyncClient(url, service: Back(caller: caller)))
        }
        func onTextMessage(_ caller: Caller, _ text: String) async throws {
            try await (caller.getAttribute("far") as? AsyncClient)?.writeTextMessage(text)
        }
        func onBinaryMessage(_ caller: Caller, _ data: [UInt8]) async throws {
            try await (caller.getAttribute("far") as? AsyncClient)?.writeBinaryMessage(data)
        }
        func onClose(_ caller: Caller, _ statusCode: CloseCode, _ reason: String) async throws {
            let far = caller.removeAttribute("far") as? AsyncClient
            try await far?.close(statusCode: statusCode, reason: reason)
        }
    }

    @Test("AsyncClient: the client and its service's caller are one connection")
    func caller() async throws {
        let here = Recorder()
        try await serve(Echo()) { listener in
            let client = try await AsyncClient(listener.url(), service: here)
            #expect(try await here.callers.next() === client.caller)
            try await client.writeTextMessage("echo")
            #expect(try await here.next(2) == [.open, .text("echo")])
        }
    }

    @Test("order: what a server sends at once, however much, waits for the client's onOpen", arguments: 1...5)
    func floodBehindTheAnswer(round: Int) async throws {
        let (text, count) = (String(repeating: "x", count: 1000), 1000)
        let there = InlineRecorder { caller, event in
            if event == .open { for _ in 0..<count { try caller.writeTextMessage(text) } }
        }
        try await serve(there) { listener in
            let here = Recorder()
            let client = try await AsyncClient(listener.url(), service: here)
            let events = try await here.next(count + 1)
            #expect(events == [.open] + [Event](repeating: .text(text), count: count))
            withExtendedLifetime(client) {}
        }
    }

    @Test("AsyncClient: a failed connect throws from init and the service is told nothing")
    func failedConnect() async throws {
        let here = Recorder { _, event in Issue.record("\(event)") }
        try await withListener(attach: nothing) { listener in
            let error = try await failure(WebSocketError.self) {
                _ = try await AsyncClient(listener.url(), service: here)
            }
            #expect(error.code == .invalidHandshake)
            #expect(error.httpResponse?.status == .notFound)
        }
        let error = try await failure(WebSocketError.self) {
            _ = try await AsyncClient("nowhere", service: here)
        }
        #expect(error.code == .invalidURL)
    }

    @Test("onError: a violation of the server is told to onError, then onClose")
    func violation() async throws {
        let here = Recorder()
        let there = Recorder { caller, event in
            if event == .open { try await caller.writeBinaryMessage([UInt8](repeating: 0, count: 3000)) }
        }
        try await serve(there) { listener in
            var configuration = ClientConfiguration()
            configuration.maxMessageSize = 2999
            let client = try await AsyncClient(listener.url(), service: here, configuration: configuration)
            let events = try await here.next(3)
            #expect(events.prefix(2) == [.open, .error(.payloadTooLarge)])
            guard case .close(.messageTooBig, _) = events[2] else {
                Issue.record("\(events[2])")
                return
            }
            withExtendedLifetime(client) {}
        }
    }

    @Test("idleTimeout: calls onIdleTimeout")
    func idle() async throws {
        let here = Recorder()
        try await serve(Echo()) { listener in
            var configuration = ClientConfiguration()
            configuration.idleTimeout = .milliseconds(20)
            let client = try await AsyncClient(listener.url(), service: here, configuration: configuration)
            #expect(try await here.next(3) == [.open, .idle, .idle])
            withExtendedLifetime(client) {}
        }
    }

    @Test("AsyncClient: dropping the last reference drops the connection")
    func dropped() async throws {
        let (there, here) = (Recorder(), Recorder())
        try await serve(there) { listener in
            _ = try await AsyncClient(listener.url(), service: here)
            while case let event = try await there.events.next() {
                if case .close(let code, _) = event {
                    #expect(code == .abnormalClosure)
                    break
                }
            }
            #expect(try await here.next(1) == [.open])
        }
    }

    @Test("AsyncClient: service, caller and client are gone after the connection")
    func nothingLeaks() async throws {
        try await serve(Echo()) { listener in
            func talk() async throws -> [() -> Bool] {
                let here = Recorder()
                let inline = InlineRecorder()
                let first = try await AsyncClient(listener.url(), service: here)
                let second = try await AsyncClient(listener.url(), service: inline)
                let third = try await AsyncClient(listener.url())
                try await first.close()
                try await second.close()
                let objects: [any AnyObject & Sendable] = [
                    here, inline, first, second, third, first.caller, third.caller,
                ]
                return objects.map { object in isGone(object) }
            }
            for isGone in try await talk() { try await eventually(isGone) }
        }
    }

    private func isGone<Object: AnyObject & Sendable>(_ object: Object) -> () -> Bool {
        let reference = WeakReference(object)
        return { reference.isGone }
    }
}
