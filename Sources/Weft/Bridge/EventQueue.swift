/// What waits for a service's task. Small: what is rare stands in a box of its own, so that messages are cheap to
/// pass on.
enum ServiceEvent: Sendable {
    case text(String)
    case binary([UInt8])
    indirect case other(Other)

    enum Other: Sendable {
        case open(Caller)
        case ping([UInt8])
        case pong([UInt8])
        case idle
        case failure(WebSocketError)
        /// The listener stops; the connection is to be closed within this time.
        case stop(Duration)
        case close(CloseCode, String)
        /// Nothing follows; the connection may never have opened.
        case end
    }

    /// It comes from the peer, or from its silence.
    var isOfPeer: Bool {
        switch self {
        case .text, .binary, .other(.ping), .other(.pong), .other(.idle): true
        case .other: false
        }
    }
}

/// Events in the order in which they came.
///
/// An array could not be emptied from its front without moving or copying what it holds.
struct EventRow: ~Copyable, @unchecked Sendable {
    // Unchecked: the memory is the row's alone, and what is in it is Sendable.

    /// A row that has grown beyond this does not keep its memory.
    private static let lastingCapacity = 256

    private var events: UnsafeMutableBufferPointer<ServiceEvent> = .init(start: nil, count: 0)
    private var first = 0
    private var end = 0

    var isEmpty: Bool { first == end }

    mutating func append(_ event: consuming ServiceEvent) {
        if end == events.count { grow() }
        (events.baseAddress! + end).initialize(to: event)
        end += 1
    }

    mutating func takeFirst() -> ServiceEvent? {
        guard first < end else { return nil }
        defer { first += 1 }
        return (events.baseAddress! + first).move()
    }

    /// Makes room in a row that is empty.
    mutating func reset() {
        first = 0
        end = 0
        guard events.count > Self.lastingCapacity else { return }
        events.deallocate()
        events = .init(start: nil, count: 0)
    }

    private mutating func grow() {
        let larger = UnsafeMutableBufferPointer<ServiceEvent>.allocate(capacity: max(4, 2 * events.count))
        _ = larger.moveInitialize(fromContentsOf: events[first..<end])
        events.deallocate()
        events = larger
        end -= first
        first = 0
    }

    deinit {
        events[first..<end].deinitialize()
        events.deallocate()
    }
}

/// Events on their way from the event loop to the one task that takes them.
final class EventQueue: Sendable {
    /// Above this weight the connection is not read until the task has caught up.
    static let bound = 256 * 1024
    /// What an event weighs beside its bytes.
    static let eventWeight = 64

    private struct State: ~Copyable {
        var events = EventRow()
        var weight = 0
        var isPaused = false
        var dropsRest = false
        var waiter: UnsafeContinuation<Void, Never>?
    }
    private let state = Locked(State())

    /// Adds an event that carries so many bytes of the peer's. True when the queue is full: the connection must
    /// pause, or the rest be dropped.
    func append(_ event: consuming ServiceEvent, bytes: Int = 0) -> Bool {
        var event = Optional(event)  // moved into the closure: a copy would count references
        let (waiter, isFull): (UnsafeContinuation<Void, Never>?, Bool) = state.withLock { state in
            if state.dropsRest && event!.isOfPeer { return (nil, false) }
            state.events.append(event.take()!)
            state.weight += Self.eventWeight + bytes
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

    /// Takes all events, if there are any. `row` comes empty and gives its memory to the queue. True when
    /// the connection may be read again.
    func take(into row: inout EventRow) -> Bool {
        row.reset()
        return state.withLock { state in
            swap(&row, &state.events)
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
