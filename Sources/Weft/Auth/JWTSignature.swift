extension JWTIssuer {
    /// How tokens are signed (RFC 7518 §3.1), and with what. Descriptions tell the algorithm alone.
    public struct Signature: Sendable, CustomStringConvertible, CustomDebugStringConvertible,
        CustomReflectable
    {
        enum Algorithm: String {
            case rs256 = "RS256"
            case rs384 = "RS384"
            case rs512 = "RS512"
            case hs256 = "HS256"
            case hs384 = "HS384"
            case hs512 = "HS512"
            case es256 = "ES256"
            case none
        }

        enum Material {
            case privateKey(PrivateKey)
            case secret([UInt8])
        }

        let algorithm: Algorithm
        let material: Material?

        private init(_ algorithm: Algorithm, _ material: Material?) {
            self.algorithm = algorithm
            self.material = material
        }

        private static func secret(_ algorithm: Algorithm, _ secret: some Sequence<UInt8>) -> Signature {
            Signature(algorithm, .secret(Array(secret)))
        }

        /// RSASSA-PKCS1-v1_5 with SHA-256: an RSA key of at least 2048 bits.
        public static func rs256(_ key: PrivateKey) -> Signature { Signature(.rs256, .privateKey(key)) }
        /// The same with SHA-384.
        public static func rs384(_ key: PrivateKey) -> Signature { Signature(.rs384, .privateKey(key)) }
        /// The same with SHA-512.
        public static func rs512(_ key: PrivateKey) -> Signature { Signature(.rs512, .privateKey(key)) }
        /// ECDSA with SHA-256: a key on the curve P-256.
        public static func es256(_ key: PrivateKey) -> Signature { Signature(.es256, .privateKey(key)) }
        /// HMAC with SHA-256: a secret of at least 32 bytes that the server knows, too; a text's is its `utf8`.
        public static func hs256(secret: some Sequence<UInt8>) -> Signature { .secret(.hs256, secret) }
        /// The same with SHA-384: at least 48 bytes.
        public static func hs384(secret: some Sequence<UInt8>) -> Signature { .secret(.hs384, secret) }
        /// The same with SHA-512: at least 64 bytes.
        public static func hs512(secret: some Sequence<UInt8>) -> Signature { .secret(.hs512, secret) }
        /// None (RFC 7519 §6): anybody can make such tokens. For tests, and where something else proves them.
        public static let insecureNone = Signature(.none, nil)

        /// The algorithm, as in `RS256`.
        public var description: String { algorithm.rawValue }
        /// The same.
        public var debugDescription: String { description }
        /// The algorithm alone, so that a dump tells no secret either.
        public var customMirror: Mirror { Mirror(self, children: ["algorithm": description]) }
    }

    /// Where a private key is. Descriptions leave the passwords out.
    public enum PrivateKey: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible,
        CustomReflectable
    {
        /// A PEM file: PKCS#8 or the traditional forms, with the password of an encrypted one.
        case pem(keyFile: String, keyPassword: String? = nil)
        /// A PKCS#12 key store: the key of that alias, where the case of ASCII letters does not matter, or the
        /// only one.
        case keyStore(path: String, password: String? = nil, alias: String? = nil)

        /// The file.
        public var description: String {
            switch self {
            case .pem(let keyFile, _): keyFile
            case .keyStore(let path, _, _): path
            }
        }
        /// The same.
        public var debugDescription: String { description }
        /// The file alone, so that a dump tells no password either.
        public var customMirror: Mirror { Mirror(self, children: ["file": description]) }
    }
}
