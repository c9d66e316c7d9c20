import HTTPTypes

/// A client as a token server knows it; without an id it does not say who it is, without a secret it cannot prove it.
struct OAuth2ClientIdentity: Sendable {
    let id: String?
    let secret: String?
    let bearer: OAuth2CredentialBearer

    init(_ id: String?, _ secret: String?, _ bearer: OAuth2CredentialBearer) throws(WebSocketError) {
        if let id { try checkCredential("clientID", id) }
        if let secret { try checkCredential("clientSecret", secret) }
        if id == nil && secret != nil { throw authProblem("clientID", "it is missing beside clientSecret") }
        self.id = id
        self.secret = secret
        self.bearer = bearer
    }

    /// Base64 of what RFC 6749 §2.3.1 says, for an `Authorization` field.
    var basic: String? {
        guard bearer == .authHeader, let id, let secret else { return nil }
        return Base64.encode("\(FormEncoding.encode(id)):\(FormEncoding.encode(secret))".utf8)
    }

    /// What stands in the body: the id of a client without a secret does in any case (RFC 6749 §3.2.1).
    var parameters: [FormEncoding.Parameter] {
        guard basic == nil, let id else { return [] }
        return [("client_id", id)] + (secret.map { [("client_secret", $0)] } ?? [])
    }
}

/// Throws for a secret or a name that is empty, or has what the end of a file leaves behind it.
func checkCredential(_ name: String, _ value: String) throws(WebSocketError) {
    if value.isEmpty { throw authProblem(name, "it is empty") }
    if value.hasControlCharacters { throw authProblem(name, "it has control characters") }
}

/// The token server gives no token.
struct TokenRefusal: Error {
    /// Its word for it, as in `invalid_grant`.
    let code: String?
    /// For the one who connects.
    let error: WebSocketError
}

/// Where tokens are asked for, and what each request says beside its grant (RFC 6749 §3.2).
struct TokenEndpoint: Sendable {
    /// Answers are never longer, in bytes.
    static let maxAnswerSize = 65536

    /// The URL up to its query, for errors.
    private let place: String
    private let configuration: OAuth2ClientConfiguration
    /// `scope`, the optional ones, and `client_id` and `client_secret` where they are in the body.
    private let parameters: [FormEncoding.Parameter]
    private let request: HTTPExchangeRequest
    /// What is never to be repeated.
    private let secrets: [String]

    /// Checks everything. `names` are those of the URL and of the configuration where they were given, `grant` those
    /// of the parameters that the grant adds.
    init(
        _ url: String, _ client: OAuth2ClientIdentity, scopes: [String], optionalParams: [String: String],
        _ configuration: OAuth2ClientConfiguration, names: (url: String, configuration: String),
        grant: [String]
    ) throws(WebSocketError) {
        try Self.check(scopes)
        let scope = scopes.isEmpty ? [] : [("scope", scopes.joined(separator: " "))]
        let optional = optionalParams.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        try Self.check(optionalParams, apartFrom: grant + (scope + client.parameters).map(\.0))
        self.configuration = configuration
        parameters = scope + optional + client.parameters
        request = try configuration.request(to: url, basic: client.basic, names)
        place = String(url.prefix { $0 != "?" })
        let given = [client.secret, client.basic, configuration.customPayload].compactMap { $0 }
        secrets = given + optionalParams.values + configuration.secrets
    }

    /// Asks once; `hidden` are those values of the grant that are never to be repeated. Throws ``TokenRefusal``, or
    /// ``WebSocketError`` `.auth` that names the endpoint and the cause.
    func ask(
        _ grant: [FormEncoding.Parameter], hiding hidden: [String]
    ) async throws -> TokenAnswer {
        var request = request
        request.body = Array(FormEncoding.encode(grant + parameters).utf8)
        if !configuration.customPayload.isEmpty { request.body += "&\(configuration.customPayload)".utf8 }
        if !request.isSecure {
            configuration.logger?.warning(
                "\(place): without TLS whoever is on the way reads the secrets and the token")
        }
        do {
            let eventLoop = try (configuration.eventLoops ?? .shared).next()
            let (response, body) = try await HTTPExchange.perform(request, on: eventLoop)
            return try TokenAnswer(response, body, hiding: secrets + hidden)
        } catch let problem as TokenProblem {
            throw TokenRefusal(code: problem.code, error: problem.error(at: place))
        } catch let error as WebSocketError {
            throw WebSocketError(.auth, "\(place): \(Self.cause(of: error))", underlying: error)
        }
    }

    /// Asks with that refresh token, and keeps the one that is to be used next (RFC 6749 §6).
    func refresh(_ kept: inout String?, _ token: String) async throws -> TokenAnswer {
        let answer = try await ask(
            [("grant_type", "refresh_token"), ("refresh_token", token)], hiding: [token])
        kept = answer.refreshToken ?? token
        return answer
    }

    /// The same with the token that was kept; nil when there is none, or none that the server takes, which is
    /// forgotten then.
    func refreshIfPossible(_ kept: inout String?) async throws -> TokenAnswer? {
        guard let token = kept else { return nil }
        do {
            return try await refresh(&kept, token)
        } catch let refusal as TokenRefusal {
            guard refusal.code == "invalid_grant" else { throw refusal }
            configuration.logger?.warning("\(refusal.error.message): asking with the password")
            kept = nil
            return nil
        }
    }

    /// Without the server, with which the core's sentences begin.
    private static func cause(of error: WebSocketError) -> Substring {
        let message = error.message[...]
        guard message.hasPrefix("http"), let end = message.firstIndex(of: " ") else { return message }
        return message[end...].dropFirst()
    }

    /// RFC 6749 §3.3.
    private static func check(_ scopes: [String]) throws(WebSocketError) {
        for scope in scopes {
            let isToken = scope.utf8.allSatisfy { 0x21...0x7E ~= $0 && $0 != 0x22 && $0 != 0x5C }
            if scope.isEmpty || !isToken {
                throw authProblem(
                    "scopes",
                    "one is empty, or has a blank, a quote, a backslash or no ASCII (RFC 6749 section 3.3)")
            }
        }
    }

    private static func check(
        _ optionalParams: [String: String], apartFrom taken: [String]
    ) throws(WebSocketError) {
        if optionalParams[""] != nil { throw authProblem("optionalParams", "a name is empty") }
        for name in ["grant_type"] + taken where optionalParams[name] != nil {
            throw authProblem("optionalParams", "\(name) is there already")
        }
    }
}

extension OAuth2ClientConfiguration {
    /// The values of the fields, also without a scheme in front of them, and those of the payload's parameters.
    fileprivate var secrets: [String] {
        let fields = customHeaders.map(\.value)
        let credentials = fields.compactMap { $0.split(separator: " ", maxSplits: 1).dropFirst().first }
        return fields + credentials.map(String.init) + QueryItems.parse(customPayload).map(\.value)
    }

    /// The request without its body.
    fileprivate func request(
        to url: String, basic: String?, _ names: (url: String, configuration: String)
    ) throws(WebSocketError) -> HTTPExchangeRequest {
        let name = names.configuration
        if timeout <= .zero { throw authProblem("\(name).timeout", "\(timeout) is not more than zero") }
        if !customPayload.utf8.allSatisfy({ 0x21...0x7E ~= $0 }) {
            throw authProblem(
                "\(name).customPayload", "it has other characters than printable ASCII, or blanks")
        }
        var headers = customHeaders
        for field in [.contentType] + (basic == nil ? [] : [.authorization]) as [HTTPField.Name] {
            if headers[field] != nil {
                throw authProblem("\(name).customHeaders", "\(field) is there already")
            }
        }
        headers[.contentType] = "application/x-www-form-urlencoded"
        headers[.accept] = headers[.accept] ?? "application/json"
        if let basic { headers[.authorization] = "Basic \(basic)" }
        let request = HTTPExchangeRequest(
            method: .post, url: url, headers: headers, secureSocket: secureSocket,
            maxBodySize: TokenEndpoint.maxAnswerSize, timeout: timeout, logger: logger)
        do {
            try request.check()
        } catch {
            let field = Self.field(of: error)
            let culprit = field.isEmpty ? names.url : "\(name).\(field)"
            throw WebSocketError(.auth, "\(culprit): \(error.message)", underlying: error)
        }
        return request
    }

    /// What of the configuration an error is about.
    private static func field(of error: WebSocketError) -> String {
        if error.code == .invalidURL { return "" }
        return error.code == .ssl || error.message.hasPrefix("secureSocket")
            ? "secureSocket" : "customHeaders"
    }
}
