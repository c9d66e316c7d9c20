import Synchronization
import Testing

@testable import Weft

/// A clock that a test moves.
private final class Clock: Sendable {
    private let state = Mutex(ContinuousClock.now)

    var now: ContinuousClock.Instant { state.withLock { $0 } }

    func advance(_ seconds: Int64) { state.withLock { $0 += .seconds(seconds) } }
}

@Suite("TokenStore", .timeLimit(.minutes(1)))
struct TokenStoreTests {
    private let clock = Clock()
    private let counter = Counter()

    private func times(skew: Int64 = 0, life: Int64 = 100) throws -> TokenStore.Times {
        var times = try TokenStore.Times(defaultTokenExpTime: .seconds(life), clockSkew: .seconds(skew))
        times.now = { [clock] in clock.now }
        return times
    }

    private func answer(_ number: Int, life: Int64?, _ refreshToken: String? = nil) -> TokenAnswer {
        TokenAnswer(
            authorization: "Bearer \(number)", life: life.map { .seconds($0) }, refreshToken: refreshToken)
    }

    @Test("clockSkew, defaultTokenExpTime: a token is used until its life is over but for the skew")
    func expiry() async throws {
        for (skew, life) in [(0, 50), (10, 60), (0, nil), (10, nil)] as [(Int64, Int64?)] {
            let (counter, end) = (Counter(), (life ?? 100) - skew)
            let store = TokenStore(try times(skew: skew)) { _ in answer(counter.next(), life: life) }
            #expect(try await store.authorization() == "Bearer 1")
            clock.advance(end - 1)
            #expect(try await store.authorization() == "Bearer 1")
            clock.advance(1)
            #expect(try await store.authorization() == "Bearer 2")
        }
    }

    @Test("clockSkew: a token that lives no longer than it is used once")
    func shortLife() async throws {
        let store = TokenStore(try times(skew: 60)) { [counter] _ in answer(counter.next(), life: 60) }
        for number in 1...3 { #expect(try await store.authorization() == "Bearer \(number)") }
    }

    @Test("discard drops a token that is still kept, and no newer one")
    func discard() async throws {
        let store = TokenStore(try times()) { [counter] _ in answer(counter.next(), life: nil) }
        store.discard("Bearer 1")
        #expect(try await store.authorization() == "Bearer 1")
        for _ in 1...2 {
            store.discard("Bearer 1")
            #expect(try await store.authorization() == "Bearer 2")
        }
    }

    @Test("A token's life begins with its request, however long the answer takes")
    func slowAnswer() async throws {
        let store = TokenStore(try times()) { [clock, counter] _ in
            clock.advance(30)
            return answer(counter.next(), life: 50)
        }
        #expect(try await store.authorization() == "Bearer 1")
        clock.advance(19)
        #expect(try await store.authorization() == "Bearer 1")
        clock.advance(1)
        #expect(try await store.authorization() == "Bearer 2")
    }

    @Test("All who ask meanwhile get the answer of one fetch")
    func singleFlight() async throws {
        let (gate, begun) = (Gate(), Channel<Void>())
        let store = TokenStore(try times()) { [counter] _ in
            begun.send(())
            await gate.pass()
            return answer(counter.next(), life: 50)
        }
        try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<100 { group.addTask { try await store.authorization() } }
            try await begun.next()
            gate.open()
            for try await value in group { #expect(value == "Bearer 1") }
        }
        #expect(counter.value == 1)
    }

    @Test("Whoever is cancelled stops waiting, and the others do not")
    func cancellation() async throws {
        let (gate, begun) = (Gate(), Channel<Void>())
        let store = TokenStore(try times()) { [counter] _ in
            begun.send(())
            await gate.pass()
            try Task.checkCancellation()
            return answer(counter.next(), life: 50)
        }
        let first = Task { try await store.authorization() }
        try await begun.next()
        let second = Task { try await store.authorization() }
        first.cancel()
        await #expect(throws: CancellationError.self) { try await first.value }
        gate.open()
        #expect(try await second.value == "Bearer 1")
    }

    @Test("An answer that nobody waits for any more serves the next one who asks")
    func lateAnswer() async throws {
        let (gate, begun) = (Gate(), Channel<Void>())
        let store = TokenStore(try times()) { [counter] _ in
            begun.send(())
            await gate.pass()
            return answer(counter.next(), life: 50)
        }
        let only = Task { try await store.authorization() }
        try await begun.next()
        only.cancel()
        await #expect(throws: CancellationError.self) { try await only.value }
        gate.open()
        #expect(try await store.authorization() == "Bearer 1")
        #expect(try await store.authorization() == "Bearer 1")
    }

    @Test("A failure reaches all who wait, and the next one who asks fetches anew")
    func failures() async throws {
        let store = TokenStore(try times()) { [counter] _ in
            if counter.next() == 1 { throw Mishap() }
            return answer(2, life: 50)
        }
        await #expect(throws: Mishap.self) { _ = try await store.authorization() }
        #expect(try await store.authorization() == "Bearer 2")
    }

    @Test("What a fetch leaves as the refresh token is there for the next one, also behind a failure")
    func refreshTokens() async throws {
        let store = TokenStore(try times(), refreshToken: "a") { token in
            let given = token ?? "none"
            token = given == "a" ? "b" : nil
            if given == "b" { throw Mishap() }
            return TokenAnswer(authorization: given, life: .zero, refreshToken: nil)
        }
        #expect(try await store.authorization() == "a")
        await #expect(throws: Mishap.self) { _ = try await store.authorization() }
        #expect(try await store.authorization() == "none")
    }
}
