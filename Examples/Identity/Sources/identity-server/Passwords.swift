import Crypto
import CryptoExtras
import Foundation

/// User name and password as a request brings them (RFC 7617).
struct BasicCredentials {
    let username: String
    let password: String

    /// nil for what is not base64 of UTF-8 without control characters, or has no colon.
    init?(base64 text: String) {
        guard let bytes = Data(base64Encoded: text), let colon = bytes.firstIndex(of: UInt8(ascii: ":")),
            bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }),
            let username = String(validating: bytes[..<colon], as: UTF8.self),
            let password = String(validating: bytes[(colon + 1)...], as: UTF8.self)
        else { return nil }
        self.username = username
        self.password = password
    }
}

/// Users, and what scrypt (RFC 7914) makes of their passwords.
struct Passwords: Sendable {
    /// What is kept of a password, both as base64.
    struct Stored: Decodable {
        let salt: Data
        /// scrypt of password and salt: N 16384, r 8, p 1, 32 bytes.
        let derived: Data
    }

    private struct Entry {
        let name: SHA256Digest
        let salt: Data
        let derived: SymmetricKey
    }

    private let entries: [String: Entry]
    /// Stands for users that do not exist. Nothing that can be sent is equal to it.
    private let decoy: Entry

    init(_ users: [String: Stored]) throws {
        entries = try Dictionary(
            uniqueKeysWithValues: users.map { name, stored in
                guard stored.derived.count == 32 else {
                    throw SettingsError("the password of \(name) is not of 32 bytes")
                }
                return (
                    name,
                    Entry(name: digest(name), salt: stored.salt, derived: SymmetricKey(data: stored.derived))
                )
            })
        decoy = Entry(
            name: SHA256.hash(data: SymmetricKey(size: .bits256).withUnsafeBytes { Data($0) }),
            salt: Data(repeating: 0, count: 16), derived: SymmetricKey(size: .bits256))
    }

    /// Does the same work whether the user exists or not. `==` of digests and of keys is in constant time.
    func identify(_ credentials: BasicCredentials) throws -> Identity {
        let entry = entries[credentials.username] ?? decoy
        let isName = digest(credentials.username) == entry.name
        let isPassword = try derive(credentials.password, entry.salt) == entry.derived
        guard isName, isPassword else { throw Refusal.unidentified("wrong user name or password") }
        return Identity(name: credentials.username, proof: .password)
    }
}

private func digest(_ text: String) -> SHA256Digest {
    SHA256.hash(data: Data(text.utf8))
}

private func derive(_ password: String, _ salt: Data) throws -> SymmetricKey {
    try KDF.Scrypt.deriveKey(
        from: Data(password.utf8), salt: salt, outputByteCount: 32, rounds: 16384, blockSize: 8,
        parallelism: 1)
}
