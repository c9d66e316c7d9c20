internal import CWeft

extension WebSocketError {
    /// The error for a status of the core, with the core's own sentence unless there is a better one.
    init(_ status: weft_status, _ detail: String = "") {
        let sentence = String(cString: weft_status_text(status))
        self.init(Self.code(of: status), detail.isEmpty ? sentence : detail)
    }

    /// Throws unless the call worked.
    static func check(_ status: weft_status, _ detail: @autoclosure () -> String = "") throws(WebSocketError)
    {
        if status != WEFT_OK { throw WebSocketError(status, detail()) }
    }

    private static func code(of status: weft_status) -> Code {
        switch status {
        case WEFT_EINVAL: .invalidConfiguration
        case WEFT_ECLOSED: .connectionClosed
        case WEFT_EPROTOCOL: .protocolViolation
        case WEFT_ECONTINUATION: .invalidContinuation
        case WEFT_ECONTROL: .controlFrameTooLong
        case WEFT_EPAYLOAD: .invalidPayload
        case WEFT_ETOOBIG: .payloadTooLarge
        case WEFT_EBACKPRESSURE: .backpressure
        case WEFT_EURL: .invalidURL
        case WEFT_EHANDSHAKE, WEFT_EHTTP: .invalidHandshake
        case WEFT_ETIMEDOUT: .connectionLost
        case WEFT_EREFUSED: .connectionRefused
        case WEFT_ELOST: .connectionLost
        case WEFT_ERESOLVE: .nameResolution
        case WEFT_EADDRESS: .addressUnavailable
        case WEFT_EDUPLICATE: .duplicatePath
        case WEFT_ENOTATTACHED: .notAttached
        case WEFT_ECALLBACK: .callbackFailed
        case WEFT_ETLS: .ssl
        case WEFT_ESTATE: .invalidState
        default: .system
        }
    }
}

extension WebSocketError {
    /// Another attempt may overcome it, or what is below a failed authorization.
    var mayPass: Bool {
        if code == .auth { return (underlying as? WebSocketError)?.mayPass ?? false }
        return weft_retry_is_worthwhile(coreStatus, UInt16(httpResponse?.status.code ?? 0))
    }

    /// The shortest wait for that attempt, as the answer says that let it come to this.
    var retryAfter: Duration {
        if code == .auth { return (underlying as? WebSocketError)?.retryAfter ?? .zero }
        return .seconds(httpResponse?.retryAfter ?? 0)
    }

    /// The core's status where it is one that the core tries again.
    private var coreStatus: weft_status {
        switch code {
        case .nameResolution: WEFT_ERESOLVE
        case .connectionRefused: WEFT_EREFUSED
        case .connectionLost: WEFT_ELOST
        case .handshakeTimedOut: WEFT_ETIMEDOUT
        case .system: WEFT_ESYSTEM
        case .invalidHandshake: WEFT_EHANDSHAKE
        default: WEFT_EINVAL
        }
    }
}

/// Room for a sentence of the core.
struct Detail {
    private var characters = [CChar](repeating: 0, count: 256)

    mutating func fill(_ call: (UnsafeMutablePointer<CChar>, Int) -> weft_status) throws(WebSocketError) {
        let status = characters.withUnsafeMutableBufferPointer { call($0.baseAddress!, $0.count) }
        try WebSocketError.check(status, text)
    }

    private var text: String {
        String(decoding: characters.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}

extension CloseCode {
    static func isSendable(_ code: UInt16) -> Bool { weft_close_code_is_valid(code) }
}

extension Duration {
    /// Whole milliseconds, rounded up, as the core counts; the longest time it knows where this is longer.
    var coreMilliseconds: UInt32 {
        guard self > .zero else { return 0 }
        let (seconds, attoseconds) = components
        guard seconds < Int64(UInt32.max) / 1000 else { return UInt32.max - 1 }
        let partial = (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
        return UInt32(seconds * 1000 + partial)
    }

    /// The same for a timeout that waits for ever when it is negative.
    var coreTimeout: UInt32 { self < .zero ? UInt32.max : coreMilliseconds }
}
