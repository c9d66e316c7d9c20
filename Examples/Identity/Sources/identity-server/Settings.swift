import Foundation

/// What the server is told in its JSON file.
struct Settings: Decodable {
    /// 0 lets the system choose.
    let port: Int
    let certFile: String
    let keyFile: String
    /// PEM of those who sign the certificates of devices.
    let deviceAuthorityFile: String
    /// As ``Devices/names``.
    let devices: [String: String]
    /// The pages that may connect, such as `https://app.example`.
    let origins: [String]
    let users: [String: Passwords.Stored]
    let tokens: Tokens.Policy

    init(file: String) throws {
        self = try JSONDecoder().decode(Settings.self, from: Data(contentsOf: URL(fileURLWithPath: file)))
    }
}

struct SettingsError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
