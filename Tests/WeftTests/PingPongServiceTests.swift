import Testing
import Weft

@Suite("PingPongService", .timeLimit(.minutes(2)))
struct PingPongServiceTests {
    /// Tells of pings and pongs, and then does what the test wants.
    private final class Handler: PingPongService {
        let events = Channel<Event>()
        let callers = Channel<Caller>()
        private let react: @Sendable (Caller, Event) async throws -> Void

        init(_ react: @escaping @Sendable (Caller, Event) async throws -> Void = { _, _ in }) {
            self.react = react
        }

        func onPing(_ caller: Caller, _ data: [UInt8]) async throws {
            callers.send(caller)
            events.send(.ping(data))
            try await react(caller, .ping(data))
        }
        func onPong(_ caller: Caller, _ data: [UInt8]) async throws {
            events.send(.pong(data))
            try await react(caller, .pong(data))
        }
    }

    private func connect(_ listener: Listener, _ handler: any PingPongService) async throws -> Client {
        var configuration = ClientConfiguration()
        configuration.pingPongHandler = handler
        return try await Client(listener.url(), configuration: configuration)
    }

    @Test(
        "PingPongService: gets pings and pongs with the client's caller, and answers instead of the library")
    func events() async throws {
        let there = Recorder()
        let handler = Handler { caller, event in
            if case .ping(let data) = event { try await caller.pong(data.reversed()) }
        }
        try await serve(there) { listener in
            let client = try await connect(listener, handler)
            let caller = try await there.callers.next()
            try await caller.ping([1, 2])
            try await client.ping([3])
            try await caller.pong([4])
            #expect(try await handler.callers.next() === client.caller)
            #expect(try await Set([handler.events.next(), handler.events.next()].map { "\($0)" }).count == 2)
            #expect(try await there.next(3).contains(.pong([2, 1])))
        }
    }

    @Test("pingPongHandler: messages and reads go on beside it")
    func messagesBeside() async throws {
        let mayGoOn = Gate()
        let handler = Handler { _, _ in await mayGoOn.pass() }
        let there = Recorder { caller, event in
            guard event == .open else { return }
            try await caller.ping()
            try await caller.writeTextMessage("beside")
        }
        try await serve(there) { listener in
            let client = try await connect(listener, handler)
            #expect(try await handler.events.next() == .ping([]))
            #expect(try await client.readTextMessage() == "beside")
            mayGoOn.open()
            try await client.close()
            #expect(try await there.next(2).last == .close(.normalClosure, ""))
        }
    }

    @Test("PingPongService: by default pings are answered with the same payload")
    func defaults() async throws {
        struct Silent: PingPongService {}
        let there = Recorder { caller, event in
            if event == .open { try await caller.pong([8]) }
            if event == .text("ask") { try await caller.ping([9]) }
        }
        try await serve(there) { listener in
            let client = try await connect(listener, Silent())
            try await client.writeTextMessage("ask")
            #expect(try await there.next(3) == [.open, .text("ask"), .pong([9])])
        }
    }

    @Test("PingPongService: one that throws ends the connection with 1011, and the log has its error")
    func throwing() async throws {
        let log = LogChannel()
        let there = Recorder { caller, event in if event == .open { try await caller.ping() } }
        try await serve(there) { listener in
            var configuration = ClientConfiguration()
            configuration.pingPongHandler = Handler { _, _ in throw Mishap() }
            configuration.logger = log.logger
            let client = try await Client(listener.url(), configuration: configuration)
            let error = try await failure(WebSocketError.self) { _ = try await client.readMessage() }
            #expect(error.closeCode == .internalError)
            #expect((error.underlying as? WebSocketError)?.code == .callbackFailed)
            #expect(try await log.entries.next().message == "a mishap")
            #expect(try await there.next(1) == [.open])
            guard case .close(.internalError, _) = try await there.events.next() else {
                throw RawFailure("no 1011")
            }
        }
    }

    @Test("pingPongHandler: a flood of pings is held back while it lags, whatever is read meanwhile")
    func flood() async throws {
        let mayGoOn = Gate()
        let handler = Handler { _, _ in await mayGoOn.pass() }
        let (count, data) = (20_000, [UInt8](repeating: 1, count: 125))
        let there = InlineRecorder { caller, event in
            guard event == .open else { return }
            try caller.writeTextMessage("first")
            for _ in 0..<count { try caller.ping(data) }
            try caller.writeTextMessage("last")
        }
        try await serve(there) { listener in
            var configuration = ClientConfiguration()
            configuration.pingPongHandler = handler
            configuration.readTimeout = .milliseconds(100)
            let client = try await Client(listener.url(), configuration: configuration)
            #expect(try await patiently { try await client.readTextMessage() } == "first")
            #expect(try await handler.events.next() == .ping(data))
            // Behind the flood there is a message, which nobody has taken from TCP.
            let error = try await failure(WebSocketError.self) { _ = try await client.readTextMessage() }
            #expect(error.code == .readTimedOut)
            mayGoOn.open()
            #expect(try await patiently { try await client.readTextMessage() } == "last")
            for _ in 1..<count { _ = try await handler.events.next() }
        }
    }

    @Test("pingPongHandler: handler and client are gone after the connection")
    func nothingLeaks() async throws {
        try await serve(Echo()) { listener in
            func talk() async throws -> (WeakReference<Handler>, WeakReference<Caller>) {
                let handler = Handler()
                let client = try await connect(listener, handler)
                try await client.close()
                return (WeakReference(handler), WeakReference(client.caller))
            }
            let (handler, caller) = try await talk()
            try await eventually { handler.isGone && caller.isGone }
        }
    }
}
