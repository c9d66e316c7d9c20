/// Stands in for the type of the library, which asks the core. No parser here makes one.
public struct CloseCode: Sendable, Hashable {}
