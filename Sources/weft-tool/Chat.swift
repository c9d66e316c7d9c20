import Synchronization
import Weft

/// Everybody who is in the chat.
final class ChatRoom: Sendable {
    private let members = Mutex<[String: Caller]>([:])

    func enter(_ caller: Caller) {
        members.withLock { $0[caller.connectionID] = caller }
    }

    func leave(_ caller: Caller) {
        members.withLock { $0[caller.connectionID] = nil }
    }

    /// Sends a text to all. Nobody waits for a member who does not read: that one has to go.
    func broadcast(_ text: String) {
        for member in members.withLock({ Array($0.values) }) {
            do {
                try member.writeTextMessage(text)
            } catch let error as WebSocketError where error.code == .backpressure {
                try? member.close(
                    statusCode: .policyViolation, reason: "reads too slowly", timeout: .seconds(5))
            } catch {
                leave(member)
            }
        }
    }
}

/// Sends what one member says to all of them.
struct ChatService: InlineService {
    let room: ChatRoom

    func onOpen(_ caller: Caller) throws { room.enter(caller) }
    func onTextMessage(_ caller: Caller, _ text: String) throws { room.broadcast(text) }
    func onClose(_ caller: Caller, _ statusCode: CloseCode, _ reason: String) throws { room.leave(caller) }
}
