import Foundation
import Weft

/// Who is at the other end, and how that was found out.
struct Identity: Sendable {
    enum Proof: String, Sendable {
        case password, token, certificate
    }

    let name: String
    let proof: Proof
    /// When the proof ends; nil for one that does not.
    var expiry: Date? = nil

    var hasExpired: Bool { expiry.map { $0 <= Date() } ?? false }
}

extension Caller {
    /// Who is at the other end; nil until the connection is open.
    var identity: Identity? { getAttribute("identity") as? Identity }
}

/// Why somebody may not enter. The sentence is for the log: the client does not get it.
enum Refusal: Error {
    /// Nobody knows who it is: 401.
    case unidentified(String)
    /// It is known and may not: 403.
    case notAllowed(String)
}
