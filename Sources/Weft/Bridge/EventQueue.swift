/// What waits for a service's task.
enum ServiceEvent: Sendable {
    case open(Caller)
    case text(String)
    case binary([UInt8])
    case ping([UInt8])
    case pong([UInt8])
    case idle
    case failure(WebSocketError)
    /// The listener stops; the connection is to be closed within this time.
    case stop(Duration)
    case close(CloseCode, String)
    /// Nothing follows; the connection may never have opened.
    case end

    /// It comes from the peer, or from its silence.
    var isOfPeer: Bool {
        switch self {
        case .text, .binary, .ping, .pong, .idle: true
        case .open, .failure, .stop, .close, .end: false
        }
    }

    /// What it weighs against the bound of the queue.
    var weight: Int {
        switch self {
        case .text(let text): 64 + text.utf8.count
        case .binary(let data), .ping(let data), .pong(let data): 64 + data.count
        default: 64
        }
    }
}

/// Events on their way from the event loop to the one task that takes them.
final class EventQueue: Sendable {
    /// Above this weight the connection is not read until the task has caught up.
    static let bound = 256 * 1024

    private struct State {
        var events: [ServiceEvent] = []
        var weight = 0
        var isPaused = false
        var dropsRest = false
        var waiter: UnsafeContinuation<Void, Never>?
    }
    private let state = Locked(State())

    /// Adds an event. True when the queue is full: the connection must pause, or the rest be dropped.
    func append(_ event: ServiceEvent) -> Bool {
        let (waiter, isFull): (UnsafeContinuation<Void, Never>?, Bool) = state.withLock { state in
            if state.dropsRest && event.isOfPeer { return (nil, false) }
            state.events.append(event)
            state.weight += event.weight
            let isFull = state.weight > Self.bound
            if isFull { state.isPaused = true }
            defer { state.waiter = nil }
            return (state.waiter, isFull)
        }
        waiter?.resume()
        return isFull
    }

    /// From now on nothing that comes from the peer is added.
    func dropRest() { state.withLock { $0.dropsRest = true } }

    /// Takes all events, if there are any. `batch` comes empty and gives its memory to the queue. True when
    /// the connection may be read again.
    func take(into batch: inout [ServiceEvent]) -> Bool {
        state.withLock { state in
            swap(&batch, &state.events)
            state.weight = 0
            defer { state.isPaused = false }
            return state.isPaused
        }
    }

    /// True while the connection waits for the task.
    var isPaused: Bool { state.withLock { $0.isPaused } }

    /// Resumes at the next event, or at once when there is one.
    func resumeAtNext(_ continuation: UnsafeContinuation<Void, Never>) {
        let isWaiting = state.withLock { state in
            guard state.events.isEmpty else { return false }
            state.waiter = continuation
            return true
        }
        if !isWaiting { continuation.resume() }
    }
}
