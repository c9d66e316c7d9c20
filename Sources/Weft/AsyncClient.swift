public import HTTPTypes

/// A connection to a server whose messages go to a ``Service``.
///
/// ```swift
/// let client = try await AsyncClient("ws://localhost:21003/chat", service: Printer())
/// try await client.writeTextMessage("hello")
/// ```
///
/// Dropping the last reference drops the connection.
public final class AsyncClient: WebSocketClient {
    public let caller: Caller
    /// The server's answer to the opening handshake.
    public let httpResponse: HTTPResponse?

    /// Connects. The callbacks begin with ``Service/onOpen(_:)``.
    ///
    /// - Throws: As ``Client/init(_:configuration:)``.
    public convenience init(
        _ url: String, service: any Service, configuration: ClientConfiguration = .init()
    ) async throws {
        try configuration.check()
        let eventLoop = try (configuration.eventLoops ?? .shared).next()
        let sink = TaskSink(makeCaller: configuration.makeCaller)
        let queue = sink.queue
        self.init(try await Dial.open(url, configuration, eventLoop, sink, pings: .sink))
        Task(executorPreference: eventLoop) {
            let run = ServiceRun(service: service, queue: queue)
            await run.run()
        }
    }

    /// Connects with a service whose callbacks run on the event loop.
    public convenience init(
        _ url: String, service: any InlineService, configuration: ClientConfiguration = .init()
    ) async throws {
        try configuration.check()
        let eventLoop = try (configuration.eventLoops ?? .shared).next()
        let sink = InlineSink(service: service, makeCaller: configuration.makeCaller)
        self.init(try await Dial.open(url, configuration, eventLoop, sink, pings: .sink))
    }

    /// Connects without a service: messages are dropped, pings answered.
    public convenience init(_ url: String, configuration: ClientConfiguration = .init()) async throws {
        try configuration.check()
        let eventLoop = try (configuration.eventLoops ?? .shared).next()
        let sink = ConnectionSink(makeCaller: configuration.makeCaller)
        self.init(try await Dial.open(url, configuration, eventLoop, sink, pings: .library))
    }

    private init(_ dialled: Dialled) {
        caller = dialled.caller
        httpResponse = dialled.httpResponse
    }

    deinit { caller.handle.abort() }
}
