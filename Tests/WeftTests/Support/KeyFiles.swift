import Foundation

/// Keys that the `openssl` command makes, in a folder of their own.
final class KeyFiles: Sendable {
    let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "weft-keys-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

    /// Writes a text to a file of that name.
    func write(_ name: String, _ text: String) throws -> String {
        try text.write(toFile: path(name), atomically: true, encoding: .utf8)
        return path(name)
    }

    /// A key of a kind such as `rsa_keygen_bits:2048` or `ec_paramgen_curve:P-256`, as PEM.
    func makeKey(_ name: String, _ kind: String, password: String? = nil) throws -> String {
        let algorithm = kind.hasPrefix("rsa") ? "RSA" : "EC"
        let encryption = password.map { ["-aes-256-cbc", "-pass", "pass:\($0)"] } ?? []
        try openssl(["genpkey", "-algorithm", algorithm, "-pkeyopt", kind, "-out", path(name)] + encryption)
        return path(name)
    }

    /// A key store with that key under that alias.
    func makeStore(_ name: String, of key: String, alias: String, password: String) throws -> String {
        let certificate = path("\(name).pem")
        try openssl(["req", "-x509", "-new", "-key", key, "-subj", "/CN=test", "-out", certificate])
        try openssl([
            "pkcs12", "-export", "-inkey", key, "-in", certificate, "-name", alias, "-passout",
            "pass:\(password)", "-out", path(name),
        ])
        return path(name)
    }

    func openssl(_ words: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["openssl"] + words
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        if process.terminationStatus != 0 { throw RawFailure("openssl \(words) failed") }
    }
}
