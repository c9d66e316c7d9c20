/// One service at one path of a ``Listener``: what `attach` returns and ``Listener/detach(_:)-(Attachment)`` takes.
public struct Attachment: Sendable, Hashable {
    /// The path as it was given.
    public let path: String
    private let id: UInt64

    init(path: String, id: UInt64) {
        self.path = path
        self.id = id
    }
}

/// The services of a listener by path and kind.
struct Attachments {
    enum Kind: Hashable { case upgrade, http }

    struct Place: Hashable {
        let shape: String
        let kind: Kind
    }

    struct Entry {
        let attachment: Attachment
        let service: any Sendable
        let route: Route
    }

    private(set) var entries: [Place: Entry] = [:]
    private var lastID: UInt64 = 0

    mutating func nextAttachment(at path: String) -> Attachment {
        lastID += 1
        return Attachment(path: path, id: lastID)
    }

    mutating func add(_ entry: Entry, at place: Place) { entries[place] = entry }

    /// What it removed.
    mutating func remove(where isMeant: (Place, Entry) -> Bool) -> [Entry] {
        let removed = entries.filter { isMeant($0.key, $0.value) }
        for place in removed.keys { entries[place] = nil }
        return Array(removed.values)
    }

    var routes: RouteList { RouteList(entries.values.map { ($0.attachment.path, $0.route) }) }

    /// The same instance of a class, or an equal value; nil when that cannot be told.
    static func isSame(_ one: any Sendable, _ other: any Sendable) -> Bool? {
        if type(of: one) is AnyObject.Type {
            return type(of: other) is AnyObject.Type && (one as AnyObject) === (other as AnyObject)
        }
        guard let one = one as? any Equatable else { return nil }
        return isEqual(one, other)
    }

    private static func isEqual<Value: Equatable>(_ one: Value, _ other: any Sendable) -> Bool {
        (other as? Value) == one
    }
}
