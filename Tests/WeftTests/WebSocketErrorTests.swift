import HTTPTypes
import Testing
import Weft

@Suite("WebSocketError")
struct WebSocketErrorTests {
    @Test("The description is the code and the sentence")
    func description() {
        let error = WebSocketError(.connectionClosed, "close frame already sent")
        #expect(error.description == "connectionClosed: close frame already sent")
        #expect("\(WebSocketError.Code.invalidURL)" == "invalidURL")
    }

    @Test("Only what exists comes with an error")
    func contents() {
        let bare = WebSocketError(.backpressure, "full")
        #expect(bare.underlying == nil && bare.closeCode == nil && bare.httpResponse == nil)
        #expect(bare.httpResponseBody.isEmpty)
        let full = WebSocketError(
            .invalidHandshake, "refused", underlying: Mishap(), closeCode: .goingAway,
            httpResponse: HTTPResponse(status: .forbidden), httpResponseBody: [1])
        #expect(full.underlying is Mishap)
        #expect(full.closeCode == .goingAway)
        #expect(full.httpResponse?.status == .forbidden)
        #expect(full.httpResponseBody == [1])
    }

    @Test("Codes are told apart")
    func codes() {
        let codes: Set<WebSocketError.Code> = [
            .invalidURL, .invalidConfiguration, .duplicatePath, .notAttached, .addressUnavailable,
            .invalidHandshake,
            .handshakeTimedOut, .closeTimedOut, .connectionRefused, .connectionLost, .nameResolution,
            .connectionClosed, .protocolViolation, .invalidContinuation, .controlFrameTooLong,
            .invalidPayload,
            .payloadTooLarge, .unexpectedMessageType, .backpressure,
        ]
        #expect(codes.count == 19)
    }
}
