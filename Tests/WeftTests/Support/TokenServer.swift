import HTTPTypes
import Synchronization
import Weft

/// A token server of ours: answers as a test wants, and keeps what it was asked.
final class TokenServer: Sendable {
    struct Asked: Sendable {
        let fields: HTTPFields
        let body: String
    }
    typealias Answer = @Sendable (Int) async throws -> HTTPServiceResponse

    let url: String
    let asked: Channel<Asked>
    private let counter: Counter

    private init(url: String, asked: Channel<Asked>, counter: Counter) {
        self.url = url
        self.asked = asked
        self.counter = counter
    }

    /// How many requests have come.
    var count: Int { counter.value }

    /// `answer` gets the number of the request, from 1.
    static func run(
        _ configuration: ListenerConfiguration = .local, answer: @escaping Answer,
        _ talk: (TokenServer) async throws -> Void
    ) async throws {
        let (asked, counter) = (Channel<Asked>(), Counter())
        let attach: (Listener) throws -> Void = { listener in
            try listener.attach(at: "/token") { request -> HTTPServiceResponse in
                let number = counter.next()
                let body = String(decoding: request.body, as: UTF8.self)
                asked.send(Asked(fields: request.head.headerFields, body: body))
                return try await answer(number)
            }
        }
        try await withListener(configuration, attach: attach) { listener in
            let scheme = configuration.secureSocket == nil ? "http" : "https"
            let url = "\(scheme)://127.0.0.1:\(listener.port)/token"
            try await talk(TokenServer(url: url, asked: asked, counter: counter))
        }
    }
}

/// Counts from 1.
final class Counter: Sendable {
    private let state = Mutex(0)

    var value: Int { state.withLock { $0 } }

    func next() -> Int {
        state.withLock { count in
            count += 1
            return count
        }
    }
}

/// An answer of JSON.
func json(_ text: String, status: HTTPResponse.Status = .ok) -> HTTPServiceResponse {
    HTTPServiceResponse(status: status, headers: [.contentType: "application/json"], body: Array(text.utf8))
}

/// A token with that name, and what else the answer says.
func granted(_ token: String, _ rest: String = "") -> HTTPServiceResponse {
    json(#"{"access_token":"\#(token)","token_type":"bearer"\#(rest)}"#)
}
