import HTTPTypes

/// When a connection that could not be opened is tried again.
///
/// Tried again is what may pass: the name has no address, nobody listens, the network is out of reach, the
/// connection is lost or not open within ``ClientConfiguration/handShakeTimeout``, or the server answers 408,
/// 425, 429 or 503. A `Retry-After` in seconds is then the shortest wait, up to ``maxWaitInterval``. Every other
/// answer, a bad URL and a bad configuration are final. So is a failure of ``ClientConfiguration/auth``, unless the
/// error below it is one of these; the `Retry-After` of its answer counts then.
///
/// The wait is any time up to the interval, at random, so that the clients of a server that was away do not
/// all come back at once.
public struct RetryConfiguration: Sendable, Hashable {
    /// Attempts after the first; 0, the default, is no limit.
    public var maxCount: Int
    /// The longest wait before the second attempt, at least 1 ms. Default 1 s.
    public var interval: Duration
    /// What the interval is multiplied with after each attempt, from 1 to 1000. Default 2.
    public var backOffFactor: Double
    /// No wait is longer than this, at least 1 ms. Default 30 s.
    public var maxWaitInterval: Duration
}

extension HTTPResponse {
    /// What `Retry-After` says in seconds (RFC 9110 §10.2.3), or the most of the type for more; nil for a date.
    var retryAfter: UInt32? {
        guard let text = headerFields[.retryAfter], !text.isEmpty,
            text.utf8.allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        return UInt32(text) ?? .max
    }
}
