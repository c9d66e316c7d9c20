internal import CWeft
import HTTPTypes
import Logging

/// A connection that a client has opened.
struct Dialled: Sendable {
    let caller: Caller
    let httpResponse: HTTPResponse?
}

/// A client on its way to a connection: holds the configuration for the core until `on_open` or `on_failure`,
/// which end it.
final class Dial: @unchecked Sendable {
    // Unchecked: `sink` is used on the connection's loop alone, everything that changes is under the lock.
    private let sink: ConnectionSink
    private let logger: Logger?
    private let auth: (any ClientAuthentication)?

    private struct State {
        var client: CoreHandle?
        /// The attempt that the authentication is asked for, what it gave, and why it gave none.
        var asked: UInt32 = 0
        var asking: Task<Void, Never>?
        var authorization: String?
        var refusal: WebSocketError?
        var continuation: CheckedContinuation<Dialled, any Error>?
        var isCancelled = false
        var httpResponse: HTTPResponse?
        var body: [UInt8] = []
    }
    private let state = Locked(State())

    private init(_ sink: ConnectionSink, _ configuration: ClientConfiguration) {
        self.sink = sink
        logger = configuration.logger
        auth = configuration.auth
    }

    deinit { weft_client_release(state.withLock { $0.client }?.pointer) }

    /// Connects; `sink` is told what the connection does from then on.
    static func open(
        _ url: String, _ configuration: ClientConfiguration, _ eventLoop: EventLoop, _ sink: ConnectionSink,
        pings: PingAnswer
    ) async throws -> Dialled {
        let dial = Dial(sink, configuration)
        sink.dial = dial
        do {
            return try await withTaskCancellationHandler {
                try await withCheckedThrowingContinuation { continuation in
                    dial.state.withLock { $0.continuation = continuation }
                    do throws(WebSocketError) {
                        try dial.start(url, configuration, eventLoop, pings)
                    } catch {
                        dial.finish(.failure(error))
                    }
                }
            } onCancel: {
                dial.cancel()
            }
        } catch {
            dial.discardAuthorization(after: error)
            throw error
        }
    }

    /// What the server does not take is not to be kept.
    private func discardAuthorization(after error: any Error) {
        guard let auth, let error = error as? WebSocketError, error.code == .invalidHandshake,
            error.httpResponse?.status == .unauthorized
        else { return }
        if let given = state.withLock({ $0.authorization }) { auth.discard(given) }
    }

    private func start(
        _ url: String, _ configuration: ClientConfiguration, _ eventLoop: EventLoop, _ pings: PingAnswer
    ) throws(WebSocketError) {
        let settings = try ClientSettings(url, configuration, ConnectionSink.callbacks(pings: pings))
        var config = weft_client_config()
        weft_client_config_init(&config)
        config.loop = eventLoop.pointer
        config.on_answer = { context, answer in
            Dial.of(context)?.answered(answer!.pointee)
        }
        config.on_failure = { context, status, detail in
            Dial.of(context)?.failed(status, String(cString: detail!))
        }
        config.on_retry = { context, attempt, status, detail, wait in
            Dial.of(context)?.retries(attempt, String(cString: detail!), .milliseconds(wait))
        }
        if auth != nil {
            config.on_authorize = { context, client, attempt in
                Dial.of(context)?.ask(Inquiry(client!, attempt))
            }
        }
        let retained = Unmanaged.passRetained(sink)
        config.context = retained.toOpaque()
        do throws(WebSocketError) {
            keep(try settings.connect(config))
        } catch {
            retained.release()
            throw error
        }
    }

    private func keep(_ client: CoreHandle) {
        let isCancelled = state.withLock { state in
            state.client = client
            return state.isCancelled
        }
        if isCancelled { weft_client_cancel(client.pointer) }
    }

    private func cancel() {
        let client = state.withLock { state in
            state.isCancelled = true
            return state.client
        }
        if let client { weft_client_cancel(client.pointer) }
    }

    // MARK: On the loop

    private func answered(_ answer: weft_answer) {
        let fields = HTTPFields(answer.fields, count: answer.field_count)
        let response = HTTPResponse(status: .init(code: Int(answer.status)), headerFields: fields)
        let body = UnsafeRawBufferPointer(start: answer.body.bytes, count: answer.body.length)
        state.withLock { state in
            state.httpResponse = response
            state.body = [UInt8](body)
        }
    }

    /// The answer comes from a task of its own, which nobody waits for longer than the attempt lasts.
    private func ask(_ inquiry: Inquiry) {
        guard let auth else { return }
        state.withLock { $0.asked = inquiry.attempt }
        let asking = Task { [self] in
            do {
                let authorization = try await auth.authorization()
                keep(authorization, for: inquiry)
                try inquiry.answer(authorization)
            } catch {
                decline(inquiry, WebSocketError(authorizationFailed: error))
            }
        }
        state.withLock { $0.asking = asking }
    }

    private func keep(_ authorization: String, for inquiry: Inquiry) {
        state.withLock { state in
            if state.asked == inquiry.attempt { state.authorization = authorization }
        }
    }

    private func decline(_ inquiry: Inquiry, _ refusal: WebSocketError) {
        state.withLock { state in
            if state.asked == inquiry.attempt { state.refusal = refusal }
        }
        inquiry.decline(refusal)
    }

    private func stopAsking() {
        let asking = state.withLock { state in
            defer {
                state.asked = 0
                state.asking = nil
                state.refusal = nil
            }
            return state.asking
        }
        asking?.cancel()
    }

    private func retries(_ attempt: UInt32, _ detail: String, _ wait: Duration) {
        stopAsking()
        logger?.warning("attempt \(attempt) to connect failed, the next one follows in \(wait): \(detail)")
    }

    private func failed(_ status: weft_status, _ detail: String) {
        var error = WebSocketError(status, detail)
        if status == WEFT_ETIMEDOUT { error.code = .handshakeTimedOut }
        let isCancelled = state.withLock { state in
            error.httpResponse = state.httpResponse
            error.httpResponseBody = state.body
            if let refusal = state.refusal { error = refusal }
            return state.isCancelled
        }
        finish(.failure(isCancelled ? CancellationError() : error))
    }

    func opened(_ caller: Caller) {
        let response = state.withLock { $0.httpResponse }
        finish(.success(Dialled(caller: caller, httpResponse: response)))
    }

    private func finish(_ result: Result<Dialled, any Error>) {
        let continuation = state.withLock { state in
            defer { state.continuation = nil }
            return state.continuation
        }
        sink.dial = nil
        stopAsking()
        continuation?.resume(with: result)
    }

    private static func of(_ context: UnsafeMutableRawPointer?) -> Dial? {
        Unmanaged<ConnectionSink>.fromOpaque(context!).takeUnretainedValue().dial
    }
}
