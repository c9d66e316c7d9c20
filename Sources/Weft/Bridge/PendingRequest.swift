internal import CWeft
import HTTPTypes

/// One request of the core that waits for its answer.
final class PendingRequest: Sendable {
    private let core: CoreHandle
    private let isAnswered = Locked(false)
    let eventLoop: EventLoop

    init(_ request: OpaquePointer) {
        core = CoreHandle(pointer: request)
        eventLoop = EventLoop.of(weft_request_loop(request))
    }

    /// A request that nobody answered gets a 500.
    deinit {
        if !isAnswered.withLock({ $0 }) { fail() }
    }

    private var pointer: OpaquePointer { core.pointer }

    // MARK: What it tells, before the answer

    var upgradeRequest: UpgradeRequest { UpgradeRequest(RequestRecord(pointer)) }

    var httpRequest: HTTPServiceRequest {
        let record = RequestRecord(pointer)
        let place = record.place
        return HTTPServiceRequest(
            head: record.head, path: place.path, pathParameters: place.pathParameters, query: place.query,
            body: [UInt8](weft_request_body(pointer)), remoteAddress: place.remoteAddress)
    }

    var path: String { String(weft_request_path(pointer)) }

    // MARK: The answer

    /// Opens the connection: from now on the core talks to `sink`.
    func accept(
        _ sink: ConnectionSink, _ configuration: ServiceConfiguration, subprotocol: String?,
        headers: HTTPFields
    ) throws(WebSocketError) {
        var limits = try configuration.limits.coreValue()
        var service = ConnectionSink.callbacks(pings: .sink)
        let retained = Unmanaged.passRetained(sink)
        do throws(WebSocketError) {
            try answer { () throws(WebSocketError) in
                try (subprotocol ?? "").withView { name throws(WebSocketError) in
                    try headers.withViews { fields, count throws(WebSocketError) in
                        var detail = Detail()
                        try detail.fill { text, size in
                            withUnsafePointer(to: &limits) { limits in
                                withUnsafePointer(to: &service) { service in
                                    var acceptance = weft_acceptance()
                                    weft_acceptance_init(&acceptance)
                                    acceptance.service = service
                                    acceptance.context = retained.toOpaque()
                                    acceptance.config = limits
                                    acceptance.subprotocol = name
                                    acceptance.fields = fields
                                    acceptance.field_count = count
                                    return weft_request_accept(pointer, &acceptance, text, size)
                                }
                            }
                        }
                    }
                }
            }
        } catch {
            retained.release()
            throw error
        }
    }

    func respond(_ response: HTTPServiceResponse) throws(WebSocketError) {
        try answer { () throws(WebSocketError) in
            try response.headers.withViews { fields, count throws(WebSocketError) in
                var detail = Detail()
                try detail.fill { text, size in
                    response.body.withUnsafeBytes { body in
                        var answer = weft_response()
                        weft_response_init(&answer)
                        answer.status = UInt16(clamping: response.status.code)
                        answer.fields = fields
                        answer.field_count = count
                        answer.body = weft_string(
                            bytes: body.baseAddress?.assumingMemoryBound(to: CChar.self), length: body.count)
                        return weft_request_respond(pointer, &answer, text, size)
                    }
                }
            }
        }
    }

    /// A plain text answer. Throws for a header that cannot be sent; the request is then still unanswered.
    func refuse(_ refusal: UpgradeError) throws(WebSocketError) {
        try respond(
            HTTPServiceResponse(status: refusal.status, headers: refusal.headers, text: refusal.message))
    }

    /// A 500, unless there was an answer; where even that has no memory, the request is dropped.
    func fail() {
        do throws(WebSocketError) {
            try refuse(UpgradeError(status: .internalServerError, message: "internal server error"))
        } catch {
            if error.code == .invalidState { return }  // answered already
            isAnswered.withLock { $0 = true }
            weft_request_drop(pointer)
        }
    }

    private func answer(_ give: () throws(WebSocketError) -> Void) throws(WebSocketError) {
        let isFirst = isAnswered.withLock { isAnswered in
            defer { isAnswered = true }
            return !isAnswered
        }
        guard isFirst else { throw WebSocketError(.invalidState, "the request has been answered already") }
        do throws(WebSocketError) {
            try give()
        } catch {
            isAnswered.withLock { $0 = false }
            throw error
        }
    }
}
