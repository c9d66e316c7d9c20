/// One question to a client's authentication. Whoever asked may stop waiting; the answer is dropped then.
final class Inquiry: Sendable {
    private struct State {
        var answer: Result<String, any Error>?
        var waiter: WakeContinuation?
    }
    private let state = Locked(State())

    /// The value of the `Authorization` field. Throws ``WebSocketError`` or `CancellationError`.
    static func ask(_ auth: any ClientAuthentication, within limit: Duration?) async throws -> String {
        let inquiry = Inquiry()
        let asking = Task {
            do {
                inquiry.finish(.success(try await auth.authorization()))
            } catch {
                inquiry.finish(.failure(error))
            }
        }
        defer { asking.cancel() }
        let wake = await inquiry.waitForAnswer(limit)
        if wake == .timedOut {
            throw WebSocketError(.handshakeTimedOut, "the authorization was not there after \(limit!)")
        }
        guard let answer = inquiry.state.withLock({ $0.answer }) else { throw CancellationError() }
        do {
            return try checked(answer.get())
        } catch let error as WebSocketError where error.code == .auth {
            throw error
        } catch {
            throw WebSocketError(.auth, "the authorization failed: \(error)", underlying: error)
        }
    }

    private func waitForAnswer(_ limit: Duration?) async -> Wake {
        await wait(for: limit) { continuation in
            state.withLock { state in
                // A cancellation before this has found nobody to wake.
                if state.answer != nil || Task.isCancelled { return false }
                state.waiter = continuation
                return true
            }
        } leave: { [self] in
            takeWaiter()
        }
    }

    private func takeWaiter() -> WakeContinuation? {
        state.withLock { state in
            defer { state.waiter = nil }
            return state.waiter
        }
    }

    private func finish(_ answer: Result<String, any Error>) {
        state.withLock { $0.answer = answer }
        takeWaiter()?.resume(returning: .woken)
    }

    private static func checked(_ value: String) throws(WebSocketError) -> String {
        let isSendable = value.utf8.allSatisfy { 0x20...0x7E ~= $0 }
        let hasEdges = value.isEmpty || value.first == " " || value.last == " "
        if isSendable && !hasEdges { return value }
        throw WebSocketError(
            .auth,
            "the authorization is empty, or has other characters than printable ASCII, or a blank at an end")
    }
}
