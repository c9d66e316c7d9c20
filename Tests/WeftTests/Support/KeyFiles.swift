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

    /// One that no other test writes to at the same time.
    func newPath(_ name: String) -> String { path("\(UUID().uuidString)-\(name)") }

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

    /// Not by Foundation's `Process`, which on Linux reads beyond a page when it lists the open descriptors.
    func openssl(_ words: [String]) throws {
        var arguments = (["openssl"] + words).map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        #if canImport(Darwin)
            var actions: posix_spawn_file_actions_t?
        #else
            var actions = posix_spawn_file_actions_t()
        #endif
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        var child = pid_t()
        var environment: [UnsafeMutablePointer<CChar>?] = [nil]
        guard posix_spawnp(&child, "openssl", &actions, nil, &arguments, &environment) == 0 else {
            throw RawFailure("openssl does not start")
        }
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0 && errno == EINTR {}
        if status != 0 { throw RawFailure("openssl \(words) failed") }
    }
}
