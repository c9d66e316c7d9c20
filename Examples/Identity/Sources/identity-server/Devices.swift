import Crypto
import X509

/// The devices that may enter with their certificates. TLS has found out that the authority signed the certificate, that
/// it is within its dates, and that the device has the key; which of them may enter is decided here.
struct Devices: Sendable {
    /// Names by `sha256:` and the fingerprint of the whole certificate in lower case, or by `subject:` and the subject
    /// as RFC 4514 writes it.
    let names: [String: String]

    func identify(_ certificate: [UInt8]) throws -> Identity {
        let fingerprint = SHA256.hash(data: certificate).map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
        let subject = try Certificate(derEncoded: certificate).subject
        let keys = ["sha256:\(fingerprint.joined())", "subject:\(subject)"]
        guard let name = keys.lazy.compactMap({ names[$0] }).first else {
            throw Refusal.notAllowed("no device has \(keys.joined(separator: ", "))")
        }
        return Identity(name: name, proof: .certificate)
    }
}
