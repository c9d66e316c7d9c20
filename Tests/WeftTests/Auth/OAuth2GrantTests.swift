import HTTPTypes
import Testing

@testable import Weft

@Suite("OAuth2 grants", .timeLimit(.minutes(2)))
struct OAuth2GrantTests {
    private let secret = "p:w+d&é"

    /// Grants the same token again and again.
    private static func granting(_ token: String) -> TokenServer.Answer { { _ in granted(token) } }

    private func clientCredentials(
        _ server: TokenServer, _ clientConfig: OAuth2ClientConfiguration = .init()
    ) throws -> OAuth2ClientCredentialsGrant {
        try OAuth2ClientCredentialsGrant(
            tokenURL: server.url, clientID: "me", clientSecret: secret, clientConfig: clientConfig)
    }

    private func refusal(_ grant: some ClientAuthentication) async throws -> WebSocketError {
        try await failure(WebSocketError.self) { _ = try await grant.authorization() }
    }

    @Test("OAuth2ClientCredentialsGrant: the request is what RFC 6749 §4.4.2 has, form-encoded, with Basic")
    func clientCredentialsRequest() async throws {
        try await TokenServer.run(answer: Self.granting("2YotnFZFEjr1zCsicMWpAA")) { server in
            let grant = try OAuth2ClientCredentialsGrant(
                tokenURL: server.url, clientID: "a b:c", clientSecret: secret,
                scopes: ["read", "https://x/y?z"],
                optionalParams: ["resource": "urn:ä/&=+~*", "audience": "chat room"])
            #expect(try await grant.authorization() == "Bearer 2YotnFZFEjr1zCsicMWpAA")
            let asked = try await server.asked.next()
            #expect(
                asked.body == "grant_type=client_credentials&scope=read+https%3A%2F%2Fx%2Fy%3Fz"
                    + "&audience=chat+room&resource=urn%3A%C3%A4%2F%26%3D%2B~%2A")
            #expect(asked.fields[.contentType] == "application/x-www-form-urlencoded")
            #expect(asked.fields[.accept] == "application/json")
            let basic = Base64.encode("a+b%3Ac:p%3Aw%2Bd%26%C3%A9".utf8)
            #expect(asked.fields[.authorization] == "Basic \(basic)")
            #expect(asked.fields[.contentLength] == "\(asked.body.utf8.count)")
        }
    }

    @Test("OAuth2ClientCredentialsGrant: .postBody, custom fields and a custom payload")
    func postBody() async throws {
        try await TokenServer.run(answer: Self.granting("a")) { server in
            var clientConfig = OAuth2ClientConfiguration()
            clientConfig.customHeaders = [.userAgent: "weft", .accept: "*/*"]
            clientConfig.customPayload = "x=%20&y"
            let grant = try OAuth2ClientCredentialsGrant(
                tokenURL: server.url, clientID: "a b", clientSecret: secret, credentialBearer: .postBody,
                clientConfig: clientConfig)
            _ = try await grant.authorization()
            let asked = try await server.asked.next()
            #expect(
                asked.body
                    == "grant_type=client_credentials&client_id=a+b&client_secret=p%3Aw%2Bd%26%C3%A9&x=%20&y")
            #expect(asked.fields[.authorization] == nil)
            #expect(asked.fields[.userAgent] == "weft" && asked.fields[.accept] == "*/*")
        }
    }

    @Test(
        "OAuth2ClientCredentialsGrant: one request serves many clients, and the next when the token is stale")
    func cached() async throws {
        let gate = Gate()
        let answer: TokenServer.Answer = { number in
            await gate.pass()
            return granted("token-\(number)", #","expires_in":\#(number == 1 ? 3600 : 0)"#)
        }
        try await TokenServer.run(answer: answer) { server in
            let grant = try clientCredentials(server)
            let asked = Channel<String?>()
            let attach: (Listener) throws -> Void = { listener in
                try listener.attach(at: "/ws") { request in
                    asked.send(request.head.headerFields[.authorization])
                    return Upgrade(Echo())
                }
            }
            try await withListener(attach: attach) { listener in
                var configuration = ClientConfiguration()
                configuration.auth = grant
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<20 {
                        group.addTask { [configuration] in
                            let client = try await Client(listener.url(), configuration: configuration)
                            try await client.close()
                        }
                    }
                    _ = try await server.asked.next()
                    gate.open()
                    for _ in 0..<20 { #expect(try await asked.next() == "Bearer token-1") }
                    try await group.waitForAll()
                }
            }
            #expect(server.count == 1)
            let short = try OAuth2ClientCredentialsGrant(
                tokenURL: server.url, clientID: "me", clientSecret: secret, clockSkew: .seconds(3600))
            #expect(try await short.authorization() == "Bearer token-2")
            #expect(try await short.authorization() == "Bearer token-3")
        }
    }

    @Test("OAuth2ClientCredentialsGrant: an AsyncClient that comes back asks anew when the token is stale")
    func reconnection() async throws {
        let answer: TokenServer.Answer = { number in granted("token-\(number)", #","expires_in":0"#) }
        try await TokenServer.run(answer: answer) { server in
            let asked = Channel<String?>()
            let leaving = Recorder { caller, event in
                if event == .open { try await caller.close(statusCode: .goingAway) }
            }
            let attach: (Listener) throws -> Void = { listener in
                try listener.attach(at: "/ws") { request in
                    asked.send(request.head.headerFields[.authorization])
                    return Upgrade(leaving)
                }
            }
            try await withListener(attach: attach) { listener in
                var configuration = ClientConfiguration()
                configuration.auth = try clientCredentials(server)
                configuration.retry = RetryConfiguration(
                    interval: .milliseconds(1), maxWaitInterval: .milliseconds(1))
                let client = try await AsyncClient(
                    listener.url(), service: Echo(), configuration: configuration)
                for number in 1...3 { #expect(try await asked.next() == "Bearer token-\(number)") }
                try? await client.close()
            }
        }
    }

    @Test("OAuth2RefreshTokenGrant: the request of RFC 6749 §6, and a rotated refresh token is used next")
    func refresh() async throws {
        let answer: TokenServer.Answer = { number in
            let rotated = number == 1 ? #","refresh_token":"second+token""# : ""
            return granted("token-\(number)", #","expires_in":0\#(rotated)"#)
        }
        try await TokenServer.run(answer: answer) { server in
            let grant = try OAuth2RefreshTokenGrant(
                refreshURL: server.url, refreshToken: "first", clientID: "me", clientSecret: "secret",
                scopes: ["read"])
            for number in 1...3 { #expect(try await grant.authorization() == "Bearer token-\(number)") }
            for token in ["first", "second%2Btoken", "second%2Btoken"] {
                let asked = try await server.asked.next()
                #expect(asked.body == "grant_type=refresh_token&refresh_token=\(token)&scope=read")
                #expect(asked.fields[.authorization] == "Basic bWU6c2VjcmV0")
            }
        }
    }

    @Test(
        "OAuth2PasswordGrant: password, then the refresh token, and the password again when that is refused")
    func password() async throws {
        let answer: TokenServer.Answer = { number in
            switch number {
            case 1, 4: granted("token-\(number)", #","expires_in":"0","refresh_token":"r\#(number)""#)
            case 2, 5: granted("token-\(number)", #","expires_in":0"#)
            default: json(#"{"error":"invalid_grant"}"#, status: .badRequest)
            }
        }
        try await TokenServer.run(answer: answer) { server in
            let log = LogChannel()
            var clientConfig = OAuth2ClientConfiguration()
            clientConfig.logger = log.logger
            let grant = try OAuth2PasswordGrant(
                tokenURL: server.url, username: "ädä", password: secret, clientID: "me",
                clientSecret: "secret", scopes: ["read"],
                refreshConfig: .init(
                    refreshURL: server.url, scopes: ["less"], optionalParams: ["a": "b"],
                    credentialBearer: .postBody, clientConfig: clientConfig))
            for token in [1, 2, 4, 5] { #expect(try await grant.authorization() == "Bearer token-\(token)") }
            let password = "grant_type=password&username=%C3%A4d%C3%A4&password=p%3Aw%2Bd%26%C3%A9&scope=read"
            let refresh = { (token: String) in
                "grant_type=refresh_token&refresh_token=\(token)&scope=less&a=b&client_id=me&client_secret=secret"
            }
            for body in [password, refresh("r1"), refresh("r1"), password, refresh("r4")] {
                #expect(try await server.asked.next().body == body)
            }
            var lines: [String] = []
            for _ in 0..<3 { lines.append(try await log.lines.next()) }
            #expect(
                lines[2]
                    == "warning: \(server.url): the answer is 400: invalid_grant: asking with the password")
        }
    }

    @Test("OAuth2PasswordGrant: another failure of a refresh is told, and the refresh token kept")
    func failedRefresh() async throws {
        let answer: TokenServer.Answer = { number in
            if number == 2 { return json("", status: .serviceUnavailable) }
            return granted("token-\(number)", #","expires_in":0,"refresh_token":"r""#)
        }
        try await TokenServer.run(answer: answer) { server in
            let grant = try OAuth2PasswordGrant(
                tokenURL: server.url, username: "ada", password: "b",
                refreshConfig: .init(refreshURL: server.url))
            _ = try await grant.authorization()
            #expect(try await refusal(grant).message == "\(server.url): the answer is 503")
            #expect(try await grant.authorization() == "Bearer token-3")
            for kind in ["password", "refresh_token", "refresh_token"] {
                #expect(try await server.asked.next().body.hasPrefix("grant_type=\(kind)&"))
            }
        }
    }

    @Test(
        "OAuth2PasswordGrant: without refreshConfig the password is sent each time; a public client is named")
    func withoutRefresh() async throws {
        let answer: TokenServer.Answer = { _ in granted("a", #","expires_in":0,"refresh_token":"r""#) }
        try await TokenServer.run(answer: answer) { server in
            let grant = try OAuth2PasswordGrant(
                tokenURL: server.url, username: "ada", password: "b", clientID: "public")
            for _ in 0..<2 {
                _ = try await grant.authorization()
                let asked = try await server.asked.next()
                #expect(asked.body == "grant_type=password&username=ada&password=b&client_id=public")
                #expect(asked.fields[.authorization] == nil)
            }
        }
    }

    @Test("auth: a token server's refusal names endpoint, status and words, and is final unless it may pass")
    func refusals() async throws {
        for status in [400, 401, 408, 425, 429, 500, 503] {
            let answer: TokenServer.Answer = { _ in
                var response = json(
                    #"{"error":"invalid_client","error_description":"who?"}"#, status: .init(code: status))
                response.headers[.retryAfter] = "7"
                return response
            }
            try await TokenServer.run(answer: answer) { server in
                let error = try await refusal(try clientCredentials(server))
                #expect(error.code == .auth)
                #expect(error.message == "\(server.url): the answer is \(status): invalid_client (who?)")
                let below = try #require(error.underlying as? WebSocketError)
                #expect(below.code == .invalidHandshake && below.httpResponse?.status.code == status)
                #expect(error.httpResponse?.headerFields == [.retryAfter: "7"])
            }
        }
    }

    @Test("auth: with retry a token server that is busy is asked again, and one that refuses is not")
    func retries() async throws {
        let answer: TokenServer.Answer = { number in
            switch number {
            case 1: json("", status: .serviceUnavailable)
            case 2: granted("a")
            default: json(#"{"error":"invalid_client"}"#, status: .unauthorized)
            }
        }
        try await TokenServer.run(answer: answer) { server in
            try await serve(Echo()) { listener in
                var configuration = ClientConfiguration()
                configuration.auth = try clientCredentials(server)
                configuration.retry = RetryConfiguration(
                    interval: .milliseconds(1), maxWaitInterval: .milliseconds(1))
                let client = try await Client(listener.url(), configuration: configuration)
                try await client.close()
                #expect(server.count == 2)
                configuration.auth = try clientCredentials(server)
                let error = try await failure(WebSocketError.self) { [configuration] in
                    _ = try await Client(listener.url(), configuration: configuration)
                }
                #expect(error.code == .auth && server.count == 3)
            }
        }
    }

    @Test("auth: a token server's Retry-After is the shortest wait, up to maxWaitInterval")
    func retryAfter() async throws {
        for (field, wait) in [("7", "7.0 seconds"), ("9999999999", "1000.0 seconds")] {
            let answer: TokenServer.Answer = { _ in
                var response = json("", status: .tooManyRequests)
                response.headers[.retryAfter] = field
                return response
            }
            try await TokenServer.run(answer: answer) { server in
                var configuration = ClientConfiguration()
                let log = LogChannel()
                configuration.logger = log.logger
                configuration.auth = try clientCredentials(server)
                configuration.retry = RetryConfiguration(
                    interval: .milliseconds(1), maxWaitInterval: .seconds(1000))
                let connecting = Task { [configuration] in
                    try await Client("ws://host.invalid/", configuration: configuration)
                }
                #expect(try await log.lines.next().contains("follows in \(wait): \(server.url): "))
                connecting.cancel()
                _ = await connecting.result
            }
        }
    }

    @Test("auth: a token that the server answers with 401 is not used again, nor is its refresh token lost")
    func refusedTokens() async throws {
        let answer: TokenServer.Answer = { number in
            granted("token-\(number)", #","refresh_token":"refresh-\#(number)""#)
        }
        let attach: (Listener) throws -> Void = { listener in
            try listener.attach(at: "/ws") { request -> Upgrade in
                switch request.head.headerFields[.authorization] {
                case "Bearer token-1": throw AuthenticationError("revoked")
                case "Bearer token-2": throw AuthorizationError("not allowed")
                default: return Upgrade(Echo())
                }
            }
        }
        try await TokenServer.run(answer: answer) { server in
            try await withListener(attach: attach) { listener in
                var configuration = ClientConfiguration()
                configuration.auth = try OAuth2RefreshTokenGrant(
                    refreshURL: server.url, refreshToken: "refresh-0")
                for (status, count) in [(401, 1), (403, 2), (403, 2)] {
                    let error = try await failure(WebSocketError.self) { [configuration] in
                        _ = try await Client(listener.url(), configuration: configuration)
                    }
                    #expect(error.httpResponse?.status.code == status && server.count == count)
                }
                for number in 0...1 {
                    let body = try await server.asked.next().body
                    #expect(body == "grant_type=refresh_token&refresh_token=refresh-\(number)")
                }
            }
        }
    }

    @Test("timeout: a token server that is silent or away is told as such, below auth")
    func unreachable() async throws {
        let gate = Gate()
        let answer: TokenServer.Answer = { _ in
            await gate.pass()
            return granted("a")
        }
        try await TokenServer.run(answer: answer) { server in
            var hasty = OAuth2ClientConfiguration()
            hasty.timeout = .milliseconds(50)
            let error = try await refusal(try clientCredentials(server, hasty))
            #expect(error.code == .auth)
            #expect(error.message == "\(server.url): the answer was not whole after 0.05 s")
            #expect((error.underlying as? WebSocketError)?.code == .handshakeTimedOut)
            gate.open()
        }
        let away = try OAuth2ClientCredentialsGrant(
            tokenURL: "http://127.0.0.1:1/token?secret", clientID: "me", clientSecret: secret)
        let error = try await refusal(away)
        #expect(error.message.hasPrefix("http://127.0.0.1:1/token: ") && !error.message.contains("secret"))
        #expect((error.underlying as? WebSocketError)?.code == .connectionRefused)
    }

    @Test(
        "secureSocket: the token server's certificate is checked as clientConfig says; the log has what is weak"
    )
    func tls() async throws {
        let authority = try TestAuthority.shared.get()
        try await TokenServer.run(authority.listener, answer: Self.granting("a")) { server in
            let stranger = try await refusal(try clientCredentials(server))
            #expect(stranger.code == .auth && (stranger.underlying as? WebSocketError)?.code == .ssl)
            #expect(stranger.message.hasPrefix("\(server.url): the certificate of 127.0.0.1"))
            var clientConfig = OAuth2ClientConfiguration()
            let log = LogChannel()
            clientConfig.logger = log.logger
            clientConfig.secureSocket = ClientSecureSocket(cert: authority.authorities)
            #expect(try await clientCredentials(server, clientConfig).authorization() == "Bearer a")
            clientConfig.secureSocket = ClientSecureSocket()
            clientConfig.secureSocket?.enable = false
            #expect(try await clientCredentials(server, clientConfig).authorization() == "Bearer a")
            #expect(try await log.lines.next().hasPrefix("warning: secureSocket: any certificate is taken"))
        }
        try await TokenServer.run(answer: Self.granting("a")) { server in
            let log = LogChannel()
            var clientConfig = OAuth2ClientConfiguration()
            clientConfig.logger = log.logger
            _ = try await clientCredentials(server, clientConfig).authorization()
            #expect(try await log.lines.next().hasPrefix("warning: \(server.url): without TLS"))
        }
    }

    @Test("OAuth2 secrets are in no error, though the server repeats them, and in no description")
    func secretsAreNotTold() async throws {
        let said = [
            secret, FormEncoding.encode(secret), "opt-secret", "field-secret", "key-secret", "x=pay%2Dsecret",
            "pay-secret",
        ]
        for text in said {
            let answer: TokenServer.Answer = { _ in
                json(#"{"error":"\#(text)","error_description":"not \#(text)"}"#, status: .badRequest)
            }
            try await TokenServer.run(answer: answer) { server in
                var clientConfig = OAuth2ClientConfiguration()
                clientConfig.customHeaders[.cookie] = "field-secret"
                clientConfig.customHeaders[.proxyAuthorization] = "Basic key-secret"
                clientConfig.customPayload = "x=pay%2Dsecret"
                let refresh = OAuth2PasswordGrant.RefreshConfiguration(
                    refreshURL: server.url, optionalParams: ["o": "opt-secret"], clientConfig: clientConfig)
                let grants: [any ClientAuthentication] = [
                    try OAuth2ClientCredentialsGrant(
                        tokenURL: server.url, clientID: "me", clientSecret: secret,
                        optionalParams: ["o": "opt-secret"], clientConfig: clientConfig),
                    try OAuth2PasswordGrant(
                        tokenURL: server.url, username: "me", password: secret, refreshConfig: refresh,
                        optionalParams: ["o": "opt-secret"], clientConfig: clientConfig),
                    try OAuth2RefreshTokenGrant(
                        refreshURL: server.url, refreshToken: secret, optionalParams: ["o": "opt-secret"],
                        clientConfig: clientConfig),
                ]
                for grant in grants {
                    let error = try await failure(WebSocketError.self) { _ = try await grant.authorization() }
                    #expect(error.message == "\(server.url): the answer is 400")
                    var dumped = ""
                    dump(error, to: &dumped)
                    var values = texts(grant) + [dumped]
                    for value in [refresh, clientConfig] as [Any] {
                        dumped = ""
                        dump(value, to: &dumped)
                        values += [String(describing: value), String(reflecting: value), dumped]
                    }
                    for value in values {
                        for hidden in said { #expect(!value.contains(hidden), "\(hidden) in \(value)") }
                    }
                }
            }
        }
    }

    @Test(
        "OAuth2ClientCredentialsGrant, OAuth2PasswordGrant, OAuth2RefreshTokenGrant: bad settings are named at once"
    )
    func badSettings() async throws {
        func expect(_ message: String, _ make: () throws -> Void) throws {
            let error = try #require(#expect(throws: WebSocketError.self) { try make() })
            #expect(error.code == .auth)
            #expect(error.message == message)
        }
        func credentials(
            _ url: String = "https://a/", _ id: String = "a", _ secret: String = "b", scopes: [String] = [],
            life: Duration = .seconds(1), skew: Duration = .zero, optional: [String: String] = [:],
            _ change: (inout OAuth2ClientConfiguration) -> Void = { _ in }
        ) throws {
            var clientConfig = OAuth2ClientConfiguration()
            change(&clientConfig)
            _ = try OAuth2ClientCredentialsGrant(
                tokenURL: url, clientID: id, clientSecret: secret, scopes: scopes, defaultTokenExpTime: life,
                clockSkew: skew, optionalParams: optional, clientConfig: clientConfig)
        }
        let noScope =
            "scopes: one is empty, or has a blank, a quote, a backslash or no ASCII (RFC 6749 section 3.3)"
        try credentials()
        try expect("tokenURL: URL scheme is not http or https") { try credentials("ftp://a/") }
        try expect("tokenURL: user information stands before the host") { try credentials("https://a:b@c/") }
        try expect("clientID: it is empty") { try credentials("https://a/", "") }
        try expect("clientSecret: it is empty") { try credentials("https://a/", "a", "") }
        try expect("clientSecret: it has control characters") { try credentials("https://a/", "a", "b\n") }
        for scope in ["", "a b", "\"", "ä"] { try expect(noScope) { try credentials(scopes: [scope]) } }
        try expect("defaultTokenExpTime: -1.0 seconds is not in 0 s to 100 years") {
            try credentials(life: .seconds(-1))
        }
        try expect("clockSkew: -1.0 seconds is not in 0 s to 100 years") {
            try credentials(skew: .seconds(-1))
        }
        try expect("optionalParams: a name is empty") { try credentials(optional: ["": "a"]) }
        try expect("optionalParams: grant_type is there already") {
            try credentials(optional: ["grant_type": "a"])
        }
        try expect("clientConfig.timeout: 0.0 seconds is not more than zero") {
            try credentials { $0.timeout = .zero }
        }
        try expect("clientConfig.customPayload: it has other characters than printable ASCII, or blanks") {
            try credentials { $0.customPayload = "a b" }
        }
        try expect("clientConfig.customHeaders: Authorization is there already") {
            try credentials { $0.customHeaders[.authorization] = "x" }
        }
        try expect("clientConfig.customHeaders: \"Connection\" is a field that only Weft itself may write") {
            try credentials { $0.customHeaders[.connection] = "x" }
        }
        let missing = try #require(
            #expect(throws: WebSocketError.self) {
                try credentials { $0.secureSocket = ClientSecureSocket(cert: .file("/missing.pem")) }
            })
        #expect(
            missing.message.hasPrefix("clientConfig.secureSocket: ")
                && missing.message.contains("/missing.pem"))
        try expect("username: it is empty") {
            _ = try OAuth2PasswordGrant(tokenURL: "https://a/", username: "", password: "b")
        }
        try expect("clientID: it is missing beside clientSecret") {
            _ = try OAuth2PasswordGrant(
                tokenURL: "https://a/", username: "a", password: "b", clientSecret: "c")
        }
        try expect("optionalParams: password is there already") {
            _ = try OAuth2PasswordGrant(
                tokenURL: "https://a/", username: "a", password: "b", optionalParams: ["password": "c"])
        }
        try expect("refreshConfig.refreshURL: URL does not begin with http:// or https://") {
            _ = try OAuth2PasswordGrant(
                tokenURL: "https://a/", username: "a", password: "b", refreshConfig: .init(refreshURL: "a"))
        }
        try expect("refreshToken: it is empty") {
            _ = try OAuth2RefreshTokenGrant(refreshURL: "https://a/", refreshToken: "")
        }
    }
}
