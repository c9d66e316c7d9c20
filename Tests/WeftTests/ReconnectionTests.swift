import Synchronization
import Testing
import Weft

@Suite("Reconnection", .timeLimit(.minutes(2)))
struct ReconnectionTests {
    private func configuration(_ maxCount: Int = 0) -> ClientConfiguration {
        var configuration = ClientConfiguration()
        configuration.retry = RetryConfiguration(
            maxCount: maxCount, interval: .milliseconds(1), maxWaitInterval: .milliseconds(5))
        return configuration
    }

    /// A server that ends its first connections as told and then echoes.
    private func flaky(_ endings: [@Sendable (Caller) async throws -> Void]) -> (Recorder, Channel<Caller>) {
        let count = Mutex(0)
        let callers = Channel<Caller>()
        let service = Recorder { caller, event in
            if case .text(let text) = event { try await caller.writeTextMessage(text) }
            guard event == .open else { return }
            callers.send(caller)
            let number = count.withLock { count in
                defer { count += 1 }
                return count
            }
            if number < endings.count { try await endings[number](caller) }
        }
        return (service, callers)
    }

    @Test(
        "retry: an AsyncClient connects again after each code that asks for it",
        arguments: [1001, 1011, 1012, 1013, 1014] as [UInt16])
    func closeCodes(code: UInt16) async throws {
        let (there, _) = flaky([{ caller in try await caller.close(statusCode: CloseCode(code)) }])
        try await serve(there) { listener in
            let here = Recorder()
            let client = try await AsyncClient(listener.url(), service: here, configuration: configuration())
            #expect(try await here.next(3) == [.open, .close(CloseCode(code), ""), .open])
            let callers = [try await here.callers.next(), try await here.callers.next()]
            #expect(callers[0] !== callers[1] && client.caller === callers[1])
            #expect(callers[0].connectionID != callers[1].connectionID)
            #expect(!callers[0].isOpen && client.isOpen)
            try await client.writeTextMessage("again")
            #expect(try await here.next(1) == [.text("again")])
            let error = try await failure(WebSocketError.self) { try await callers[0].writeTextMessage("x") }
            #expect(error.code == .connectionClosed)
            try await client.close()
            #expect(try await here.next(1) == [.close(.normalClosure, "")])
        }
    }

    @Test("retry: after a lost TCP connection each connection has its onOpen and its onClose once")
    func lostConnections() async throws {
        let (here, reserved) = (Recorder(), try ReservedPort())
        var client: AsyncClient?
        for _ in 0..<3 {
            try await serve(Echo(), at: reserved.port) { listener in
                if client == nil {
                    client = try await AsyncClient(
                        listener.url(), service: here, configuration: configuration())
                }
                #expect(try await here.next(1) == [.open])
                try await client?.writeTextMessage("here")
                #expect(try await here.next(1) == [.text("here")])
            }
            var next = try await here.events.next()
            if next == .error(.connectionLost) { next = try await here.events.next() }
            #expect(next == .close(.abnormalClosure, ""))
        }
        withExtendedLifetime(client) {}
    }

    @Test("retry: an inline service and a client without one come back too")
    func otherAudiences() async throws {
        let end: @Sendable (Caller) async throws -> Void = { try await $0.close(statusCode: .goingAway) }
        let (there, callers) = flaky([end, end])
        try await serve(there) { listener in
            let here = InlineRecorder()
            let first = try await AsyncClient(listener.url(), service: here, configuration: configuration())
            let second = try await AsyncClient(listener.url(), configuration: configuration())
            for _ in 0..<4 { _ = try await callers.next() }
            #expect(try await here.next(3) == [.open, .close(.goingAway, ""), .open])
            try await eventually { first.isOpen && second.isOpen }
            try await first.writeTextMessage("again")
            #expect(try await here.next(1) == [.text("again")])
        }
    }

    @Test(
        "retry: a normal close, a policy or protocol error and other codes are final",
        arguments: [1000, 1002, 1003, 1007, 1008, 1009, 1010, 3000, 4000] as [UInt16])
    func finalCodes(code: UInt16) async throws {
        let (there, callers) = flaky([{ caller in try await caller.close(statusCode: CloseCode(code)) }])
        try await serve(there) { listener in
            let here = Recorder()
            let client = try await AsyncClient(listener.url(), service: here, configuration: configuration())
            #expect(try await here.next(2) == [.open, .close(CloseCode(code), "")])
            try await noneFollows(listener, callers, after: 1)
            withExtendedLifetime(client) {}
        }
    }

    @Test("retry: neither a close of our own nor a callback that throws is followed by another connection")
    func ownEnds() async throws {
        let (there, callers) = flaky([])
        try await serve(there) { listener in
            let here = Recorder { caller, event in
                if event == .text("throw") { throw Mishap() }
                if event == .text("close") { try await caller.close(statusCode: .goingAway) }
            }
            var clients: [AsyncClient] = []
            for text in ["throw", "close"] {
                let client = try await AsyncClient(
                    listener.url(), service: here, configuration: configuration())
                try await client.writeTextMessage(text)
                while case let event = try await here.events.next() {
                    if case .close = event { break }
                }
                clients.append(client)
            }
            try await noneFollows(listener, callers, after: 2)
        }
    }

    /// The connections that the server sees from now on are the test's own, for longer than a back-off lasts.
    private func noneFollows(_ listener: Listener, _ callers: Channel<Caller>, after count: Int) async throws
    {
        for _ in 0..<count { _ = try await callers.next() }
        let start = ContinuousClock.now
        while .now - start < .milliseconds(30) {
            let probe = try await Client(listener.url())
            #expect(try await callers.next().remoteAddress == probe.localAddress)
            try await probe.close()
        }
    }

    @Test("retry: between two connections writes fail, and close() ends the attempts")
    func closeBetween() async throws {
        let (there, callers) = flaky([])
        let (here, reserved) = (Recorder(), try ReservedPort())
        let client = try await serve(there, at: reserved.port) { listener in
            let client = try await AsyncClient(listener.url(), service: here, configuration: configuration())
            #expect(try await there.next(1) == [.open])
            return client
        }
        // The listener is gone: from now on attempts are refused, without an end.
        #expect(try await here.next(1) == [.open])
        try await eventually { !client.isOpen }
        let error = try await failure(WebSocketError.self) { try await client.writeTextMessage("x") }
        #expect(error.code == .connectionLost)
        #expect(try await failure(WebSocketError.self) { try await client.close() }.code == .connectionLost)
        try await serve(there, at: reserved.port) { listener in
            try await noneFollows(listener, callers, after: 1)
        }
    }

    @Test("retry: when the attempts are used up, onError gets the last error with the old caller")
    func usedUp() async throws {
        let (here, reserved) = (Recorder(), try ReservedPort())
        let (there, _) = flaky([])
        let client = try await serve(there, at: reserved.port) { listener in
            let client = try await AsyncClient(listener.url(), service: here, configuration: configuration(2))
            #expect(try await there.next(1) == [.open])
            return client
        }
        var events = try await here.next(2)
        while events.last != .error(.connectionRefused) { events += try await here.next(1) }
        #expect(events.contains(.close(.abnormalClosure, "")))
        #expect(!client.isOpen)
        withExtendedLifetime(reserved) {}
    }

    @Test("retry: a server that ends every connection at once is given up after maxCount")
    func shortLived() async throws {
        var settings = configuration(3)
        settings.retry?.maxWaitInterval = .seconds(60)
        let opened = Mutex(0)
        let there = Recorder { caller, event in
            guard event == .open else { return }
            opened.withLock { $0 += 1 }
            try await caller.close(statusCode: .tryAgainLater)
        }
        try await serve(there) { listener in
            let here = Recorder()
            let client = try await AsyncClient(listener.url(), service: here, configuration: settings)
            var events = try await here.next(8)
            #expect(events == (0..<4).flatMap { _ in [Event.open, .close(.tryAgainLater, "")] })
            events = try await here.next(1)
            #expect(events == [.error(.connectionLost)])
            #expect(opened.withLock { $0 } == 4)
            withExtendedLifetime(client) {}
        }
    }

    @Test("retry: a refusal that is final ends the attempts")
    func refused() async throws {
        let (there, _) = flaky([{ caller in try await caller.close(statusCode: .serviceRestart) }])
        try await serve(there) { listener in
            let mayGoOn = Gate()
            let here = Recorder { _, event in if case .close = event { await mayGoOn.pass() } }
            let client = try await AsyncClient(listener.url(), service: here, configuration: configuration())
            #expect(try await here.next(2) == [.open, .close(.serviceRestart, "")])
            try listener.detach(path: "/ws")
            mayGoOn.open()
            #expect(try await here.next(1) == [.error(.invalidHandshake)])
            withExtendedLifetime(client) {}
        }
    }

    @Test("retry: dropping the client ends the attempts, and everything is gone", arguments: [true, false])
    func dropped(whileAway: Bool) async throws {
        func talk() async throws -> [() -> Bool] {
            let (here, reserved) = (Recorder(), try ReservedPort())
            var client: AsyncClient?
            let (there, callers) = flaky([{ caller in try await caller.close(statusCode: .goingAway) }])
            try await serve(there, at: reserved.port) { listener in
                client = try await AsyncClient(listener.url(), service: here, configuration: configuration())
                for _ in 0..<2 { _ = try await callers.next() }
                if !whileAway { client = nil }
            }
            let caller = try await here.callers.next()
            withExtendedLifetime((client, reserved)) {}
            return [WeakReference(here).check, WeakReference(caller).check]
        }
        for isGone in try await talk() { try await eventually(isGone) }
    }
}

extension WeakReference {
    fileprivate var check: () -> Bool { { self.isGone } }
}
