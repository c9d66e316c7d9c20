public import HTTPTypes

/// A connection to a server whose messages go to a ``Service``.
///
/// ```swift
/// let client = try await AsyncClient("ws://localhost:21003/chat", service: Printer())
/// try await client.writeTextMessage("hello")
/// ```
///
/// With ``ClientConfiguration/retry`` a connection that was lost is followed by another one: after close code 1001,
/// 1006 or 1011 to 1014, and neither after a close of our own nor after a callback that threw. The back-off is
/// that of the configuration and begins anew when a connection has lasted for `maxWaitInterval`. Each connection
/// has a ``Caller``, an `onOpen` and an `onClose` of its own, one connection after the other; ``caller`` is the
/// newest one's. In between writes throw as they do after any end. `close` ends the attempts, and so does dropping
/// the client. When the attempts are used up or the server refuses for good, `onError` gets the last error with the
/// old caller: the one callback that may follow an `onClose`.
///
/// Dropping the last reference drops the connection.
public final class AsyncClient: WebSocketClient {
    private let first: Dialled
    private let reconnection: Reconnection?

    /// The connection's caller; with ``ClientConfiguration/retry`` the newest connection's.
    public var caller: Caller { reconnection?.caller ?? first.caller }
    /// The server's answer to the first opening handshake.
    public var httpResponse: HTTPResponse? { first.httpResponse }

    /// Connects. The callbacks begin with ``Service/onOpen(_:)``.
    ///
    /// - Throws: As ``Client/init(_:configuration:)``.
    public convenience init(
        _ url: String, service: any Service, configuration: ClientConfiguration = .init()
    ) async throws {
        try await self.init(Dialler(url, configuration, .service(service)))
    }

    /// Connects with a service whose callbacks run on the event loop.
    public convenience init(
        _ url: String, service: any InlineService, configuration: ClientConfiguration = .init()
    ) async throws {
        try await self.init(Dialler(url, configuration, .inlineService(service)))
    }

    /// Connects without a service: messages are dropped, pings answered.
    public convenience init(_ url: String, configuration: ClientConfiguration = .init()) async throws {
        try await self.init(Dialler(url, configuration, .nobody))
    }

    private init(_ dialler: Dialler) async throws {
        reconnection = dialler.configuration.retry.map { Reconnection(dialler, $0) }
        first = try await dialler.connect(reconnection)
    }

    deinit {
        reconnection?.stop()
        caller.handle.abort()
    }
}
