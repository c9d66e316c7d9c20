import Synchronization
import Testing
import Weft

@Suite("InlineService", .timeLimit(.minutes(2)))
struct InlineServiceTests {
    @Test("InlineService: callbacks come in the order of arrival, onOpen first and onClose last")
    func order() async throws {
        let service = InlineRecorder()
        try await serve(service) { listener in
            let peer = try await RawPeer.upgrade(listener.port, then: [.text("one")])
            try await peer.send(
                Frame(opcode: 9, payload: [1]), Frame(opcode: 2, payload: [2]),
                Frame(opcode: 10, payload: [3]),
                .close(4000, "done"))
            #expect(
                try await service.next(6) == [
                    .open, .text("one"), .ping([1]), .binary([2]), .pong([3]),
                    .close(CloseCode(4000), "done"),
                ])
        }
    }

    @Test("InlineService: messages can be had as String and array")
    func copies() async throws {
        struct CopyingEcho: InlineService {
            func onTextMessage(_ caller: Caller, _ text: String) throws { try caller.writeTextMessage(text) }
            func onBinaryMessage(_ caller: Caller, _ data: [UInt8]) throws {
                try caller.writeBinaryMessage(data)
            }
        }
        try await echoes(CopyingEcho())
    }

    @Test("InlineService: messages can be borrowed as UTF8Span and RawSpan")
    func borrows() async throws {
        struct BorrowingEcho: InlineService {
            func onTextMessage(_ caller: Caller, _ text: UTF8Span) throws {
                try caller.writeTextMessage(text)
            }
            func onBinaryMessage(_ caller: Caller, _ data: RawSpan) throws {
                try caller.writeBinaryMessage(data)
            }
        }
        try await echoes(BorrowingEcho())
    }

    private func echoes(_ service: any InlineService) async throws {
        try await serve(service) { listener in
            let client = try await Client(listener.url())
            for text in ["", "hello", "grüße 🧵", String(repeating: "x", count: 200_000)] {
                try await client.writeTextMessage(text)
                #expect(try await client.readTextMessage() == text)
                try await client.writeBinaryMessage(Array(text.utf8))
                #expect(try await client.readBinaryMessage() == Array(text.utf8))
            }
            try await client.close()
        }
    }

    @Test(
        "InlineService: the messages before a close frame are answered, and the answer to the close is last")
    func answersBeforeTheClose() async throws {
        struct InlineEcho: InlineService {
            func onTextMessage(_ caller: Caller, _ text: String) throws { try caller.writeTextMessage(text) }
        }
        try await serve(InlineEcho()) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            try await peer.send(.text("a"), .text("b"), .close(1000))
            #expect(try await peer.readFrame() == .text("a"))
            #expect(try await peer.readFrame() == .text("b"))
            #expect(try await peer.readFrame().closeCode == 1000)
        }
    }

    @Test("InlineService: every method has a default; the one of onPing answers with the same payload")
    func defaults() async throws {
        struct Silent: InlineService {}
        try await serve(Silent()) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            try await peer.send(
                .text("x"), Frame(opcode: 2), Frame(opcode: 10), Frame(opcode: 9, payload: [5, 6]))
            #expect(try await peer.readFrame() == Frame(opcode: 10, payload: [5, 6]))
            try await peer.send(.close(1000))
            #expect(try await peer.readFrame().closeCode == 1000)
        }
    }

    @Test(
        "InlineService: a callback that throws closes with 1011, onError gets the original error, onClose follows"
    )
    func callbackThrows() async throws {
        let service = InlineRecorder { _, event in if event == .text("throw") { throw Mishap() } }
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

    @Test("InlineService: after a violation onError and onClose come, with the code that was sent")
    func violation() async throws {
        let service = InlineRecorder()
        try await serve(service) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            try await peer.send(Frame(opcode: 1, payload: [0xFF]))
            #expect(try await peer.readFrame().closeCode == 1007)
            let events = try await service.next(3)
            #expect(events.prefix(2) == [.open, .error(.invalidPayload)])
            guard case .close(.invalidFramePayloadData, _) = events[2] else {
                Issue.record("\(events[2])")
                return
            }
        }
    }

    @Test("onIdleTimeout: comes for inline services too, and again after each idle period")
    func idle() async throws {
        let service = InlineRecorder()
        var configuration = ServiceConfiguration()
        configuration.idleTimeout = .milliseconds(20)
        try await serve(service, configuration) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            #expect(try await service.next(3) == [.open, .idle, .idle])
            withExtendedLifetime(peer) {}
        }
    }

    @Test("InlineService: a caller can be used from tasks too")
    func writesFromTasks() async throws {
        let service = InlineRecorder { caller, event in
            guard case .text(let text) = event else { return }
            Task { try await caller.writeTextMessage(text) }
        }
        try await serve(service) { listener in
            let client = try await Client(listener.url())
            try await client.writeTextMessage("later")
            #expect(try await client.readTextMessage() == "later")
        }
    }

    @Test("InlineService: service and caller are gone after the connection and the listener have ended")
    func nothingLeaks() async throws {
        let callers = Channel<WeakReference<Caller>>()
        func talk() async throws -> WeakReference<InlineRecorder> {
            let service = InlineRecorder { caller, event in
                if event == .open { callers.send(WeakReference(caller)) }
            }
            return try await serve(service) { listener in
                try await Client(listener.url()).close()
                return WeakReference(service)
            }
        }
        let service = try await talk()
        let caller = try await callers.next()
        try await eventually { service.isGone && caller.isGone }
    }
}
