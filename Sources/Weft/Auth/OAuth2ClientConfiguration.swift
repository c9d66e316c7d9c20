public import HTTPTypes
public import Logging

/// Where a client's name and secret stand in a token request (RFC 6749 §2.3.1).
public enum OAuth2CredentialBearer: Sendable, Hashable {
    /// In an `Authorization` field, as `Basic`: both form-encoded, then joined by a colon.
    case authHeader
    /// In the body, as `client_id` and `client_secret`.
    case postBody
}

/// How an OAuth 2.0 grant talks to its token server. Descriptions leave fields and payload out.
///
/// ```swift
/// var tokenServer = OAuth2ClientConfiguration()
/// tokenServer.secureSocket = ClientSecureSocket(cert: .file("/etc/chat/authority.pem"))
/// tokenServer.timeout = .seconds(10)
/// ```
public struct OAuth2ClientConfiguration: Sendable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    /// Added to the request. `Content-Type`, `Content-Length`, `Connection` and `Transfer-Encoding` cannot be among
    /// them, nor can `Authorization` beside ``OAuth2CredentialBearer/authHeader``. Default none.
    public var customHeaders: HTTPFields = [:]
    /// Put behind `&` at the end of the body, as it is: form-encoded already, so printable ASCII without blanks. Empty,
    /// the default, adds nothing.
    public var customPayload = ""
    /// TLS for `https` URLs; nil, the default, trusts what the system trusts. Its files are read when the grant is
    /// made.
    public var secureSocket: ClientSecureSocket?
    /// For one request with its name, TCP, TLS and whole answer; more than zero. Default 30 s. The TLS handshake alone
    /// has ``ClientSecureSocket/handshakeTimeout``.
    public var timeout = Duration.seconds(30)
    /// Where requests are made; nil, the default, is ``EventLoops/shared``.
    public var eventLoops: EventLoops?
    /// Where it is logged that a token server is not known for certain, is asked without TLS, or has refused a refresh
    /// token; nil is silence.
    public var logger: Logger?

    /// The defaults.
    public init() {}

    /// The name of the type alone.
    public var description: String { "OAuth2ClientConfiguration" }
    /// The same.
    public var debugDescription: String { description }
    /// Empty, so that a dump tells nothing either.
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}
