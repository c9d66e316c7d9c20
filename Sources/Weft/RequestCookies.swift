import HTTPTypes

extension UpgradeRequest {
    /// The cookies that the client sent, in its order (RFC 6265 §5.4). A piece without `=` or without a name is
    /// left out; values are as they were sent, quotes included.
    public var cookies: [(name: String, value: String)] { RequestCookies.parse(head.headerFields) }
}

extension HTTPServiceRequest {
    /// The cookies that the client sent, in its order (RFC 6265 §5.4). A piece without `=` or without a name is
    /// left out; values are as they were sent, quotes included.
    public var cookies: [(name: String, value: String)] { RequestCookies.parse(head.headerFields) }

    /// The parameters of the query, percent-decoded, in order. A parameter without `=` has an empty value.
    public var queryItems: [(name: String, value: String)] { QueryItems.parse(query) }
}

private enum RequestCookies {
    static func parse(_ fields: HTTPFields) -> [(name: String, value: String)] {
        fields[values: .cookie].flatMap { $0.split(separator: ";") }.compactMap { piece in
            let parts = piece.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { return nil }
            let (name, value) = (trimmed(parts[0]), trimmed(parts[1]))
            return name.isEmpty ? nil : (name, value)
        }
    }

    private static func trimmed(_ text: Substring) -> String {
        let start = text.drop { $0 == " " || $0 == "\t" }
        let kept = start.lastIndex { $0 != " " && $0 != "\t" }.map { start[...$0] } ?? ""
        return String(kept)
    }
}
