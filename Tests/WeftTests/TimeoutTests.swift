import Synchronization
import Testing
import Weft

@Suite("Timeouts", .timeLimit(.minutes(2)))
struct TimeoutTests {
    // MARK: Reading

    @Test(
        "readTimeout, readTimedOut: a read without a message throws, and the next read gets the next message")
    func readTimeout() async throws {
        try await serve(Echo()) { listener in
            var configuration = ClientConfiguration()
            configuration.readTimeout = .milliseconds(30)
            let client = try await Client(listener.url(), configuration: configuration)
            for read in [
                { _ = try await client.readTextMessage() }, { _ = try await client.readBinaryMessage() },
            ] {
                let start = ContinuousClock.now
                let error = try await failure(WebSocketError.self, read)
                #expect(error.code == .readTimedOut)
                #expect(error.message == "no message came in 0.03 seconds")
                #expect(.now - start >= .milliseconds(30))
            }
            #expect(client.isOpen)
            try await client.writeTextMessage("still here")
            #expect(try await patiently { try await client.readTextMessage() } == "still here")
        }
    }

    @Test("readTimeout: whenever messages and timeouts meet, each message is read once and in order")
    func readTimeoutRace() async throws {
        let count = 60
        let service = Recorder { caller, event in
            guard event == .open else { return }
            for number in 0..<count {
                try await Task.sleep(for: .microseconds(number * 97 % 2500))
                try await caller.writeTextMessage("\(number)")
            }
        }
        try await serve(service) { listener in
            var configuration = ClientConfiguration()
            configuration.readTimeout = .milliseconds(1)
            let client = try await Client(listener.url(), configuration: configuration)
            var expected = 0
            while expected < count {
                #expect(try await patiently { try await client.readTextMessage() } == "\(expected)")
                expected += 1
            }
        }
    }

    @Test("readTimedOut: reads of several tasks each have their own time")
    func severalReaders() async throws {
        try await serve(Echo()) { listener in
            var configuration = ClientConfiguration()
            configuration.readTimeout = .milliseconds(60)
            let client = try await Client(listener.url(), configuration: configuration)
            try await withThrowingTaskGroup { group in
                for _ in 0..<5 { group.addTask { try await client.readTextMessage() } }
                try await client.writeTextMessage("for one")
                var (messages, timeouts) = (0, 0)
                while let result = await group.nextResult() {
                    switch result {
                    case .success("for one"): messages += 1
                    case .failure(let error as WebSocketError) where error.code == .readTimedOut:
                        timeouts += 1
                    default: Issue.record("\(result)")
                    }
                }
                // On a busy machine the echo may come when all have given up.
                if messages == 0 { #expect(try await patiently(client.readTextMessage) == "for one") }
                #expect(messages <= 1 && messages + timeouts == 5)
            }
        }
    }

    // MARK: Writing

    @Test("writeTimeout, writeTimedOut: a write that waits longer throws, and what was queued still arrives")
    func writeTimeout() async throws {
        let (mayRead, received) = (Gate(), Channel<Int>())
        let service = Recorder { caller, event in
            if event == .open { await mayRead.pass() }
            if case .binary(let data) = event { received.send(data.count) }
            if case .text = event { try await caller.writeTextMessage("read") }
        }
        try await serve(service) { listener in
            var configuration = ClientConfiguration()
            configuration.writeTimeout = .milliseconds(40)
            let client = try await Client(listener.url(), configuration: configuration)
            let message = [UInt8](repeating: 1, count: 1 << 20)
            var written = 0
            let error = try await failure(WebSocketError.self) {
                while true {
                    written += 1
                    try await client.writeBinaryMessage(message)
                }
            }
            #expect(error.code == .writeTimedOut)
            #expect(error.message.hasPrefix("the peer did not read for 0.04 seconds: "))
            #expect(client.isOpen)
            mayRead.open()
            for _ in 0..<written { #expect(try await received.next() == message.count) }
            try await eventually { client.bufferedAmount == 0 }
            try await client.writeTextMessage("and on")
            #expect(try await client.readTextMessage() == "read")
        }
    }

    @Test("writeTimedOut: names the time and the bytes that wait, for an AsyncClient too")
    func asyncClientWrite() async throws {
        let mayRead = Gate()
        let service = Recorder { _, event in if event == .open { await mayRead.pass() } }
        try await serve(service) { listener in
            var configuration = ClientConfiguration()
            configuration.writeTimeout = .milliseconds(25)
            configuration.webSocketCompressionEnabled = false
            let client = try await AsyncClient(listener.url(), configuration: configuration)
            let message = [UInt8](repeating: 1, count: 1 << 20)
            let error = try await failure(WebSocketError.self) {
                while true { try await client.writeBinaryMessage(message) }
            }
            #expect(error.code == .writeTimedOut)
            #expect(error.message.hasPrefix("the peer did not read for 0.025 seconds: "))
            #expect(error.message.hasSuffix(" bytes wait, the message among them"))
            mayRead.open()
            try await client.close()
        }
    }

    @Test("writeTextMessage: a cancelled write stops to wait, and what was queued still arrives")
    func cancelledWrite() async throws {
        let (mayRead, received) = (Gate(), Channel<Int>())
        let service = Recorder { _, event in
            if event == .open { await mayRead.pass() }
            if case .text(let text) = event { received.send(text.utf8.count) }
        }
        try await serve(service) { listener in
            let client = try await Client(listener.url())
            let written = Mutex(0)
            let writing = Task {
                while true {
                    written.withLock { $0 += 1 }
                    try await client.writeTextMessage(String(repeating: "x", count: 1 << 20))
                }
            }
            try await eventually { client.bufferedAmount > 65536 }
            writing.cancel()
            _ = try await failure(CancellationError.self) { try await writing.value }
            mayRead.open()
            for _ in 0..<written.withLock({ $0 }) { #expect(try await received.next() == 1 << 20) }
        }
    }

    @Test(
        "readTimeout: zero and less are errors that name the field, for writeTimeout too",
        arguments: [Duration.zero, .seconds(-1)])
    func outOfRange(timeout: Duration) async throws {
        var (first, second) = (ClientConfiguration(), ClientConfiguration())
        first.readTimeout = timeout
        second.writeTimeout = timeout
        for (field, configuration) in [("readTimeout", first), ("writeTimeout", second)] {
            let connects: [() async throws -> Void] = [
                { _ = try await Client("ws://127.0.0.1:1", configuration: configuration) },
                { _ = try await AsyncClient("ws://127.0.0.1:1", configuration: configuration) },
            ]
            for connect in connects {
                let error = try await failure(WebSocketError.self, connect)
                #expect(error.code == .invalidConfiguration)
                #expect(error.message.hasPrefix("\(field): "))
                #expect(error.message.hasSuffix(" is not more than 0.0 seconds"))
            }
        }
    }

    @Test("readTimeout: the longest durations are no obstacle")
    func longest() async throws {
        try await serve(Echo()) { listener in
            var configuration = ClientConfiguration()
            configuration.readTimeout = .seconds(Int64.max)
            configuration.writeTimeout = .seconds(Int64.max)
            configuration.connectionClosureTimeout = .seconds(Int64.max)
            let client = try await Client(listener.url(), configuration: configuration)
            async let read = client.readTextMessage()
            try await client.writeTextMessage("x")
            #expect(try await read == "x")
            try await client.close(timeout: .seconds(Int64.max))
            try await listener.gracefulStop(timeout: .seconds(Int64.max))
        }
    }

    // MARK: Closing

    @Test("connectionClosureTimeout: close() waits as long for the peer, then throws closeTimedOut")
    func connectionClosureTimeout() async throws {
        let result = Channel<WebSocketError?>()
        let service = Recorder { caller, event in
            guard event == .open else { return }
            do {
                try await caller.close()
                result.send(nil)
            } catch {
                result.send(error as? WebSocketError)
            }
        }
        var configuration = ServiceConfiguration()
        #expect(configuration.connectionClosureTimeout == .seconds(60))
        configuration.connectionClosureTimeout = .milliseconds(40)
        try await serve(service, configuration) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            #expect(try await peer.readFrame().closeCode == 1000)
            #expect(try await peer.readToEnd().isEmpty)
            let error = try #require(try await result.next())
            #expect(error.code == .closeTimedOut)
            #expect(error.closeCode == .abnormalClosure)
        }
    }

    @Test("connectionClosureTimeout: a client's close() takes it too, and its own timeout rules over it")
    func clientClosure() async throws {
        let (mayClose, isClosed) = (Gate(), Channel<Void>())
        let service = Recorder { _, event in if event == .open { await mayClose.pass() } }
        try await serve(service) { listener in
            var configuration = ClientConfiguration()
            configuration.connectionClosureTimeout = .milliseconds(40)
            // While onOpen runs, nothing of the peer is handled, its close frame neither.
            let (first, second) = (
                try await Client(listener.url(), configuration: configuration),
                try await Client(listener.url(), configuration: configuration)
            )
            #expect(try await failure(WebSocketError.self) { try await first.close() }.code == .closeTimedOut)
            Task {
                try await second.close(timeout: .seconds(-1))
                isClosed.send(())
            }
            mayClose.open()
            try await isClosed.next()
        }
    }

    @Test("connectionClosureTimeout: negative waits for ever, zero is an error")
    func range() async throws {
        let isClosed = Channel<Void>()
        let service = Recorder { caller, event in
            guard event == .open else { return }
            try await caller.close()
            isClosed.send(())
        }
        var configuration = ServiceConfiguration()
        configuration.connectionClosureTimeout = .seconds(-1)
        try await serve(service, configuration) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            #expect(try await peer.readFrame().closeCode == 1000)
            try await peer.send(.close(1000))
            try await isClosed.next()
            configuration.connectionClosureTimeout = .zero
            let copy = configuration
            let error = try await failure(WebSocketError.self) {
                try listener.attach(at: "/other", configuration: copy) { _ in Echo() }
            }
            #expect(error.message.hasPrefix("connectionClosureTimeout: 0 seconds is neither "))
        }
    }
}
