import ArgumentParser
import Foundation
import HTTPTypes
import Weft

struct Connect: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Connect to a server: lines typed are sent, messages are printed.",
        discussion: """
            After the end of the input the connection is closed, and what the server sends until then is \
            printed. Exit code 0 when the connection was closed with 1000 or 1001, 64 for options that \
            cannot be read, 1 otherwise.
            """)

    @Argument(
        help:
            "As in ws://localhost:8080/ws or wss://localhost/, or ws+unix:/run/socket:/ws for a unix socket."
    )
    var url: String

    @Flag(help: "Send lines as binary messages.")
    var binary = false

    @Option(
        name: .customLong("header"),
        help: "A field for the request, as in 'Authorization: Bearer x'. May be repeated.")
    var headers: [String] = []

    @Option(name: .customLong("subprotocol"), help: "A subprotocol to offer. May be repeated.")
    var subprotocols: [String] = []

    @Option(
        help:
            "Seconds from the end of the input to the close, for servers that answer nothing after it."
    )
    var linger: Double = 0.5

    @Flag(help: "Offer no compression.")
    var noCompression = false

    @Option(help: "An HTTP proxy to go through, as in proxy.example:3128 or [::1]:3128.")
    var proxy: String?

    @Option(help: "What the proxy is told, as in user:password.")
    var proxyUser: String?

    @Option(help: "Say who you are, as in name:password; WEFT_USER does so off the command line.")
    var user: String?

    @Option(help: "Show a bearer token; WEFT_BEARER does so off the command line.")
    var bearer: String?

    @Option(name: .customLong("ca"), help: "Trust servers of these authorities alone, a PEM file.")
    var authorities: String?

    @Option(name: .customLong("cert"), help: "A PEM file with the certificate to show, and those above it.")
    var certificate: String?

    @Option(help: "The certificate's key, as PEM; WEFT_TLS_KEY_PASSWORD opens an encrypted one.")
    var key: String?

    @Flag(help: "Take any certificate: the connection is encrypted, but nobody knows with whom.")
    var insecure = false

    @Option(help: "Ask whether the server's certificates were revoked: stapling or ocsp-crl.")
    var revocation: Revocation?

    func validate() throws {
        guard (certificate == nil) == (key == nil) else {
            throw ValidationError("--cert and --key go together")
        }
        guard user == nil || bearer == nil else {
            throw ValidationError("--user and --bearer exclude each other")
        }
        guard proxy != nil || proxyUser == nil else { throw ValidationError("--proxy-user needs --proxy") }
        guard (0...86400).contains(linger) else { throw ValidationError("--linger is not in 0 to 86400") }
    }

    func run() async throws {
        do {
            try await talk()
        } catch let error as WebSocketError {
            throw Failure(description: error.message)
        }
    }

    private func talk() async throws {
        let client = try await Client(url, configuration: try configuration())
        // The end of the input closes the connection, which ends the messages. When the server ends first,
        // the sending is cancelled here; why it ended is what the messages throw.
        async let _ = sendLines(to: client)
        try await printMessages(of: client)
    }

    private func configuration() throws -> ClientConfiguration {
        var configuration = ClientConfiguration()
        configuration.subProtocols = subprotocols
        configuration.webSocketCompressionEnabled = !noCompression
        configuration.proxy = try proxy.map(parseProxy)
        configuration.secureSocket = secureSocket
        configuration.auth = try auth()
        for header in headers {
            let parts = header.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let name = HTTPField.Name(String(parts[0])) else {
                throw Failure(description: "--header '\(header)' is not of the form 'Name: value'")
            }
            let value = parts[1].trimmingCharacters(in: .whitespaces)
            configuration.customHeaders.append(HTTPField(name: name, value: value))
        }
        return configuration
    }

    private var secureSocket: ClientSecureSocket {
        var secureSocket = ClientSecureSocket(cert: authorities.map { .file($0) })
        if let certificate, let key {
            let password = ProcessInfo.processInfo.environment["WEFT_TLS_KEY_PASSWORD"]
            secureSocket.key = .certificate(certFile: certificate, keyFile: key, keyPassword: password)
        }
        secureSocket.enable = !insecure
        secureSocket.certValidation = revocation?.validation
        return secureSocket
    }

    /// From the options; without them from the environment.
    private func auth() throws -> (any ClientAuthentication)? {
        let environment = user == nil && bearer == nil ? ProcessInfo.processInfo.environment : [:]
        let token = bearer ?? environment["WEFT_BEARER"]
        guard let words = user ?? environment["WEFT_USER"] else {
            return try token.map { try BearerToken($0) }
        }
        if token != nil { throw Failure(description: "WEFT_USER and WEFT_BEARER exclude each other") }
        guard let colon = words.firstIndex(of: ":") else {
            throw Failure(description: "the user is not of the form name:password")
        }
        return try Credentials(
            username: String(words[..<colon]), password: String(words[words.index(after: colon)...]))
    }

    private func parseProxy(_ address: String) throws -> Proxy {
        guard let colon = address.lastIndex(of: ":"), let port = Int(address[address.index(after: colon)...])
        else {
            throw Failure(description: "--proxy '\(address)' is not of the form host:port")
        }
        let host = address[..<colon].trimmingCharacters(in: CharacterSet(charactersIn: "[]"))
        var proxy = Proxy(host: host, port: port)
        if let words = proxyUser?.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false) {
            proxy.username = String(words[0])
            proxy.password = words.count > 1 ? String(words[1]) : ""
        }
        return proxy
    }

    private func printMessages(of client: Client) async throws {
        for try await message in client.messages {
            switch message {
            case .text(let text): printLine(text)
            case .binary(let data): printLine(String(decoding: data, as: UTF8.self))
            }
        }
    }

    private func sendLines(to client: Client) async throws {
        for await line in standardInputLines() {
            guard client.isOpen else { return }
            if binary {
                try await client.writeBinaryMessage(line.utf8)
            } else {
                try await client.writeTextMessage(line)
            }
        }
        try await Task.sleep(for: .seconds(linger))
        guard client.isOpen else { return }
        try await client.close(timeout: .seconds(10))
    }
}
