/// How permessage-deflate (RFC 7692) is negotiated and used.
///
/// A value out of range is an error of the initializer that takes the configuration.
public struct CompressionOptions: Sendable, Hashable {
    /// Whose the memory is: some 40 KiB to inflate, some 150 KiB to deflate; with windows of 9 bits 8 KiB and 24 KiB.
    public enum MemoryPolicy: Sendable, Hashable {
        /// The event loop's: its connections use the same contexts in turn, and each message stands alone, as
        /// if both `NoContextTakeover` settings were true. An idle connection holds nothing.
        case shared
        /// The connection's, while it sends or receives: messages may refer to earlier ones, which compresses
        /// small ones better. A connection that is idle for 2 to 4 s gives its contexts back and keeps only what
        /// the peer may refer to, at most 32 KiB.
        case dedicated
    }

    /// Base-2 logarithm of the window that the server compresses with, in bytes; 9 to 15 (RFC 7692 §7.1.2.1).
    /// Default 15.
    public var serverMaxWindowBits: Int
    /// The same for the client; 9 to 15 (§7.1.2.2). A listener asks for it only of clients that can be asked.
    /// Default 15.
    public var clientMaxWindowBits: Int
    /// The server's messages do not refer to earlier ones (§7.1.1.1). Default false.
    public var serverNoContextTakeover: Bool
    /// The client's messages do not refer to earlier ones (§7.1.1.2). Default false.
    public var clientNoContextTakeover: Bool
    /// Effort of compressing: 1 (fast) to 9 (small). Default 2.
    public var level: Int
    /// Messages of fewer bytes go uncompressed; not negative. Default 64.
    public var threshold: Int
    /// Whose the memory is.
    public var memory: MemoryPolicy
}
