internal import CWeft

/// A key of the core for one algorithm.
final class SigningKey: Sendable {
    private let core: CoreHandle

    private init(_ given: weft_signing_key_config) throws(WebSocketError) {
        var config = given
        var pointer: OpaquePointer?
        var detail = Detail()
        try detail.fill { text, size in weft_signing_key_new(&pointer, &config, text, size) }
        core = CoreHandle(pointer: pointer!)
    }

    deinit { weft_signing_key_free(core.pointer) }

    /// Reads what a signature is made with; nil when it is made with nothing.
    static func load(_ signature: JWTIssuer.Signature) throws(WebSocketError) -> SigningKey? {
        guard let algorithm = signature.algorithm.coreValue, let material = signature.material else {
            return nil
        }
        do throws(WebSocketError) {
            return try load(algorithm, material)
        } catch {
            throw authProblem("signature", error.message)
        }
    }

    private static func load(
        _ algorithm: weft_signature_algorithm, _ material: JWTIssuer.Signature.Material
    ) throws(WebSocketError) -> SigningKey {
        let texts = CTexts()
        defer { withExtendedLifetime(texts) {} }
        var config = weft_signing_key_config()
        weft_signing_key_config_init(&config)
        config.algorithm = algorithm
        switch material {
        case .privateKey(.pem(let keyFile, let keyPassword)):
            config.key_file = try texts.add(keyFile, "keyFile")
            config.key_password = try texts.add(keyPassword, "keyPassword")
        case .privateKey(.keyStore(let path, let password, let alias)):
            config.key_store_file = try texts.add(path, "path")
            config.key_store_password = try texts.add(password, "password")
            config.key_alias = try texts.add(alias, "alias")
        case .secret(let secret): return try load(config, secret)
        }
        return try SigningKey(config)
    }

    private static func load(
        _ given: weft_signing_key_config, _ secret: [UInt8]
    ) throws(WebSocketError) -> SigningKey {
        let result = secret.withUnsafeBufferPointer { bytes in
            var config = given
            config.secret = bytes.baseAddress
            config.secret_length = bytes.count
            return Result { () throws(WebSocketError) in try SigningKey(config) }
        }
        return try result.get()
    }

    /// Signs, on the calling thread.
    func sign(_ bytes: [UInt8]) throws(WebSocketError) -> [UInt8] {
        var signature = [UInt8](repeating: 0, count: weft_signature_length(core.pointer))
        let status = weft_signing_key_sign(core.pointer, &signature, bytes, bytes.count)
        guard status == WEFT_OK else {
            throw WebSocketError(.auth, "the token cannot be signed: \(WebSocketError(status).message)")
        }
        return signature
    }
}

extension JWTIssuer.Signature.Algorithm {
    fileprivate var coreValue: weft_signature_algorithm? {
        switch self {
        case .rs256: WEFT_SIGNATURE_RS256
        case .rs384: WEFT_SIGNATURE_RS384
        case .rs512: WEFT_SIGNATURE_RS512
        case .hs256: WEFT_SIGNATURE_HS256
        case .hs384: WEFT_SIGNATURE_HS384
        case .hs512: WEFT_SIGNATURE_HS512
        case .es256: WEFT_SIGNATURE_ES256
        case .none: nil
        }
    }
}
