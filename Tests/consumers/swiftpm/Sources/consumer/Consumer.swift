import Weft

struct Echo: Service {
    func onTextMessage(_ caller: Caller, _ text: String) async throws {
        try await caller.writeTextMessage(text)
    }
}

struct Reverse: InlineService {
    func onBinaryMessage(_ caller: Caller, _ data: [UInt8]) throws {
        try caller.writeBinaryMessage(data.reversed())
    }
}

struct Unexpected: Error {
    let what: String
}

@main
struct Consumer {
    static func main() async throws {
        let listener = try Listener(port: 0)
        try listener.attach(at: "/echo") { _ in Echo() }
        try listener.attach(at: "/reverse") { _ in Reverse() }
        try await listener.start()
        guard let port = listener.localAddress?.port else { throw Unexpected(what: "no port") }

        let client = try await Client("ws://127.0.0.1:\(port)/echo")
        try await client.writeTextMessage("hello äß")
        let text = try await client.readTextMessage()
        guard text == "hello äß" else { throw Unexpected(what: text) }
        try await client.close()

        let other = try await Client("ws://127.0.0.1:\(port)/reverse")
        try await other.writeBinaryMessage([1, 2, 3])
        let data = try await other.readBinaryMessage()
        guard data == [3, 2, 1] else { throw Unexpected(what: "\(data)") }

        try await listener.gracefulStop(timeout: .seconds(5))
        print("consumer: all is well")
    }
}
