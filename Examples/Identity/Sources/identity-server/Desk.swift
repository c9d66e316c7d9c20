import Weft

/// The service of those who were let in.
struct Desk: Service {
    let identity: Identity

    func onOpen(_ caller: Caller) async throws {
        caller.setAttribute("identity", identity)
    }

    func onTextMessage(_ caller: Caller, _ text: String) async throws {
        try await reply(to: caller, text)
    }
}

/// Knows the caller alone, as code behind a service may: who it is, the caller tells.
private func reply(to caller: Caller, _ text: String) async throws {
    guard let identity = caller.identity, !identity.hasExpired else {
        return try await caller.close(statusCode: .policyViolation, reason: "your token has expired")
    }
    try await caller.writeTextMessage("\(identity.name) (\(identity.proof.rawValue)): \(text)")
}
