import Foundation
import Testing
import Weft

@Suite("TLS", .timeLimit(.minutes(2)))
struct SecureSocketTests {
    private let authority: TestAuthority

    init() throws { authority = try TestAuthority.shared.get() }

    /// Text goes there and comes back.
    private func expectEcho(_ client: Client, _ text: String = "hello") async throws {
        try await client.writeTextMessage(text)
        #expect(try await client.readTextMessage() == text)
    }

    private func failureToConnect(
        _ url: String, _ configuration: ClientConfiguration
    ) async throws -> WebSocketError {
        try await failure(WebSocketError.self) { _ = try await Client(url, configuration: configuration) }
    }

    // MARK: Both sides

    @Test("secureSocket: listener and client talk over TLS, by name and by address")
    func talk() async throws {
        try await serve(Echo(), on: authority.listener) { listener in
            for host in ["127.0.0.1", "localhost"] {
                let client = try await Client(
                    listener.secureURL(host: host), configuration: authority.client)
                #expect(client.isSecure)
                try await expectEcho(client)
                try await expectEcho(client, String(repeating: "long ", count: 200_000))
                try await client.close()
            }
        }
    }

    @Test("maxMessageSize: big messages pass both ways over TLS with raised limits")
    func bigMessages() async throws {
        let size = 5_000_001
        var configuration = ServiceConfiguration()
        configuration.maxMessageSize = size
        try await serve(Echo(), configuration, on: authority.listener) { listener in
            var configuration = authority.client
            configuration.maxMessageSize = size
            configuration.webSocketCompressionEnabled = false
            let client = try await Client(listener.secureURL(), configuration: configuration)
            let sent = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7) }
            async let received = client.readBinaryMessage()
            try await client.writeBinaryMessage(sent)
            #expect(try await received == sent)
            try await client.close()
        }
    }

    @Test("secureSocket: an AsyncClient and an inline service")
    func asyncAndInline() async throws {
        let service = InlineRecorder { caller, event in
            #expect(caller.isSecure)
            if case .text(let text) = event { try caller.writeTextMessage(text) }
        }
        let attach: (Listener) throws -> Void = { listener in
            try listener.attach(at: "/ws") { request -> Upgrade in
                #expect(request.isSecure)
                #expect(request.head.scheme == "https")
                return Upgrade(service)
            }
        }
        try await withListener(authority.listener, attach: attach) { listener in
            let recorder = Recorder()
            let client = try await AsyncClient(
                listener.secureURL(), service: recorder, configuration: authority.client)
            try await client.writeTextMessage("hello")
            #expect(try await recorder.next(2) == [.open, .text("hello")])
            try await client.close()
        }
    }

    @Test("secureSocket: nothing of a connection is for who listens on the wire")
    func encrypted() async throws {
        try await serve(Echo(), on: authority.listener) { listener in
            let peer = try await RawPeer.connect(
                listener.port, sending: Array(RawPeer.upgradeRequest().utf8))
            // An alert, and the end: no HTTP is spoken in the clear.
            let answer = try await peer.readToEnd()
            #expect(!answer.starts(with: Array("HTTP".utf8)))
        }
    }

    @Test("secureSocket: many clients at a time")
    func many() async throws {
        try await serve(Echo(), on: authority.listener) { listener in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<50 {
                    group.addTask {
                        let client = try await Client(
                            listener.secureURL(), configuration: authority.client)
                        try await expectEcho(client, "client \(number)")
                        try await client.close()
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    // MARK: Material

    @Test("key: PEM with an encrypted key, and a key store")
    func keyForms() async throws {
        let locked = try authority.lockedKey("server", password: "sesame")
        let forms: [SecureSocketKey] = [
            .certificate(
                certFile: authority.certificate("server"), keyFile: locked, keyPassword: "sesame"),
            .keyStore(path: try authority.store("server", password: "opens"), password: "opens"),
        ]
        for form in forms {
            var configuration = authority.listener
            configuration.secureSocket = ListenerSecureSocket(key: form)
            try await serve(Echo(), on: configuration) { listener in
                try await expectEcho(
                    try await Client(listener.secureURL(), configuration: authority.client))
            }
        }
    }

    @Test("ssl: a file that is not good is named at init, and no password is")
    func badMaterial() async throws {
        let certificate = authority.certificate("server")
        let key = authority.files.path("server.key")
        let empty = try authority.files.write("empty.pem", "")
        let store = try authority.store("server", password: "right")
        let locked = try authority.lockedKey("server", password: "right")
        let cases: [(SecureSocketKey, String)] = [
            (.certificate(certFile: "/nowhere.pem", keyFile: key), "/nowhere.pem cannot be read"),
            (.certificate(certFile: certificate, keyFile: "/nowhere.key"), "/nowhere.key cannot be read"),
            (.certificate(certFile: empty, keyFile: key), "\(empty) is empty"),
            (.certificate(certFile: key, keyFile: key), "\(key) holds no PEM certificate"),
            (.certificate(certFile: certificate, keyFile: certificate), "holds no PEM private key"),
            (
                .certificate(certFile: certificate, keyFile: locked, keyPassword: "s3cret"),
                "the password does not open the key file \(locked)"
            ),
            (
                .certificate(certFile: certificate, keyFile: authority.files.path("client.key")),
                "is not that of the certificate"
            ),
            (.keyStore(path: store, password: "s3cret"), "the password does not open the key store \(store)"),
        ]
        for (key, sentence) in cases {
            var configuration = ListenerConfiguration.local
            configuration.secureSocket = ListenerSecureSocket(key: key)
            let error = try await failure(WebSocketError.self) {
                _ = try Listener(port: 0, configuration: configuration)
            }
            #expect(error.code == .ssl)
            #expect(error.message.contains(sentence), "\(error.message)")
            #expect(!"\(error)".contains("s3cret"))
            #expect(!"\(configuration)".contains("s3cret"))
            var dumped = ""
            dump(configuration.secureSocket, to: &dumped)
            #expect(!dumped.contains("s3cret"))
        }
    }

    @Test("cert: a trust store, and one that is not good")
    func trustStore() async throws {
        let store = try authority.trustStore(password: "opens")
        try await serve(Echo(), on: authority.listener) { listener in
            var configuration = ClientConfiguration()
            configuration.secureSocket = ClientSecureSocket(
                cert: .trustStore(path: store, password: "opens"))
            try await expectEcho(try await Client(listener.secureURL(), configuration: configuration))
            configuration.secureSocket = ClientSecureSocket(
                cert: .trustStore(path: store, password: "s3cret"))
            let error = try await failureToConnect(listener.secureURL(), configuration)
            #expect(error.code == .ssl)
            #expect(error.message == "the password does not open the trust store \(store)")
        }
    }

    // MARK: Whom a client trusts

    @Test("cert: without it the system's store decides, and a strange authority is refused by name")
    func systemTrust() async throws {
        try await serve(Echo(), on: authority.listener) { listener in
            let error = try await failureToConnect(listener.secureURL(), ClientConfiguration())
            #expect(error.code == .ssl)
            #expect(error.message.contains("the certificate of 127.0.0.1:\(listener.port) is refused"))
            #expect(error.message.contains("subject CN=server, issuer CN=Test Authority"))
            try await expectEcho(try await Client(listener.secureURL(), configuration: authority.client))
        }
    }

    @Test("verifyHostName: another name is refused, unless it is false; serverName is what counts")
    func hostNames() async throws {
        var listening = authority.listener
        listening.secureSocket = ListenerSecureSocket(key: authority.key("one"))
        try await serve(Echo(), on: listening) { listener in
            let error = try await failureToConnect(listener.secureURL(), authority.client)
            #expect(error.code == .ssl)
            #expect(error.message.contains("IP address mismatch"))
            var configuration = authority.client
            configuration.secureSocket?.serverName = "one.test"
            try await expectEcho(try await Client(listener.secureURL(), configuration: configuration))
            configuration = authority.client
            configuration.secureSocket?.verifyHostName = false
            let log = LogChannel()
            configuration.logger = log.logger
            try await expectEcho(try await Client(listener.secureURL(), configuration: configuration))
            #expect(try await log.lines.next().contains("not compared"))
        }
    }

    @Test("enable: false takes any certificate, and the log warns")
    func disabled() async throws {
        var listening = authority.listener
        listening.secureSocket = ListenerSecureSocket(key: authority.key("one"))
        try await serve(Echo(), on: listening) { listener in
            var configuration = ClientConfiguration()
            configuration.secureSocket = ClientSecureSocket()
            configuration.secureSocket?.enable = false
            let log = LogChannel()
            configuration.logger = log.logger
            let client = try await Client(listener.secureURL(), configuration: configuration)
            #expect(client.isSecure)
            try await expectEcho(client)
            #expect(
                try await log.lines.next()
                    == "warning: secureSocket: any certificate is taken: nobody knows who the server is")
        }
    }

    // MARK: Whom a listener trusts

    @Test(
        "mutualSsl: .require refuses strangers, .optional takes who shows nothing; the request tells who it is"
    )
    func mutual() async throws {
        for verify in [MutualSsl.VerifyClient.require, .optional] {
            var listening = authority.listener
            listening.secureSocket?.mutualSsl = MutualSsl(authority.authorities, verifyClient: verify)
            let shown = Channel<[UInt8]?>()
            let attach: (Listener) throws -> Void = { listener in
                try listener.attach(at: "/ws") { request in
                    shown.send(request.peerCertificate)
                    return Echo()
                }
            }
            try await withListener(listening, attach: attach) { listener in
                var configuration = authority.client
                configuration.secureSocket?.key = authority.key("client")
                try await expectEcho(try await Client(listener.secureURL(), configuration: configuration))
                let der = try #require(try await shown.next())
                let pem = try String(contentsOfFile: authority.certificate("client"), encoding: .utf8)
                #expect(pem.replacing("\n", with: "").contains(Data(der).base64EncodedString()))
                if verify == .optional {
                    try await expectEcho(
                        try await Client(listener.secureURL(), configuration: authority.client))
                    #expect(try await shown.next() == nil)
                } else {
                    let error = try await failureToConnect(listener.secureURL(), authority.client)
                    #expect(error.code == .ssl)
                    #expect(error.message.contains("certificate required"))
                }
            }
        }
    }

    @Test("mutualSsl: the listener's log says who was refused and why, and others go on")
    func refusedClient() async throws {
        var listening = authority.listener
        listening.secureSocket?.mutualSsl = MutualSsl(authority.authorities)
        let log = LogChannel()
        listening.logger = log.logger
        try await serve(Echo(), on: listening) { listener in
            var configuration = authority.client
            configuration.secureSocket?.key = authority.key("client")
            let client = try await Client(listener.secureURL(), configuration: configuration)
            _ = try await failureToConnect(listener.secureURL(), authority.client)
            let line = try await log.lines.next()
            #expect(line.hasPrefix("info: 127.0.0.1:"))
            #expect(line.hasSuffix("the TLS handshake failed: the peer has shown no certificate"))
            try await expectEcho(client)
        }
    }

    // MARK: Versions, ciphers, sessions

    @Test("protocol: a listener and a client without a version in common say so")
    func versions() async throws {
        var listening = authority.listener
        listening.secureSocket?.protocol = [.tlsv12]
        try await serve(Echo(), on: listening) { listener in
            try await expectEcho(try await Client(listener.secureURL(), configuration: authority.client))
            var configuration = authority.client
            configuration.secureSocket?.protocol = [.tlsv13]
            let error = try await failureToConnect(listener.secureURL(), configuration)
            #expect(error.code == .ssl)
            #expect(error.message.contains("protocol version"))
        }
        listening.secureSocket?.protocol = []
        let error = try await failure(WebSocketError.self) {
            _ = try Listener(port: 0, configuration: listening)
        }
        #expect(error.code == .invalidConfiguration)
        #expect(error.message.hasPrefix("secureSocket.protocol: "))
    }

    @Test("ciphers: IANA's names and OpenSSL's; an unknown one is named")
    func ciphers() async throws {
        for list in [
            ["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"], ["ECDHE-ECDSA-AES256-GCM-SHA384"],
            ["TLS_CHACHA20_POLY1305_SHA256"],
        ] {
            var listening = authority.listener
            listening.secureSocket?.ciphers = list
            try await serve(Echo(), on: listening) { listener in
                try await expectEcho(
                    try await Client(listener.secureURL(), configuration: authority.client))
            }
        }
        var listening = authority.listener
        for (name, code) in [("ROT13", WebSocketError.Code.ssl), ("A:B", .invalidConfiguration)] {
            listening.secureSocket?.ciphers = [name]
            let error = try await failure(WebSocketError.self) {
                _ = try Listener(port: 0, configuration: listening)
            }
            #expect(error.code == code)
        }
    }

    @Test("handshakeTimeout, sessionTimeout: out of range they are named")
    func timeoutsOutOfRange() async throws {
        for (change, name): (@Sendable (inout ListenerSecureSocket) -> Void, String) in [
            ({ $0.handshakeTimeout = .seconds(-1) }, "secureSocket.handshakeTimeout: "),
            ({ $0.sessionTimeout = .zero }, "secureSocket.sessionTimeout: "),
        ] {
            var configuration = authority.listener
            change(&configuration.secureSocket!)
            let error = try await failure(WebSocketError.self) {
                _ = try Listener(port: 0, configuration: configuration)
            }
            #expect(error.code == .invalidConfiguration)
            #expect(error.message.hasPrefix(name))
        }
    }

    @Test("certValidation: settings out of range are named, also where nothing would be verified")
    func certValidationOutOfRange() async throws {
        #expect(CertValidation.ocspCrl.cacheSize == 50)
        #expect(CertValidation.ocspStapling.cacheValidityPeriod == .seconds(15 * 60))
        let name = "secureSocket.certValidation"
        for (validation, message) in [
            (CertValidation(.ocspStapling, cacheSize: 0), "\(name).cacheSize: it is not in 1 to 100000"),
            (
                CertValidation(.ocspStapling, cacheSize: 100_001),
                "\(name).cacheSize: it is not in 1 to 100000"
            ),
            (CertValidation(.ocspStapling, cacheValidityPeriod: .zero), "\(name).cacheValidityPeriod: "),
            (.ocspCrl, "\(name): no certificate of the peer is verified"),
        ] {
            var configuration = authority.listener
            configuration.secureSocket?.certValidation = validation
            let error = try await failure(WebSocketError.self) {
                _ = try Listener(port: 0, configuration: configuration)
            }
            #expect(error.code == .invalidConfiguration)
            #expect(error.message.hasPrefix(message))
        }
        var careless = authority.client
        careless.secureSocket?.enable = false
        careless.secureSocket?.certValidation = .ocspCrl
        let error = try await failure(WebSocketError.self) { [careless] in
            _ = try await Client("wss://localhost:1/", configuration: careless)
        }
        #expect(error.message == "\(name): no certificate of the peer is verified")
    }

    @Test("certValidation: a certificate of which nobody knows is ssl on the side that asks, and is named")
    func certValidationUnknown() async throws {
        try await serve(Echo(), on: authority.listener) { listener in
            for validation in [CertValidation.ocspCrl, .ocspStapling] {
                var asking = authority.client
                asking.secureSocket?.certValidation = validation
                let error = try await failure(WebSocketError.self) { [asking] in
                    _ = try await Client(listener.secureURL(), configuration: asking)
                }
                #expect(error.code == .ssl)
                #expect(error.message.contains("whether it is revoked cannot be found out: it names no OCSP"))
            }
        }
    }

    @Test("handshakeTimeout: a peer that stalls is cut, and others are served meanwhile")
    func stalledHandshake() async throws {
        var listening = authority.listener
        listening.secureSocket?.handshakeTimeout = .milliseconds(50)
        let log = LogChannel()
        listening.logger = log.logger
        try await serve(Echo(), on: listening) { listener in
            let silent = try await RawPeer.connect(listener.port, sending: [0x16])
            #expect(try await silent.readToEnd().isEmpty)
            #expect(try await log.lines.next().hasSuffix("the TLS handshake was not done in time"))
        }
    }

    // MARK: Several certificates, and others later

    @Test("additionalKeys: the server name chooses the certificate")
    func serverNames() async throws {
        var listening = authority.listener
        listening.secureSocket?.additionalKeys = [authority.key("one")]
        try await serve(Echo(), on: listening) { listener in
            var configuration = authority.client
            configuration.secureSocket?.serverName = "one.test"
            try await expectEcho(try await Client(listener.secureURL(), configuration: configuration))
            try await expectEcho(
                try await Client(listener.secureURL(host: "localhost"), configuration: authority.client))
        }
    }

    @Test("reloadSecureSocket: new connections get the new certificate, open ones go on")
    func reload() async throws {
        var listening = authority.listener
        listening.secureSocket = ListenerSecureSocket(key: authority.key("one"))
        try await serve(Echo(), on: listening) { listener in
            var byName = authority.client
            byName.secureSocket?.serverName = "one.test"
            let before = try await Client(listener.secureURL(), configuration: byName)
            try listener.reloadSecureSocket(ListenerSecureSocket(key: authority.key("renewed")))
            try await expectEcho(try await Client(listener.secureURL(), configuration: authority.client))
            try await expectEcho(before)
            let bad = ListenerSecureSocket(key: .keyStore(path: "/nowhere.p12"))
            let error = try await failure(WebSocketError.self) { try listener.reloadSecureSocket(bad) }
            #expect(error.code == .ssl)
            try await expectEcho(try await Client(listener.secureURL(), configuration: authority.client))
        }
        try await serve(Echo()) { listener in
            let error = try await failure(WebSocketError.self) { try listener.reloadSecureSocket() }
            #expect(error.code == .invalidState)
        }
    }

    @Test("gracefulStop: over TLS it sends 1001 and ends in good order")
    func gracefulStop() async throws {
        try await serve(Echo(), on: authority.listener) { listener in
            let client = try await Client(listener.secureURL(), configuration: authority.client)
            async let stop: Void = listener.gracefulStop()
            let error = try await failure(WebSocketError.self) { _ = try await client.readMessage() }
            #expect(error.closeCode == .goingAway)
            try await stop
        }
    }

    @Test("ssl: a server that speaks no TLS, and a client that speaks none")
    func noTLS() async throws {
        try await serve(Echo()) { listener in
            let error = try await failureToConnect(listener.secureURL(), authority.client)
            #expect(error.code == .ssl)
            #expect(error.message.contains("does not speak TLS"))
        }
        try await serve(Echo(), on: authority.listener) { listener in
            let error = try await failureToConnect(listener.url(), ClientConfiguration())
            #expect(error.code == .connectionLost)
        }
    }
}
