import Foundation
import Weft

/// A certificate authority that the `openssl` command makes, and what it has signed.
final class TestAuthority: Sendable {
    static let shared = Result { try TestAuthority() }

    let files: KeyFiles
    private static let curve = "ec_paramgen_curve:P-256"

    init() throws {
        files = try KeyFiles()
        let key = try files.makeKey("ca.key", Self.curve)
        try files.openssl([
            "req", "-x509", "-new", "-key", key, "-subj", "/CN=Test Authority", "-days", "2", "-out",
            files.path("ca.pem"),
        ])
        try issue("server", names: "DNS:localhost,IP:127.0.0.1")
        try issue("client", names: "DNS:client")
        try issue("one", names: "DNS:one.test")
        try issue("renewed", names: "DNS:localhost,IP:127.0.0.1")
    }

    private func issue(_ name: String, names: String) throws {
        let key = try files.makeKey("\(name).key", Self.curve)
        let request = files.path("\(name).csr")
        let extensions = try files.write(
            "\(name).cnf", "subjectAltName=\(names)\nbasicConstraints=CA:FALSE\n")
        try files.openssl(["req", "-new", "-key", key, "-subj", "/CN=\(name)", "-out", request])
        try files.openssl([
            "x509", "-req", "-in", request, "-CA", files.path("ca.pem"), "-CAkey", files.path("ca.key"),
            "-CAcreateserial", "-days", "2", "-extfile", extensions, "-out", certificate(name),
        ])
    }

    var authorities: TrustedCertificates { .file(files.path("ca.pem")) }

    func certificate(_ name: String) -> String { files.path("\(name).pem") }

    func key(_ name: String) -> SecureSocketKey {
        .certificate(certFile: certificate(name), keyFile: files.path("\(name).key"))
    }

    /// The same as a key store.
    func store(_ name: String, password: String) throws -> String {
        let path = files.newPath("\(name).p12")
        try files.openssl([
            "pkcs12", "-export", "-inkey", files.path("\(name).key"), "-in", certificate(name), "-passout",
            "pass:\(password)", "-out", path,
        ])
        return path
    }

    /// The authority as a trust store.
    func trustStore(password: String) throws -> String {
        let path = files.newPath("trust.p12")
        try files.openssl([
            "pkcs12", "-export", "-nokeys", "-in", files.path("ca.pem"), "-passout", "pass:\(password)",
            "-out", path,
        ])
        return path
    }

    /// The key in a file that the password opens.
    func lockedKey(_ name: String, password: String) throws -> String {
        let path = files.newPath("\(name)-locked.key")
        try files.openssl([
            "pkcs8", "-topk8", "-in", files.path("\(name).key"), "-passout", "pass:\(password)", "-out", path,
        ])
        return path
    }

    // MARK: Configurations

    var listener: ListenerConfiguration {
        var configuration = ListenerConfiguration.local
        configuration.secureSocket = ListenerSecureSocket(key: key("server"))
        return configuration
    }

    var client: ClientConfiguration {
        var configuration = ClientConfiguration()
        configuration.secureSocket = ClientSecureSocket(cert: authorities)
        return configuration
    }
}

extension Listener {
    func secureURL(_ path: String = "/ws", host: String = "127.0.0.1") -> String {
        "wss://\(host):\(port)\(path)"
    }
}
