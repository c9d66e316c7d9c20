/// A handle of the core.
struct CoreHandle: @unchecked Sendable {
    // Unchecked: the core promises that its handles may be used from any thread until they are given back.
    let pointer: OpaquePointer
}
