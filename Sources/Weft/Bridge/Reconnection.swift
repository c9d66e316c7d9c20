/// Opens the connections of an ``AsyncClient``.
struct Dialler: Sendable {
    /// Who is told of a connection.
    enum Audience: Sendable {
        case service(any Service)
        case inlineService(any InlineService)
        case nobody
    }

    let url: String
    let configuration: ClientConfiguration
    let eventLoop: EventLoop
    let audience: Audience

    init(_ url: String, _ configuration: ClientConfiguration, _ audience: Audience) throws(WebSocketError) {
        try configuration.check()
        self.url = url
        self.configuration = configuration
        self.audience = audience
        eventLoop = try (configuration.eventLoops ?? .shared).next()
    }

    /// Connects. `reconnection` hears of the caller before the audience does, and of the end after it.
    func connect(_ reconnection: Reconnection?) async throws -> Dialled {
        let makeCaller = { [make = configuration.makeCaller] (handle: ConnectionHandle) in
            let caller = make(handle)
            reconnection?.opened(caller)
            return caller
        }
        switch audience {
        case .service(let service):
            let sink = TaskSink(makeCaller: makeCaller)
            let queue = sink.queue
            let dialled = try await Dial.open(url, configuration, eventLoop, sink, pings: .sink)
            queue.serve(service, by: eventLoop, atEnd: { reconnection?.ended(dialled.caller) })
            return dialled
        case .inlineService(let service):
            let sink = service.makeSink(makeCaller)
            sink.atEnd = reconnection.map { $0.ended }
            return try await Dial.open(url, configuration, eventLoop, sink, pings: .sink)
        case .nobody:
            let sink = ConnectionSink(makeCaller: makeCaller)
            sink.atEnd = reconnection.map { $0.ended }
            return try await Dial.open(url, configuration, eventLoop, sink, pings: .library)
        }
    }

    /// Tells the audience what nobody else can be told.
    func fail(_ caller: Caller, _ error: any Error) async {
        switch audience {
        case .service(let service):
            await withTaskExecutorPreference(eventLoop) { await service.onError(caller, error) }
        case .inlineService(let service): _ = eventLoop.post { service.onError(caller, error) }
        case .nobody: caller.log(error)
        }
    }
}

/// Connects an ``AsyncClient`` anew when its connection was lost.
final class Reconnection: Sendable {
    private let dialler: Dialler
    private let retry: RetryConfiguration

    private struct State {
        var caller: Caller?
        var opening = ContinuousClock.now
        /// Connections in a row that were lost soon after they had been opened.
        var shortLived = 0
        var attempt: Task<Void, Never>?
        var isOver = false
    }
    private let state = Locked(State())

    init(_ dialler: Dialler, _ retry: RetryConfiguration) {
        self.dialler = dialler
        self.retry = retry
    }

    /// The caller of the newest connection, once there was one.
    var caller: Caller? { state.withLock { $0.caller } }

    func opened(_ caller: Caller) {
        state.withLock { state in
            state.caller = caller
            state.opening = .now
        }
    }

    /// Nothing is connected any more.
    func stop() {
        let attempt = state.withLock { state in
            state.isOver = true
            return state.attempt
        }
        attempt?.cancel()
    }

    /// The connection is over and its audience knows.
    func ended(_ caller: Caller) {
        guard let ending = caller.handle.ending, ending.mayComeBack else { return stop() }
        let isWanted = caller.handle.whenCloseIsAsked { [weak self] in self?.stop() }
        guard isWanted, let count = countLoss() else { return stop() }
        let attempt = Task { [self] in await connectAgain(caller, ending, count) }
        let isOver = state.withLock { state in
            state.attempt = attempt
            return state.isOver
        }
        if isOver { attempt.cancel() }
    }

    /// How many connections in a row were lost soon; nil when there is to be no other.
    private func countLoss() -> Int? {
        state.withLock { state in
            if .now - state.opening >= retry.maxWaitInterval { state.shortLived = 0 }
            state.shortLived += 1
            return state.isOver ? nil : state.shortLived
        }
    }

    private func connectAgain(_ lost: Caller, _ ending: Ending, _ count: Int) async {
        do {
            if retry.maxCount > 0, count > retry.maxCount {
                throw WebSocketError(
                    .connectionLost, "\(count) connections in a row were lost: giving up",
                    underlying: lost.handle.closedError, closeCode: ending.code)
            }
            let wait = retry.longestWait(count) * Double.random(in: 0...1)
            lost.logger?.warning("the connection ended with \(ending.code); connecting again in \(wait)")
            try await Task.sleep(for: wait)
            let dialled = try await dialler.connect(self)
            if state.withLock({ $0.isOver }) { dialled.caller.handle.abort() }
        } catch {
            let isNews = state.withLock { state in
                defer { state.isOver = true }
                return !state.isOver
            }
            if isNews { await dialler.fail(lost, error) }
        }
    }
}

extension Ending {
    /// The connection was lost or the server asks to come back (RFC 6455 §7.4.1 and its registry), which a normal
    /// close, a violation of either side and a failed callback of ours do not.
    fileprivate var mayComeBack: Bool {
        switch code {
        case .goingAway, .abnormalClosure, .internalError, .serviceRestart, .tryAgainLater, .badGateway:
            error?.code != .callbackFailed
        default: false
        }
    }
}

extension RetryConfiguration {
    /// The back-off before attempt number `count`, from 1.
    func longestWait(_ count: Int) -> Duration {
        let limit = min(maxWaitInterval, .seconds(1 << 30))  // beyond, a product could overflow
        var wait = min(interval, limit)
        for _ in 1..<count where wait < limit { wait = wait * backOffFactor }
        return min(wait, limit)
    }
}
