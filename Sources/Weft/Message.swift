/// A whole message (RFC 6455 §5.6).
public enum Message: Sendable, Hashable {
    /// Text, valid UTF-8.
    case text(String)
    /// Bytes.
    case binary([UInt8])
}
