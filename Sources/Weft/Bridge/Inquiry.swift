internal import CWeft

/// The core's question who a client is, for one attempt. What is answered after the attempt's end is passed over.
final class Inquiry: Sendable {
    private let client: CoreHandle
    let attempt: UInt32

    init(_ client: OpaquePointer, _ attempt: UInt32) {
        weft_client_retain(client)
        self.client = CoreHandle(pointer: client)
        self.attempt = attempt
    }

    deinit { weft_client_release(client.pointer) }

    /// Gives the value of the `Authorization` field.
    func answer(_ authorization: String) throws(WebSocketError) {
        let status = authorization.withView { weft_client_authorize(client.pointer, attempt, $0) }
        guard status == WEFT_EINVAL else { return try WebSocketError.check(status) }
        throw WebSocketError(
            .auth,
            "the authorization is empty, or has other characters than printable ASCII, or a blank at an end")
    }

    /// Ends the attempt; another one may follow where the error lets it.
    func decline(_ error: WebSocketError) {
        let status = error.mayPass ? WEFT_ELOST : WEFT_ECALLBACK
        let wait = error.retryAfter.coreMilliseconds
        if weft_client_decline(client.pointer, attempt, status, error.message, wait) != WEFT_OK {
            weft_client_cancel(client.pointer)  // which needs no memory
        }
    }
}

extension WebSocketError {
    /// What an authentication has thrown, as the program sees it.
    init(authorizationFailed error: any Error) {
        if let error = error as? WebSocketError, error.code == .auth {
            self = error
        } else {
            self.init(.auth, "the authorization failed: \(error)", underlying: error)
        }
    }
}
