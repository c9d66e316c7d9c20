import HTTPTypes
import Testing

@testable import Weft

@Suite("TokenAnswer", .timeLimit(.minutes(1)))
struct TokenAnswerTests {
    private func read(
        _ text: String, _ status: HTTPResponse.Status = .ok, hiding secrets: [String] = []
    ) throws -> TokenAnswer {
        try TokenAnswer(HTTPResponse(status: status), Array(text.utf8), hiding: secrets)
    }

    private func problem(
        _ text: String, _ status: HTTPResponse.Status = .ok, hiding secrets: [String] = []
    ) throws -> TokenProblem {
        try #require(#expect(throws: TokenProblem.self) { _ = try read(text, status, hiding: secrets) })
    }

    @Test(
        "expires_in may be a number, a string of one, null or missing",
        arguments: [
            ("", nil), (#","expires_in":null"#, nil), (#","expires_in":0"#, .zero),
            (#","expires_in":3600"#, .seconds(3600)), (#","expires_in":"3600""#, .seconds(3600)),
            (#","expires_in":1.5"#, .milliseconds(1500)), (#","expires_in":"1.5""#, .milliseconds(1500)),
            (#","expires_in":1e300"#, .seconds(3_162_240_000)),
            (#","expires_in":9223372036854775807"#, .seconds(3_162_240_000)),
        ] as [(String, Duration?)])
    func life(rest: String, life: Duration?) throws {
        let answer = try read(#"{"access_token":"a.b~c+/=","token_type":"BEARER"\#(rest)}"#)
        #expect(answer == TokenAnswer(authorization: "Bearer a.b~c+/=", life: life, refreshToken: nil))
    }

    @Test("A refresh token may be missing, null or empty")
    func refreshToken() throws {
        let answer = { (rest: String) in try read(#"{"access_token":"a","token_type":"Bearer"\#(rest)}"#) }
        #expect(try answer(#","refresh_token":"tGz v3JO""#).refreshToken == "tGz v3JO")
        for rest in ["", #","refresh_token":null"#, #","refresh_token":"""#] {
            #expect(try answer(rest).refreshToken == nil)
        }
    }

    @Test(
        "What is no grant is refused with its cause, and none of its text",
        arguments: [
            ("<html>secret</html>", "the answer is not JSON: at byte 0 no value begins here"),
            ("[1]", "the answer is not an object of JSON"),
            (#"{"token_type":"Bearer"}"#, "the answer has no access_token that is a string"),
            (#"{"access_token":7,"token_type":"Bearer"}"#, "the answer has no access_token that is a string"),
            (
                #"{"access_token":null,"token_type":"Bearer"}"#,
                "the answer has no access_token that is a string"
            ),
            (#"{"access_token":"","token_type":"Bearer"}"#, "access_token: it is empty"),
            (
                #"{"access_token":"secret\r\nX: y","token_type":"Bearer"}"#,
                "access_token: it has a character that no bearer token has (RFC 6750 section 2.1)"
            ),
            (#"{"access_token":"secret","token_type":"mac"}"#, "the token_type of the answer is not Bearer"),
            (#"{"access_token":"secret"}"#, "the token_type of the answer is not Bearer"),
            (
                #"{"access_token":"secret","token_type":"Bearer","expires_in":"soon"}"#,
                "the expires_in of the answer is not a number of seconds"
            ),
            (
                #"{"access_token":"secret","token_type":"Bearer","expires_in":-1}"#,
                "the expires_in of the answer is not a number of seconds"
            ),
            (
                #"{"access_token":"secret","token_type":"Bearer","expires_in":[1]}"#,
                "the expires_in of the answer is not a number of seconds"
            ),
            (
                #"{"access_token":"secret","token_type":"Bearer","refresh_token":1}"#,
                "the refresh_token of the answer is not a string of printable ASCII"
            ),
            (
                #"{"access_token":"secret","token_type":"Bearer","refresh_token":"a\n"}"#,
                "the refresh_token of the answer is not a string of printable ASCII"
            ),
        ])
    func wrongAnswers(text: String, cause: String) throws {
        #expect(try problem(text) == TokenProblem(cause: cause))
    }

    @Test("A refusal tells the server's words, without control characters and cut")
    func refusals() throws {
        let text = #"{"error":"invalid_grant","error_description":"too\r\n old\u202e\u0000"}"#
        let refusal = try problem(text, .badRequest)
        #expect(refusal.cause == "the answer is 400: invalid_grant (too old)")
        #expect(refusal.code == "invalid_grant" && refusal.response?.status == .badRequest)
        #expect(try problem("<html>", .internalServerError).cause == "the answer is 500")
        #expect(
            try problem(#"{"error":7,"error_description":[]}"#, .unauthorized).cause == "the answer is 401")
        #expect(try problem("", .found).cause == "the answer is 302, and redirects are not followed")
        #expect(try problem(text, .ok).cause == "the answer is 200: invalid_grant (too old)")
        let long = #"{"error":"x","error_description":"\#(String(repeating: "y", count: 1000))"}"#
        #expect(
            try problem(long, .badRequest).cause
                == "the answer is 400: x (\(String(repeating: "y", count: 200))…)")
    }

    @Test("A refusal that repeats a secret is not told, whatever hides it")
    func secrets() throws {
        for said in ["no open sesame!", "no open+sesame!", "no open \\u0000sesame!"] {
            let text = #"{"error":"invalid_grant","error_description":"\#(said)"}"#
            let refusal = try problem(text, .badRequest, hiding: ["", "open sesame"])
            #expect(refusal.cause == "the answer is 400: invalid_grant")
        }
        let shy = try problem(#"{"error":"invalid_grant"}"#, .badRequest, hiding: ["invalid"])
        #expect(shy.cause == "the answer is 400" && shy.code == "invalid_grant")
    }

    @Test("Of the fields of a refusal Retry-After in seconds alone is kept")
    func fields() throws {
        var response = HTTPResponse(status: .serviceUnavailable)
        response.headerFields = [.retryAfter: "7", .wwwAuthenticate: "secret"]
        var kept = try #require(
            #expect(throws: TokenProblem.self) { _ = try TokenAnswer(response, [], hiding: []) })
        #expect(kept.response?.headerFields == [.retryAfter: "7"])
        for (said, told) in [
            ("secret", [:]), ("+7", [:]), ("", [:]), ("99999999999", [.retryAfter: "4294967295"]),
        ] as [(String, HTTPFields)] {
            response.headerFields[.retryAfter] = said
            kept = try #require(
                #expect(throws: TokenProblem.self) { _ = try TokenAnswer(response, [], hiding: []) })
            #expect(kept.response?.headerFields == told)
        }
    }
}
