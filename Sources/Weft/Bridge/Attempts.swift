import HTTPTypes

extension Dial {
    /// Connects, in one attempt or several. Where the client says who it is, each of them says it anew: the core,
    /// which sends one request again and again, makes one attempt at a time then.
    ///
    /// - Parameter makeSink: Makes what is told of the connection, and what the caller keeps of it. Called for
    ///   each attempt that gets as far as that; the last one counts.
    static func connect<Kept: Sendable>(
        _ url: String, _ configuration: ClientConfiguration, _ eventLoop: EventLoop, pings: PingAnswer,
        makeSink: () -> (ConnectionSink, Kept)
    ) async throws -> (Dialled, Kept) {
        guard let auth = configuration.auth else {
            let (sink, kept) = makeSink()
            return (try await open(url, configuration, eventLoop, sink, pings: pings), kept)
        }
        // What cannot be connected to needs no token.
        _ = try ClientSettings(url, configuration, ConnectionSink.callbacks(pings: pings))
        var number = 1
        while true {
            do {
                let attempt = try await configuration.authorized(by: auth)
                let (sink, kept) = makeSink()
                return (try await open(url, attempt, eventLoop, sink, pings: pings), kept)
            } catch let error as WebSocketError {
                guard let wait = configuration.retry?.wait(after: number, error) else { throw error }
                configuration.logger?.warning(
                    "attempt \(number) to connect failed, the next one follows in \(wait): \(error.message)")
                try await Task.sleep(for: wait)
                number += 1
            }
        }
    }
}

extension ClientConfiguration {
    /// The configuration of one attempt: with its authorization and what is left of its time.
    fileprivate func authorized(by auth: any ClientAuthentication) async throws -> ClientConfiguration {
        let limit = handShakeTimeout < .zero ? Self.defaultHandShakeTimeout : handShakeTimeout
        let start = ContinuousClock.now
        var attempt = self
        attempt.auth = nil
        attempt.retry = nil
        attempt.customHeaders[.authorization] = try await Inquiry.ask(
            auth, within: limit == .zero ? nil : limit)
        // Zero would be no limit.
        if limit > .zero { attempt.handShakeTimeout = max(limit - (.now - start), .milliseconds(1)) }
        return attempt
    }
}

// The core's rules for attempts of its own (endpoint/retry.c), of which it does not tell the last one's verdict.

extension RetryConfiguration {
    /// How long to wait after that attempt, from 1; nil when it was the last one.
    fileprivate func wait(after number: Int, _ error: WebSocketError) -> Duration? {
        guard maxCount == 0 || number <= maxCount, error.mayPass else { return nil }
        let wait = longestWait(number) * Double.random(in: 0...1)
        return max(wait, min(error.httpResponse?.retryAfter ?? .zero, maxWaitInterval))
    }
}

extension WebSocketError {
    /// What another attempt may overcome.
    fileprivate var mayPass: Bool {
        switch code {
        case .nameResolution, .connectionRefused, .connectionLost, .handshakeTimedOut, .system: true
        case .invalidHandshake:
            switch httpResponse?.status.code {
            case 408, 425, 429, 503: true
            default: false
            }
        case .auth: (underlying as? WebSocketError)?.mayPass ?? false
        default: false
        }
    }
}

extension HTTPResponse {
    /// The number of seconds that the field gives, if it does.
    fileprivate var retryAfter: Duration? {
        guard let text = headerFields[.retryAfter], text.utf8.count <= 9 else { return nil }
        return UInt32(text).map { .seconds($0) }
    }
}
