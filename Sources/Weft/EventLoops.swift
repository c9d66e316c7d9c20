/// Threads that carry connections. Several listeners and clients can share them.
///
/// ```swift
/// let loops = EventLoops(threads: 2)
/// var configuration = ListenerConfiguration()
/// configuration.eventLoops = loops
/// ```
///
/// The threads start with the first use and end when nothing uses them any more.
public final class EventLoops: Sendable {
    /// How many threads there are.
    public let threads: Int

    private struct State {
        var loops: [EventLoop] = []
        var next = 0
    }
    private let state = Locked(State())

    /// Threads of one's own; from 1 to 1024, else the first use throws `.invalidConfiguration`.
    public init(threads: Int = 1) { self.threads = threads }

    /// One thread, which is what clients use by default.
    public static let shared = EventLoops()

    /// All loops, started.
    func started() throws(WebSocketError) -> [EventLoop] {
        try ConnectionLimits.check("threads", threads, in: 1...1024)
        return try state.withLock { state throws(WebSocketError) in
            while state.loops.count < threads { state.loops.append(try EventLoop()) }
            return state.loops
        }
    }

    /// The loops in turn, so that clients spread over them.
    func next() throws(WebSocketError) -> EventLoop {
        let loops = try started()
        return state.withLock { state in
            state.next = (state.next + 1) % loops.count
            return loops[state.next]
        }
    }
}
