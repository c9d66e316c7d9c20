import Foundation
import Synchronization
import Weft

/// What all connections have seen.
final class Tally: Sendable {
    struct Counts: Encodable {
        var lives = 0
        var messages = 0
        var bytes = 0
        var lost = 0
        var duplicated = 0
        var corrupted = 0
        var cut = 0
        var aborted = 0
        var unexpected = 0
    }

    private let counts = Mutex(Counts())

    func update(_ change: (inout Counts) -> Void) { counts.withLock { change(&$0) } }

    func report() throws -> String {
        String(decoding: try JSONEncoder().encode(counts.withLock { $0 }), as: UTF8.self)
    }

    func unexpected(_ life: String, _ error: any Error) {
        update { $0.unexpected += 1 }
        FileHandle.standardError.write(Data("\(life): \(error)\n".utf8))
    }
}

/// Compares what comes back with what was sent: each message once, in order.
final class Checker: Sendable {
    enum Verdict { case more, complete, wrong }

    private let script: Script
    private let planned: Int
    private let tally: Tally
    private let received = Mutex(0)
    private let isWrong = Mutex(false)

    init(script: Script, planned: Int, tally: Tally) {
        (self.script, self.planned, self.tally) = (script, planned, tally)
    }

    var missing: Int { planned - received.withLock { $0 } }

    /// The missing ones that are not counted already, after a clean close.
    var lost: Int { isWrong.withLock { $0 } ? 0 : missing }

    func take(_ message: Message) -> Verdict {
        let place = received.withLock { $0 }
        if isWrong.withLock({ $0 }) { return .wrong }
        guard place < planned, message == script.message(place) else {
            countWrong(message, at: place)
            isWrong.withLock { $0 = true }
            return .wrong
        }
        received.withLock { $0 += 1 }
        tally.update {
            $0.messages += 1
            $0.bytes += message.byteCount
        }
        return place + 1 == planned ? .complete : .more
    }

    private func countWrong(_ message: Message, at place: Int) {
        let header = message.header
        tally.update {
            if let header, header.life == script.life, header.place < place {
                $0.duplicated += 1
            } else if let header, header.life == script.life, header.place > place {
                $0.lost += header.place - place
            } else {
                $0.corrupted += 1
            }
        }
    }
}
