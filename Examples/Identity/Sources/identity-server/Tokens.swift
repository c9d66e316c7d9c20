import Foundation
import JWTKit

/// JSON Web Tokens of one issuer, for one audience, signed with ES256 (RFC 7519, RFC 8725).
struct Tokens: Sendable {
    /// What a token must say.
    struct Policy: Decodable {
        /// PEM of the issuer's public key, elliptic curve P-256.
        let publicKeyFile: String
        let issuer: String
        let audience: String
        /// Must be among the words of the claim `scope`.
        let scope: String
    }

    private struct Claims: JWTPayload {
        let iss: IssuerClaim
        let sub: SubjectClaim
        let aud: Audience
        let exp: ExpirationClaim
        let nbf: NotBeforeClaim?
        let scope: String?

        /// Asked once the signature is found good. `exp` is strict; a clock may be 5 s ahead of ours.
        func verify(using _: some JWTAlgorithm) throws {
            try exp.verifyNotExpired()
            try nbf?.verifyNotBefore(currentDate: Date(timeIntervalSinceNow: 5))
        }
    }

    private let keys = JWTKeyCollection()
    private let policy: Policy

    init(_ policy: Policy) async throws {
        self.policy = policy
        let key = try ES256PublicKey(pem: String(contentsOfFile: policy.publicKeyFile, encoding: .utf8))
        await keys.add(ecdsa: key)
    }

    func identify(_ token: String) async throws -> Identity {
        let claims = try await verify(token)
        guard claims.iss.value == policy.issuer else { throw Refusal.unidentified("another issuer") }
        guard claims.aud.names.contains(policy.audience) else {
            throw Refusal.unidentified("for another audience")
        }
        guard (claims.scope ?? "").split(separator: " ").contains(policy.scope[...]) else {
            throw Refusal.notAllowed("the token of \(claims.sub.value) lacks the scope \(policy.scope)")
        }
        return Identity(name: claims.sub.value, proof: .token, expiry: claims.exp.value)
    }

    /// The key alone decides how the signature is checked, so no header can talk jwt-kit into another algorithm. It
    /// does not look at `alg` beyond that, nor at `crit`: a token that says something else is refused here.
    private func verify(_ token: String) async throws -> Claims {
        do {
            let claims = try await keys.verify(token, as: Claims.self)
            let header = try DefaultJWTParser().parse(Data(token.utf8), as: Claims.self).header
            guard header.alg == "ES256" else { throw Refusal.unidentified("another algorithm") }
            guard header.fields["crit"] == nil else { throw Refusal.unidentified("critical extensions") }
            return claims
        } catch let error as JWTError {
            throw Refusal.unidentified("\(error.errorType.description): \(error.reason ?? "")")
        } catch let refusal as Refusal {
            throw refusal
        } catch {
            throw Refusal.unidentified("not a token")
        }
    }
}

/// `aud`: one name or a list. jwt-kit's own claim ends the program where a token has an empty list.
private struct Audience: Codable {
    let names: [String]

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        names = try (try? [container.decode(String.self)]) ?? container.decode([String].self)
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(names)
    }
}
