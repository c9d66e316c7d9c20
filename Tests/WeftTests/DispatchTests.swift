import Synchronization
import Testing
import Weft

#if canImport(Darwin)
    import Darwin
#else
    import Glibc
#endif

/// The thread that runs this.
private func currentThread() -> UInt { UInt(bitPattern: pthread_self().hashValue) }

/// Does not let go of the thread for a while.
private func hold(milliseconds: UInt32) { usleep(milliseconds * 1000) }

@Suite("Dispatch", .timeLimit(.minutes(2)))
struct DispatchTests {
    private func configuration(_ dispatch: Dispatch) -> ServiceConfiguration {
        var configuration = ServiceConfiguration()
        configuration.dispatch = dispatch
        return configuration
    }

    @Test(
        "dispatch: callbacks come one at a time and in order in both ways",
        arguments: [Dispatch.eventLoop, .concurrent])
    func order(dispatch: Dispatch) async throws {
        let running = Mutex(0)
        let service = Recorder { _, event in
            #expect(
                running.withLock { running in
                    running += 1
                    return running
                } == 1)
            if case .text = event { for _ in 0..<3 { await Task.yield() } }
            running.withLock { $0 -= 1 }
        }
        try await serve(service, configuration(dispatch)) { listener in
            let texts = (0..<200).map { "\($0)" }
            let peer = try await RawPeer.upgrade(listener.port, then: texts.map { .text($0) })
            try await peer.send(.close(1000))
            #expect(
                try await service.next(202) == [.open] + texts.map { .text($0) } + [
                    .close(.normalClosure, "")
                ])
            #expect(try await peer.readFrame().closeCode == 1000)
        }
    }

    @Test("dispatch: .eventLoop runs every callback on the connection's one thread, also behind a suspension")
    func onTheLoop() async throws {
        let threads = Mutex<Set<UInt>>([])
        let service = Recorder { _, event in
            threads.withLock { _ = $0.insert(currentThread()) }
            await Task.yield()
            threads.withLock { _ = $0.insert(currentThread()) }
        }
        try await serve(service, configuration(.eventLoop)) { listener in
            let peer = try await RawPeer.upgrade(listener.port, then: [.text("a"), .text("b"), .close(1000)])
            _ = try await service.next(4)
            withExtendedLifetime(peer) {}
        }
        #expect(threads.withLock { $0.count } == 1)
    }

    @Test("dispatch: .concurrent runs no callback on the event loop's thread")
    func concurrent() async throws {
        let (loops, others) = (Channel<UInt>(), Channel<UInt>())
        let inline = InlineRecorder { _, event in if event == .open { loops.send(currentThread()) } }
        let service = Recorder { _, _ in
            others.send(currentThread())
            await Task.yield()
            others.send(currentThread())
        }
        let concurrent = configuration(.concurrent)
        let attach: (Listener) throws -> Void = { listener in
            try listener.attach(at: "/inline") { _ -> Upgrade in Upgrade(inline) }
            try listener.attach(at: "/ws", configuration: concurrent) { _ -> Upgrade in
                others.send(currentThread())
                return Upgrade(service)
            }
        }
        try await withListener(attach: attach) { listener in
            let peers = [
                try await RawPeer.upgrade(listener.port, "/inline"),
                try await RawPeer.upgrade(listener.port, then: [.text("a"), Frame(opcode: 3)]),
            ]
            let loop = try await loops.next()
            for _ in 0..<9 { #expect(try await others.next() != loop) }
            withExtendedLifetime(peers) {}
        }
    }

    @Test("dispatch: .concurrent holds a flood back too and ends as any other")
    func concurrentFlood() async throws {
        let mayGoOn = Gate()
        let count = 2000
        let service = Recorder { _, event in if event == .open { await mayGoOn.pass() } }
        try await serve(service, configuration(.concurrent)) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            let flood = (0..<count).flatMap {
                Frame(opcode: 2, payload: [UInt8](repeating: UInt8($0 & 0xFF), count: 20_000)).masked
            }
            let sent = try await peer.sendUntilBlocked(flood)
            #expect(sent < flood.count, "nobody held the peer back")
            mayGoOn.open()
            try await peer.send([UInt8](flood[sent...]))
            try await peer.send(.close(1000))
            #expect(try await service.next(1) == [.open])
            for number in 0..<count {
                guard case .binary(let data) = try await service.events.next() else {
                    throw RawFailure("no message")
                }
                #expect(data.first == UInt8(number & 0xFF))
            }
            #expect(try await service.next(1) == [.close(.normalClosure, "")])
        }
    }

    @Test("threads: connections are spread over them")
    func spread() async throws {
        let threads = Mutex<Set<UInt>>([])
        let service = InlineRecorder { _, event in
            if event == .open { threads.withLock { _ = $0.insert(currentThread()) } }
        }
        var configuration = ListenerConfiguration.local
        configuration.threads = 2
        let attach: (Listener) throws -> Void = { listener in
            try listener.attach(at: "/ws") { _ -> Upgrade in Upgrade(service) }
        }
        try await withListener(configuration, attach: attach) { listener in
            // The system chooses by address and port: that one thread gets all of them is out of reach.
            for _ in 0..<100 { try await Client(listener.url()).close() }
        }
        #expect(threads.withLock { $0.count } == 2)
    }

    // MARK: Slow callbacks

    private func serveWatched(
        _ service: any Service, slowerThan limit: Duration,
        _ talk: (Listener, LogChannel) async throws -> Void
    ) async throws {
        let log = LogChannel()
        var (configuration, local) = (ServiceConfiguration(), ListenerConfiguration.local)
        configuration.slowCallbackWarning = limit
        local.logger = log.logger
        try await serve(service, configuration, on: local) { try await talk($0, log) }
    }

    @Test("slowCallbackWarning: a callback that holds the loop longer is logged with its connection")
    func slowCallback() async throws {
        let service = Recorder { caller, event in
            if event == .text("slow") { hold(milliseconds: 60) }
            if event == .text("later") {
                await Task.yield()
                hold(milliseconds: 60)
                try await caller.writeTextMessage("done")
            }
        }
        try await serveWatched(service, slowerThan: .milliseconds(50)) { listener, log in
            let peer = try await RawPeer.upgrade(
                listener.port, then: [.text("quick"), .text("slow"), .text("later")])
            let caller = try await service.callers.next()
            for _ in 0..<2 {
                var entry = try await log.entries.next()
                // On a busy machine quick callbacks are slow too.
                while !entry.message.hasPrefix("onTextMessage") { entry = try await log.entries.next() }
                #expect(entry.level == .warning)
                #expect(entry.message.hasPrefix("onTextMessage held the event loop for "))
                #expect(entry.message.hasSuffix("slowCallbackWarning is 0.05 seconds"))
                #expect(entry.metadata["connection"] == "\(caller.connectionID)")
            }
            #expect(try await peer.readFrame() == .text("done"))
        }
    }

    @Test("slowCallbackWarning: what a callback waits for does not count, nor do many quick callbacks")
    func suspendedCallback() async throws {
        let service = Recorder { caller, event in
            hold(milliseconds: 10)
            if event == .text("wait") { try await Task.sleep(for: .milliseconds(600)) }
            if case .ping = event { throw Mishap() }
        }
        try await serveWatched(service, slowerThan: .milliseconds(500)) { listener, log in
            let many = (0..<60).map { Frame.text("\($0)") }
            let peer = try await RawPeer.upgrade(
                listener.port, then: [.text("wait")] + many + [Frame(opcode: 9)])
            #expect(try await peer.readFrame().closeCode == 1011)
            #expect(try await service.next(64).last == .otherError("a mishap"))
            try await peer.send(.close(1011))
            try await listener.gracefulStop()
            log.entries.send(LogChannel.Entry(level: .info, message: "the end", metadata: [:]))
            #expect(try await log.entries.next().message == "the end")
        }
    }

    @Test("slowCallbackWarning: inline services are watched as well, with every callback")
    func slowInlineCallback() async throws {
        let log = LogChannel()
        let service = InlineRecorder { _, _ in hold(milliseconds: 15) }
        let attach: (Listener) throws -> Void = { listener in
            var configuration = ServiceConfiguration()
            configuration.slowCallbackWarning = .milliseconds(10)
            try listener.attach(at: "/ws", configuration: configuration) { _ -> Upgrade in Upgrade(service) }
        }
        var local = ListenerConfiguration.local
        local.logger = log.logger
        try await withListener(local, attach: attach) { listener in
            let frames = [
                Frame.text("a"), Frame(opcode: 2), Frame(opcode: 9), Frame(opcode: 10), Frame(opcode: 3),
            ]
            let peer = try await RawPeer.upgrade(listener.port, then: frames)
            let callbacks = [
                "onOpen", "onTextMessage", "onBinaryMessage", "onPing", "onPong", "onError", "onClose",
            ]
            for callback in callbacks {
                #expect(try await log.entries.next().message.hasPrefix(callback + " held"))
            }
            withExtendedLifetime(peer) {}
        }
    }

    @Test("slowCallbackWarning: every callback of a service still comes")
    func everyCallback() async throws {
        let service = Recorder()
        try await serveWatched(service, slowerThan: .seconds(60)) { listener, _ in
            let frames = [
                Frame.text("a"), Frame(opcode: 2, payload: [1]), Frame(opcode: 9), Frame(opcode: 10),
            ]
            let peer = try await RawPeer.upgrade(listener.port, then: frames)
            #expect(try await service.next(5) == [.open, .text("a"), .binary([1]), .ping([]), .pong([])])
            try await peer.send(Frame(opcode: 3))
            #expect(try await service.next(1) == [.error(.protocolViolation)])
            guard case .close(.protocolError, _) = try await service.events.next() else {
                throw RawFailure("no close")
            }
        }
    }
}
