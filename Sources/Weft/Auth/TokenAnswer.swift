import HTTPTypes

/// Why an answer of a token server brings no token.
struct TokenProblem: Error, Equatable {
    var cause: String
    /// The server's word for it (RFC 6749 §5.2), as in `invalid_grant`.
    var code: String?
    /// Where the server refused: its status and `Retry-After` alone, for the rest may repeat what it was told.
    var response: HTTPResponse?

    /// For the one who connects. What is below it says whether another attempt may help.
    func error(at place: String) -> WebSocketError {
        let refusal = response.map { WebSocketError(.invalidHandshake, cause, httpResponse: $0) }
        return WebSocketError(.auth, "\(place): \(cause)", underlying: refusal, httpResponse: response)
    }
}

/// What a token server has granted (RFC 6749 §5.1).
struct TokenAnswer: Equatable {
    /// The value of an `Authorization` field.
    let authorization: String
    /// How long the token lives; nil where the server does not say.
    let life: Duration?
    /// Nil for none.
    let refreshToken: String?
}

extension TokenAnswer {
    private static let longestLife = 100.0 * 366 * 86_400

    /// Reads an answer. Nothing of `secrets` is repeated in what it throws.
    init(_ response: HTTPResponse, _ body: [UInt8], hiding secrets: [String]) throws(TokenProblem) {
        guard response.status.kind == .successful else {
            throw TokenProblem(refusal: response, body, hiding: secrets)
        }
        let members = try Self.members(of: body)
        if members["access_token"] == nil, case .string(let error)? = members["error"] {
            throw TokenProblem(response, error, members["error_description"], hiding: secrets)
        }
        guard case .string(let token)? = members["access_token"] else {
            throw TokenProblem(cause: "the answer has no access_token that is a string")
        }
        if let problem = BearerToken.problem(of: token) {
            throw TokenProblem(cause: "access_token: \(problem)")
        }
        guard case .string(let type)? = members["token_type"], type.lowercased() == "bearer" else {
            throw TokenProblem(cause: "the token_type of the answer is not Bearer")
        }
        authorization = "Bearer \(token)"
        life = try Self.life(members["expires_in"])
        refreshToken = try Self.refreshToken(members["refresh_token"])
    }

    /// Those that are null are left out.
    fileprivate static func members(of body: [UInt8]) throws(TokenProblem) -> [String: JSONValue] {
        let value: JSONValue
        do throws(JSONValue.Problem) {
            value = try JSONValue(parsing: body)
        } catch {
            throw TokenProblem(cause: "the answer is not JSON: at byte \(error.offset) \(error.cause)")
        }
        guard case .object(let members) = value else {
            throw TokenProblem(cause: "the answer is not an object of JSON")
        }
        return members.filter { $0.value != .null }
    }

    private static func life(_ value: JSONValue?) throws(TokenProblem) -> Duration? {
        let number: Double?
        switch value {
        case nil: return nil
        case .integer(let seconds): number = Double(seconds)
        case .number(let seconds): number = seconds
        case .string(let text): number = seconds(in: text)
        default: number = nil
        }
        guard let number, number >= 0 else {
            throw TokenProblem(cause: "the expires_in of the answer is not a number of seconds")
        }
        return .seconds(min(number, longestLife))
    }

    private static func seconds(in text: String) -> Double? {
        switch try? JSONValue(parsing: Array(text.utf8)) {
        case .integer(let seconds): Double(seconds)
        case .number(let seconds): seconds
        default: nil
        }
    }

    private static func refreshToken(_ value: JSONValue?) throws(TokenProblem) -> String? {
        guard let value, value != "" else { return nil }
        guard case .string(let token) = value, token.utf8.allSatisfy({ 0x20...0x7E ~= $0 }) else {
            throw TokenProblem(cause: "the refresh_token of the answer is not a string of printable ASCII")
        }
        return token
    }
}

extension TokenProblem {
    /// An answer with another status than a success has.
    fileprivate init(refusal response: HTTPResponse, _ body: [UInt8], hiding secrets: [String]) {
        var error: String?
        let members = (try? TokenAnswer.members(of: body)) ?? [:]
        if case .string(let text)? = members["error"] { error = text }
        self.init(response, error, members["error_description"], hiding: secrets)
    }

    fileprivate init(
        _ response: HTTPResponse, _ error: String?, _ description: JSONValue?, hiding secrets: [String]
    ) {
        let status = response.status.code
        cause = "the answer is \(status)"
        if 300...399 ~= status { cause += ", and redirects are not followed" }
        code = error
        if let error, let text = Self.cleaned(error, hiding: secrets) { cause += ": \(text)" }
        if case .string(let text)? = description, let text = Self.cleaned(text, hiding: secrets) {
            cause += " (\(text))"
        }
        var bare = HTTPResponse(status: .init(code: status))
        bare.headerFields[.retryAfter] = response.retryAfter?.description
        self.response = bare
    }

    private static let longestText = 200

    /// A text of the server's, for people: nil when it repeats a secret, else without control characters and cut at a
    /// length.
    private static func cleaned(_ text: String, hiding secrets: [String]) -> String? {
        let visible = String(String.UnicodeScalarView(text.unicodeScalars.filter(\.isVisible)))
        for secret in secrets where !secret.isEmpty {
            for form in [secret, FormEncoding.encode(secret)] where text.has(form) || visible.has(form) {
                return nil
            }
        }
        let cut = visible.unicodeScalars.prefix(longestText)
        return cut.count < visible.unicodeScalars.count ? "\(String(cut))…" : visible
    }
}

extension Unicode.Scalar {
    /// Neither a control character nor one that moves others about.
    fileprivate var isVisible: Bool {
        switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned: false
        default: true
        }
    }
}

extension String {
    /// Byte by byte.
    fileprivate func has(_ part: String) -> Bool {
        let (bytes, part) = (Array(utf8), Array(part.utf8))
        return bytes.indices.contains { bytes[$0...].starts(with: part) }
    }
}
