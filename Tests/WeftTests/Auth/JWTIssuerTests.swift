import Foundation
import Testing
import Weft

/// A token, taken apart.
struct ParsedToken {
    let header: [String: Any]
    let claims: [String: Any]
    let signature: Data

    init(_ authorization: String) throws {
        let parts = authorization.dropFirst("Bearer ".count).split(
            separator: ".", omittingEmptySubsequences: false)
        try #require(authorization.hasPrefix("Bearer ") && parts.count == 3)
        header = try #require(try JSONSerialization.jsonObject(with: Self.decode(parts[0])) as? [String: Any])
        claims = try #require(try JSONSerialization.jsonObject(with: Self.decode(parts[1])) as? [String: Any])
        signature = try Self.decode(parts[2])
    }

    private static func decode(_ part: Substring) throws -> Data {
        try #require(!part.contains { "+/=".contains($0) })
        let text = part.replacingOccurrences(of: "-", with: "+").replacingOccurrences(of: "_", with: "/")
        return try #require(
            Data(base64Encoded: text + String(repeating: "=", count: (4 - text.count % 4) % 4)))
    }
}

@Suite("JWTIssuer", .timeLimit(.minutes(2)))
struct JWTIssuerTests {
    private let secret = Array("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef".utf8)
    private let files: KeyFiles

    init() throws { files = try KeyFiles() }

    private var signature: JWTIssuer.Signature { .hs256(secret: secret) }

    @Test("JWTIssuer: username, issuer, audience, jwtID, keyID and customClaims are where RFC 7519 has them")
    func claims() throws {
        let issuer = try JWTIssuer(
            username: "ada", issuer: "https://login.example", audience: "chat", jwtID: "42",
            keyID: "key \"1\"",
            customClaims: [
                "scope": "read write", "level": 3, "ratio": 0.25, "admin": false, "nothing": nil,
                "groups": ["staff", 7, ["x"]], "address": ["city": "Zürich", "lines": []],
                "quote": "\"\\/\u{8}\t\r\n\u{1F}\u{7F}😀",
            ],
            signature: signature)
        let token = try ParsedToken(issuer.authorization())
        #expect(token.header as NSDictionary == ["alg": "HS256", "typ": "JWT", "kid": "key \"1\""])
        var claims = token.claims
        for time in ["iat", "nbf", "exp"] { claims[time] = nil }
        let expected: NSDictionary = [
            "sub": "ada", "iss": "https://login.example", "aud": "chat", "jti": "42", "scope": "read write",
            "level": 3, "ratio": 0.25, "admin": false, "nothing": NSNull(),
            "groups": ["staff", 7, ["x"]] as [Any],
            "address": ["city": "Zürich", "lines": []] as [String: Any],
            "quote": "\"\\/\u{8}\t\r\n\u{1F}\u{7F}😀",
        ]
        #expect(claims as NSDictionary == expected)
    }

    @Test("JWTIssuer: what is not given is left out")
    func defaults() throws {
        let token = try ParsedToken(JWTIssuer(signature: signature).authorization())
        #expect(Set(token.claims.keys) == ["iat", "nbf", "exp"])
        #expect(Set(token.header.keys) == ["alg", "typ"])
    }

    @Test("JWTIssuer: an audience may be many")
    func audiences() throws {
        func claim(_ audience: JWTIssuer.Audience) throws -> Any? {
            let issuer = try JWTIssuer(audience: audience, signature: signature)
            return try ParsedToken(issuer.authorization()).claims["aud"]
        }
        #expect(try claim("one") as? String == "one")
        #expect(try claim(["one"]) as? [String] == ["one"])
        #expect(try claim(["one", "two"]) as? [String] == ["one", "two"])
    }

    @Test(
        "JWTIssuer: iat and nbf are now, exp is expTime later, 300 s by default",
        arguments: [nil, 1, 90.9, 3_162_240_000] as [Double?])
    func times(expTime: Double?) throws {
        let issuer =
            try expTime.map { try JWTIssuer(expTime: .seconds($0), signature: signature) }
            ?? JWTIssuer(signature: signature)
        let before = Int(Date().timeIntervalSince1970)
        let claims = try ParsedToken(issuer.authorization()).claims
        let after = Int(Date().timeIntervalSince1970)
        let made = try #require(claims["iat"] as? Int)
        #expect((before...after).contains(made))
        #expect(claims["nbf"] as? Int == made)
        #expect(claims["exp"] as? Int == made + Int(expTime ?? 300))
    }

    @Test("JWTIssuer: a parameter out of range throws and is named")
    func outOfRange() async throws {
        typealias Make = @Sendable (JWTIssuer.Signature) throws -> JWTIssuer
        let bad: [(String, Make)] = [
            ("username: it is empty", { try JWTIssuer(username: "", signature: $0) }),
            ("issuer: it is empty", { try JWTIssuer(issuer: "", signature: $0) }),
            ("audience: it is empty", { try JWTIssuer(audience: "", signature: $0) }),
            ("audience: it is empty", { try JWTIssuer(audience: [], signature: $0) }),
            ("audience: it is empty", { try JWTIssuer(audience: ["a", ""], signature: $0) }),
            ("jwtID: it is empty", { try JWTIssuer(jwtID: "", signature: $0) }),
            ("keyID: it is empty", { try JWTIssuer(keyID: "", signature: $0) }),
            (
                "customClaims: \"exp\" is there already",
                { try JWTIssuer(customClaims: ["exp": 1], signature: $0) }
            ),
            (
                "customClaims: \"sub\" is there already",
                { try JWTIssuer(username: "a", customClaims: ["sub": "b"], signature: $0) }
            ),
            (
                "customClaims: \"x\" has a number that JSON has not",
                { try JWTIssuer(customClaims: ["x": [["y": .number(.infinity)]]], signature: $0) }
            ),
            ("expTime: 0.0 seconds", { try JWTIssuer(expTime: .zero, signature: $0) }),
            ("expTime: ", { try JWTIssuer(expTime: .milliseconds(999), signature: $0) }),
            ("expTime: ", { try JWTIssuer(expTime: .seconds(3_162_240_001), signature: $0) }),
            ("expTime: ", { try JWTIssuer(expTime: .seconds(Int64.max), signature: $0) }),
        ]
        for (sentence, make) in bad {
            let error = try await failure(WebSocketError.self) { _ = try make(signature) }
            #expect(error.code == .auth)
            #expect(error.message.hasPrefix(sentence), "\(error.message)")
        }
        // A registered claim of another form is the program's own business.
        let own = try JWTIssuer(customClaims: ["sub": 7], signature: signature)
        #expect(try ParsedToken(own.authorization()).claims["sub"] as? Int == 7)
    }

    @Test("JWTIssuer: each algorithm names itself and signs with a key from where it may come from")
    func algorithms() throws {
        let rsa = try files.makeKey("rsa.pem", "rsa_keygen_bits:2048", password: "open sesame")
        let curve = try files.makeKey("curve.pem", "ec_paramgen_curve:P-256")
        let store = try files.makeStore("store.p12", of: curve, alias: "Mine", password: "secret")
        let key = JWTIssuer.PrivateKey.pem(keyFile: rsa, keyPassword: "open sesame")
        let signatures: [(String, JWTIssuer.Signature, Int)] = [
            ("RS256", .rs256(key), 256), ("RS384", .rs384(key), 256), ("RS512", .rs512(key), 256),
            ("HS256", .hs256(secret: secret), 32), ("HS384", .hs384(secret: secret), 48),
            ("HS512", .hs512(secret: secret), 64), ("ES256", .es256(.pem(keyFile: curve)), 64),
            ("ES256", .es256(.keyStore(path: store, password: "secret")), 64),
            ("ES256", .es256(.keyStore(path: store, password: "secret", alias: "mine")), 64),
            ("none", .insecureNone, 0),
        ]
        for (name, signature, length) in signatures {
            let token = try ParsedToken(JWTIssuer(signature: signature).authorization())
            #expect(token.header["alg"] as? String == name)
            #expect(token.signature.count == length)
        }
    }

    @Test("JWTIssuer: a key that is missing, locked, weak or of another kind is named, a password never")
    func badKeys() async throws {
        let rsa = try files.makeKey("rsa.pem", "rsa_keygen_bits:2048", password: "open sesame")
        let weak = try files.makeKey("weak.pem", "rsa_keygen_bits:1024")
        let curve = try files.makeKey("curve.pem", "ec_paramgen_curve:P-384")
        let store = try files.makeStore("store.p12", of: weak, alias: "mine", password: "open sesame")
        let (nowhere, text) = (files.path("nowhere"), try files.write("text", "hello"))
        let bad: [(JWTIssuer.Signature, String)] = [
            (
                .rs256(.pem(keyFile: nowhere)),
                "the key file \(nowhere) cannot be read: No such file or directory"
            ),
            (.rs256(.pem(keyFile: text)), "the key file \(text) holds no PEM private key"),
            (.rs256(.pem(keyFile: rsa)), "the key file \(rsa) is encrypted, and there is no password"),
            (
                .rs256(.pem(keyFile: rsa, keyPassword: "open barley")),
                "the password does not open the key file \(rsa)"
            ),
            (
                .rs256(.pem(keyFile: weak)),
                "RS256 needs an RSA key of at least 2048 bits, and that in \(weak) has 1024"
            ),
            (.rs512(.pem(keyFile: curve)), "RS512 needs an RSA key, and that in \(curve) is none"),
            (.es256(.pem(keyFile: weak)), "ES256 needs an elliptic curve key, and that in \(weak) is none"),
            (
                .es256(.pem(keyFile: curve)),
                "ES256 needs a key on the curve P-256, and that in \(curve) is on another"
            ),
            (.rs256(.keyStore(path: text)), "the key store \(text) is no PKCS#12 file"),
            (
                .rs256(.keyStore(path: store, password: "open barley")),
                "the password does not open the key store \(store)"
            ),
            (
                .rs256(.keyStore(path: store, password: "open sesame", alias: "yours")),
                "the key store \(store) holds no private key of the alias yours"
            ),
            (.rs256(.pem(keyFile: "a\0b")), "keyFile: it has a NUL"),
            (.hs256(secret: []), "the secret is shorter than the 32 bytes that HS256 needs"),
            (.hs384(secret: secret[..<47]), "the secret is shorter than the 48 bytes that HS384 needs"),
            (.hs512(secret: secret[..<63]), "the secret is shorter than the 64 bytes that HS512 needs"),
        ]
        for (signature, sentence) in bad {
            let error = try await failure(WebSocketError.self) { _ = try JWTIssuer(signature: signature) }
            #expect(error.code == .auth)
            #expect(error.message == "signature: \(sentence)")
        }
    }

    @Test("JWTIssuer: descriptions and dumps tell neither secrets nor passwords")
    func secretsAreNotTold() throws {
        let rsa = try files.makeKey("rsa.pem", "rsa_keygen_bits:2048", password: "open sesame")
        let key = JWTIssuer.PrivateKey.pem(keyFile: rsa, keyPassword: "open sesame")
        let store = JWTIssuer.PrivateKey.keyStore(path: "store.p12", password: "open sesame", alias: "mine")
        let signatures: [JWTIssuer.Signature] = [.rs256(key), .hs256(secret: secret), .es256(store)]
        var said = try texts(JWTIssuer(username: "ada", signature: .rs256(key)))
        for value in signatures as [Any] + [key, store, Optional(key) as Any] {
            var dumped = ""
            dump(value, to: &dumped)
            said += [String(describing: value), String(reflecting: value), dumped]
        }
        for text in said {
            #expect(!text.contains("sesame") && !text.contains("ada") && !text.contains("48, 49, 50"))
        }
        #expect(String(describing: signatures[0]) == "RS256" && key.description == rsa)
    }
}
