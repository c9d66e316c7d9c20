import HTTPTypes
import Testing
import Weft

@Suite("WebSocketError", .timeLimit(.minutes(2)))
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
        #expect(bare.closeReason == nil)
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
            .payloadTooLarge, .unexpectedMessageType, .backpressure, .readTimedOut, .writeTimedOut,
            .callbackFailed, .system, .invalidState,
        ]
        #expect(codes.count == 24)
    }

    // MARK: Reached by a call of their own

    @Test("duplicatePath: names the path")
    func duplicatePath() async throws {
        let listener = try Listener(port: 0, configuration: .local)
        try listener.attach(at: "/ws") { _ in Echo() }
        let error = try await failure(WebSocketError.self) { try listener.attach(at: "/ws") { _ in Echo() } }
        #expect(error.code == .duplicatePath && error.message.contains("/ws"))
    }

    @Test("notAttached: names the path")
    func notAttached() async throws {
        let listener = try Listener(port: 0, configuration: .local)
        let error = try await failure(WebSocketError.self) { try listener.detach(path: "/other") }
        #expect(error.code == .notAttached && error.message.contains("/other"))
    }

    @Test("addressUnavailable: names address, port and cause")
    func addressUnavailable() async throws {
        try await serve(Echo()) { listener in
            let second = try Listener(port: listener.port, configuration: .local)
            let error = try await failure(WebSocketError.self) { try await second.start() }
            #expect(error.code == .addressUnavailable)
            #expect(error.message.contains("127.0.0.1:\(listener.port)"))
            #expect(error.message.contains("address in use"))
        }
    }

    /// The reason on the wire of what a frame leads to.
    private func reason(
        for frame: Frame, _ code: WebSocketError.Code, _ closeCode: UInt16
    ) async throws -> String {
        let service = Recorder()
        return try await serve(service) { listener in
            let peer = try await RawPeer.upgrade(listener.port, then: [frame])
            #expect(try await service.next(2) == [.open, .error(code)])
            let close = try await peer.readFrame()
            #expect(close.closeCode == closeCode)
            return String(decoding: close.payload.dropFirst(2), as: UTF8.self)
        }
    }

    @Test("protocolViolation: 1002, and the reason says what was wrong")
    func protocolViolation() async throws {
        let reason = try await reason(for: Frame(opcode: 5), .protocolViolation, 1002)
        #expect(reason.hasPrefix("a frame header has a reserved opcode"))
    }

    @Test("invalidContinuation: 1002 for a continuation of nothing")
    func invalidContinuation() async throws {
        let reason = try await reason(for: Frame(opcode: 0), .invalidContinuation, 1002)
        #expect(reason == "a continuation frame continues nothing")
    }

    @Test("invalidPayload: 1007 for text that is not UTF-8")
    func invalidPayload() async throws {
        let reason = try await reason(for: Frame(opcode: 1, payload: [0xC0]), .invalidPayload, 1007)
        #expect(reason == "a text message is not UTF-8")
    }

    @Test("payloadTooLarge: 1009, with the size and the limit that it is over")
    func payloadTooLarge() async throws {
        let frame = Frame(opcode: 2, payload: [UInt8](repeating: 0, count: 70_000))
        let reason = try await reason(for: frame, .payloadTooLarge, 1009)
        #expect(reason == "frame of 70000 bytes is over maxFrameSize 65536")
    }

    @Test("connectionClosed: carries the code and the reason of the peer, for reads and for writes")
    func connectionClosed() async throws {
        let service = Recorder { caller, event in
            if event == .open { try await caller.close(statusCode: CloseCode(4000), reason: "no more") }
        }
        try await serve(service) { listener in
            let client = try await Client(listener.url())
            let read = try await failure(WebSocketError.self) { _ = try await client.readMessage() }
            let write = try await failure(WebSocketError.self) { try await client.writeTextMessage("x") }
            for error in [read, write] {
                #expect(error.code == .connectionClosed && error.closeCode == CloseCode(4000))
                #expect(error.closeReason == "no more")
                #expect(error.message == "the connection is closed with code 4000: no more")
            }
        }
    }

    @Test("backpressure: says that the peer reads too slowly")
    func backpressure() async throws {
        let errors = Channel<WebSocketError>()
        let service = InlineRecorder { caller, event in
            guard event == .open else { return }
            do {
                while true { try caller.writeBinaryMessage([UInt8](repeating: 0, count: 100_000)) }
            } catch let error as WebSocketError {
                errors.send(error)
            }
        }
        var configuration = ServiceConfiguration()
        configuration.sendQueueLimit = 100_000
        try await serve(service, configuration) { listener in
            let peer = try await RawPeer.upgrade(listener.port)
            let error = try await errors.next()
            #expect(error.code == .backpressure)
            #expect(error.message == "the send queue is full: the peer reads too slowly")
            withExtendedLifetime(peer) {}
        }
    }
}
