import Testing
import Weft

@Suite("Listener", .timeLimit(.minutes(2)))
struct ListenerTests {
    // MARK: Start

    @Test("localAddress: nil before start(), then the port that 0 stood for")
    func ephemeralPort() async throws {
        let listener = try Listener(port: 0, configuration: .local)
        #expect(listener.localAddress == nil)
        try await listener.start()
        let address = try #require(listener.localAddress)
        #expect(address.host == "127.0.0.1")
        #expect((1...65535).contains(address.port))
        try await listener.immediateStop()
    }

    @Test("start() async throws: a port in use is named with its cause; init binds nothing")
    func portInUse() async throws {
        try await serve(Echo()) { first in
            let second = try Listener(port: first.port, configuration: .local)
            let error = try await failure(WebSocketError.self) { try await second.start() }
            #expect(error.code == .addressUnavailable)
            #expect(error.message.contains("127.0.0.1"))
            #expect(error.message.contains("\(first.port)"))
            #expect(error.message.contains("address in use"))
        }
    }

    @Test("addressUnavailable: an address of another machine, at start()")
    func foreignAddress() async throws {
        var configuration = ListenerConfiguration.local
        configuration.host = "192.0.2.1"
        let listener = try Listener(port: 0, configuration: configuration)
        let error = try await failure(WebSocketError.self) { try await listener.start() }
        #expect(error.code == .addressUnavailable)
        #expect(error.message.contains("192.0.2.1"))
    }

    @Test("start() async throws: a forbidden port is named with its cause", .enabled(if: isHumble))
    func forbiddenPort() async throws {
        let listener = try Listener(port: 1, configuration: .local)
        let error = try await failure(WebSocketError.self) { try await listener.start() }
        #expect(error.code == .addressUnavailable)
        #expect(error.message == "cannot listen on 127.0.0.1:1: permission denied")
    }

    @Test("start() async throws: after a failure it may be tried again")
    func startAfterFailure() async throws {
        let reserved = try ReservedPort()
        let second = try await serve(Echo(), at: reserved.port) { first in
            let second = try Listener(port: first.port, configuration: .local)
            await #expect(throws: WebSocketError.self) { try await second.start() }
            return second
        }
        try await second.start()
        #expect(second.port == reserved.port)
        try await second.immediateStop()
    }

    @Test("A listener starts only once and stops only after its start")
    func lifeInOrder() async throws {
        let listener = try Listener(port: 0, configuration: .local)
        #expect(
            try await failure(WebSocketError.self) { try await listener.gracefulStop() }.code == .invalidState
        )
        #expect(
            try await failure(WebSocketError.self) { try await listener.immediateStop() }.code
                == .invalidState)
        try await listener.start()
        #expect(try await failure(WebSocketError.self) { try await listener.start() }.code == .invalidState)
        try await listener.immediateStop()
        #expect(try await failure(WebSocketError.self) { try await listener.start() }.code == .invalidState)
    }

    @Test("Stopping twice is fine")
    func stopTwice() async throws {
        try await serve(Echo()) { listener in
            async let first: Void = listener.gracefulStop()
            async let second: Void = listener.immediateStop()
            _ = try await (first, second)
        }
    }

    // MARK: Services

    @Test(
        #"attach(_ service: some UpgradeService, at path: String = "/"): the same path twice is an error, before and after start()"#
    )
    func duplicatePath() async throws {
        let listener = try Listener(port: 0, configuration: .local)
        func attach() throws { try listener.attach(at: "/ws") { _ in Echo() } }
        try attach()
        #expect(try await failure(WebSocketError.self) { try attach() }.code == .duplicatePath)
        try await listener.start()
        let error = try await failure(WebSocketError.self) { try attach() }
        #expect(error.code == .duplicatePath)
        #expect(error.message.contains("/ws"))
        try listener.detach(path: "/ws")
        try attach()
        try await listener.immediateStop()
    }

    @Test("notAttached: detach(path:) of what is not attached")
    func notAttached() async throws {
        let listener = try Listener(port: 0, configuration: .local)
        let error = try await failure(WebSocketError.self) { try listener.detach(path: "/none") }
        #expect(error.code == .notAttached)
        #expect(error.message.contains("/none"))
    }

    @Test(
        "A path begins with a slash and has no query",
        arguments: ["", "ws", "/a?b", "/a#b", "/a b", "/a\n", "/a\0"])
    func badPath(path: String) async throws {
        let listener = try Listener(port: 0, configuration: .local)
        let error = try await failure(WebSocketError.self) { try listener.attach(at: path) { _ in Echo() } }
        #expect(error.code == .invalidConfiguration)
    }

    @Test("attach: a service attached while the listener runs is reachable at once")
    func attachWhileRunning() async throws {
        try await withListener(attach: nothing) { listener in
            #expect(try await handshakeStatus(listener.url()) == 404)
            try listener.attach(at: "/ws") { _ in Echo() }
            let client = try await Client(listener.url())
            try await client.writeTextMessage("here")
            #expect(try await client.readTextMessage() == "here")
        }
    }

    @Test("detach(path:): new upgrades get 404 at once and existing connections go on")
    func detachWhileRunning() async throws {
        try await serve(Echo()) { listener in
            let client = try await Client(listener.url())
            try listener.detach(path: "/ws")
            #expect(try await handshakeStatus(listener.url()) == 404)
            try await client.writeTextMessage("still here")
            #expect(try await client.readTextMessage() == "still here")
        }
    }

    @Test("Paths are compared exactly; the star takes every path that nothing else has")
    func star() async throws {
        func name(_ name: String) -> Recorder {
            Recorder { caller, event in if event == .open { try await caller.writeTextMessage(name) } }
        }
        let (exact, rest) = (name("exact"), name("rest"))
        let attach: (Listener) throws -> Void = { listener in
            try listener.attach(at: "/ws") { _ -> Upgrade in Upgrade(exact) }
            try listener.attach(at: "*") { _ -> Upgrade in Upgrade(rest) }
        }
        try await withListener(attach: attach) { listener in
            for (path, answer) in [("/ws?q=1", "exact"), ("/ws/", "rest"), ("/WS", "rest"), ("/", "rest")] {
                let client = try await Client(listener.url(path))
                #expect(try await client.readTextMessage() == answer, "at \(path)")
            }
        }
    }

    // MARK: Stop

    @Test(
        "gracefulStop(timeout: Duration = .seconds(30)) async throws: sends 1001 to every connection and waits for the closing handshakes"
    )
    func gracefulStop() async throws {
        let service = Recorder()
        try await serve(service) { listener in
            let peers = [try await RawPeer.upgrade(listener.port), try await RawPeer.upgrade(listener.port)]
            #expect(try await service.next(2) == [.open, .open])
            let stopped = Channel<Int>()
            async let stop: Void = {
                try await listener.gracefulStop()
                stopped.send(listener.connectionCount)
            }()
            for peer in peers { #expect(try await peer.readFrame().closeCode == 1001) }
            #expect(listener.connectionCount == 2)
            for peer in peers { try await peer.send(.close(1001)) }
            #expect(try await stopped.next() == 0)
            try await stop
            #expect(try await service.next(2) == [.close(.goingAway, ""), .close(.goingAway, "")])
        }
    }

    @Test("gracefulStop drops at the timeout what is left")
    func gracefulStopTimeout() async throws {
        let service = Recorder()
        try await serve(service) { listener in
            let silent = try await RawPeer.upgrade(listener.port)
            #expect(try await service.events.next() == .open)
            try await listener.gracefulStop(timeout: .milliseconds(50))
            #expect(listener.connectionCount == 0)
            #expect(try await silent.readFrame().closeCode == 1001)
            #expect(try await silent.readToEnd().isEmpty)
            while case let event = try await service.events.next() {
                if case .close(let code, _) = event {
                    #expect(code == .abnormalClosure)
                    break
                }
            }
        }
    }

    /// Returns when the stop has reached the event loop, which the 1001 of a peer of its own shows.
    private func beginGracefulStop(of listener: Listener) async throws -> Task<Void, any Error> {
        try listener.attach(at: "/witness") { _ in Echo() }
        let witness = try await RawPeer.upgrade(listener.port, "/witness")
        let stop = Task { try await listener.gracefulStop() }
        #expect(try await witness.readFrame().closeCode == 1001)
        try await witness.send(.close(1001))
        return stop
    }

    @Test("gracefulStop lets an upgrade in progress finish and gives it the rest of the time")
    func gracefulStopDuringUpgrade() async throws {
        let (isAsked, mayDecide) = (Channel<Void>(), Gate())
        let service = Recorder()
        let attach: (Listener) throws -> Void = { listener in
            try listener.attach(at: "/ws") { _ -> Upgrade in
                isAsked.send(())
                await mayDecide.pass()
                return Upgrade(service)
            }
        }
        try await withListener(attach: attach) { listener in
            let waiting = try await RawPeer.connect(
                listener.port, sending: Array(RawPeer.upgradeRequest().utf8))
            try await isAsked.next()
            let stop = try await beginGracefulStop(of: listener)
            mayDecide.open()
            #expect(try await waiting.readResponse().status == 101)
            #expect(try await waiting.readFrame().closeCode == 1001)
            try await waiting.send(.close(1001))
            try await stop.value
            #expect(try await service.next(2) == [.open, .close(.goingAway, "")])
        }
    }

    @Test("gracefulStop: a callback that was begun finishes and answers before the 1001")
    func gracefulStopDuringCallback() async throws {
        let (isCalled, mayGoOn) = (Channel<Void>(), Gate())
        let service = Recorder { caller, event in
            guard event == .text("question") else { return }
            isCalled.send(())
            await mayGoOn.pass()
            try await caller.writeTextMessage("answer")
        }
        try await serve(service) { listener in
            let peer = try await RawPeer.upgrade(listener.port, then: [.text("question")])
            try await isCalled.next()
            let stop = try await beginGracefulStop(of: listener)
            mayGoOn.open()
            #expect(try await peer.readFrame() == .text("answer"))
            #expect(try await peer.readFrame().closeCode == 1001)
            try await peer.send(.close(1001))
            try await stop.value
            #expect(try await service.next(3) == [.open, .text("question"), .close(.goingAway, "")])
        }
    }

    @Test("gracefulStop: waits for an onClose that takes its time")
    func gracefulStopDuringOnClose() async throws {
        let isEnding = Channel<Void>()
        let (mayEnd, hasEnded) = (Gate(), Channel<String>())
        let service = Recorder { _, event in
            guard case .close = event else { return }
            isEnding.send(())
            await mayEnd.pass()
            hasEnded.send("onClose")
        }
        try await serve(service) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            async let stop: Void = {
                try await listener.gracefulStop()
                hasEnded.send("gracefulStop")
            }()
            #expect(try await peer.readFrame().closeCode == 1001)
            try await peer.send(.close(1001))
            try await isEnding.next()
            #expect(try await peer.readToEnd().isEmpty)
            try await eventually { listener.connectionCount == 0 }
            mayEnd.open()
            #expect(try await hasEnded.next() == "onClose")
            #expect(try await hasEnded.next() == "gracefulStop")
            try await stop
        }
    }

    @Test("gracefulStop: a callback that never ends is not waited for longer than the timeout")
    func gracefulStopDuringEndlessCallback() async throws {
        let never = Gate()
        let service = Recorder { _, event in if event == .text("hang") { await never.pass() } }
        try await serve(service) { listener in
            let peer = try await RawPeer.upgrade(listener.port, then: [.text("hang")])
            #expect(try await service.next(2) == [.open, .text("hang")])
            let start = ContinuousClock.now
            try await listener.gracefulStop(timeout: .milliseconds(80))
            #expect(.now - start >= .milliseconds(80))
            #expect(listener.connectionCount == 0)
            #expect(try await peer.readToEnd().isEmpty)
            never.open()
            guard case .close(.abnormalClosure, _) = try await service.events.next() else {
                throw RawFailure("no 1006")
            }
        }
    }

    @Test("gracefulStop: a cancelled task stops as gracefully as any other")
    func gracefulStopCancelled() async throws {
        let (isEnding, mayEnd) = (Channel<Void>(), Gate())
        let hasEnded = Channel<String>()
        let service = Recorder { _, event in
            guard case .close = event else { return }
            isEnding.send(())
            await mayEnd.pass()
            hasEnded.send("onClose")
        }
        try await serve(service) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            let stop = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                try await listener.gracefulStop()
                hasEnded.send("gracefulStop")
            }
            #expect(try await peer.readFrame().closeCode == 1001)
            try await peer.send(.close(1001))
            try await isEnding.next()
            mayEnd.open()
            #expect(try await hasEnded.next() == "onClose")
            try await stop.value
        }
    }

    @Test("gracefulStop: an inline service's connections are closed with 1001")
    func gracefulStopInline() async throws {
        let service = InlineRecorder()
        try await serve(service) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            #expect(try await service.next(1) == [.open])
            async let stop: Void = listener.gracefulStop()
            #expect(try await peer.readFrame().closeCode == 1001)
            try await peer.send(.close(1001))
            try await stop
            #expect(try await service.next(1) == [.close(.goingAway, "")])
        }
    }

    @Test("immediateStop: a service whose callback is running gets onClose with 1006 when it has returned")
    func immediateStopDuringCallback() async throws {
        let mayGoOn = Gate()
        let service = Recorder { _, event in if event == .open { await mayGoOn.pass() } }
        try await serve(service) { listener in
            let peer = try await RawPeer.upgrade(listener.port, then: [.text("kept")])
            #expect(try await service.next(1) == [.open])
            try await listener.immediateStop()
            #expect(listener.connectionCount == 0)
            mayGoOn.open()
            var last = try await service.events.next()
            while case .text = last { last = try await service.events.next() }
            #expect(last == .close(.abnormalClosure, ""))
            withExtendedLifetime(peer) {}
        }
    }

    @Test("immediateStop() async throws: aborts every connection and each service gets onClose with 1006")
    func immediateStop() async throws {
        let service = Recorder()
        try await serve(service) { listener in
            var peers: [RawPeer] = []
            for _ in 0..<3 { peers.append(try await RawPeer.upgrade(listener.port)) }
            #expect(try await service.next(3) == [.open, .open, .open])
            try await listener.immediateStop()
            #expect(listener.connectionCount == 0)
            for peer in peers { #expect(try await peer.readToEnd().isEmpty) }
            for _ in 0..<3 {
                guard case .close(let code, _) = try await service.events.next() else {
                    Issue.record("not a close")
                    continue
                }
                #expect(code == .abnormalClosure)
            }
        }
    }

    @Test("run() async throws: serves until its task is cancelled and then stops gracefully")
    func run() async throws {
        let service = Recorder()
        let listener = try Listener(port: 0, configuration: .local)
        try listener.attach(at: "/ws") { _ -> Upgrade in Upgrade(service) }
        let task = Task { try await listener.run() }
        try await eventually { listener.localAddress != nil }
        let client = try await Client(listener.url())
        task.cancel()
        let error = try await failure(WebSocketError.self) { _ = try await client.readMessage() }
        #expect(error.closeCode == .goingAway)
        try await task.value
        #expect(listener.connectionCount == 0)
    }

    @Test("run() async throws: throws what start() throws")
    func runFails() async throws {
        try await serve(Echo()) { first in
            let second = try Listener(port: first.port, configuration: .local)
            let error = try await failure(WebSocketError.self) { try await second.run() }
            #expect(error.code == .addressUnavailable)
        }
    }

    @Test("Dropping the last reference stops the listener at once")
    func dropped() async throws {
        func connectAndDrop() async throws -> Client {
            let listener = try Listener(port: 0, configuration: .local)
            try listener.attach(at: "/ws") { _ in Echo() }
            try await listener.start()
            return try await Client(listener.url())
        }
        let client = try await connectAndDrop()
        let error = try await failure(WebSocketError.self) { _ = try await client.readMessage() }
        #expect(error.code == .connectionLost)
    }

    // MARK: Many

    @Test("connectionCount: tells the open connections")
    func connectionCount() async throws {
        try await serve(Echo()) { listener in
            #expect(listener.connectionCount == 0)
            let first = try await Client(listener.url())
            let second = try await Client(listener.url())
            #expect(listener.connectionCount == 2)
            try await first.close()
            try await eventually { listener.connectionCount == 1 }
            try await second.close()
            try await eventually { listener.connectionCount == 0 }
        }
    }

    @Test("threads: several serve connections alike")
    func threads() async throws {
        var configuration = ListenerConfiguration.local
        configuration.threads = 3
        try await serve(Echo(), on: configuration) { listener in
            let url = listener.url()
            try await withThrowingTaskGroup { group in
                for number in 0..<24 {
                    group.addTask {
                        let client = try await Client(url)
                        try await client.writeTextMessage("\(number)")
                        #expect(try await client.readTextMessage() == "\(number)")
                        try await client.close()
                    }
                }
                try await group.waitForAll()
            }
        }
    }
}

/// The status with which an upgrade is refused.
func handshakeStatus(_ url: String, _ configuration: ClientConfiguration = .init()) async throws -> Int? {
    let error = try await failure(WebSocketError.self) {
        _ = try await Client(url, configuration: configuration)
    }
    #expect(error.code == .invalidHandshake)
    return error.httpResponse?.status.code
}
