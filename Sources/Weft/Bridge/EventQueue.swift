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
///
/// The task waits by hopping to the queue, which is an executor that keeps the job until there is something to do and
/// then gives it to the task's own. A continuation would be resumed at the price of one more look for that executor,
/// under a lock of the task's.
actor EventQueue: SerialExecutor {
    /// Above this weight the connection is not read until the task has caught up.
    private static let bound = 256 * 1024
    /// What an event weighs beside its bytes.
    private static let eventWeight = 64

    private struct State: ~Copyable {
        var events = EventRow()
        var weight = 0
        var isPaused = false
        var dropsRest = false
        /// The rest of the task that waits, and where it goes on.
        var waiting: UnownedJob?
        var executor: (any TaskExecutor)?
    }
    private let state = Locked(State())

    /// Adds an event that carries so many bytes of the peer's. True when the queue is full: the connection must
    /// pause, or the rest be dropped.
    nonisolated func append(_ event: consuming ServiceEvent, bytes: Int = 0) -> Bool {
        var event = Optional(event)  // moved into the closure: a copy would count references
        var waiting: UnownedJob?
        var executor: (any TaskExecutor)?
        let isFull = state.withLock { state in
            if state.dropsRest && event!.isOfPeer { return false }
            state.events.append(event.take()!)
            state.weight += Self.eventWeight + bytes
            let isFull = state.weight > Self.bound
            if isFull { state.isPaused = true }
            if let job = state.waiting.take() {
                waiting = job
                executor = state.executor
            }
            return isFull
        }
        if let waiting { executor!.enqueue(ExecutorJob(waiting)) }
        return isFull
    }

    /// From now on nothing that comes from the peer is added.
    nonisolated func dropRest() { state.withLock { $0.dropsRest = true } }

    /// Takes all events, if there are any. `row` comes empty and gives its memory to the queue. True when
    /// the connection may be read again.
    nonisolated func take(into row: inout EventRow) -> Bool {
        row.reset()
        return state.withLock { state in
            swap(&row, &state.events)
            state.weight = 0
            defer { state.isPaused = false }
            return state.isPaused
        }
    }

    /// True while the connection waits for the task.
    nonisolated var isPaused: Bool { state.withLock { $0.isPaused } }

    // MARK: Waiting

    nonisolated var unownedExecutor: UnownedSerialExecutor { asUnownedSerialExecutor() }

    /// Tells, before the task starts, where it goes on after a wait.
    nonisolated func goOn(by executor: any TaskExecutor) { state.withLock { $0.executor = executor } }

    private var waits: UInt = 0

    /// Returns at the next event, or at once when there is one. By then it runs on the task's executor, which is as
    /// good: nobody else comes here.
    @inline(never)
    func next() { waits &+= 1 }  // the compiler leaves out a hop behind which nothing happens

    /// Called when the task hops here.
    nonisolated func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let executor: (any TaskExecutor)? = state.withLock { state in
            guard state.events.isEmpty else { return state.executor }
            state.waiting = job
            return nil
        }
        executor?.enqueue(ExecutorJob(job))
    }
}
