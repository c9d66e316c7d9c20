/// Gets a token with a user's name and password (RFC 6749 §4.3), and sends it as a bearer token.
///
/// ```swift
/// var configuration = ClientConfiguration()
/// configuration.auth = try OAuth2PasswordGrant(
///     tokenURL: "https://login.example/token", username: "ada", password: "A3ddj3w",
///     clientID: "chat-robot", clientSecret: "s6BhdRkqt3",
///     refreshConfig: .init(refreshURL: "https://login.example/token"))
/// let client = try await Client("wss://chat.example/ws", configuration: configuration)
/// ```
///
/// The token is kept until it is stale, and used for each connection until then. Then the next one is got with the
/// refresh token that came with it, if `refreshConfig` says where, or else with the password, as it is when the server
/// refuses the refresh token (`invalid_grant`). Copies share both; whoever asks while a token is fetched waits for the same answer.
/// Descriptions leave everything out.
public struct OAuth2PasswordGrant: ClientAuthentication, CustomStringConvertible,
    CustomDebugStringConvertible,
    CustomReflectable
{
    /// Where and how tokens are refreshed (RFC 6749 §6); the client's credentials are those of the grant.
    public struct RefreshConfiguration: Sendable {
        /// The endpoint, often that of the password.
        public var refreshURL: String
        /// Default none, which asks for all that was granted.
        public var scopes: [String]
        /// Further parameters of the request, which must not repeat another. Default none.
        public var optionalParams: [String: String]
        /// Where the client's credentials stand. Default ``OAuth2CredentialBearer/authHeader``.
        public var credentialBearer: OAuth2CredentialBearer
        /// How the server is talked to; nothing of the grant's own is taken over.
        public var clientConfig: OAuth2ClientConfiguration

        /// The values are checked when the grant is made.
        public init(
            refreshURL: String, scopes: [String] = [], optionalParams: [String: String] = [:],
            credentialBearer: OAuth2CredentialBearer = .authHeader,
            clientConfig: OAuth2ClientConfiguration = .init()
        ) {
            self.refreshURL = refreshURL
            self.scopes = scopes
            self.optionalParams = optionalParams
            self.credentialBearer = credentialBearer
            self.clientConfig = clientConfig
        }
    }

    private let store: TokenStore

    /// Makes a grant; nothing is asked yet. The files of ``OAuth2ClientConfiguration/secureSocket`` are read: not for an
    /// event loop's thread.
    ///
    /// - Parameters:
    ///   - tokenURL: The token server's endpoint, `https` or, for tests, `http`.
    ///   - username: Not empty, without control characters.
    ///   - password: The same.
    ///   - clientID: The same; nil, with `clientSecret`, where the server does not ask who the client is.
    ///   - clientSecret: The same; nil for a public client, which is named in the body.
    ///   - scopes: What the token is to be good for (RFC 6749 §3.3), each of printable ASCII without blanks, quotes and
    ///     backslashes; none leaves the parameter out.
    ///   - refreshConfig: Where tokens are refreshed; nil: nowhere, the password is asked with each time.
    ///   - defaultTokenExpTime: The life of a token whose server does not tell it; 0 s to 100 years.
    ///   - clockSkew: How long before its end a token is taken for stale; 0 s to 100 years.
    ///   - optionalParams: Further parameters of the request, which must not repeat another.
    ///   - credentialBearer: Where the client's credentials stand.
    ///   - clientConfig: How the token server is talked to.
    /// - Throws: ``WebSocketError`` `.auth` that names the parameter.
    public init(
        tokenURL: String, username: String, password: String, clientID: String? = nil,
        clientSecret: String? = nil, scopes: [String] = [], refreshConfig: RefreshConfiguration? = nil,
        defaultTokenExpTime: Duration = .seconds(3600), clockSkew: Duration = .zero,
        optionalParams: [String: String] = [:], credentialBearer: OAuth2CredentialBearer = .authHeader,
        clientConfig: OAuth2ClientConfiguration = .init()
    ) throws(WebSocketError) {
        try checkCredential("username", username)
        try checkCredential("password", password)
        let client = try OAuth2ClientIdentity(clientID, clientSecret, credentialBearer)
        let endpoint = try TokenEndpoint(
            tokenURL, client, scopes: scopes, optionalParams: optionalParams, clientConfig,
            names: ("tokenURL", "clientConfig"), grant: ["username", "password"])
        let refreshing = try refreshConfig?.endpoint(clientID, clientSecret)
        let times = try TokenStore.Times(defaultTokenExpTime: defaultTokenExpTime, clockSkew: clockSkew)
        store = TokenStore(times) { refreshToken in
            if let answer = try await refreshing?.refreshIfPossible(&refreshToken) { return answer }
            let answer = try await endpoint.ask(
                [("grant_type", "password"), ("username", username), ("password", password)],
                hiding: [password])
            refreshToken = answer.refreshToken
            return answer
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
    public var description: String { "OAuth2PasswordGrant" }
    /// The same.
    public var debugDescription: String { description }
    /// Empty, so that a dump tells nothing either.
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}

extension OAuth2PasswordGrant.RefreshConfiguration {
    fileprivate func endpoint(_ clientID: String?, _ clientSecret: String?) throws(WebSocketError)
        -> TokenEndpoint
    {
        let client = try OAuth2ClientIdentity(clientID, clientSecret, credentialBearer)
        do throws(WebSocketError) {
            return try TokenEndpoint(
                refreshURL, client, scopes: scopes, optionalParams: optionalParams, clientConfig,
                names: ("refreshURL", "clientConfig"), grant: ["refresh_token"])
        } catch {
            throw WebSocketError(.auth, "refreshConfig.\(error.message)", underlying: error.underlying)
        }
    }
}

extension OAuth2PasswordGrant.RefreshConfiguration: CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    /// The name of the type alone.
    public var description: String { "RefreshConfiguration" }
    /// The same.
    public var debugDescription: String { description }
    /// Empty, so that a dump tells nothing either.
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}
