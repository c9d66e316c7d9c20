/// Gets a token with a client's own credentials (RFC 6749 §4.4), and sends it as a bearer token.
///
/// ```swift
/// var configuration = ClientConfiguration()
/// configuration.auth = try OAuth2ClientCredentialsGrant(
///     tokenURL: "https://login.example/token", clientID: "chat-robot", clientSecret: "s6BhdRkqt3",
///     scopes: ["read", "write"])
/// let client = try await Client("wss://chat.example/ws", configuration: configuration)
/// ```
///
/// The token is kept until it is stale, and used for each connection until then. Copies share it; whoever asks while it
/// is fetched waits for the same answer. Descriptions leave everything out.
public struct OAuth2ClientCredentialsGrant: ClientAuthentication, CustomStringConvertible,
    CustomDebugStringConvertible, CustomReflectable
{
    private let store: TokenStore

    /// Makes a grant; nothing is asked yet. The files of ``OAuth2ClientConfiguration/secureSocket`` are read: not for an
    /// event loop's thread.
    ///
    /// - Parameters:
    ///   - tokenURL: The token server's endpoint, `https` or, for tests, `http`.
    ///   - clientID: Not empty, without control characters.
    ///   - clientSecret: The same.
    ///   - scopes: What the token is to be good for (RFC 6749 §3.3), each of printable ASCII without blanks, quotes and
    ///     backslashes; none leaves the parameter out.
    ///   - defaultTokenExpTime: The life of a token whose server does not tell it; 0 s to 100 years.
    ///   - clockSkew: How long before its end a token is taken for stale; 0 s to 100 years.
    ///   - optionalParams: Further parameters of the request, which must not repeat another.
    ///   - credentialBearer: Where the client's credentials stand.
    ///   - clientConfig: How the token server is talked to.
    /// - Throws: ``WebSocketError`` `.auth` that names the parameter.
    public init(
        tokenURL: String, clientID: String, clientSecret: String, scopes: [String] = [],
        defaultTokenExpTime: Duration = .seconds(3600), clockSkew: Duration = .zero,
        optionalParams: [String: String] = [:], credentialBearer: OAuth2CredentialBearer = .authHeader,
        clientConfig: OAuth2ClientConfiguration = .init()
    ) throws(WebSocketError) {
        let client = try OAuth2ClientIdentity(clientID, clientSecret, credentialBearer)
        let endpoint = try TokenEndpoint(
            tokenURL, client, scopes: scopes, optionalParams: optionalParams, clientConfig,
            names: ("tokenURL", "clientConfig"), grant: [])
        let times = try TokenStore.Times(defaultTokenExpTime: defaultTokenExpTime, clockSkew: clockSkew)
        store = TokenStore(times) { _ in
            try await endpoint.ask([("grant_type", "client_credentials")], hiding: [])
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
    public var description: String { "OAuth2ClientCredentialsGrant" }
    /// The same.
    public var debugDescription: String { description }
    /// Empty, so that a dump tells nothing either.
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}
