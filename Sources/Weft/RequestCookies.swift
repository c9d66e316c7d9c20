import HTTPTypes

extension UpgradeRequest {
    /// The cookies that the client sent, in its order (RFC 6265 §5.4). A piece without `=` or without a name is
    /// left out; values are as they were sent, quotes included.
    public var cookies: [(name: String, value: String)] {
        CookieField.parse(head.headerFields[values: .cookie])
    }
}

extension HTTPServiceRequest {
    /// The cookies that the client sent, in its order (RFC 6265 §5.4). A piece without `=` or without a name is
    /// left out; values are as they were sent, quotes included.
    public var cookies: [(name: String, value: String)] {
        CookieField.parse(head.headerFields[values: .cookie])
    }

    /// The parameters of the query, percent-decoded, in order. A parameter without `=` has an empty value.
    public var queryItems: [(name: String, value: String)] { QueryItems.parse(query) }
}
