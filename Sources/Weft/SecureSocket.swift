/// A version of TLS.
public enum TLSVersion: Sendable, Hashable, CaseIterable {
    /// Deprecated by RFC 8996; it lowers OpenSSL's security level to 0, and the log has a warning.
    case insecureTLSv10
    /// The same.
    case insecureTLSv11
    /// RFC 5246.
    case tlsv12
    /// RFC 8446.
    case tlsv13
}

/// A certificate with its private key. Descriptions leave the passwords out.
///
/// Files are read when the listener or the client is made; one that is missing, unreadable, empty or damaged, a
/// wrong password, and a key that is not the certificate's are ``WebSocketError`` `.ssl`, naming the file.
public enum SecureSocketKey: Sendable, Hashable {
    /// PEM files: the certificate and behind it those between it and the authority; the key as PKCS#8 or in the
    /// traditional forms, with the password of an encrypted one.
    case certificate(certFile: String, keyFile: String, keyPassword: String? = nil)
    /// A PKCS#12 key store.
    case keyStore(path: String, password: String? = nil)
}

/// The authorities whose word about a peer is trusted, and single certificates that are. Descriptions leave the
/// passwords out.
public enum TrustedCertificates: Sendable, Hashable {
    /// A file of PEM certificates.
    case file(String)
    /// A PKCS#12 trust store.
    case trustStore(path: String, password: String? = nil)
}

/// What a listener asks of its clients' certificates.
public struct MutualSsl: Sendable, Hashable {
    /// Whether a client must show one.
    public enum VerifyClient: Sendable, Hashable {
        /// A client without a good certificate is refused in the TLS handshake.
        case require
        /// One without any is taken; a bad one is refused.
        case optional
    }

    /// Default `.require`.
    public var verifyClient: VerifyClient
    /// Who signs the clients' certificates.
    public var cert: TrustedCertificates

    /// Asks for certificates of these authorities.
    public init(_ cert: TrustedCertificates, verifyClient: VerifyClient = .require) {
        self.cert = cert
        self.verifyClient = verifyClient
    }
}

/// How it is found out whether certificates were revoked. What cannot be found out counts as revoked.
///
/// ```swift
/// var secureSocket = ClientSecureSocket(cert: .file("authority.pem"))
/// secureSocket.certValidation = .ocspCrl
/// ```
///
/// Asked for is each certificate of the peer's chain but the trusted one, at the `http` addresses that it names, once
/// the handshake is done and before anything else; the handshake's timeout includes it. Sessions are not resumed
/// then: they show no chain. A certificate that is revoked, or of which nobody knows, is ``WebSocketError`` `.ssl`,
/// which names it and the cause.
public struct CertValidation: Sendable, Hashable {
    /// Who is asked.
    public enum Method: Sendable, Hashable {
        /// A client asks the server for the answer of its issuer (RFC 6066 §8); without one, and about the other
        /// certificates of the chain, it is as with ``ocspCrl``. A listener fetches the answers about its own
        /// certificates while nobody waits, and sends them along; its clients' certificates, where there is
        /// ``ListenerSecureSocket/mutualSsl``, are asked about as with ``ocspCrl``.
        case ocspStapling
        /// The issuer's OCSP responder (RFC 6960), for a quarter of the handshake's timeout, at most 3 s, and 64 KiB;
        /// where that is of no use its list of revoked certificates (RFC 5280 §5), for half of it, at most 30 s, and
        /// 16 MiB.
        case ocspCrl
    }

    /// Who is asked.
    public var method: Method
    /// So many certificates are remembered as good, from 1 to 100000. Default 50.
    public var cacheSize: Int
    /// For so long, or shorter where the issuer says so; at least 1 s. A listener fetches what it staples anew after
    /// as long, or in half the time for which it holds. Default 15 min.
    public var cacheValidityPeriod: Duration

    /// ``Method/ocspStapling`` with the defaults.
    public static var ocspStapling: CertValidation { CertValidation(.ocspStapling) }
    /// ``Method/ocspCrl`` with the defaults.
    public static var ocspCrl: CertValidation { CertValidation(.ocspCrl) }
}

/// TLS of a ``Listener``.
///
/// ```swift
/// var configuration = ListenerConfiguration()
/// configuration.secureSocket = ListenerSecureSocket(
///     key: .certificate(certFile: "server.pem", keyFile: "server.key"))
/// let listener = try Listener(port: 21003, configuration: configuration)
/// ```
///
/// Renegotiation and TLS compression are always off; ALPN offers `http/1.1`.
public struct ListenerSecureSocket: Sendable, Hashable {
    /// The certificate for clients that name no server, or one that none of the others is for.
    public var key: SecureSocketKey
    /// Further certificates: the client's server name (RFC 6066 §3) chooses among the names in all of them. Two for
    /// one name, as with an RSA and an elliptic curve key, are chosen between by the client's algorithms.
    public var additionalKeys: [SecureSocketKey] = []
    /// Asks clients for certificates; nil, the default, asks for none.
    public var mutualSsl: MutualSsl?
    /// The versions spoken; not empty. Default 1.2 and 1.3.
    public var `protocol`: Set<TLSVersion> = [.tlsv12, .tlsv13]
    /// Names of ciphers as IANA or as OpenSSL spells them. No other is used, and a version without a cipher in the
    /// list is not spoken. Empty, the default, is OpenSSL's choice.
    public var ciphers: [String] = []
    /// Lets clients resume sessions with tickets (RFC 8446 §2.2). Default true.
    public var shareSession: Bool
    /// For the TLS handshake of a connection; zero is no limit. Default 10 s.
    public var handshakeTimeout: Duration
    /// How long a session may be resumed; at least 1 s. Default 7200 s.
    public var sessionTimeout: Duration
    /// What is stapled to the own certificates, and whether the clients' ones were revoked; nil, the default: nothing,
    /// and nobody is asked. ``CertValidation/Method/ocspCrl`` needs ``mutualSsl``.
    public var certValidation: CertValidation?
}

/// TLS of a ``Client`` or an ``AsyncClient``, for `wss` URLs.
///
/// ```swift
/// var configuration = ClientConfiguration()
/// configuration.secureSocket = ClientSecureSocket(cert: .file("authority.pem"))
/// let client = try await Client("wss://localhost:21003/", configuration: configuration)
/// ```
///
/// Clients that are given the same value, or copies of it that were not changed, share what was read from its
/// files, and their sessions. Make a new one to read the files anew.
public struct ClientSecureSocket: Sendable, Hashable {
    /// False takes any certificate of any name; the connection is encrypted, but nobody knows with whom. The log
    /// has a warning. Default true.
    public var enable = true
    /// Who signs servers' certificates; nil, the default, is the system's trust store.
    public var cert: TrustedCertificates?
    /// The own certificate, for servers that ask for one.
    public var key: SecureSocketKey?
    /// The versions spoken; not empty. Default 1.2 and 1.3.
    public var `protocol`: Set<TLSVersion> = [.tlsv12, .tlsv13]
    /// As ``ListenerSecureSocket/ciphers``.
    public var ciphers: [String] = []
    /// False takes a trusted certificate of another name; the log has a warning. Default true.
    public var verifyHostName = true
    /// The name that the server is asked for (RFC 6066 §3) and that its certificate must have; nil, the default, is
    /// the URL's host.
    public var serverName: String?
    /// Resumes sessions with servers that allow it (RFC 8446 §2.2). Default true.
    public var shareSession: Bool
    /// For the TLS handshake; zero leaves ``ClientConfiguration/handShakeTimeout`` alone. Default 10 s.
    public var handshakeTimeout: Duration
    /// How long a session may be resumed; at least 1 s. Default 7200 s.
    public var sessionTimeout: Duration
    /// Whether the server's certificates were revoked; nil, the default: nobody is asked. Not without ``enable``.
    public var certValidation: CertValidation?

    /// What was read for this value, shared by its copies.
    let store = TLSSettingsStore()
}

// MARK: Descriptions without secrets

extension SecureSocketKey: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The files alone.
    public var description: String {
        switch self {
        case .certificate(let certificate, let key, _): "certificate \(certificate) with key \(key)"
        case .keyStore(let path, _): "key store \(path)"
        }
    }
    /// The same.
    public var debugDescription: String { description }
    /// The files alone, so that a dump tells no password either.
    public var customMirror: Mirror { Mirror(self, children: ["files": description]) }
}

extension TrustedCertificates: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The file alone.
    public var description: String {
        switch self {
        case .file(let path): "certificates \(path)"
        case .trustStore(let path, _): "trust store \(path)"
        }
    }
    /// The same.
    public var debugDescription: String { description }
    /// The file alone, so that a dump tells no password either.
    public var customMirror: Mirror { Mirror(self, children: ["file": description]) }
}
