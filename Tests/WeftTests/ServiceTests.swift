import Synchronization
import Testing
import Weft

@Suite("Service", .timeLimit(.minutes(2)))
struct ServiceTests {
    // MARK: Order

    @Test("order: callbacks come in the order of arrival, onOpen first and onClose last")
    func order() async throws {
        let service = Recorder()
        try await serve(service) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            try await peer.send(
                .text("one"), Frame(opcode: 9, payload: [1]), Frame(opcode: 2, payload: [2, 3]),
                Frame(opcode: 10, payload: [4]), .text("two"), .close(4000, "done"))
            #expect(
                try await service.next(7) == [
                    .open, .text("one"), .ping([1]), .binary([2, 3]), .pong([4]), .text("two"),
                    .close(CloseCode(4000), "done"),
                ])
        }
    }

    @Test("onOpen: is awaited before any message, also for frames in the request's packet")
    func onOpenFirst() async throws {
        let isOpened = Gate()
        let log = Mutex<[String]>([])
        let service = Recorder { caller, event in
            if event == .open { await isOpened.pass() }
            log.withLock { $0.append("\(event)") }
        }
        try await serve(service) { listener in
            let peer = try await RawPeer.upgrade(listener.port, then: [.text("early")])
            #expect(try await service.next(1) == [.open])
            // The pong of another connection proves that the loop has turned meanwhile.
            let other = try await RawPeer.upgrade(listener.port)
            #expect(try await service.next(1) == [.open])
            try await other.send(.close(1000))
            #expect(log.withLock { $0 }.isEmpty)
            isOpened.open()
            #expect(try await service.next(2).contains(.text("early")))
            withExtendedLifetime(peer) {}
        }
        #expect(log.withLock { $0 }.first == "open")
    }

    @Test("order: what comes in one packet with the request, however much, waits for onOpen")
    func floodBehindTheRequest() async throws {
        let service = Recorder()
        try await serve(service) { listener in
            let text = String(repeating: "x", count: 1000)
            let peer = try await RawPeer.upgrade(
                listener.port, then: [Frame](repeating: .text(text), count: 450))
            #expect(try await service.next(451) == [.open] + [Event](repeating: .text(text), count: 450))
            withExtendedLifetime(peer) {}
        }
    }

    @Test("order: callbacks of one connection come one at a time, those of different ones concurrently")
    func oneAtATime() async throws {
        let isMet = Gate()
        let running = Mutex<[String: Int]>([:])
        let service = Recorder { caller, event in
            guard case .text(let text) = event else { return }
            let count = running.withLock { running in
                running[caller.connectionID, default: 0] += 1
                return running[caller.connectionID]
            }
            #expect(count == 1)
            // The first connection's callback ends only once the second one's has run.
            if text == "wait" { await isMet.pass() }
            if text == "meet" { isMet.open() }
            await Task.yield()
            running.withLock { $0[caller.connectionID, default: 0] -= 1 }
        }
        try await serve(service) { listener in
            let first = try await RawPeer.upgrade(listener.port)
            let second = try await RawPeer.upgrade(listener.port)
            try await first.send(.text("wait"), .text("a"), .text("b"), .close(1000))
            #expect(try await service.next(3) == [.open, .open, .text("wait")])
            try await second.send(.text("meet"))
            #expect(try await service.next(1) == [.text("meet")])
            #expect(try await service.next(3) == [.text("a"), .text("b"), .close(.normalClosure, "")])
        }
    }

    @Test("order: an echo service answers the messages that came before the close frame")
    func answersBeforeTheClose() async throws {
        try await serve(Echo()) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            let messages = (0..<20).map { Frame.text("message \($0)") }
            try await peer.send((messages + [.close(1000, "bye")]).flatMap(\.masked))
            for message in messages { #expect(try await peer.readFrame() == message) }
            #expect(try await peer.readFrame().closeCode == 1000)
            #expect(try await peer.readToEnd().isEmpty)
        }
    }

    // MARK: Backpressure

    @Test(
        "backpressure: a slow callback stops the reading: memory is bounded, nothing is lost, the order stays"
    )
    func backpressure() async throws {
        let (mayGoOn, isDone) = (Gate(), Channel<Int>())
        let received = Mutex(0)
        let service = Recorder { caller, event in
            switch event {
            case .open: await mayGoOn.pass()
            case .binary(let data):
                let number = received.withLock { received in
                    defer { received += 1 }
                    return received
                }
                #expect(data.count == 65536 && data[0] == UInt8(number % 251))
            case .close: isDone.send(received.withLock { $0 })
            default: Issue.record("\(event)")
            }
        }
        try await serve(service) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            let count = 1024
            var flood: [UInt8] = []
            for number in 0..<count {
                flood +=
                    Frame(opcode: 2, payload: [UInt8](repeating: UInt8(number % 251), count: 65536)).masked
            }
            let sent = try await peer.sendUntilBlocked(flood)
            #expect(sent < flood.count / 2, "nobody held the peer back")
            #expect(received.withLock { $0 } == 0)
            mayGoOn.open()
            try await peer.send([UInt8](flood[sent...]))
            try await peer.send(.close(1000))
            #expect(try await isDone.next() == count)
        }
    }

    @Test("backpressure: a flood of pings with a slow callback is held back too")
    func pingFlood() async throws {
        let mayGoOn = Gate()
        let service = Recorder { _, event in if event == .open { await mayGoOn.pass() } }
        try await serve(service) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            var flood = Frame(opcode: 9, payload: [UInt8](repeating: 7, count: 122)).masked
            while flood.count < 32 << 20 { flood += flood }
            let sent = try await peer.sendUntilBlocked(flood)
            #expect(sent < flood.count, "nobody held the peer back")
            mayGoOn.open()
        }
    }

    // MARK: Ends

    @Test("onClose: has the peer's code and reason, and 1005 without a code")
    func peerCode() async throws {
        let service = Recorder()
        try await serve(service) { listener in
            let first = try await RawPeer.upgrade(listener.port)
            try await first.send(.close(4321, "wéll"))
            #expect(try await service.next(2) == [.open, .close(CloseCode(4321), "wéll")])
            #expect(try await first.readFrame().closeCode == 4321)
            let second = try await RawPeer.upgrade(listener.port)
            try await second.send(Frame(opcode: 8))
            #expect(try await service.next(2) == [.open, .close(.noStatusReceived, "")])
            #expect(try await second.readFrame() == Frame(opcode: 8))
        }
    }

    @Test("onClose: has 1006 when TCP ends without a close frame", arguments: [false, true])
    func lost(byReset: Bool) async throws {
        let service = Recorder()
        try await serve(service) { listener in
            var peer: RawPeer? = try await RawPeer.upgrade(listener.port)
            #expect(try await service.next(1) == [.open])
            if byReset { peer?.resetAtEnd() }
            peer = nil
            var events = try await service.next(1)
            while true {
                if case .close(let code, _) = events.last {
                    #expect(code == .abnormalClosure)
                    break
                }
                #expect(events.last == .error(.connectionLost))
                events += try await service.next(1)
            }
        }
    }

    @Test(
        "exactly one end: onClose comes exactly once and last, whatever ends the connection",
        arguments: Ending.allCases)
    func exactlyOneEnd(ending: Ending) async throws {
        let events = Mutex<[Event]>([])
        let service = Recorder { caller, event in
            events.withLock { $0.append(event) }
            if event == .text("throw") { throw Mishap() }
            if event == .text("close") { try await caller.close(timeout: .milliseconds(20)) }
        }
        try await serve(service) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            let caller = try await WeakReference(service.callers.next())
            switch ending {
            case .closeFrame: try await peer.send(.close(1000), .text("late"), .close(1001))
            case .violation: try await peer.send(Frame(opcode: 3), .text("late"), .close(1000))
            case .mishap: try await peer.send(.text("throw"), .text("late"), .close(1000))
            case .timeout: try await peer.send(.text("close"), .text("late"))
            case .tcp: peer.finish()
            case .stop: try await listener.immediateStop()
            }
            // Without a caller there is nobody left to tell anything to.
            try await eventually { caller.isGone }
        }
        let ends = events.withLock { $0 }.filter { if case .close = $0 { true } else { false } }
        #expect(ends.count == 1)
        #expect(events.withLock { $0 }.last == ends.last)
        #expect(events.withLock { $0 }.first == .open)
    }

    enum Ending: CaseIterable, Sendable { case closeFrame, violation, mishap, timeout, tcp, stop }

    @Test("echo: the close frame is answered after onClose has returned")
    func answerAfterOnClose() async throws {
        let isReturning = Mutex(false)
        let service = Recorder { caller, event in
            guard case .close = event else { return }
            for _ in 0..<20 { await Task.yield() }
            isReturning.withLock { $0 = true }
        }
        try await serve(service) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            try await peer.send(.close(1000))
            #expect(try await peer.readFrame().closeCode == 1000)
            #expect(isReturning.withLock { $0 })
        }
    }

    @Test("echo: the close frame is answered although onClose does not return")
    func answerWithoutOnClose() async throws {
        let mayReturn = Gate()
        let service = Recorder { _, event in if case .close = event { await mayReturn.pass() } }
        try await serve(service) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            try await peer.send(.close(1000))
            #expect(try await peer.readFrame().closeCode == 1000)
            mayReturn.open()
        }
    }

    @Test("close() inside a callback: does not stall, and messages meanwhile are no obstacle")
    func closeInside() async throws {
        let isClosed = Channel<Void>()
        let service = Recorder { caller, event in
            guard event == .text("close") else { return }
            try await caller.close(statusCode: .policyViolation, reason: "enough")
            isClosed.send(())
        }
        try await serve(service) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            try await peer.send(.text("close"))
            #expect(try await peer.readFrame() == .close(1008, "enough"))
            try await peer.send(.text("on its way"), .close(1008))
            try await isClosed.next()
            let events = try await service.next(3)
            #expect(events.prefix(2) == [.open, .text("close")])
            let last = events[2] == .text("on its way") ? try await service.next(1)[0] : events[2]
            #expect(last == .close(.policyViolation, ""))
        }
    }

    @Test("close() inside a callback: does not stall when more comes than the queue takes")
    func closeInsideFlood() async throws {
        let (isFlooded, isClosed) = (Gate(), Channel<Void>())
        let service = Recorder { caller, event in
            guard case .binary = event, caller.isOpen else { return }
            await isFlooded.pass()
            try await caller.close(timeout: .seconds(20))
            isClosed.send(())
        }
        try await serve(service) { listener in
            var configuration = ClientConfiguration()
            configuration.webSocketCompressionEnabled = false  // so that the bytes fill the way
            configuration.writeTimeout = .milliseconds(300)
            let client = try await Client(listener.url(), configuration: configuration)
            let error = try await failure(WebSocketError.self) {
                while true { try await client.writeBinaryMessage([UInt8](repeating: 1, count: 1 << 20)) }
            }
            #expect(error.code == .writeTimedOut)
            isFlooded.open()
            try await isClosed.next()
        }
    }

    // MARK: Errors

    @Test(
        "onError: after a violation it comes with the close frame sent, then onClose",
        arguments: Violation.all)
    func violation(_ violation: Violation) async throws {
        let isOpen = Mutex(true)
        let service = Recorder { caller, event in
            if case .error = event {
                isOpen.withLock { $0 = caller.isOpen }
                await #expect(throws: WebSocketError.self) { try await caller.writeTextMessage("too late") }
            }
        }
        try await serve(service) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            try await peer.send(violation.bytes)
            #expect(try await peer.readFrame().closeCode == violation.closeCode.rawValue)
            let events = try await service.next(3)
            #expect(events.prefix(2) == [.open, .error(violation.code)])
            guard case .close(violation.closeCode, _) = events[2] else {
                Issue.record("\(events[2])")
                return
            }
            #expect(!isOpen.withLock { $0 })
        }
    }

    struct Violation: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let bytes: [UInt8]
        let code: WebSocketError.Code
        let closeCode: CloseCode

        static let all = [
            Violation(
                testDescription: "unknown opcode", bytes: Frame(opcode: 3).masked, code: .protocolViolation,
                closeCode: .protocolError),
            Violation(
                testDescription: "unmasked frame", bytes: [0x81, 1, 65], code: .protocolViolation,
                closeCode: .protocolError),
            Violation(
                testDescription: "continuation of nothing", bytes: Frame(opcode: 0).masked,
                code: .invalidContinuation, closeCode: .protocolError),
            Violation(
                testDescription: "long ping",
                bytes: Frame(opcode: 9, payload: [UInt8](repeating: 0, count: 126)).masked,
                code: .controlFrameTooLong, closeCode: .protocolError),
            Violation(
                testDescription: "text that is not UTF-8",
                bytes: Frame(opcode: 1, payload: [0xC3, 0x28]).masked,
                code: .invalidPayload, closeCode: .invalidFramePayloadData),
            Violation(
                testDescription: "frame over its limit",
                bytes: Frame(opcode: 2, payload: [UInt8](repeating: 0, count: 65537)).masked,
                code: .payloadTooLarge, closeCode: .messageTooBig),
        ]
    }

    @Test(
        "onError: a callback that throws closes with 1011, onError gets the original error, onClose follows")
    func callbackThrows() async throws {
        let service = Recorder { _, event in if event == .text("throw") { throw Mishap() } }
        try await serve(service) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            try await peer.send(.text("throw"), .text("not handled"))
            #expect(try await peer.readFrame().closeCode == 1011)
            let events = try await service.next(4)
            #expect(events.prefix(3) == [.open, .text("throw"), .otherError("a mishap")])
            guard case .close(.internalError, _) = events[3] else {
                Issue.record("\(events[3])")
                return
            }
        }
    }

    @Test(
        "onError: whichever callback throws, the peer sees 1011 and onClose follows",
        arguments: [Event.binary([1]), .ping([2]), .pong([3]), .idle])
    func everyCallbackThrows(event: Event) async throws {
        let service = Recorder { _, happened in if happened == event { throw Mishap() } }
        var configuration = ServiceConfiguration()
        if event == .idle { configuration.idleTimeout = .milliseconds(20) }
        try await serve(service, configuration) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            try await peer.send(
                Frame(opcode: 2, payload: [1]), Frame(opcode: 9, payload: [2]),
                Frame(opcode: 10, payload: [3]))
            var frame = try await peer.readFrame()
            while frame.opcode != 8 { frame = try await peer.readFrame() }
            #expect(frame.closeCode == 1011)
            while try await service.events.next() != event {}
            #expect(try await service.next(1) == [.otherError("a mishap")])
            guard case .close(.internalError, _) = try await service.events.next() else {
                throw RawFailure("no 1011")
            }
        }
    }

    @Test(
        "onError: gets what a write behind a close of the callback's own throws; the peer sees that close alone"
    )
    func writesBehindItsClose() async throws {
        let service = Recorder { caller, event in
            guard event == .text("close") else { return }
            try caller.closeWithoutWaiting()
            try await caller.writeTextMessage("too late")
        }
        try await serve(service) { listener in
            let peer = try await RawPeer.upgrade(listener.port, then: [.text("close")])
            #expect(try await peer.readFrame() == .close(1000))
            #expect(try await service.next(3) == [.open, .text("close"), .error(.connectionClosed)])
            try await peer.send(.close(1000))
            #expect(try await peer.readToEnd().isEmpty)
            #expect(try await service.next(1) == [.close(.normalClosure, "")])
        }
    }

    @Test("onClose: has the peer's code when both sides close with different ones")
    func differentCodes() async throws {
        let isClosed = Channel<Void>()
        let service = Recorder { caller, event in
            guard event == .open else { return }
            try await caller.close(statusCode: CloseCode(4000), reason: "ours")
            isClosed.send(())
        }
        try await serve(service) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            #expect(try await peer.readFrame() == .close(4000, "ours"))
            try await peer.send(.close(4001, "theirs"))
            try await isClosed.next()
            #expect(try await service.next(2) == [.open, .close(CloseCode(4001), "theirs")])
        }
    }

    @Test("onError: by default the error is logged with its connection, for both kinds of service")
    func errorsAreLogged() async throws {
        struct Thrower: Service {
            func onTextMessage(_ caller: Caller, _ text: String) async throws { throw Mishap() }
        }
        struct InlineThrower: InlineService {
            func onTextMessage(_ caller: Caller, _ text: String) throws { throw Mishap() }
        }
        let log = LogChannel()
        var local = ListenerConfiguration.local
        local.logger = log.logger
        let attach: (Listener) throws -> Void = { listener in
            try listener.attach(at: "/ws") { _ in Thrower() }
            try listener.attach(at: "/inline") { _ in InlineThrower() }
        }
        try await withListener(local, attach: attach) { listener in
            for path in ["/ws", "/inline"] {
                let peer = try await RawPeer.upgrade(listener.port, path, then: [.text("throw")])
                #expect(try await peer.readFrame().closeCode == 1011)
                let entry = try await log.entries.next()
                #expect(entry.message.contains("a mishap"))
                #expect(entry.metadata["connection"] != nil)
            }
        }
    }

    @Test("onOpen: one that throws ends the connection like any callback")
    func onOpenThrows() async throws {
        let service = Recorder { _, event in if event == .open { throw Mishap() } }
        try await serve(service) { listener in
            let peer = try await RawPeer.upgrade(listener.port, then: [.text("not handled")])
            #expect(try await peer.readFrame().closeCode == 1011)
            let events = try await service.next(3)
            #expect(events.prefix(2) == [.open, .otherError("a mishap")])
        }
    }

    @Test("onError: gets what onClose throws")
    func onCloseThrows() async throws {
        let service = Recorder { _, event in if case .close = event { throw Mishap() } }
        try await serve(service) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            try await peer.send(.close(1000))
            #expect(
                try await service.next(3) == [.open, .close(.normalClosure, ""), .otherError("a mishap")])
            #expect(try await peer.readFrame().closeCode == 1000)
        }
    }

    @Test("onError: gets what a callback throws although the peer has closed meanwhile")
    func throwsAfterTheClose() async throws {
        let events = Mutex<[Event]>([])
        let service = Recorder { caller, event in
            events.withLock { $0.append(event) }
            if event == .text("throw") { throw Mishap() }
        }
        try await serve(service) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            let caller = try await WeakReference(service.callers.next())
            try await peer.send(.text("throw"), .close(1000))
            try await eventually { caller.isGone }
        }
        #expect(events.withLock { $0 }.prefix(3) == [.open, .text("throw"), .otherError("a mishap")])
        #expect(events.withLock { $0 }.count == 4)
    }

    // MARK: Defaults

    @Test("onPing: every method has a default; the one of onPing answers with the same payload")
    func defaults() async throws {
        struct Silent: Service {}
        var configuration = ServiceConfiguration()
        configuration.idleTimeout = .milliseconds(1)
        try await serve(Silent(), configuration) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            try await peer.send(
                .text("dropped"), Frame(opcode: 2, payload: [1]), Frame(opcode: 10),
                Frame(opcode: 9, payload: [5, 6, 7]))
            #expect(try await peer.readFrame() == Frame(opcode: 10, payload: [5, 6, 7]))
            try await peer.send(.close(1000))
            #expect(try await peer.readFrame() == .close(1000))
        }
    }

    @Test("onIdleTimeout: comes again after each idle period and does not close")
    func idle() async throws {
        let service = Recorder()
        var configuration = ServiceConfiguration()
        configuration.idleTimeout = .milliseconds(20)
        try await serve(service, configuration) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            #expect(try await service.next(4) == [.open, .idle, .idle, .idle])
            try await peer.send(.text("awake"))
            while case let event = try await service.events.next(), event != .text("awake") {
                #expect(event == .idle)
            }
            #expect(try await service.next(1) == [.idle])
        }
    }

    @Test("idleTimeout: without it nothing is idle, and keep-alive pings do not count against it")
    func keepAliveIsNotActivity() async throws {
        let service = Recorder()
        var configuration = ServiceConfiguration()
        configuration.idleTimeout = .milliseconds(200)
        configuration.keepAlive = KeepAlive(interval: .milliseconds(20), timeout: .seconds(60))
        try await serve(service, configuration) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            #expect(try await service.next(1) == [.open])
            async let answering: Void = {
                while true {
                    try await peer.send(Frame(opcode: 10, payload: try await peer.readFrame().payload))
                }
            }()
            #expect(try await service.next(1) == [.idle])
            try await listener.immediateStop()
            try? await answering
        }
    }

    // MARK: Memory

    @Test(
        "Service and caller are gone after the connection and the listener have ended",
        arguments: [true, false])
    func nothingLeaks(orderly: Bool) async throws {
        func talk() async throws -> (WeakReference<Recorder>, WeakReference<Caller>) {
            let service = Recorder { caller, event in
                if case .text(let text) = event { try await caller.writeTextMessage(text) }
            }
            return try await serve(service) { listener in
                let client = try await Client(listener.url())
                let caller = try await service.callers.next()
                caller.setAttribute("self", "kept")
                try await client.writeTextMessage("hello")
                #expect(try await client.readTextMessage() == "hello")
                if orderly { try await client.close() }
                return (WeakReference(service), WeakReference(caller))
            }
        }
        let (service, caller) = try await talk()
        try await eventually { service.isGone && caller.isGone }
    }
}

extension Caller {
    /// Inside an asynchronous callback the other form would wait.
    fileprivate func closeWithoutWaiting() throws { try close() }
}
