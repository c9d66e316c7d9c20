/// Gets tokens with a refresh token (RFC 6749 §6), and sends them as bearer tokens.
///
/// ```swift
/// var configuration = ClientConfiguration()
/// configuration.auth = try OAuth2RefreshTokenGrant(
///     refreshURL: "https://login.example/token", refreshToken: "tGzv3JOkF0XG5Qx2TlKWIA",
///     clientID: "chat-robot", clientSecret: "s6BhdRkqt3")
/// let client = try await Client("wss://chat.example/ws", configuration: configuration)
/// ```
///
/// A refresh token that comes with an answer takes the place of the one before, in memory alone. The token is kept until
/// it is stale, and used for each connection until then. Copies share both; whoever asks while a token is fetched waits
/// for the same answer. Descriptions leave everything out.
public struct OAuth2RefreshTokenGrant: ClientAuthentication, CustomStringConvertible,
    CustomDebugStringConvertible, CustomReflectable
{
    private let store: TokenStore

    /// Makes a grant; nothing is asked yet. The files of ``OAuth2ClientConfiguration/secureSocket`` are read: not for an
    /// event loop's thread.
    ///
    /// - Parameters:
    ///   - refreshURL: The token server's endpoint, `https` or, for tests, `http`.
    ///   - refreshToken: Not empty, without control characters.
    ///   - clientID: The same; nil, with `clientSecret`, where the server does not ask who the client is.
    ///   - clientSecret: The same; nil for a public client, which is named in the body.
    ///   - scopes: What the token is to be good for (RFC 6749 §3.3), each of printable ASCII without blanks, quotes and
    ///     backslashes; none leaves the parameter out, which asks for all that was granted.
    ///   - defaultTokenExpTime: The life of a token whose server does not tell it; 0 s to 100 years.
    ///   - clockSkew: How long before its end a token is taken for stale; 0 s to 100 years.
    ///   - optionalParams: Further parameters of the request, which must not repeat another.
    ///   - credentialBearer: Where the client's credentials stand.
    ///   - clientConfig: How the token server is talked to.
    /// - Throws: ``WebSocketError`` `.auth` that names the parameter.
    public init(
        refreshURL: String, refreshToken: String, clientID: String? = nil, clientSecret: String? = nil,
        scopes: [String] = [], defaultTokenExpTime: Duration = .seconds(3600), clockSkew: Duration = .zero,
        optionalParams: [String: String] = [:], credentialBearer: OAuth2CredentialBearer = .authHeader,
        clientConfig: OAuth2ClientConfiguration = .init()
    ) throws(WebSocketError) {
        try checkCredential("refreshToken", refreshToken)
        let client = try OAuth2ClientIdentity(clientID, clientSecret, credentialBearer)
        let endpoint = try TokenEndpoint(
            refreshURL, client, scopes: scopes, optionalParams: optionalParams, clientConfig,
            names: ("refreshURL", "clientConfig"), grant: ["refresh_token"])
        let times = try TokenStore.Times(defaultTokenExpTime: defaultTokenExpTime, clockSkew: clockSkew)
        store = TokenStore(times, refreshToken: refreshToken) { known in
            try await endpoint.refresh(&known, known ?? refreshToken)
        }
    }

    /// `Bearer` and the token, which is fetched unless one is there that is not stale.
    ///
    /// - Throws: ``WebSocketError`` `.auth` with the endpoint and the cause, or `CancellationError` when the task is
    ///   cancelled that waits; the others wait on.
    public func authorization() async throws -> String { try await store.authorization() }

    /// Drops the token, if it is still that one: the next one who asks gets another.
    public func discard(_ authorization: String) { store.discard(authorization) }

    /// The name of the type alone.
    public var description: String { "OAuth2RefreshTokenGrant" }
    /// The same.
    public var debugDescription: String { description }
    /// Empty, so that a dump tells nothing either.
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}
