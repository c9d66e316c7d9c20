import HTTPTypes

/// Thrown by ``UpgradeService/get(_:)`` or ``HTTPService/respond(to:)`` for a client that has not proved who it is:
/// the answer is 401.
public struct AuthenticationError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The body of the answer, as plain text.
    public var message: String
    /// The value of `WWW-Authenticate`, which says how to do better, such as `Basic realm="members"`
    /// (RFC 9110 §11.6.1); nil leaves it out.
    public var challenge: String?

    /// A refusal.
    public init(_ message: String = "", challenge: String? = nil) {
        self.message = message
        self.challenge = challenge
    }

    /// Status and message.
    public var description: String { refusal.description }
}

/// Thrown by ``UpgradeService/get(_:)`` or ``HTTPService/respond(to:)`` for a client that is known and not allowed:
/// the answer is 403.
public struct AuthorizationError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The body of the answer, as plain text.
    public var message: String

    /// A refusal.
    public init(_ message: String = "") { self.message = message }

    /// Status and message.
    public var description: String { refusal.description }
}

/// An error that has an answer of its own.
protocol RefusalError: Error {
    var refusal: UpgradeError { get }
}

extension UpgradeError: RefusalError {
    var refusal: UpgradeError { self }
}

extension AuthenticationError: RefusalError {
    var refusal: UpgradeError {
        var refusal = UpgradeError(status: .unauthorized, message: message)
        refusal.headers[.wwwAuthenticate] = challenge
        return refusal
    }
}

extension AuthorizationError: RefusalError {
    var refusal: UpgradeError { UpgradeError(status: .forbidden, message: message) }
}
