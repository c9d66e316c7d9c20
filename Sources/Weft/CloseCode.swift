/// Why a connection was closed (RFC 6455 §7.4).
///
/// Codes from 3000 to 3999 are for libraries and frameworks, from 4000 to 4999 for applications:
///
/// ```swift
/// try await caller.close(statusCode: CloseCode(4001), reason: "see you tomorrow")
/// ```
public struct CloseCode: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
    /// The number on the wire.
    public let rawValue: UInt16

    /// The code with this number; ``isSendable`` tells whether a close frame may carry it.
    public init(_ rawValue: UInt16) { self.rawValue = rawValue }

    /// The code with this number.
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// 1000: the purpose of the connection is fulfilled.
    public static let normalClosure = CloseCode(1000)
    /// 1001: a server goes down, or a browser leaves the page.
    public static let goingAway = CloseCode(1001)
    /// 1002: the peer broke the protocol.
    public static let protocolError = CloseCode(1002)
    /// 1003: a kind of data that the endpoint does not take.
    public static let unsupportedData = CloseCode(1003)
    /// 1005: the close frame had no code. Reported, never sent.
    public static let noStatusReceived = CloseCode(1005)
    /// 1006: there was no close frame. Reported, never sent.
    public static let abnormalClosure = CloseCode(1006)
    /// 1007: a message does not fit its type, such as text that is not UTF-8.
    public static let invalidFramePayloadData = CloseCode(1007)
    /// 1008: a message breaks the endpoint's policy.
    public static let policyViolation = CloseCode(1008)
    /// 1009: a message is too big.
    public static let messageTooBig = CloseCode(1009)
    /// 1010: the client needs an extension that the server did not negotiate.
    public static let mandatoryExtension = CloseCode(1010)
    /// 1011: the endpoint failed.
    public static let internalError = CloseCode(1011)
    /// 1012: the service restarts (IANA registry).
    public static let serviceRestart = CloseCode(1012)
    /// 1013: try again later (IANA registry).
    public static let tryAgainLater = CloseCode(1013)
    /// 1014: a gateway got a bad answer (IANA registry).
    public static let badGateway = CloseCode(1014)
    /// 1015: the TLS handshake failed. Reported, never sent.
    public static let tlsHandshake = CloseCode(1015)

    /// True for a code that a close frame may carry: 1000 to 1003, 1007 to 1014 and 3000 to 4999.
    public var isSendable: Bool { Self.isSendable(rawValue) }

    /// The number.
    public var description: String { String(rawValue) }
}
