/// Keeps one token until it is stale, and fetches the next one for all who ask meanwhile.
///
/// A fetch goes on when nobody waits for it any more: its answer may bring the only refresh token that is still good,
/// and serves whoever asks next. It ends within the timeouts of its requests.
final class TokenStore: Sendable {
    /// Gets a token, and leaves the refresh token for the next time where it found one, whether it fails or not.
    typealias Fetch = @Sendable (inout String?) async throws -> TokenAnswer

    /// How long tokens are used.
    struct Times: Sendable {
        /// The life of those whose server does not tell it.
        let defaultLife: Duration
        /// How long before its end a token is taken for stale.
        let clockSkew: Duration
        var now: @Sendable () -> ContinuousClock.Instant = { .now }

        init(defaultTokenExpTime: Duration, clockSkew: Duration) throws(WebSocketError) {
            let longest = Duration.seconds(100 * 366 * 86_400)
            if !(.zero...longest).contains(defaultTokenExpTime) {
                throw authProblem("defaultTokenExpTime", "\(defaultTokenExpTime) is not in 0 s to 100 years")
            }
            if !(.zero...longest).contains(clockSkew) {
                throw authProblem("clockSkew", "\(clockSkew) is not in 0 s to 100 years")
            }
            defaultLife = defaultTokenExpTime
            self.clockSkew = clockSkew
        }
    }

    private struct State {
        /// The value of an `Authorization` field, and from when on another is to be fetched.
        var token: (authorization: String, staleAt: ContinuousClock.Instant)?
        var refreshToken: String?
        var flight: Flight?
    }
    private let state: Locked<State>
    private let fetch: Fetch
    private let times: Times

    init(_ times: Times, refreshToken: String? = nil, fetch: @escaping Fetch) {
        state = Locked(State(refreshToken: refreshToken))
        self.times = times
        self.fetch = fetch
    }

    /// The value of an `Authorization` field. Throws what the fetch threw, or `CancellationError` when the task that
    /// waits is cancelled.
    func authorization() async throws -> String {
        let moment = times.now()
        let (known, flight, isNew) = state.withLock { state -> (String?, Flight?, Bool) in
            if let token = state.token, moment < token.staleAt { return (token.authorization, nil, false) }
            if let flight = state.flight { return (nil, flight, false) }
            let flight = Flight()
            state.flight = flight
            return (nil, flight, true)
        }
        if let known { return known }
        if isNew { Task { [self] in await fly(flight!) } }
        return try await flight!.landing()
    }

    /// Takes the token for stale, if it is still that one.
    func discard(_ authorization: String) {
        state.withLock { state in
            if state.token?.authorization == authorization { state.token = nil }
        }
    }

    private func fly(_ flight: Flight) async {
        let start = times.now()  // the life of a token has begun when its answer comes
        var refreshToken = state.withLock { $0.refreshToken }
        let result: Result<TokenAnswer, any Error>
        do {
            result = .success(try await fetch(&refreshToken))
        } catch let refusal as TokenRefusal {
            result = .failure(refusal.error)
        } catch {
            result = .failure(error)
        }
        let (answer, kept) = (try? result.get(), refreshToken)
        state.withLock { state in
            state.token = answer.map {
                ($0.authorization, start + ($0.life ?? times.defaultLife) - times.clockSkew)
            }
            state.refreshToken = kept
            state.flight = nil
        }
        flight.land(result.map(\.authorization))
    }
}

/// One fetch that any number of tasks wait for. Each may stop waiting.
private final class Flight: Sendable {
    private struct State {
        var result: Result<String, any Error>?
        var waiters = Waiters()
    }
    private let state = Locked(State())

    func land(_ result: Result<String, any Error>) {
        let waiters = state.withLock { state in
            state.result = result
            return state.waiters.removeAll()
        }
        waiters.wake()
    }

    func landing() async throws -> String {
        let id = state.withLock { $0.waiters.nextID() }
        let wake = await wait { continuation in
            state.withLock { state in
                // A cancellation before this has found nobody to wake.
                if state.result != nil || Task.isCancelled { return false }
                state.waiters.add(continuation, id)
                return true
            }
        } leave: { [self] in
            state.withLock { $0.waiters.remove(id) }
        }
        guard wake != .cancelled, let result = state.withLock({ $0.result }) else {
            throw CancellationError()
        }
        return try result.get()
    }
}
