import ArgumentParser
import Foundation
import HTTPTypes
import Logging
import Weft

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Serve an echo at /ws, a chat at /chat, a page that uses them at /, and what is posted at /echo.",
        discussion: """
            A connection to /close/1001 is closed with that code, for trying clients. SIGINT and SIGTERM stop the \
            server: connections are closed with 1001 and have 5 seconds for that. Exit code 0 then. SIGHUP reads the files of \
            TLS anew for connections from then on.
            """)

    @Option(help: "The TCP port; 0 picks one.")
    var port: Int = 8080

    @Option(help: "The address to listen on.")
    var host: String = "127.0.0.1"

    @Option(help: "Listen on a unix domain socket at this path instead.")
    var unix: String?

    @Option(help: "Event loops, each on a thread of its own.")
    var threads: Int = 1

    @Option(help: "The longest frame accepted, in bytes.")
    var maxFrameSize: Int = ServiceConfiguration().maxFrameSize

    @Option(help: "The longest message accepted, in bytes, assembled and inflated.")
    var maxMessageSize: Int = ServiceConfiguration().maxMessageSize

    @Option(help: "The most frames of one message.")
    var maxFragments: Int = ServiceConfiguration().maxFragments

    @Option(name: .customLong("subprotocol"), help: "A subprotocol to speak. May be repeated.")
    var subprotocols: [String] = []

    @Option(
        name: .customLong("allow-origin"),
        help: """
            Let pages of this origin connect, as in https://example.org, instead of those of the server itself; \
            * lets all. May be repeated.
            """)
    var allowedOrigins: [String] = []

    @Option(help: "Seconds of a peer's silence until it is pinged; 0 never pings.")
    var keepAlive: Double = 60

    @Option(help: "Seconds that a request may take to arrive; 0 waits for ever.")
    var timeout: Double = 120

    @Option(
        name: .customLong("tls-cert"),
        help: "Speak TLS: a PEM file with the certificate and those above it.")
    var certificate: String?

    @Option(
        name: .customLong("tls-key"),
        help: "The certificate's key, as PEM; WEFT_TLS_KEY_PASSWORD opens an encrypted one.")
    var key: String?

    @Option(
        name: .customLong("client-ca"),
        help: "Take clients alone that show a certificate of these authorities, a PEM file.")
    var clientAuthorities: String?

    @Option(
        help: "stapling: send OCSP answers along; ocsp-crl: ask whether clients' certificates were revoked.")
    var revocation: Revocation?

    @Flag(help: "Take no offer of compression.")
    var noCompression = false

    @Flag(help: "Let compressed messages refer to earlier ones, which takes memory for each connection.")
    var contextTakeover = false

    @Option(help: "Effort of compressing: 1 (fast) to 9 (small).")
    var compressionLevel: Int = CompressionOptions().level

    @Flag(help: "Echo on the event loop instead of in a task for each connection.")
    var inline = false

    @Flag(help: "Print nothing but the port that --port 0 picked.")
    var quiet = false

    func validate() throws {
        guard (0...86400).contains(keepAlive) else {
            throw ValidationError("--keep-alive is not in 0 to 86400")
        }
        guard (certificate == nil) == (key == nil), clientAuthorities == nil || certificate != nil else {
            throw ValidationError("--tls-cert and --tls-key go together, and --client-ca needs them")
        }
        guard (0...86400).contains(timeout) else { throw ValidationError("--timeout is not in 0 to 86400") }
    }

    func run() async throws {
        do {
            try await serve()
        } catch let error as WebSocketError {
            throw Failure(description: error.message)
        }
    }

    private func serve() async throws {
        let signals = try Signals([SIGINT, SIGTERM] + (certificate == nil ? [] : [SIGHUP]))
        let listener = try makeListener()
        try await listener.start()
        let address = listener.localAddress!
        if unix != nil {
            if !quiet { printLine("weft: listening on \(address)") }
        } else if !quiet || port == 0 {
            printLine("weft: listening on \(certificate == nil ? "http" : "https")://\(address)/")
        }
        while await signals.next() == SIGHUP { reload(listener) }
        if !quiet { printLine("weft: stopping") }
        try await listener.gracefulStop(timeout: .seconds(5))
    }

    /// What is not good changes nothing.
    private func reload(_ listener: Listener) {
        do {
            try listener.reloadSecureSocket()
            if !quiet { printLine("weft: TLS files read anew") }
        } catch {
            FileHandle.standardError.write(Data("weft: \(error.message)\n".utf8))
        }
    }

    private func makeListener() throws -> Listener {
        var configuration = ListenerConfiguration()
        configuration.host = host
        configuration.threads = threads
        configuration.timeout = .seconds(timeout)
        configuration.server = "weft"
        configuration.webSocketCompressionEnabled = !noCompression
        configuration.compression.level = compressionLevel
        if contextTakeover { configuration.compression.memory = .dedicated }
        configuration.requestLimits.maxEntityBodySize = 1 << 20
        configuration.logger = Logger(label: "weft") { StreamLogHandler.standardError(label: $0) }
        configuration.logger?.logLevel = quiet ? .warning : .info
        configuration.secureSocket = secureSocket
        let listener =
            if let unix {
                try Listener(unixDomainSocketPath: unix, configuration: configuration)
            } else {
                try Listener(port: port, configuration: configuration)
            }
        try attachEcho(to: listener)
        let room = ChatRoom()
        try listener.attach(at: "/chat", configuration: limits) { _ in ChatService(room: room) }
        try listener.attach(at: "/close/{code}", configuration: limits) { request -> Upgrade in
            let code = CloseCode(UInt16(request.pathParameters["code"] ?? "") ?? 0)
            guard code.isSendable else { throw UpgradeError(message: "not a code that may be sent") }
            return Upgrade(Closing(code: code))
        }
        try listener.attach(at: "/") { _ in
            HTTPServiceResponse(headers: [.contentType: "text/html; charset=utf-8"], body: Array(page.utf8))
        }
        try listener.attach(at: "/echo") { request in
            HTTPServiceResponse(headers: [.contentType: "application/octet-stream"], body: request.body)
        }
        return listener
    }

    private var secureSocket: ListenerSecureSocket? {
        guard let certificate, let key else { return nil }
        let password = ProcessInfo.processInfo.environment["WEFT_TLS_KEY_PASSWORD"]
        var secureSocket = ListenerSecureSocket(
            key: .certificate(certFile: certificate, keyFile: key, keyPassword: password))
        secureSocket.mutualSsl = clientAuthorities.map { MutualSsl(.file($0)) }
        secureSocket.certValidation = revocation?.validation
        return secureSocket
    }

    private func attachEcho(to listener: Listener) throws {
        if inline {
            try listener.attach(at: "/ws", configuration: limits) { _ in InlineEcho() }
        } else {
            try listener.attach(at: "/ws", configuration: limits) { _ in Echo() }
        }
    }

    private var limits: ServiceConfiguration {
        var configuration = ServiceConfiguration()
        configuration.maxFrameSize = maxFrameSize
        configuration.maxMessageSize = maxMessageSize
        configuration.maxFragments = maxFragments
        configuration.subProtocols = subprotocols
        if !allowedOrigins.isEmpty {
            configuration.allowedOrigins = allowedOrigins.contains("*") ? .any : .list(allowedOrigins)
        }
        configuration.keepAlive = keepAlive == 0 ? nil : KeepAlive(interval: .seconds(keepAlive))
        return configuration
    }
}

/// Sends every message back.
private struct Echo: Service {
    func onTextMessage(_ caller: Caller, _ text: String) async throws {
        try await caller.writeTextMessage(text)
    }

    func onBinaryMessage(_ caller: Caller, _ data: [UInt8]) async throws {
        try await caller.writeBinaryMessage(data)
    }
}

/// The same on the event loop, without a copy.
private struct InlineEcho: InlineService {
    @available(macOS 26, *)
    func onTextMessage(_ caller: Caller, _ text: UTF8Span) throws {
        try caller.writeTextMessage(text)
    }

    func onTextMessage(_ caller: Caller, _ text: String) throws {
        try caller.writeTextMessage(text)
    }

    func onBinaryMessage(_ caller: Caller, _ data: RawSpan) throws {
        try caller.writeBinaryMessage(data)
    }
}

/// Closes at once.
private struct Closing: Service {
    let code: CloseCode

    func onOpen(_ caller: Caller) async throws {
        try await caller.close(statusCode: code, reason: "as you asked")
    }
}
