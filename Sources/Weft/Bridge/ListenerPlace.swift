internal import CWeft

/// Where a listener listens.
enum ListenerPlace {
    /// At the host of the configuration.
    case port(Int)
    case unixDomainSocket(String)

    static func check(unixDomainSocketPath path: String) throws(WebSocketError) {
        let most = weft_unix_path_max()
        let isPath = (1...most).contains(path.utf8.count) && !path.utf8.contains(0)
        let problem = "it has \(path.utf8.count) bytes, not 1 to \(most), or a NUL"
        try ConnectionLimits.check("unixDomainSocketPath", isPath, problem)
    }

    /// Puts the place into the core's settings for the time of the call.
    func lend<Result>(
        to settings: inout weft_listener_config, host: String,
        _ body: (inout weft_listener_config) -> Result
    ) -> Result {
        host.withCString { host in
            settings.host = host
            switch self {
            case .port(let port):
                settings.port = UInt16(port)
                return body(&settings)
            case .unixDomainSocket(let path):
                return path.withCString { path in
                    settings.unix_path = path
                    return body(&settings)
                }
            }
        }
    }
}
