internal import CWeft

/// Keeps a client's messages for its reads. Pings are the library's.
final class ReaderSink: ConnectionSink {
    let inbox = Inbox()

    override func received(
        _ type: weft_message_type, _ bytes: UnsafeBufferPointer<UInt8>, _ connection: OpaquePointer
    ) {
        let message: Message = type == WEFT_TEXT ? .text(String(validated: bytes)) : .binary([UInt8](bytes))
        if inbox.append(message) { weft_connection_pause(connection) }
    }

    override func closed(_ ending: Ending, _ connection: OpaquePointer) { inbox.end() }
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
        var hasEnded = false
        var nextWaiter: UInt64 = 0
        var waiters: [UInt64: UnsafeContinuation<Void, Never>] = [:]

        var isEmpty: Bool { first == messages.count }
        var isOverBound: Bool { bytes > Inbox.byteBound || messages.count - first > Inbox.countBound }

        mutating func takeWaiters() -> [UnsafeContinuation<Void, Never>] {
            defer { waiters = [:] }
            return Array(waiters.values)
        }

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

    /// Adds a message. True when the connection must pause now.
    func append(_ message: Message) -> Bool {
        let (waiters, mustPause) = state.withLock { state in
            state.messages.append(message)
            state.bytes += message.byteCount
            let mustPause = state.isOverBound && !state.isPaused
            if mustPause { state.isPaused = true }
            return (state.takeWaiters(), mustPause)
        }
        for waiter in waiters { waiter.resume() }
        return mustPause
    }

    /// No message follows.
    func end() {
        let waiters = state.withLock { state in
            state.hasEnded = true
            return state.takeWaiters()
        }
        for waiter in waiters { waiter.resume() }
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

    /// Returns when there may be something to look at, or the task is cancelled.
    func wait() async {
        let id = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                let isWaiting = state.withLock { state in
                    guard state.isEmpty, !state.hasEnded, !Task.isCancelled else { return false }
                    state.waiters[id] = continuation
                    return true
                }
                if !isWaiting { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: id) }?.resume()
        }
    }
}

extension Message {
    var byteCount: Int {
        switch self {
        case .text(let text): text.utf8.count
        case .binary(let data): data.count
        }
    }
}
