#include "check.h"

#include "http/url.h"

#include <string.h>

typedef struct expectation {
    const char *text;
    bool secure, unix_socket, host_is_ipv6, port_is_default;
    uint16_t port;
    const char *host, *path, *query; /* query NULL: there is none */
} expectation;

static void expect(const expectation *e)
{
    weft__url url;
    weft__problem problem;
    assert_int_equal(weft__url_parse(&url, weft__string(e->text), &problem), WEFT_OK);
    assert_int_equal(url.secure, e->secure);
    assert_int_equal(url.unix_socket, e->unix_socket);
    assert_int_equal(url.host_is_ipv6, e->host_is_ipv6);
    assert_int_equal(url.port_is_default, e->port_is_default);
    assert_int_equal(url.port, e->port);
    assert_true(weft__string_equals(url.host, e->host));
    assert_true(weft__string_equals(url.path, e->path));
    assert_int_equal(url.has_query, e->query != NULL);
    assert_true(weft__string_equals(url.query, e->query ? e->query : ""));
}

static void test_internet_urls_are_taken_apart(void **state)
{
    (void)state;
    static const expectation cases[] = {
        {"ws://a", false, false, false, true, 80, "a", "", NULL},
        {"WSS://a.b/", true, false, false, true, 443, "a.b", "/", NULL},
        {"ws://a:80/b", false, false, false, true, 80, "a", "/b", NULL},
        {"ws://a:443/b", false, false, false, false, 443, "a", "/b", NULL},
        {"wss://[::1]:9/b/c?d=/e?f:g@h", true, false, true, false, 9, "::1", "/b/c", "d=/e?f:g@h"},
        {"ws://a?", false, false, false, true, 80, "a", "", ""},
        {"ws://1.2.3.4/%c3%A9", false, false, false, true, 80, "1.2.3.4", "/%c3%A9", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect(&cases[i]);
}

static void test_unix_urls_name_a_socket_and_perhaps_a_path(void **state)
{
    (void)state;
    static const expectation cases[] = {
        {"ws+unix:/run/a.sock", false, true, false, true, 0, "/run/a.sock", "", NULL},
        {"WS+UNIX:/run/a.sock:/chat?b:c", false, true, false, true, 0, "/run/a.sock", "/chat", "b:c"},
        {"ws+unix:/run/a.sock:", false, true, false, true, 0, "/run/a.sock", "", NULL},
        {"ws+unix:/run/a.sock?b", false, true, false, true, 0, "/run/a.sock", "", "b"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect(&cases[i]);
}

static void test_bad_urls_are_refused_with_a_sentence(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", "URL does not begin with ws:// or wss://"},
        {"example.org/a", "URL does not begin with ws:// or wss://"},
        {"//a", "URL does not begin with ws:// or wss://"},
        {"http://a", "URL scheme is not ws, wss or ws+unix"},
        {"localhost:80", "URL scheme is not ws, wss or ws+unix"},
        {"://a", "URL scheme is not ws, wss or ws+unix"},
        {"ws:a", "URL scheme is not followed by //"},
        {"ws:/a", "URL scheme is not followed by //"},
        {"ws:a/", "URL scheme is not followed by //"},
        {"ws://", "host is missing"},
        {"ws:///a", "host is missing"},
        {"ws://:80/", "host is missing"},
        {"ws://u:p@a/", "user information stands before the host"},
        {"ws://a:0/", "port is not a number from 1 to 65535"},
        {"ws://a:/", "port is not a number from 1 to 65535"},
        {"ws://a:65536/", "port is not a number from 1 to 65535"},
        {"ws://[::1/", "IPv6 address has no closing bracket"},
        {"ws://[1]/", "IPv6 address is ill-formed"},
        {"ws://a%2eb/", "host name contains a character that is not allowed"},
        {"ws://a\\b/", "host name contains a character that is not allowed"},
        {"ws://a..b/", "host name has an empty label"},
        {"ws://a/#b", "URL has a fragment; write # as %23"},
        {"ws://a/b c", "URL contains a space; percent-encode it as %20"},
        {" ws://a/", "URL contains a space; percent-encode it as %20"},
        {"ws://a/\r\nX: y", "URL contains a control character"},
        {"ws://a/\x7f", "URL contains a control character"},
        {"ws://b\xc3\xbc/", "URL contains a character beyond ASCII; percent-encode it"},
        {"ws://a/%", "URL contains a % without two hexadecimal digits"},
        {"ws://a/%4", "URL contains a % without two hexadecimal digits"},
        {"ws://a/?%g4", "URL contains a % without two hexadecimal digits"},
        {"ws://a/?%4g", "URL contains a % without two hexadecimal digits"},
        {"ws+unix:", "ws+unix: is not followed by an absolute path"},
        {"ws+unix:a", "ws+unix: is not followed by an absolute path"},
        {"ws+unix:/a:b", "the request path behind the socket path does not begin with /"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weft__url url;
        weft__problem problem;
        assert_int_equal(weft__url_parse(&url, weft__string(cases[i][0]), &problem), WEFT_EURL);
        assert_string_equal(problem.text, cases[i][1]);
        assert_int_equal(problem.http_status, 0);
        assert_int_equal(url.host.length, 0);
    }
}

static void test_http_urls_have_schemes_of_their_own(void **state)
{
    (void)state;
    weft__url url;
    weft__problem problem;
    assert_int_equal(weft__url_parse_http(&url, weft__string("HTTPS://[::1]/a?b"), &problem), WEFT_OK);
    assert_true(url.secure && url.host_is_ipv6 && url.port_is_default && !url.unix_socket);
    assert_int_equal(url.port, 443);
    assert_int_equal(weft__url_parse_http(&url, weft__string("http://a:8080"), &problem), WEFT_OK);
    assert_false(url.secure || url.port_is_default);
    assert_int_equal(url.port, 8080);
    assert_int_equal(url.path.length, 0);
    static const char *const cases[][2] = {
        {"ws://a/", "URL scheme is not http or https"},
        {"ws+unix:/a", "URL scheme is not http or https"},
        {"http:a", "URL scheme is not followed by //"},
        {"a/b", "URL does not begin with http:// or https://"},
        {"http://me:secret@a/", "user information stands before the host"},
        {"http://a/#b", "URL has a fragment; write # as %23"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(weft__url_parse_http(&url, weft__string(cases[i][0]), &problem), WEFT_EURL);
        assert_string_equal(problem.text, cases[i][1]);
    }
    assert_int_equal(weft__url_parse(&url, weft__string("http://a/"), &problem), WEFT_EURL);
}

static void test_a_nul_does_not_end_a_url(void **state)
{
    (void)state;
    weft__url url;
    weft__problem problem;
    assert_int_equal(weft__url_parse(&url, (weft_string){"ws://a\0b", 8}, &problem), WEFT_EURL);
    assert_int_equal(weft__url_parse(&url, (weft_string){0}, &problem), WEFT_EURL);
}

static void test_no_byte_behind_the_text_is_read(void **state)
{
    (void)state;
    static const char text[] = "wss://[::12]:345/a%20b?c%2F";
    for (size_t length = 0; length < sizeof text; length++) {
        weft__url url;
        weft__problem problem;
        char *exact = malloc(length + 1);
        assert_non_null(exact);
        memcpy(exact + 1, text, length);
        weft__url_parse(&url, (weft_string){exact + 1, length}, &problem);
        free(exact);
    }
}

static void test_percent_encoding_is_taken_away(void **state)
{
    (void)state;
    static const struct {
        weft_string part;
        const char *plain; /* NULL: refused */
    } cases[] = {
        {{"", 0}, ""},
        {{"/a", 2}, "/a"},
        {{"/a%20b%3Ac%3ad", 14}, "/a b:c:d"},
        {{"%25%e2%82%ac", 12}, "%\xe2\x82\xac"},
        {{"a%00b", 5}, NULL},
        {{"12345678", 8}, "12345678"},
        {{"123456789", 9}, NULL},
        {{"12345678%39", 11}, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char plain[9];
        bool is_decoded = weft__url_decode(plain, sizeof plain, cases[i].part);
        assert_int_equal(is_decoded, cases[i].plain != NULL);
        if (is_decoded) assert_string_equal(plain, cases[i].plain);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_internet_urls_are_taken_apart),
        cmocka_unit_test(test_unix_urls_name_a_socket_and_perhaps_a_path),
        cmocka_unit_test(test_bad_urls_are_refused_with_a_sentence),
        cmocka_unit_test(test_http_urls_have_schemes_of_their_own),
        cmocka_unit_test(test_a_nul_does_not_end_a_url),
        cmocka_unit_test(test_no_byte_behind_the_text_is_read),
        cmocka_unit_test(test_percent_encoding_is_taken_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
