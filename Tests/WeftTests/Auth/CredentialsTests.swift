import Testing
import Weft

@Suite("Credentials and BearerToken", .timeLimit(.minutes(1)))
struct CredentialsTests {
    @Test(
        "Credentials(username:password:): Basic and base64 of both in UTF-8",
        arguments: [
            ("Aladdin", "open sesame", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),  // RFC 7617 §2
            ("test", "123£", "Basic dGVzdDoxMjPCow=="),  // RFC 7617 §2.1
            ("alice2", "1234", "Basic YWxpY2UyOjEyMzQ="), ("a", "b", "Basic YTpi"),
            ("a", "b:c", "Basic YTpiOmM="),
        ])
    func basic(username: String, password: String, value: String) throws {
        #expect(try Credentials(username: username, password: password).authorization() == value)
    }

    @Test(
        "Credentials(username:password:): empty username or password, colons and control characters throw",
        arguments: [
            ("", "secret", "username: it is empty"), ("secret", "", "password: it is empty"),
            ("secret:", "secret", "username: it has a colon"),
            ("secret\n", "secret", "username: it has control characters"),
            ("secret", "secret\u{7F}", "password: it has control characters"),
            ("secret", "secret\0", "password: it has control characters"),
        ])
    func badCredentials(username: String, password: String, sentence: String) async throws {
        let error = try await failure(WebSocketError.self) {
            _ = try Credentials(username: username, password: password)
        }
        #expect(error.code == .auth)
        #expect(error.message == sentence)
    }

    @Test("Credentials(username:password:): descriptions and dumps tell neither")
    func credentialsAreNotTold() throws {
        let credentials = try Credentials(username: "Aladdin", password: "open sesame")
        for text in texts(credentials) {
            #expect(!text.contains("Aladdin") && !text.contains("sesame") && !text.contains("QWxh"))
        }
    }

    @Test(
        "BearerToken(_:): Bearer and the token",
        arguments: ["JlbmMiOiJBMTI4Q0JDLUhTMjU2Inikn", "a-b._~+/", "2Yo==", "0", "a.b.c"])
    func bearer(token: String) throws {
        #expect(try BearerToken(token).authorization() == "Bearer \(token)")
    }

    @Test(
        "BearerToken(_:): what is no token of RFC 6750 throws",
        arguments: ["", "=", "==", "a=b", "secret token", "secret\r\nX: y", "sécret", "secret,", "secret\0"])
    func badToken(token: String) async throws {
        let error = try await failure(WebSocketError.self) { _ = try BearerToken(token) }
        #expect(error.code == .auth)
        #expect(error.message.hasPrefix("token: ") && !error.message.contains("cret"))
    }

    @Test("BearerToken(_:): descriptions and dumps do not tell it")
    func tokenIsNotTold() throws {
        let token = try BearerToken("2YotnFZFEjr1zCsicMWpAA")
        for text in texts(token) { #expect(!text.contains("2Yotn")) }
    }
}

/// All that a value says of itself, also as part of a client's configuration.
func texts(_ auth: any ClientAuthentication) -> [String] {
    var configuration = ClientConfiguration()
    configuration.auth = auth
    return [auth as Any, configuration].flatMap { value in
        var dumped = ""
        dump(value, to: &dumped)
        return [String(describing: value), String(reflecting: value), dumped]
    }
}
