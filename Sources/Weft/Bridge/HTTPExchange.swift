internal import CWeft
import HTTPTypes
import Logging

/// One HTTP request on a connection of its own.
struct HTTPExchangeRequest: Sendable {
    var method = HTTPRequest.Method.get
    /// `http://…` or `https://…`, without user information.
    var url: String
    /// `Content-Length` and `Connection` are the core's.
    var headers = HTTPFields()
    var body: [UInt8] = []
    /// For `https`; nil trusts what the system trusts.
    var secureSocket: ClientSecureSocket?
    /// The longest body of an answer, in bytes; nil is the core's 1 MiB.
    var maxBodySize: Int?
    /// For the whole exchange; nil is the core's 30 s, zero or less waits for ever.
    var timeout: Duration?
    /// Is told when nobody knows for certain who the server is.
    var logger: Logger?
}

/// An ``HTTPExchangeRequest`` on its way to its answer: retained by the core until the one callback that ends it.
final class HTTPExchange: Sendable {
    typealias Answer = (HTTPResponse, [UInt8])

    private struct State {
        var exchange: CoreHandle?
        var continuation: CheckedContinuation<Answer, any Error>?
        var isCancelled = false
    }
    private let state = Locked(State())

    private init() {}

    deinit { weft_exchange_release(state.withLock { $0.exchange }?.pointer) }

    /// Sends the request and returns the whole answer, whatever its status; redirects are not followed. Throws a
    /// ``WebSocketError`` that names the server and the cause, or `CancellationError` when the task is cancelled.
    static func perform(_ request: HTTPExchangeRequest, on eventLoop: EventLoop) async throws -> Answer {
        let exchange = HTTPExchange()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                exchange.state.withLock { $0.continuation = continuation }
                do throws(WebSocketError) {
                    try exchange.start(request, eventLoop)
                } catch {
                    exchange.finish(.failure(error))
                }
            }
        } onCancel: {
            exchange.cancel()
        }
    }

    private func start(_ request: HTTPExchangeRequest, _ eventLoop: EventLoop) throws(WebSocketError) {
        var config = weft_exchange_config()
        weft_exchange_config_init(&config)
        config.loop = eventLoop.pointer
        if let size = request.maxBodySize { config.max_body_size = UInt64(clamping: size) }
        if let timeout = request.timeout { config.timeout_ms = timeout.coreMilliseconds }
        config.on_answer = { context, answer in
            HTTPExchange.reclaim(context).answered(answer!.pointee)
        }
        config.on_failure = { context, status, detail in
            HTTPExchange.reclaim(context).failed(status, String(cString: detail!))
        }
        let retained = Unmanaged.passRetained(self)
        config.context = retained.toOpaque()
        do throws(WebSocketError) {
            keep(try request.send(config))
        } catch {
            retained.release()
            throw error
        }
    }

    private func keep(_ exchange: CoreHandle) {
        let isCancelled = state.withLock { state in
            state.exchange = exchange
            return state.isCancelled
        }
        if isCancelled { weft_exchange_cancel(exchange.pointer) }
    }

    private func cancel() {
        let exchange = state.withLock { state in
            state.isCancelled = true
            return state.exchange
        }
        if let exchange { weft_exchange_cancel(exchange.pointer) }
    }

    // MARK: On the loop

    private func answered(_ answer: weft_answer) {
        let fields = HTTPFields(answer.fields, count: answer.field_count)
        let response = HTTPResponse(status: .init(code: Int(answer.status)), headerFields: fields)
        finish(.success((response, [UInt8](answer.body))))
    }

    private func failed(_ status: weft_status, _ detail: String) {
        let isCancelled = state.withLock { $0.isCancelled }
        var error = WebSocketError(status, detail)
        if status == WEFT_ETIMEDOUT { error.code = .handshakeTimedOut }
        finish(.failure(isCancelled ? CancellationError() : error))
    }

    private func finish(_ result: sending Result<Answer, any Error>) {
        let continuation = state.withLock { state in
            defer { state.continuation = nil }
            return state.continuation
        }
        continuation?.resume(with: result)
    }

    private static func reclaim(_ context: UnsafeMutableRawPointer?) -> HTTPExchange {
        Unmanaged<HTTPExchange>.fromOpaque(context!).takeRetainedValue()
    }
}

extension HTTPExchangeRequest {
    /// Throws what ``HTTPExchange/perform(_:on:)`` would find wrong before it asks.
    func check() throws(WebSocketError) {
        var config = weft_exchange_config()
        weft_exchange_config_init(&config)
        var detail = Detail()
        let tls = try settings()
        config.tls = tls?.pointer
        try detail.fill { text, size in
            lendTexts(&config) { config in weft_exchange_check(&config, text, size) }
        }
    }

    var isSecure: Bool { url.prefix(6).lowercased() == "https:" }

    /// Starts; `config` has the loop and the callbacks.
    fileprivate func send(_ given: weft_exchange_config) throws(WebSocketError) -> CoreHandle {
        var config = given
        var exchange: OpaquePointer?
        var detail = Detail()
        let tls = try settings()
        config.tls = tls?.pointer
        if isSecure { secureSocket?.warn(logger) }
        try detail.fill { text, size in
            lendTexts(&config) { config in weft_exchange_start(&exchange, &config, text, size) }
        }
        return CoreHandle(pointer: exchange!)
    }

    /// What an `https` URL needs; what was given is checked in any case.
    private func settings() throws(WebSocketError) -> TLSSettings? {
        guard let secureSocket else { return isSecure ? try TLSSettingsStore.ofDefaults.settings() : nil }
        return try secureSocket.settings()
    }

    private func lendTexts<Result>(
        _ config: inout weft_exchange_config, _ body: (inout weft_exchange_config) -> Result
    ) -> Result {
        method.rawValue.withView { method in
            url.withView { url in
                headers.withViews { fields, count in
                    self.body.withUnsafeBytes { bytes in
                        config.method = method
                        config.url = url
                        config.fields = fields
                        config.field_count = count
                        let start = bytes.bindMemory(to: CChar.self).baseAddress
                        config.body = weft_string(bytes: start, length: bytes.count)
                        return body(&config)
                    }
                }
            }
        }
    }
}
