import Foundation
import Weft

/// Connects as told by one line of JSON, comes back when the connection is lost, and closes at the end of the input.
@main
struct InteropClient {
    static func main() async throws {
        guard let line = readLine() else { return }
        let order = try JSONDecoder().decode(Order.self, from: Data(line.utf8))
        var configuration = ClientConfiguration()
        configuration.auth = try order.authentication()
        configuration.secureSocket = order.secure.map(\.secureSocket)
        configuration.retry = RetryConfiguration(
            interval: .milliseconds(1), maxWaitInterval: .milliseconds(1))
        let client = try await AsyncClient(order.url, configuration: configuration)
        while readLine() != nil {}
        do {
            try await client.close()
        } catch let error as WebSocketError {
            // The input may end before the client is back.
            guard error.code == .connectionClosed else { throw error }
        }
    }
}

/// What a test asks for: one of the ways to say who a client is, and settings of TLS.
struct Order: Decodable {
    let url: String
    var secure: Secure?
    var basic: [String]?
    var bearer: String?
    var token: Token?
    var oauth2: Grant?

    func authentication() throws -> (any ClientAuthentication)? {
        if let basic { return try Credentials(username: basic[0], password: basic[1]) }
        if let bearer { return try BearerToken(bearer) }
        if let oauth2 { return try oauth2.grant() }
        return try token?.issuer()
    }
}

/// Settings of TLS.
struct Secure: Decodable {
    let authority: String
    var versions: [String]?
    var ciphers: [String]?
    var sharesSession: Bool?

    var secureSocket: ClientSecureSocket {
        var secureSocket = ClientSecureSocket(cert: .file(authority))
        if let versions {
            secureSocket.protocol = Set(versions.compactMap { ["1.2": .tlsv12, "1.3": .tlsv13][$0] })
        }
        secureSocket.ciphers = ciphers ?? []
        secureSocket.shareSession = sharesSession ?? true
        return secureSocket
    }
}

/// A JSON Web Token, with claims that every kind of JSON value is in.
struct Token: Decodable {
    let algorithm: String
    let audience: [String]
    var keyFile: String?
    var keyStore: String?
    var password: String?
    var alias: String?
    var secret: String?

    func issuer() throws -> JWTIssuer {
        try JWTIssuer(
            username: "ada", issuer: "https://login.example",
            audience: audience.count == 1 ? .one(audience[0]) : .many(audience), jwtID: "42", keyID: "key 1",
            customClaims: [
                "scope": "read \"all\"\n\u{1}ä😀", "level": -3, "ratio": 2.5e-7, "large": 1e300, "admin": true,
                "nothing": nil, "groups": ["staff", 7, []], "address": ["city": "Zürich", "lines": [:]],
            ],
            expTime: .seconds(60), signature: signature())
    }

    private func signature() throws -> JWTIssuer.Signature {
        let secret = Array((secret ?? "").utf8)
        switch algorithm {
        case "RS256": return .rs256(try key())
        case "RS384": return .rs384(try key())
        case "RS512": return .rs512(try key())
        case "ES256": return .es256(try key())
        case "HS256": return .hs256(secret: secret)
        case "HS384": return .hs384(secret: secret)
        case "HS512": return .hs512(secret: secret)
        case "none": return .insecureNone
        default: throw Unknown(algorithm: algorithm)
        }
    }

    private func key() throws -> JWTIssuer.PrivateKey {
        if let keyFile { return .pem(keyFile: keyFile, keyPassword: password) }
        guard let keyStore else { throw Unknown(algorithm: "a key for \(algorithm)") }
        return .keyStore(path: keyStore, password: password, alias: alias)
    }
}

/// An OAuth 2.0 grant: of a refresh token, of a password, or of the client itself.
struct Grant: Decodable {
    let url: String
    let clientID: String
    let clientSecret: String
    var scopes: [String]?
    var parameters: [String: String]?
    var isInBody: Bool?
    var authority: String?
    var username: String?
    var password: String?
    var refreshToken: String?

    func grant() throws -> any ClientAuthentication {
        var clientConfig = OAuth2ClientConfiguration()
        clientConfig.secureSocket = authority.map { ClientSecureSocket(cert: .file($0)) }
        let bearer = isInBody == true ? OAuth2CredentialBearer.postBody : .authHeader
        if let refreshToken {
            return try OAuth2RefreshTokenGrant(
                refreshURL: url, refreshToken: refreshToken, clientID: clientID, clientSecret: clientSecret,
                scopes: scopes ?? [], optionalParams: parameters ?? [:], credentialBearer: bearer,
                clientConfig: clientConfig)
        }
        if let username, let password {
            return try OAuth2PasswordGrant(
                tokenURL: url, username: username, password: password, clientID: clientID,
                clientSecret: clientSecret, scopes: scopes ?? [],
                refreshConfig: .init(refreshURL: url, credentialBearer: bearer, clientConfig: clientConfig),
                optionalParams: parameters ?? [:], credentialBearer: bearer, clientConfig: clientConfig)
        }
        return try OAuth2ClientCredentialsGrant(
            tokenURL: url, clientID: clientID, clientSecret: clientSecret, scopes: scopes ?? [],
            optionalParams: parameters ?? [:], credentialBearer: bearer, clientConfig: clientConfig)
    }
}

struct Unknown: Error {
    let algorithm: String
}
