internal import CWeft

extension CompressionOptions {
    private static var defaults: weft_compression {
        var compression = weft_compression()
        weft_compression_init(&compression, WEFT_SERVER)
        return compression
    }

    /// The defaults, with the memory policy given.
    public init(memory: MemoryPolicy = .shared) {
        let defaults = Self.defaults
        serverMaxWindowBits = Int(defaults.server_max_window_bits)
        clientMaxWindowBits = Int(defaults.client_max_window_bits)
        serverNoContextTakeover = defaults.server_no_context_takeover
        clientNoContextTakeover = defaults.client_no_context_takeover
        level = Int(defaults.level)
        threshold = Int(defaults.threshold)
        self.memory = memory
    }

    /// The core's form. Throws for a value out of range, naming it.
    func coreValue(isEnabled: Bool) throws(WebSocketError) -> weft_compression {
        var compression = Self.defaults
        try ConnectionLimits.check("compression.serverMaxWindowBits", serverMaxWindowBits, in: 9...15)
        try ConnectionLimits.check("compression.clientMaxWindowBits", clientMaxWindowBits, in: 9...15)
        try ConnectionLimits.check("compression.level", level, in: 1...9)
        try ConnectionLimits.check("compression.threshold", threshold, in: 0...Int.max)
        compression.enabled = isEnabled
        compression.server_max_window_bits = UInt8(serverMaxWindowBits)
        compression.client_max_window_bits = UInt8(clientMaxWindowBits)
        compression.server_no_context_takeover = serverNoContextTakeover
        compression.client_no_context_takeover = clientNoContextTakeover
        compression.level = UInt8(level)
        compression.threshold = UInt64(threshold)
        compression.memory = memory == .shared ? WEFT_COMPRESSION_SHARED : WEFT_COMPRESSION_DEDICATED
        return compression
    }
}
