/// Notices callbacks of one connection that hold its event loop for long. As an executor it passes jobs on to the
/// loop and knows what of a callback's time was spent there; a suspended callback holds nothing up.
///
/// Everything but `enqueue` happens on the loop's thread.
final class CallbackWatch: TaskExecutor {
    private let eventLoop: EventLoop
    private let limit: Duration

    private struct State {
        var callback = ""
        /// Of the callback that is under way.
        var caller: Caller?
        /// Since when the loop has been held, while it is.
        var since: ContinuousClock.Instant?
    }
    private let state = Locked(State())

    init(_ eventLoop: EventLoop, limit: Duration) {
        self.eventLoop = eventLoop
        self.limit = limit
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let isPosted = eventLoop.post { [self] in
            state.withLock { $0.since = .now }
            job.runSynchronously(on: asUnownedTaskExecutor())
            look()
        }
        // As for the loop itself: an executor has no way to refuse a job.
        precondition(isPosted, "the event loop could not take a task: out of memory")
    }

    func enter(_ callback: String, _ caller: Caller) {
        state.withLock { $0 = State(callback: callback, caller: caller, since: .now) }
    }

    func leave() {
        look()
        state.withLock { $0.caller = nil }
    }

    /// The loop is let go.
    private func look() {
        let state = state.withLock { state in
            defer { state.since = nil }
            return state
        }
        guard let caller = state.caller, let since = state.since else { return }
        let held = ContinuousClock.now - since
        guard held > limit else { return }
        caller.logger?.warning(
            "\(state.callback) held the event loop for \(held); slowCallbackWarning is \(limit)")
    }
}

/// A service under watch. It is called on the loop.
struct WatchedService: Service {
    let service: any Service
    let watch: CallbackWatch

    private func watching(
        _ callback: String, _ caller: Caller, _ body: () async throws -> Void
    ) async rethrows {
        watch.enter(callback, caller)
        defer { watch.leave() }
        try await body()
    }

    func onOpen(_ caller: Caller) async throws {
        try await watching("onOpen", caller) { try await service.onOpen(caller) }
    }
    func onTextMessage(_ caller: Caller, _ text: String) async throws {
        try await watching("onTextMessage", caller) { try await service.onTextMessage(caller, text) }
    }
    func onBinaryMessage(_ caller: Caller, _ data: [UInt8]) async throws {
        try await watching("onBinaryMessage", caller) { try await service.onBinaryMessage(caller, data) }
    }
    func onPing(_ caller: Caller, _ data: [UInt8]) async throws {
        try await watching("onPing", caller) { try await service.onPing(caller, data) }
    }
    func onPong(_ caller: Caller, _ data: [UInt8]) async throws {
        try await watching("onPong", caller) { try await service.onPong(caller, data) }
    }
    func onIdleTimeout(_ caller: Caller) async throws {
        try await watching("onIdleTimeout", caller) { try await service.onIdleTimeout(caller) }
    }
    func onClose(_ caller: Caller, _ statusCode: CloseCode, _ reason: String) async throws {
        try await watching("onClose", caller) { try await service.onClose(caller, statusCode, reason) }
    }
    func onError(_ caller: Caller, _ error: any Error) async {
        await watching("onError", caller) { await service.onError(caller, error) }
    }
}

/// An inline service under watch.
struct WatchedInlineService: InlineService {
    let service: any InlineService
    let watch: CallbackWatch

    private func watching(_ callback: String, _ caller: Caller, _ body: () throws -> Void) rethrows {
        watch.enter(callback, caller)
        defer { watch.leave() }
        try body()
    }

    func onOpen(_ caller: Caller) throws {
        try watching("onOpen", caller) { try service.onOpen(caller) }
    }
    func onTextMessage(_ caller: Caller, _ text: String) throws {
        try watching("onTextMessage", caller) { try service.onTextMessage(caller, text) }
    }
    @available(macOS 26, *)
    func onTextMessage(_ caller: Caller, _ text: UTF8Span) throws {
        watch.enter("onTextMessage", caller)
        defer { watch.leave() }
        try service.onTextMessage(caller, text)
    }
    func onBinaryMessage(_ caller: Caller, _ data: RawSpan) throws {
        watch.enter("onBinaryMessage", caller)
        defer { watch.leave() }
        try service.onBinaryMessage(caller, data)
    }
    func onPing(_ caller: Caller, _ data: [UInt8]) throws {
        try watching("onPing", caller) { try service.onPing(caller, data) }
    }
    func onPong(_ caller: Caller, _ data: [UInt8]) throws {
        try watching("onPong", caller) { try service.onPong(caller, data) }
    }
    func onIdleTimeout(_ caller: Caller) throws {
        try watching("onIdleTimeout", caller) { try service.onIdleTimeout(caller) }
    }
    func onClose(_ caller: Caller, _ statusCode: CloseCode, _ reason: String) throws {
        try watching("onClose", caller) { try service.onClose(caller, statusCode, reason) }
    }
    func onError(_ caller: Caller, _ error: any Error) {
        watching("onError", caller) { service.onError(caller, error) }
    }
}
