import Synchronization
import Testing
import Weft

import class Foundation.FileManager

@Suite("Many connections", .timeLimit(.minutes(2)))
struct ManyTests {
    @Test("order: two hundred connections to one listener at a time, each with its own messages")
    func twoHundred() async throws {
        try await serve(Echo()) { listener in
            let url = listener.url()
            try await withThrowingTaskGroup { group in
                for number in 0..<200 {
                    group.addTask {
                        let client = try await Client(url)
                        try await client.writeTextMessage("\(number)")
                        #expect(try await client.readTextMessage() == "\(number)")
                        return client
                    }
                }
                var clients: [Client] = []
                for try await client in group { clients.append(client) }
                #expect(listener.connectionCount == 200)
                #expect(Set(clients.map(\.connectionID)).count == 200)
                for client in clients {
                    try await client.writeTextMessage("again")
                    #expect(try await client.readTextMessage() == "again")
                }
                for client in clients { try await client.close() }
            }
            try await eventually { listener.connectionCount == 0 }
        }
    }

    @Test("exactly one end: of 5,000 connections nothing is left, neither objects nor descriptors")
    func churn() async throws {
        let living = Living()
        let attach: (Listener) throws -> Void = { listener in
            try listener.attach(at: "/ws") { _ in CountedEcho(living) }
        }
        let before = openDescriptors()
        try await withListener(attach: attach) { listener in
            let url = listener.url()
            try await withThrowingTaskGroup { group in
                for _ in 0..<10 {
                    group.addTask {
                        for _ in 0..<500 {
                            let client = try await Client(url)
                            client.setAttribute("counted", Counted(living))
                            try await client.writeTextMessage("hello")
                            #expect(try await client.readTextMessage() == "hello")
                            try await client.close()
                        }
                    }
                }
                try await group.waitForAll()
            }
            try await eventually { listener.connectionCount == 0 && living.count == 0 }
            #expect(living.total == 15_000)
            #expect(living.closed == 5000)
        }
        // Other tests open some too: what counts is that there are not thousands.
        #expect(openDescriptors() < before + 1000)
    }

    private func openDescriptors() -> Int {
        #if os(Linux)
            let folder = "/proc/self/fd"
        #else
            let folder = "/dev/fd"
        #endif
        return (try? FileManager.default.contentsOfDirectory(atPath: folder).count) ?? 0
    }
}

/// Counts objects. Not behind a lock: ThreadSanitizer does not see those of Synchronization.
private final class Living: Sendable {
    private let living = Atomic(0)
    private let begun = Atomic(0)
    private let ended = Atomic(0)

    var count: Int { living.load(ordering: .relaxed) }
    var total: Int { begun.load(ordering: .relaxed) }
    var closed: Int { ended.load(ordering: .relaxed) }

    func begin() {
        living.add(1, ordering: .relaxed)
        begun.add(1, ordering: .relaxed)
    }
    func end() { living.subtract(1, ordering: .relaxed) }
    func close() { ended.add(1, ordering: .relaxed) }
}

/// Lives as long as what it is kept with.
private final class Counted: Sendable {
    private let living: Living

    init(_ living: Living) {
        self.living = living
        living.begin()
    }

    deinit { living.end() }
}

/// An echo of which each connection has one, counted with its caller.
private final class CountedEcho: Service {
    private let living: Living
    private let counted: Counted

    init(_ living: Living) {
        self.living = living
        counted = Counted(living)
    }

    func onOpen(_ caller: Caller) async throws { caller.setAttribute("counted", Counted(living)) }
    func onTextMessage(_ caller: Caller, _ text: String) async throws {
        try await caller.writeTextMessage(text)
    }
    func onClose(_ caller: Caller, _ statusCode: CloseCode, _ reason: String) async throws { living.close() }
}
