/// Says who a client is, in the `Authorization` field of its opening handshake (RFC 9110 §11.6.2).
///
/// ``Credentials``, ``BearerToken``, ``JWTIssuer``, ``OAuth2ClientCredentialsGrant``, ``OAuth2PasswordGrant`` and
/// ``OAuth2RefreshTokenGrant`` do. One of your own returns what it likes:
///
/// ```swift
/// struct KeyFromVault: ClientAuthentication {
///     let fetchKey: @Sendable () async throws -> String
///
///     func authorization() async throws -> String { "ApiKey \(try await fetchKey())" }
/// }
///
/// var configuration = ClientConfiguration()
/// configuration.auth = KeyFromVault { "2YotnFZFEjr1zCsicMWpAA" }
/// let client = try await Client("ws://localhost:21003/ws", configuration: configuration)
/// ```
public protocol ClientAuthentication: Sendable {
    /// The whole value of the field, its scheme first, as in `Bearer 2YotnFZFEjr1zCsicMWpAA`: printable ASCII.
    ///
    /// Asked before each attempt of a client to connect: the first, those of ``ClientConfiguration/retry``, and
    /// each after a lost connection, so that what has expired can be renewed. Clients that share one ask at the
    /// same time. The attempt's ``ClientConfiguration/handShakeTimeout`` runs meanwhile; when it has passed, or
    /// the connecting task is cancelled, the task that this runs in is cancelled and not waited for.
    ///
    /// - Throws: A ``WebSocketError`` of code `.auth`, which reaches the program as it is; any other error becomes
    ///   the ``WebSocketError/underlying`` one of such an error, its description part of the message: no secrets
    ///   belong there. With ``ClientConfiguration/retry`` another attempt follows where the error is or has below it
    ///   a ``WebSocketError`` after which a connection would be tried again, as ``RetryConfiguration`` has it.
    func authorization() async throws -> String

    /// Is told that the server has answered 401 to a value of ``authorization()``, so that one that is kept can be
    /// dropped, as the grants of OAuth 2.0 do with their token: the next attempt to connect gets another. Returns at
    /// once, for the connecting task waits. The default does nothing.
    func discard(_ authorization: String)
}

extension ClientAuthentication {
    /// Does nothing.
    public func discard(_ authorization: String) {}
}

/// The error for a value that no authentication of ours takes.
func authProblem(_ name: String, _ problem: String) -> WebSocketError {
    WebSocketError(.auth, "\(name): \(problem)")
}

extension StringProtocol {
    /// RFC 5234 appendix B.1.
    var hasControlCharacters: Bool { utf8.contains { $0 < 0x20 || $0 == 0x7F } }
}
