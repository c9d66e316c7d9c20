/// Signs a JSON Web Token (RFC 7519) for each connection, and sends it as a bearer token.
///
/// ```swift
/// var configuration = ClientConfiguration()
/// configuration.auth = try JWTIssuer(
///     username: "ada", issuer: "https://login.example", audience: "chat",
///     customClaims: ["scope": "read write"],
///     signature: .rs256(.pem(keyFile: "/etc/chat/private.pem")))
/// ```
///
/// Each token says `iat` and `nbf`, when it was made, and `exp`, when it ends, in whole seconds. Descriptions
/// tell the algorithm alone.
public struct JWTIssuer: ClientAuthentication, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    /// Who a token is for; a literal will do.
    public enum Audience: Sendable, Hashable, ExpressibleByStringLiteral, ExpressibleByArrayLiteral {
        /// The claim is a string.
        case one(String)
        /// The claim is an array, even of one.
        case many([String])

        public init(stringLiteral value: String) { self = .one(value) }
        public init(arrayLiteral elements: String...) { self = .many(elements) }
    }

    private let algorithm: Signature.Algorithm
    private let key: SigningKey?
    /// The encoded header.
    private let header: String
    /// Those that are always the same, and how long a token lives.
    private let claims: [(key: String, value: JSONValue)]
    private let lifetime: Int64

    /// Makes an issuer, and reads its key: not for an event loop's thread.
    ///
    /// - Parameters:
    ///   - username: The claim `sub`; nil leaves it out, as with the next ones. None of them may be empty.
    ///   - issuer: The claim `iss`.
    ///   - audience: The claim `aud`.
    ///   - jwtID: The claim `jti`, the same in every token.
    ///   - keyID: The header's `kid`, which tells the server which key to verify with.
    ///   - customClaims: Further claims, which must not repeat one of those above or below.
    ///   - expTime: The time until a token ends, in whole seconds, rounded down; 1 s to 100 years. `exp` is `iat`
    ///     plus this.
    ///   - signature: The algorithm and its key.
    /// - Throws: ``WebSocketError`` `.auth` that names the parameter; for a key that is missing, unreadable, of
    ///   another kind or too weak, and for a wrong password, the file and the cause, never a secret.
    public init(
        username: String? = nil, issuer: String? = nil, audience: Audience? = nil, jwtID: String? = nil,
        keyID: String? = nil, customClaims: [String: JSONValue] = [:], expTime: Duration = .seconds(300),
        signature: Signature
    ) throws(WebSocketError) {
        for (name, value) in [
            ("username", username), ("issuer", issuer), ("jwtID", jwtID), ("keyID", keyID),
        ] where value?.isEmpty == true {
            throw authProblem(name, "it is empty")
        }
        let registered = [
            ("sub", username.map { .string($0) }), ("iss", issuer.map { .string($0) }),
            ("aud", try audience?.claim()), ("jti", jwtID.map { .string($0) }),
        ].compactMap { (name: String, value: JSONValue?) in value.map { (key: name, value: $0) } }
        let taken = Set(registered.map(\.key) + ["iat", "nbf", "exp"])
        try Self.check(customClaims, apartFrom: taken)
        claims = registered + customClaims.sorted { $0.key < $1.key }
        guard (.seconds(1)...Self.longestLifetime).contains(expTime) else {
            throw authProblem("expTime", "\(expTime) is not in 1 s to 100 years")
        }
        lifetime = expTime.components.seconds
        algorithm = signature.algorithm
        key = try SigningKey.load(signature)
        header = Self.encodedHeader(algorithm, keyID)
    }

    /// `Bearer` and a token that was signed now.
    ///
    /// - Throws: ``WebSocketError`` `.auth` when OpenSSL cannot sign.
    public func authorization() throws(WebSocketError) -> String {
        let now = HTTPDate.now.secondsSince1970
        let times = [("iat", now), ("nbf", now), ("exp", now + lifetime)]
        let all = claims + times.map { (key: $0, value: .integer(Int($1))) }
        let signed = header + "." + Base64.encodeForURL("{\(JSONValue.joined(all))}".utf8)
        let signature = try key?.sign(Array(signed.utf8)) ?? []
        return "Bearer \(signed).\(Base64.encodeForURL(signature))"
    }

    /// The type and the algorithm, as in `JWTIssuer(RS256)`.
    public var description: String { "JWTIssuer(\(algorithm.rawValue))" }
    /// The same.
    public var debugDescription: String { description }
    /// The algorithm alone, so that a dump tells nothing either.
    public var customMirror: Mirror { Mirror(self, children: ["algorithm": algorithm.rawValue]) }
}

extension JWTIssuer {
    private static let longestLifetime = Duration.seconds(100 * 366 * 86_400)

    private static func check(
        _ customClaims: [String: JSONValue], apartFrom taken: Set<String>
    ) throws(WebSocketError) {
        for (name, value) in customClaims {
            if taken.contains(name) {
                throw authProblem("customClaims", "\(name.debugDescription) is there already")
            }
            if !value.isFinite {
                throw authProblem("customClaims", "\(name.debugDescription) has a number that JSON has not")
            }
        }
    }

    private static func encodedHeader(_ algorithm: Signature.Algorithm, _ keyID: String?) -> String {
        var members: [(key: String, value: JSONValue)] = [
            ("alg", .string(algorithm.rawValue)), ("typ", "JWT"),
        ]
        if let keyID { members.append(("kid", .string(keyID))) }
        return Base64.encodeForURL("{\(JSONValue.joined(members))}".utf8)
    }
}

extension JWTIssuer.Audience {
    fileprivate func claim() throws(WebSocketError) -> JSONValue {
        let (names, value): ([String], JSONValue) =
            switch self {
            case .one(let name): ([name], .string(name))
            case .many(let names): (names, .array(names.map { .string($0) }))
            }
        if names.isEmpty || names.contains("") { throw authProblem("audience", "it is empty") }
        return value
    }
}
