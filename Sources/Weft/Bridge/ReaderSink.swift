internal import CWeft

/// Keeps a client's messages for its reads. Pings are the library's, or go to a queue of their own.
final class ReaderSink: ConnectionSink {
    let inbox = Inbox()
    private let pings: EventQueue?

    init(pings: EventQueue?, makeCaller: @escaping (ConnectionHandle) -> Caller) {
        self.pings = pings
        super.init(makeCaller: makeCaller)
    }

    override func opened() { _ = pings?.append(.other(.open(caller))) }

    override func received(
        _ type: weft_message_type, _ bytes: UnsafeBufferPointer<UInt8>, _ connection: OpaquePointer
    ) {
        let message: Message = type == WEFT_TEXT ? .text(String(validated: bytes)) : .binary([UInt8](bytes))
        if inbox.append(message) { pause(connection, orDrop: inbox.dropRest) }
    }

    override func receivedPing(_ data: [UInt8], _ connection: OpaquePointer) {
        append(.ping(data), data.count, of: connection)
    }

    override func receivedPong(_ data: [UInt8], _ connection: OpaquePointer) {
        append(.pong(data), data.count, of: connection)
    }

    private func append(_ event: ServiceEvent.Other, _ bytes: Int, of connection: OpaquePointer) {
        if let pings, pings.append(.other(event), bytes: bytes) { pause(connection, orDrop: pings.dropRest) }
    }

    override func closed(_ ending: Ending, _ connection: OpaquePointer) { inbox.end() }
    override func released() { _ = pings?.append(.other(.end)) }
}

/// Messages that nobody has read yet, and those who wait to read.
final class Inbox: Sendable {
    /// Above this many bytes and messages the connection is not read until somebody has.
    private static let byteBound = 1 << 20
    private static let countBound = 64

    private struct State {
        var messages: [Message] = []
        var first = 0
        var bytes = 0
        var isPaused = false
        var dropsRest = false
        var hasEnded = false
        var waiters = Waiters()

        var isEmpty: Bool { first == messages.count }
        var isOverBound: Bool { bytes > Inbox.byteBound || messages.count - first > Inbox.countBound }

        mutating func takeFirst() -> Message {
            var message = Message.binary([])
            swap(&message, &messages[first])
            first += 1
            bytes -= message.byteCount
            if isEmpty || first > Inbox.countBound {
                messages.removeFirst(first)
                first = 0
            }
            return message
        }
    }
    private let state = Locked(State())

    /// What a look at the first message says.
    enum Look {
        /// Taken; the connection may be read again if so told.
        case taken(Message, mayResume: Bool)
        /// It is of the wrong kind and stays.
        case unfit(Message)
        case empty
        case ended
    }

    /// Adds a message. True when there is no room for another: the connection must pause, or the rest be dropped.
    func append(_ message: Message) -> Bool {
        let (waiters, isFull): ([WakeContinuation], Bool) = state.withLock { state in
            if state.dropsRest { return ([], false) }
            state.messages.append(message)
            state.bytes += message.byteCount
            let isFull = state.isOverBound
            if isFull { state.isPaused = true }
            return (state.waiters.removeAll(), isFull)
        }
        waiters.wake()
        return isFull
    }

    /// From now on no message is added.
    func dropRest() { state.withLock { $0.dropsRest = true } }

    /// No message follows.
    func end() {
        let waiters = state.withLock { state in
            state.hasEnded = true
            return state.waiters.removeAll()
        }
        waiters.wake()
    }

    /// Takes the first message if it fits.
    func look(_ fits: (Message) -> Bool) -> Look {
        state.withLock { state in
            guard !state.isEmpty else { return state.hasEnded ? .ended : .empty }
            guard fits(state.messages[state.first]) else { return .unfit(state.messages[state.first]) }
            let message = state.takeFirst()
            let mayResume = state.isPaused && !state.isOverBound
            if mayResume { state.isPaused = false }
            return .taken(message, mayResume: mayResume)
        }
    }

    /// Returns when there may be something to look at.
    func waitForNext(_ timeout: Duration?) async -> Wake {
        let id = state.withLock { $0.waiters.nextID() }
        return await wait(for: timeout) { continuation in
            state.withLock { state in
                guard state.isEmpty, !state.hasEnded, !Task.isCancelled else { return false }
                state.waiters.add(continuation, id)
                return true
            }
        } leave: {
            self.state.withLock { $0.waiters.remove(id) }
        }
    }

    /// True while the connection waits for a read.
    var isPaused: Bool { state.withLock { $0.isPaused } }
}

extension Message {
    var byteCount: Int {
        switch self {
        case .text(let text): text.utf8.count
        case .binary(let data): data.count
        }
    }
}
