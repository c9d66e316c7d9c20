import Testing
import Weft

/// What a peer that sends frames of its own making gets to see, and what becomes of them here.
@Suite("Wire", .timeLimit(.minutes(2)))
struct WireTests {
    private let text = "aé€🧵z"

    /// Connects a client to a peer that the test plays.
    private func dial<Client: Sendable>(
        _ connect: @escaping @Sendable (String) async throws -> Client,
        _ talk: (RawPeer, @Sendable () async throws -> Client) async throws -> Void
    ) async throws {
        let server = try RawServer()
        let connecting = Task { [url = server.url] in try await connect(url) }
        let peer = try await server.accept()
        try await talk(peer) { try await connecting.value }
    }

    // MARK: Messages in pieces

    @Test("onTextMessage: characters may be cut anywhere between frames, and bytes anywhere between packets")
    func splitText() async throws {
        let service = Recorder()
        try await serve(service) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            let bytes = Array(text.utf8)
            var frames: [Frame] = []
            for cut in 0...bytes.count {
                frames.append(Frame(opcode: 1, payload: Array(bytes[..<cut]), isLast: false))
                frames.append(Frame(opcode: 0, payload: Array(bytes[cut...])))
            }
            for byte in frames.flatMap(\.masked) { try await peer.send([byte]) }
            let expected = [Event.open] + [Event](repeating: .text(text), count: bytes.count + 1)
            #expect(try await service.next(expected.count) == expected)
        }
    }

    @Test("onBinaryMessage: control frames between the fragments come first, the message comes whole")
    func controlBetweenFragments() async throws {
        let service = Recorder()
        try await serve(service) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            try await peer.send(
                Frame(opcode: 2, payload: [1], isLast: false), Frame(opcode: 9, payload: [8]),
                Frame(opcode: 0, isLast: false), Frame(opcode: 10, payload: [9]),
                Frame(opcode: 0, payload: [2]))
            #expect(try await service.next(4) == [.open, .ping([8]), .pong([9]), .binary([1, 2])])
        }
    }

    @Test("onPong: asked for or not")
    func pong() async throws {
        let service = Recorder { caller, event in if event == .open { try await caller.ping([1]) } }
        try await serve(service) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            let ping = try await peer.readFrame()
            #expect(ping == Frame(opcode: 9, payload: [1]))
            try await peer.send(Frame(opcode: 10, payload: [7]), Frame(opcode: 10, payload: ping.payload))
            #expect(try await service.next(3) == [.open, .pong([7]), .pong([1])])
        }
    }

    @Test("readTextMessage: a client puts together what is cut anywhere", arguments: 0...11)
    func clientSplitText(cut: Int) async throws {
        let bytes = Array(text.utf8)
        #expect(bytes.count == 11)
        try await dial {
            try await Client($0)
        } _: { peer, client in
            let first = Frame(opcode: 1, payload: Array(bytes[..<cut]), isLast: false).unmasked
            try await peer.answerUpgrade(then: first)
            try await peer.send(Frame(opcode: 9, payload: [3]).unmasked)
            try await peer.send(Frame(opcode: 0, payload: Array(bytes[cut...])).unmasked)
            #expect(try await client().readTextMessage() == text)
            #expect(try await peer.readFrame() == Frame(opcode: 10, payload: [3]))
        }
    }

    @Test(
        "writeTextMessage: fragments may cut characters, and their bytes are the message's",
        arguments: [1, 2, 3, 4, 5, 11, 12])
    func fragmentedText(frameSize: Int) async throws {
        var configuration = ServiceConfiguration()
        configuration.maxFrameSize = frameSize
        let message = text
        let service = Recorder { caller, event in
            if event == .open { try await caller.writeTextMessage(message) }
        }
        try await serve(service, configuration) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            var frames = [try await peer.readFrame()]
            while frames.last?.isLast == false { frames.append(try await peer.readFrame()) }
            #expect(frames.flatMap(\.payload) == Array(message.utf8))
            #expect(frames.count == (11 + frameSize - 1) / frameSize)
            #expect(frames.first?.opcode == 1 && frames.dropFirst().allSatisfy { $0.opcode == 0 })
        }
    }

    @Test(
        "onTextMessage: what a client sends in frames of any size comes whole, at exact multiples of the size too",
        arguments: [1, 2, 3, 4, 5, 11, 12])
    func clientFragmentedText(frameSize: Int) async throws {
        let service = Recorder()
        try await serve(service) { listener in
            var configuration = ClientConfiguration()
            configuration.maxFrameSize = frameSize
            let client = try await Client(listener.url(), configuration: configuration)
            let texts = (0...5).map { String(repeating: text, count: $0) }
            for text in texts { try await client.writeTextMessage(text) }
            #expect(try await service.next(7) == [.open] + texts.map { .text($0) })
        }
    }

    @Test("invalidContinuation: a new message inside of another one, of either kind, ends with 1002")
    func messageInsideMessage() async throws {
        for (outer, inner) in [(1, 2), (2, 1), (1, 1), (2, 2)] as [(UInt8, UInt8)] {
            let service = Recorder()
            try await serve(service) { listener in
                let peer = try await RawPeer.upgrade(listener.port)
                try await peer.send(Frame(opcode: outer, isLast: false), Frame(opcode: inner))
                #expect(try await peer.readFrame().closeCode == 1002)
                #expect(try await service.next(2) == [.open, .error(.invalidContinuation)])
            }
        }
    }

    // MARK: Violations behind messages

    /// Answers after a while; nothing can be written any more when an error is told.
    private func slowEcho(_ caller: Caller, _ event: Event) async throws {
        switch event {
        case .text(let text):
            for _ in 0..<3 { await Task.yield() }
            try await caller.writeTextMessage(text)
        case .error:
            #expect(!caller.isOpen)
            await #expect(throws: WebSocketError.self) { try await caller.writeTextMessage("too late") }
        default: break
        }
    }

    private func expectAnswers(_ peer: RawPeer, _ service: Recorder) async throws {
        #expect(try await peer.readFrame() == .text("one"))
        #expect(try await peer.readFrame() == .text("two"))
        #expect(try await peer.readFrame() == .close(1002, "a continuation frame continues nothing"))
        #expect(
            try await service.next(5) == [
                .open, .text("one"), .text("two"), .error(.invalidContinuation),
                .close(.protocolError, "a continuation frame continues nothing"),
            ])
    }

    @Test("onError: messages that came before a violation are answered before the close frame goes")
    func answersBeforeViolation() async throws {
        let service = Recorder(slowEcho)
        try await serve(service) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            try await peer.send(.text("one"), .text("two"), Frame(opcode: 0), .text("not handled"))
            try await expectAnswers(peer, service)
        }
    }

    @Test("onError: an AsyncClient too answers what came before a violation")
    func clientAnswersBeforeViolation() async throws {
        let service = Recorder(slowEcho)
        // The close frame does not wait for ever: the answers must not have to wait as long for other tests' clients.
        var configuration = ClientConfiguration()
        configuration.eventLoops = EventLoops()
        try await dial { [configuration] in
            try await AsyncClient($0, service: service, configuration: configuration)
        } _: { peer, client in
            let frames = [Frame.text("one"), .text("two"), Frame(opcode: 0), .text("not handled")]
            try await peer.answerUpgrade(then: frames.flatMap(\.unmasked))
            try await expectAnswers(peer, service)
            _ = try await client()
        }
    }

    @Test("onError: a peer hears of its violation though a callback does not return")
    func violationBehindCallback() async throws {
        let mayReturn = Gate()
        let service = Recorder { caller, event in
            guard case .text(let text) = event else { return }
            await mayReturn.pass()
            try await caller.writeTextMessage(text)
        }
        try await serve(service) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            try await peer.send(.text("one"), Frame(opcode: 0))
            #expect(try await peer.readFrame().closeCode == 1002)
            mayReturn.open()
            let expected: [Event] = [
                .open, .text("one"), .error(.connectionClosed), .error(.invalidContinuation),
            ]
            #expect(try await service.next(4) == expected)
        }
    }

    // MARK: Ends, seen from a client

    private struct Violation: Sendable {
        let code: WebSocketError.Code
        let closeCode: CloseCode
        let bytes: [UInt8]
        let message: String
    }

    private static let violations = [
        Violation(
            code: .protocolViolation, closeCode: .protocolError, bytes: Frame(opcode: 1).masked,
            message: "a frame from the server is masked"),
        Violation(
            code: .protocolViolation, closeCode: .protocolError, bytes: Frame(opcode: 3).unmasked,
            message: "a frame header has a reserved opcode"),
        Violation(
            code: .protocolViolation, closeCode: .protocolError, bytes: Frame.close(1006).unmasked,
            message: "a close frame has a code that may not be sent"),
        Violation(
            code: .invalidContinuation, closeCode: .protocolError, bytes: Frame(opcode: 0).unmasked,
            message: "a continuation frame continues nothing"),
        Violation(
            code: .controlFrameTooLong, closeCode: .protocolError, bytes: [0x89, 126, 0, 126],
            message: "a control frame is longer than 125 bytes"),
        Violation(
            code: .invalidPayload, closeCode: .invalidFramePayloadData,
            bytes: Frame(opcode: 1, payload: [0xFF]).unmasked, message: "a text message is not UTF-8"),
        Violation(
            code: .payloadTooLarge, closeCode: .messageTooBig,
            bytes: [0x82, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70],
            message: "frame of 70000 bytes is over maxFrameSize 65536"),
        Violation(
            code: .payloadTooLarge, closeCode: .messageTooBig,
            bytes: [0x82, 127, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
            message: "frame of 9223372036854775807 bytes is over maxFrameSize 65536"),
    ]

    @Test(
        "onError: of an AsyncClient it has the violation, the close frame due is out and onClose follows",
        arguments: violations.indices)
    func asyncClientViolation(index: Int) async throws {
        let violation = Self.violations[index]
        let here = Recorder { caller, event in
            if case .error = event { #expect(!caller.isOpen) }
        }
        try await dial {
            try await AsyncClient($0, service: here)
        } _: { peer, client in
            try await peer.answerUpgrade(then: violation.bytes)
            #expect(try await peer.readFrame().closeCode == violation.closeCode.rawValue)
            let events = try await here.next(3)
            #expect(events.prefix(2) == [.open, .error(violation.code)])
            guard case .close(violation.closeCode, let reason) = events[2] else {
                throw RawFailure("\(events[2])")
            }
            #expect(reason.hasPrefix(violation.message), "\(reason)")
            _ = try await client()
        }
    }

    @Test(
        "protocolViolation: of a client's reads it is the cause, with the sentence",
        arguments: violations.indices)
    func clientViolation(index: Int) async throws {
        let violation = Self.violations[index]
        try await dial {
            try await Client($0)
        } _: { peer, client in
            let good = Frame.text("good").unmasked
            try await peer.answerUpgrade(then: good + violation.bytes)
            let client = try await client()
            #expect(try await client.readTextMessage() == "good")
            let error = try await failure(WebSocketError.self) { _ = try await client.readMessage() }
            #expect(error.code == .connectionClosed && error.closeCode == violation.closeCode)
            let cause = try #require(error.underlying as? WebSocketError)
            #expect(cause.code == violation.code)
            #expect(cause.message.hasPrefix(violation.message))
            #expect(error.message.contains(violation.message), "\(error.message)")
        }
    }

    @Test("onError: a callback of an AsyncClient that throws closes with 1011 on the wire")
    func asyncClientThrows() async throws {
        let here = Recorder { _, event in if event == .text("throw") { throw Mishap() } }
        try await dial {
            try await AsyncClient($0, service: here)
        } _: { peer, client in
            try await peer.answerUpgrade(then: Frame.text("throw").unmasked + Frame.text("late").unmasked)
            #expect(try await peer.readFrame().closeCode == 1011)
            let events = try await here.next(4)
            #expect(events.prefix(3) == [.open, .text("throw"), .otherError("a mishap")])
            guard case .close(.internalError, _) = events[3] else { throw RawFailure("\(events[3])") }
            _ = try await client()
        }
    }

    @Test(
        "exactly one end: an AsyncClient whose server ends TCP gets 1006, once and last",
        arguments: [true, false])
    func asyncClientLost(byReset: Bool) async throws {
        func talk() async throws -> (Recorder, WeakReference<Caller>) {
            let here = Recorder()
            let server = try RawServer()
            let connecting = Task { [url = server.url] in try await AsyncClient(url, service: here) }
            let peer = try await server.accept()
            try await peer.answerUpgrade()
            let caller = try await WeakReference(here.callers.next())
            _ = try await connecting.value
            if byReset { peer.resetAtEnd() } else { peer.finish() }
            return (here, caller)
        }
        let (here, caller) = try await talk()
        try await eventually { caller.isGone }
        var events = try await here.next(2)
        if events[1] == .error(.connectionLost) { events += try await here.next(1) }
        #expect(events.first == .open && events.last == .close(.abnormalClosure, ""))
    }

    @Test("echo: an AsyncClient answers the close frame after onClose has returned")
    func asyncClientEcho() async throws {
        let mayReturn = Gate()
        let here = Recorder { caller, event in
            guard case .close = event else { return }
            try await caller.writeTextMessage("last words")
            await mayReturn.pass()
        }
        // The answer does not wait for ever: onClose must not have to wait as long for other tests' clients.
        var configuration = ClientConfiguration()
        configuration.eventLoops = EventLoops()
        try await dial { [configuration] in
            try await AsyncClient($0, service: here, configuration: configuration)
        } _: { peer, client in
            try await peer.answerUpgrade()
            #expect(try await here.next(1) == [.open])
            try await peer.send(Frame.close(4000, "bye").unmasked)
            #expect(try await here.next(1) == [.close(CloseCode(4000), "bye")])
            #expect(try await peer.readFrame() == .text("last words"))
            mayReturn.open()
            #expect(try await peer.readFrame() == .close(4000))
            _ = try await client()
        }
    }

    @Test("close() inside a callback: of an AsyncClient does not stall either")
    func asyncClientCloses() async throws {
        let isClosed = Channel<Void>()
        let here = Recorder { caller, event in
            guard event == .text("close") else { return }
            try await caller.close(statusCode: CloseCode(3001), reason: "enough")
            isClosed.send(())
        }
        try await dial {
            try await AsyncClient($0, service: here)
        } _: { peer, client in
            try await peer.answerUpgrade(then: Frame.text("close").unmasked)
            #expect(try await peer.readFrame() == .close(3001, "enough"))
            try await peer.send(Frame.text("on its way").unmasked + Frame.close(3001).unmasked)
            try await isClosed.next()
            _ = try await client()
        }
    }

    @Test("backpressure: an AsyncClient whose callback lags does not read on, and loses nothing")
    func asyncClientBackpressure() async throws {
        let mayGoOn = Gate()
        let here = Recorder { _, event in if event == .open { await mayGoOn.pass() } }
        try await dial {
            try await AsyncClient($0, service: here)
        } _: { peer, client in
            let count = 1000
            let flood = (0..<count).flatMap {
                Frame(opcode: 2, payload: [UInt8](repeating: UInt8($0 & 0xFF), count: 40_000)).unmasked
            }
            try await peer.answerUpgrade()
            let sent = try await peer.sendUntilBlocked(flood)
            #expect(sent < flood.count / 2, "nobody held the server back")
            mayGoOn.open()
            try await peer.send([UInt8](flood[sent...]))
            #expect(try await here.next(1) == [.open])
            for number in 0..<count {
                guard case .binary(let data) = try await here.events.next() else {
                    throw RawFailure("no message")
                }
                #expect(data.count == 40_000 && data[0] == UInt8(number & 0xFF))
            }
            _ = try await client()
        }
    }
}
