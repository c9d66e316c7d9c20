import Weft

struct AsyncEcho: Service {
    func onTextMessage(_ caller: Caller, _ text: String) async throws {
        try await caller.writeTextMessage(text)
    }

    func onBinaryMessage(_ caller: Caller, _ data: [UInt8]) async throws {
        try await caller.writeBinaryMessage(data)
    }
}

struct InlineEcho: InlineService {
    @available(macOS 26, *)
    func onTextMessage(_ caller: Caller, _ text: UTF8Span) throws {
        try caller.writeTextMessage(text)
    }

    func onTextMessage(_ caller: Caller, _ text: String) throws {
        try caller.writeTextMessage(text)
    }

    func onBinaryMessage(_ caller: Caller, _ data: RawSpan) throws {
        try caller.writeBinaryMessage(data)
    }
}
