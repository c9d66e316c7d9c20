internal import CWeft
import Logging

/// Settings of TLS that the core has read and checked.
final class TLSSettings: Sendable {
    private let core: CoreHandle

    fileprivate init(_ pointer: OpaquePointer) { core = CoreHandle(pointer: pointer) }

    deinit { weft_tls_release(pointer) }

    var pointer: OpaquePointer { core.pointer }
}

/// Keeps what was read for a ``ClientSecureSocket``, and with it the sessions, until the value differs.
final class TLSSettingsStore: Sendable, Hashable {
    private let latest = Locked<(value: ClientSecureSocket, settings: TLSSettings)?>(nil)

    /// For clients without settings of their own.
    static let ofDefaults = ClientSecureSocket()

    func settings(for value: ClientSecureSocket) throws(WebSocketError) -> TLSSettings {
        if let known = latest.withLock({ $0?.value == value ? $0?.settings : nil }) { return known }
        let settings = try value.load()
        // The copy has a store of its own, or the two would keep each other alive.
        latest.withLock { $0 = (value.withNewStore(), settings) }
        return settings
    }

    // A store is no part of its value.
    static func == (one: TLSSettingsStore, other: TLSSettingsStore) -> Bool { true }
    func hash(into hasher: inout Hasher) {}
}

/// Texts that end with a NUL, for as long as this object lives.
final class CTexts {
    private var texts: [UnsafeMutablePointer<CChar>] = []

    /// Nil for nil. Throws for a text with a NUL of its own.
    func add(_ text: String?, _ name: String) throws(WebSocketError) -> UnsafePointer<CChar>? {
        guard let text else { return nil }
        try ConnectionLimits.check(name, !text.utf8.contains(0), "it has a NUL")
        let bytes = Array(text.utf8) + [0]
        let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
        for (index, byte) in bytes.enumerated() { copy[index] = CChar(bitPattern: byte) }
        texts.append(copy)
        return UnsafePointer(copy)
    }

    deinit {
        for text in texts { text.deallocate() }
    }
}

extension SecureSocketKey {
    fileprivate func coreValue(_ texts: CTexts) throws(WebSocketError) -> weft_tls_identity {
        var identity = weft_tls_identity()
        weft_tls_identity_init(&identity)
        switch self {
        case .certificate(let certFile, let keyFile, let keyPassword):
            try ConnectionLimits.check("secureSocket.key", !certFile.isEmpty, "certFile is empty")
            try ConnectionLimits.check("secureSocket.key", !keyFile.isEmpty, "keyFile is empty")
            identity.certificate_file = try texts.add(certFile, "secureSocket.key")
            identity.key_file = try texts.add(keyFile, "secureSocket.key")
            identity.key_password = try texts.add(keyPassword, "secureSocket.key")
        case .keyStore(let path, let password):
            try ConnectionLimits.check("secureSocket.key", !path.isEmpty, "path is empty")
            identity.key_store_file = try texts.add(path, "secureSocket.key")
            identity.key_store_password = try texts.add(password, "secureSocket.key")
        }
        return identity
    }
}

extension TrustedCertificates {
    fileprivate func fill(
        _ config: inout weft_tls_config, _ texts: CTexts, _ name: String
    ) throws(WebSocketError) {
        switch self {
        case .file(let path):
            try ConnectionLimits.check(name, !path.isEmpty, "the file is empty")
            config.trust_file = try texts.add(path, name)
        case .trustStore(let path, let password):
            try ConnectionLimits.check(name, !path.isEmpty, "path is empty")
            config.trust_file = try texts.add(path, name)
            config.trust_password = try texts.add(password, name)
        }
    }
}

extension weft_tls_config {
    fileprivate static var defaults: weft_tls_config {
        var config = weft_tls_config()
        weft_tls_config_init(&config)
        return config
    }

    /// What both sides have in common.
    fileprivate mutating func fill(
        versions: Set<TLSVersion>, ciphers: [String], shareSession: Bool, handshakeTimeout: Duration,
        sessionTimeout: Duration, _ texts: CTexts
    ) throws(WebSocketError) {
        try ConnectionLimits.check("secureSocket.protocol", !versions.isEmpty, "it has no version")
        try ConnectionLimits.check("secureSocket.handshakeTimeout", handshakeTimeout, atLeast: .zero)
        try ConnectionLimits.check("secureSocket.sessionTimeout", sessionTimeout, atLeast: .seconds(1))
        let isEachAName = ciphers.allSatisfy { !$0.isEmpty && !$0.contains { ":, ".contains($0) } }
        try ConnectionLimits.check(
            "secureSocket.ciphers", isEachAName, "one is empty, or has a colon, comma or space")
        self.versions = versions.reduce(0) { $0 | $1.coreBit }
        if !ciphers.isEmpty {
            self.ciphers = try texts.add(ciphers.joined(separator: ":"), "secureSocket.ciphers")
        }
        shares_sessions = shareSession
        handshake_timeout_ms = handshakeTimeout.coreMilliseconds
        session_timeout_s = UInt32(clamping: min(sessionTimeout.components.seconds, Int64(Int32.max)))
    }
}

extension CertValidation {
    /// Who is asked, and how long the answers are remembered.
    public init(_ method: Method, cacheSize: Int? = nil, cacheValidityPeriod: Duration? = nil) {
        let defaults = weft_tls_config.defaults
        self.method = method
        self.cacheSize = cacheSize ?? Int(defaults.revocation_cache_size)
        self.cacheValidityPeriod = cacheValidityPeriod ?? .seconds(defaults.revocation_validity_s)
    }

    fileprivate func fill(_ config: inout weft_tls_config, isUsed: Bool) throws(WebSocketError) {
        let name = "secureSocket.certValidation"
        try ConnectionLimits.check(name, isUsed, "no certificate of the peer is verified")
        try ConnectionLimits.check("\(name).cacheSize", 1...100_000 ~= cacheSize, "it is not in 1 to 100000")
        try ConnectionLimits.check("\(name).cacheValidityPeriod", cacheValidityPeriod, atLeast: .seconds(1))
        config.revocation =
            method == .ocspStapling ? WEFT_TLS_REVOCATION_STAPLING : WEFT_TLS_REVOCATION_OCSP_CRL
        config.revocation_cache_size = UInt32(cacheSize)
        config.revocation_validity_s = UInt32(
            clamping: min(cacheValidityPeriod.components.seconds, Int64(Int32.max)))
    }
}

extension TLSVersion {
    fileprivate var coreBit: UInt32 {
        switch self {
        case .insecureTLSv10: WEFT_TLS_1_0_INSECURE.rawValue
        case .insecureTLSv11: WEFT_TLS_1_1_INSECURE.rawValue
        case .tlsv12: WEFT_TLS_1_2.rawValue
        case .tlsv13: WEFT_TLS_1_3.rawValue
        }
    }
}

extension Set<TLSVersion> {
    /// What the log is to warn of; nil: nothing.
    fileprivate var warning: String? {
        contains(.insecureTLSv10) || contains(.insecureTLSv11)
            ? "TLS 1.0 and 1.1 are insecure (RFC 8996), and allowed" : nil
    }
}

/// Opens settings of one side with the core's own sentence for what is wrong.
private func open(
    _ config: weft_tls_config, _ identities: [weft_tls_identity],
    _ call: (
        inout OpaquePointer?, UnsafePointer<weft_tls_config>, UnsafeMutablePointer<CChar>, Int
    ) -> weft_status
) throws(WebSocketError) -> TLSSettings {
    var config = config
    var opened: OpaquePointer?
    var detail = Detail()
    try detail.fill { text, size in
        identities.withUnsafeBufferPointer { identities in
            config.identities = identities.baseAddress
            config.identity_count = identities.count
            return call(&opened, &config, text, size)
        }
    }
    return TLSSettings(opened!)
}

extension ListenerSecureSocket {
    /// Needs a certificate; everything else has a default.
    public init(key: SecureSocketKey) {
        let defaults = weft_tls_config.defaults
        self.key = key
        shareSession = defaults.shares_sessions
        handshakeTimeout = .milliseconds(defaults.handshake_timeout_ms)
        sessionTimeout = .seconds(defaults.session_timeout_s)
    }

    /// Reads the files and checks everything.
    func load() throws(WebSocketError) -> TLSSettings {
        let texts = CTexts()
        defer { withExtendedLifetime(texts) {} }
        var config = weft_tls_config.defaults
        try config.fill(
            versions: self.protocol, ciphers: ciphers, shareSession: shareSession,
            handshakeTimeout: handshakeTimeout, sessionTimeout: sessionTimeout, texts)
        if let mutualSsl {
            config.verification =
                mutualSsl.verifyClient == .require ? WEFT_TLS_VERIFY_REQUIRED : WEFT_TLS_VERIFY_OPTIONAL
            try mutualSsl.cert.fill(&config, texts, "secureSocket.mutualSsl.cert")
        }
        let isUsed = mutualSsl != nil || certValidation?.method == .ocspStapling
        try certValidation?.fill(&config, isUsed: isUsed)
        var identities: [weft_tls_identity] = []
        for key in [key] + additionalKeys { identities.append(try key.coreValue(texts)) }
        return try open(config, identities) { weft_tls_open_server(&$0, $1, $2, $3) }
    }

    func warn(_ logger: Logger?) {
        if let warning = self.protocol.warning { logger?.warning("secureSocket: \(warning)") }
    }
}

extension ClientSecureSocket {
    /// Trusts the given certificates, or what the system trusts.
    public init(cert: TrustedCertificates? = nil, key: SecureSocketKey? = nil) {
        let defaults = weft_tls_config.defaults
        self.cert = cert
        self.key = key
        shareSession = defaults.shares_sessions
        handshakeTimeout = .milliseconds(defaults.handshake_timeout_ms)
        sessionTimeout = .seconds(defaults.session_timeout_s)
    }

    /// What the files hold, read once.
    func settings() throws(WebSocketError) -> TLSSettings { try store.settings(for: self) }

    fileprivate func withNewStore() -> ClientSecureSocket {
        var copy = ClientSecureSocket(cert: cert, key: key)
        copy.enable = enable
        copy.protocol = self.protocol
        copy.ciphers = ciphers
        copy.verifyHostName = verifyHostName
        copy.serverName = serverName
        copy.shareSession = shareSession
        copy.handshakeTimeout = handshakeTimeout
        copy.sessionTimeout = sessionTimeout
        copy.certValidation = certValidation
        return copy
    }

    fileprivate func load() throws(WebSocketError) -> TLSSettings {
        let texts = CTexts()
        defer { withExtendedLifetime(texts) {} }
        var config = weft_tls_config.defaults
        try config.fill(
            versions: self.protocol, ciphers: ciphers, shareSession: shareSession,
            handshakeTimeout: handshakeTimeout, sessionTimeout: sessionTimeout, texts)
        try cert?.fill(&config, texts, "secureSocket.cert")
        if !enable { config.verification = WEFT_TLS_VERIFY_NOTHING_INSECURE }
        config.skips_host_name_insecure = !verifyHostName
        try certValidation?.fill(&config, isUsed: enable)
        config.server_name = try texts.add(serverName, "secureSocket.serverName")
        var identities: [weft_tls_identity] = []
        if let key { identities.append(try key.coreValue(texts)) }
        return try open(config, identities) { weft_tls_open_client(&$0, $1, $2, $3) }
    }

    func warn(_ logger: Logger?) {
        if !enable {
            logger?.warning("secureSocket: any certificate is taken: nobody knows who the server is")
        } else if !verifyHostName {
            logger?.warning("secureSocket: the server's name is not compared with its certificate")
        }
        if let warning = self.protocol.warning { logger?.warning("secureSocket: \(warning)") }
    }
}
