#include "check.h"

#include "http/head.h"

#include <stdio.h>
#include <string.h>

/* Every head is parsed whole, cut at every byte, and with memory that runs out at every request. */

static const weft__head_limits wide = {.max_uri_length = 4096, .max_header_size = 8192, .max_fields = 64};

typedef struct head_case {
    const char *bytes;
    size_t length;
    uint16_t http_status;
    const char *text; /* NULL: it is a good head */
} head_case;

#define GOOD(bytes) {bytes, sizeof bytes - 1, 0, NULL}
#define BAD(status, text, bytes) {bytes, sizeof bytes - 1, status, text}
#define LINE "GET / HTTP/1.1\r\n"
#define HOST "Host: a\r\n"

static bool responses;

static int64_t parse(weft__head *head, const char *bytes, size_t length, const weft__head_limits *limits,
                     weft__problem *problem)
{
    memset(head, 0xa5, sizeof *head);
    return responses ? weft__head_parse_response(head, bytes, length, limits, problem)
                     : weft__head_parse_request(head, bytes, length, limits, problem);
}

/* The verdict on the first `length` bytes, which stand at the very end of their block. */
static int64_t verdict(const head_case *c, size_t length, const weft__head_limits *limits)
{
    weft__head head;
    weft__problem problem = {0};
    char *exact = malloc(length ? length : 1);
    assert_non_null(exact);
    if (length) memcpy(exact, c->bytes, length);
    int64_t used = parse(&head, exact, length, limits, &problem);
    if (used == WEFT_EHTTP && c->text) {
        assert_string_equal(problem.text, c->text);
        assert_int_equal(problem.http_status, c->http_status);
    }
    if (used > 0) weft__head_clear(&head);
    assert_null(head.fields.items);
    free(exact);
    return used;
}

static void check_cuts(const head_case *c, const weft__head_limits *limits)
{
    bool refused = false;
    for (size_t length = 0; length < c->length; length++) {
        int64_t used = verdict(c, length, limits);
        assert_true(used == 0 || (c->text && used == WEFT_EHTTP));
        assert_false(refused && used == 0);
        refused = used < 0;
    }
    assert_int_equal(verdict(c, c->length, limits), c->text ? WEFT_EHTTP : (int64_t)c->length);
}

static void check_memory(const head_case *c, const weft__head_limits *limits)
{
    int64_t used = WEFT_ENOMEM;
    for (size_t n = 1; used == WEFT_ENOMEM; n++) {
        counting_allocator counter;
        allocator_count(&counter);
        counter.fail_at = n;
        used = verdict(c, c->length, limits);
        allocator_restore(&counter);
    }
    assert_int_equal(used, c->text ? WEFT_EHTTP : (int64_t)c->length);
}

static void check_all(const head_case *cases, size_t count, const weft__head_limits *limits)
{
    for (size_t i = 0; i < count; i++) {
        check_cuts(&cases[i], limits);
        check_memory(&cases[i], limits);
    }
}

#define CHECK(cases) check_all(cases, sizeof cases / sizeof *cases, &wide)

static int requests_setup(void **state)
{
    (void)state;
    responses = false;
    return 0;
}

static int responses_setup(void **state)
{
    (void)state;
    responses = true;
    return 0;
}

static weft__head good_head(const char *text)
{
    weft__head head;
    weft__problem problem = {0};
    int64_t used = parse(&head, text, strlen(text), &wide, &problem);
    assert_string_equal(problem.text, "");
    assert_int_equal(used, strlen(text));
    return head;
}

static void test_a_request_is_taken_apart(void **state)
{
    (void)state;
    weft__head head =
        good_head("\r\nGET /a%20b?c=d?e HTTP/1.1\r\nHost: x:1\r\nEmpty:\r\nPad: \t v w \t\r\n\r\n");
    assert_true(weft__string_equals(head.method, "GET"));
    assert_true(weft__string_equals(head.target, "/a%20b?c=d?e"));
    assert_true(weft__string_equals(head.path, "/a%20b"));
    assert_true(weft__string_equals(head.query, "c=d?e"));
    assert_int_equal(head.minor_version, 1);
    assert_int_equal(head.fields.count, 3);
    assert_true(weft__string_equals(head.fields.items[1].value, ""));
    assert_true(weft__string_equals(head.fields.items[2].value, "v w"));
    assert_int_equal(head.content_length, WEFT__NO_CONTENT_LENGTH);
    assert_false(head.chunked);
    assert_true(head.keep_alive);
    weft__head_clear(&head);
}

static void test_good_requests_are_complete_with_their_last_byte(void **state)
{
    (void)state;
    static const head_case cases[] = {
        GOOD(LINE HOST "\r\n"),
        GOOD("\r\n" LINE HOST "\r\n"),
        GOOD("GET / HTTP/1.0\r\n\r\n"),
        GOOD("OPTIONS * HTTP/1.1\r\n" HOST "\r\n"),
        GOOD("GET http://a/b?c HTTP/1.1\r\n" HOST "\r\n"),
        GOOD("M-SEARCH /! HTTP/1.1\r\nhOST: [::1]:80\r\nX:\xc3\xa9\r\n\r\n"),
        GOOD("POST / HTTP/1.1\r\n" HOST "Content-Length: 9223372036854775807\r\n\r\n"),
        GOOD("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n"),
    };
    CHECK(cases);
}

static void test_bytes_behind_the_head_are_left(void **state)
{
    (void)state;
    static const char text[] = LINE HOST "\r\n\r\nGET";
    weft__head head;
    weft__problem problem;
    assert_int_equal(parse(&head, text, sizeof text - 1, &wide, &problem), sizeof text - 1 - 5);
    weft__head_clear(&head);
}

static void test_bad_request_lines_are_refused(void **state)
{
    (void)state;
    static const char no_version[] = "request line has no HTTP version";
    static const head_case cases[] = {
        BAD(400, "request line does not begin with a method", " GET / HTTP/1.1\r\n"),
        BAD(400, "request line does not begin with a method", "\x16\x03\x01"),
        BAD(400, "request line does not begin with a method", "\r\n\r\n" LINE),
        BAD(400, "carriage return without a line feed", "\rGET / HTTP/1.1\r\n"),
        BAD(400, "request line does not begin with a method", "\nGET / HTTP/1.1\r\n"),
        BAD(400, "no single space stands behind the request method", "GET\t/ HTTP/1.1\r\n"),
        BAD(400, "no single space stands behind the request method", "GET\r\n"),
        BAD(501, "request method is over 32 characters", "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG"),
        BAD(501, "CONNECT is for proxies", "CONNECT "),
        BAD(501, "CONNECT is for proxies", "CONNECT / HTTP/1.1\r\n" HOST "\r\n"),
        BAD(400, "request target is missing", "GET  / HTTP/1.1\r\n"),
        BAD(400, "request target has a fragment", "GET /a#b HTTP/1.1\r\n"),
        BAD(400, "request target holds a byte that is not visible ASCII", "GET /\xc3\xa9 HTTP/1.1\r\n"),
        BAD(400, "request target holds a byte that is not visible ASCII", "GET /\0 HTTP/1.1\r\n"),
        BAD(400, "request target holds a byte that is not visible ASCII", "GET /\t HTTP/1.1\r\n"),
        BAD(400, no_version, "GET /\r\n"),
        BAD(400, no_version, "GET /\n"),
        BAD(400, no_version, "GET / \r\n"),
        BAD(400, no_version, "GET /  HTTP/1.1\r\n"),
        BAD(400, no_version, "GET / http/1.1\r\n"),
        BAD(400, no_version, "GET / HTTP/1,1\r\n"),
        BAD(505, "HTTP version is neither 1.0 nor 1.1", "GET / HTTP/1.2\r\n"),
        BAD(505, "HTTP version is neither 1.0 nor 1.1", "GET / HTTP/0.9\r\n"),
        BAD(505, "HTTP version is neither 1.0 nor 1.1", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        BAD(400, "request line goes on behind the HTTP version", "GET / HTTP/1.1 \r\n"),
        BAD(400, "request line goes on behind the HTTP version", "GET / HTTP/1.10\r\n"),
        BAD(400, "request line goes on behind the HTTP version", "GET / HTTP/1.1\nHost: a\n\n"),
        BAD(400, "carriage return without a line feed", "GET / HTTP/1.1\rHost: a\r\r"),
    };
    CHECK(cases);
}

static void test_targets_other_than_paths_and_urls_are_refused(void **state)
{
    (void)state;
    static const char neither[] = "request target is neither a path nor an http or ws URL";
    static const head_case cases[] = {
        BAD(400, neither, "GET a:80 HTTP/1.1\r\n" HOST "\r\n"),
        BAD(400, neither, "GET a HTTP/1.1\r\n" HOST "\r\n"),
        BAD(400, neither, "GET ftp://a/ HTTP/1.1\r\n" HOST "\r\n"),
        BAD(400, "request target * is for OPTIONS only", "GET * HTTP/1.1\r\n" HOST "\r\n"),
        BAD(400, "host is missing", "GET http:///b HTTP/1.1\r\n" HOST "\r\n"),
        BAD(400, "user information stands before the host", "GET http://u@a/ HTTP/1.1\r\n" HOST "\r\n"),
    };
    CHECK(cases);
}

static void test_obs_fold_is_refused(void **state)
{
    (void)state;
    static const head_case cases[] = {
        BAD(400, "header field is folded over two lines", LINE HOST " b\r\n\r\n"),
        BAD(400, "header field is folded over two lines", LINE HOST "\tb\r\n\r\n"),
        BAD(400, "white space stands before the first header field", LINE " " HOST "\r\n"),
    };
    CHECK(cases);
}

static void test_bad_field_names_are_refused(void **state)
{
    (void)state;
    static const head_case cases[] = {
        BAD(400, "header field name contains a space", LINE "Host : a\r\n\r\n"),
        BAD(400, "header field name contains a space", LINE "Host\t: a\r\n\r\n"),
        BAD(400, "header field has no name", LINE ": a\r\n\r\n"),
        BAD(400, "header line has no colon", LINE "Host\r\n\r\n"),
        BAD(400, "header line has no colon", LINE HOST "\n"),
        BAD(400, "header field name contains a character that is not allowed", LINE "Ho\0st: a\r\n\r\n"),
        BAD(400, "header field name contains a character that is not allowed", LINE "H\xc3\xb6: a\r\n\r\n"),
        BAD(400, "header field name contains a character that is not allowed", LINE "(a): a\r\n\r\n"),
    };
    CHECK(cases);
}

static void test_bare_line_ends_and_controls_are_refused(void **state)
{
    (void)state;
    static const char control[] = "header field value contains a control character";
    static const head_case cases[] = {
        BAD(400, "line feed without a carriage return", LINE "Host: a\n\n"),
        BAD(400, "carriage return without a line feed", LINE "Host: a\rX: y\r\n\r\n"),
        BAD(400, "carriage return without a line feed", LINE HOST "\rX"),
        BAD(400, "carriage return without a line feed", LINE "Host: a\r\r\n\r\n"),
        BAD(400, control, LINE "Host: a\0b\r\n\r\n"),
        BAD(400, control, LINE "Host: a\x7f\r\n\r\n"),
        BAD(400, control, LINE "Host: a\x0b\r\n\r\n"),
    };
    CHECK(cases);
}

static void test_exactly_one_valid_host_is_required(void **state)
{
    (void)state;
    static const head_case cases[] = {
        BAD(400, "Host is missing", LINE "\r\n"),
        BAD(400, "Host is repeated", LINE HOST HOST "\r\n"),
        BAD(400, "Host is repeated", "GET / HTTP/1.0\r\n" HOST "host: a\r\n\r\n"),
        BAD(400, "Host is ill-formed: host is missing", LINE "Host:\r\n\r\n"),
        BAD(400, "Host is ill-formed: host name contains a character that is not allowed",
            LINE "Host: a, b\r\n\r\n"),
        BAD(400, "Host is ill-formed: port is not a number from 1 to 65535", LINE "Host: a:65536\r\n\r\n"),
        BAD(400, "Host is ill-formed: user information stands before the host", LINE "Host: u@a\r\n\r\n"),
        BAD(400, "Host differs from the host of the request target",
            "GET http://b/ HTTP/1.1\r\n" HOST "\r\n"),
        BAD(400, "Host differs from the host of the request target",
            "GET https://a/ HTTP/1.1\r\nHost: a:80\r\n\r\n"),
        GOOD("GET https://a:443/ HTTP/1.1\r\nHost: A\r\n\r\n"),
        GOOD("GET ws://a/ HTTP/1.0\r\n\r\n"),
    };
    CHECK(cases);
}

static void test_ambiguous_body_lengths_are_refused(void **state)
{
    (void)state;
    static const char both[] = "both Transfer-Encoding and Content-Length are present";
    static const char number[] = "Content-Length is not a number";
    static const head_case cases[] = {
        BAD(400, "Content-Length is repeated", LINE "Content-Length: 1\r\nContent-Length: 1\r\n"),
        BAD(400, number, LINE "Content-Length: 1, 1\r\n"),
        BAD(400, number, LINE "Content-Length: +1\r\n"),
        BAD(400, number, LINE "Content-Length: -1\r\n"),
        BAD(400, number, LINE "Content-Length: 0x1\r\n"),
        BAD(400, number, LINE "Content-Length: 1 1\r\n"),
        BAD(400, "Content-Length is empty", LINE "Content-Length: \r\n"),
        BAD(400, "Content-Length is too large", LINE "Content-Length: 9223372036854775808\r\n"),
        BAD(400, "Content-Length is too large", LINE "Content-Length: 18446744073709551617\r\n"),
        BAD(400, both, LINE "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"),
        BAD(400, both, LINE "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n"),
    };
    CHECK(cases);
}

static void test_transfer_encoding_look_alikes_are_refused(void **state)
{
    (void)state;
    static const char unknown[] = "Transfer-Encoding is not exactly one chunked";
    static const head_case cases[] = {
        BAD(501, unknown, LINE "Transfer-Encoding: gzip\r\n"),
        BAD(501, unknown, LINE "Transfer-Encoding: gzip, chunked\r\n"),
        BAD(501, unknown, LINE "Transfer-Encoding: xchunked\r\n"),
        BAD(501, unknown, LINE "Transfer-Encoding: chunked;a=b\r\n"),
        BAD(501, unknown, LINE "Transfer-Encoding: \"chunked\"\r\n"),
        BAD(501, unknown, LINE "Transfer-Encoding: identity\r\n"),
        BAD(501, unknown, LINE "Transfer-Encoding:\r\n"),
        BAD(501, unknown, LINE "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
        BAD(400, "header field name contains a space", LINE "Transfer-Encoding : chunked\r\n"),
        BAD(400, "Transfer-Encoding stands in an HTTP/1.0 message",
            "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n"),
    };
    CHECK(cases);
}

static void test_limits_hold_to_the_byte(void **state)
{
    (void)state;
    const weft__head_limits tight = {.max_uri_length = 4, .max_header_size = 16, .max_fields = 2};
    static const head_case cases[] = {
        GOOD("GET /234 HTTP/1.1\r\nHost: a\r\nB: cd\r\n\r\n"),
        GOOD("GET / HTTP/1.1\r\nHost: 789abcde\r\n\r\n"),
        BAD(414, "request target is over 4 bytes", "GET /2345"),
        BAD(431, "header fields are over 16 bytes", "GET / HTTP/1.1\r\nHost: 789abcdef\r\n"),
        BAD(431, "header fields are over 16 bytes", "GET / HTTP/1.1\r\nHost: a\r\nB: cde\r\n"),
        BAD(431, "header fields are over 16 bytes", "GET / HTTP/1.1\r\nHost: 789abcde\r\nE"),
        BAD(431, "header fields are over 16 bytes", "GET / HTTP/1.1\r\nABCDEFGHIJKLMNOPQ"),
        BAD(431, "more than 2 header fields", "GET / HTTP/1.1\r\nA:\r\nB:\r\nC"),
    };
    check_all(cases, sizeof cases / sizeof *cases, &tight);
}

static void test_absent_limits_do_not_overflow(void **state)
{
    (void)state;
    const weft__head_limits none = {SIZE_MAX, SIZE_MAX, SIZE_MAX};
    static const head_case cases[] = {GOOD(LINE HOST "\r\n")};
    check_all(cases, 1, &none);
}

static void test_connections_are_kept_as_the_version_says(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool keep_alive;
    } cases[] = {
        {LINE HOST "\r\n", true},
        {LINE HOST "Connection: Upgrade, CLOSE\r\n\r\n", false},
        {LINE HOST "Connection: Upgrade\r\nConnection: close\r\n\r\n", false},
        {"GET / HTTP/1.0\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
        {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weft__head head = good_head(cases[i].text);
        assert_int_equal(head.keep_alive, cases[i].keep_alive);
        weft__head_clear(&head);
    }
}

static void test_body_framing_is_reported(void **state)
{
    (void)state;
    weft__head head = good_head("POST / HTTP/1.1\r\nHost: a\r\ncontent-length: 0042 \r\n\r\n");
    assert_int_equal(head.content_length, 42);
    weft__head_clear(&head);
    head = good_head("POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding: CHUNKED\r\n\r\n");
    assert_true(head.chunked);
    weft__head_clear(&head);
}

static void test_many_fields_are_kept_in_order(void **state)
{
    (void)state;
    char text[1024] = LINE HOST;
    for (int i = 0; i < 63; i++)
        sprintf(text + strlen(text), "N: %d\r\n", i);
    strcat(text, "\r\n");
    weft__head head = good_head(text);
    assert_int_equal(head.fields.count, 64);
    assert_true(weft__string_equals(head.fields.items[63].value, "62"));
    weft__head_clear(&head);
    head_case c = {text, strlen(text), 0, NULL};
    check_memory(&c, &wide);
}

static void test_a_response_is_taken_apart(void **state)
{
    (void)state;
    weft__head head = good_head("HTTP/1.1 404 Not  Found\r\nConnection: close\r\nContent-Length: 5\r\n\r\n");
    assert_int_equal(head.status, 404);
    assert_true(weft__string_equals(head.reason, "Not  Found"));
    assert_int_equal(head.content_length, 5);
    assert_int_equal(head.minor_version, 1);
    assert_int_equal(head.method.length, 0);
    assert_false(head.keep_alive);
    weft__head_clear(&head);
}

static void test_responses_are_as_strict_as_requests(void **state)
{
    (void)state;
    static const char status[] = "status line has no status of three digits between two spaces";
    static const char begin[] = "answer does not begin with an HTTP version";
    static const head_case cases[] = {
        GOOD("HTTP/1.1 101 Switching Protocols\r\nA: b\r\n\r\n"),
        GOOD("HTTP/1.0 999 \r\n\r\n"),
        GOOD("HTTP/1.1 200 \xc3\xa9\r\nHost: a b\r\nHost: c\r\n\r\n"),
        BAD(0, begin, "\r\nHTTP/1.1 101 a\r\n\r\n"),
        BAD(0, begin, "ICY 200 OK\r\n\r\n"),
        BAD(0, "HTTP version is neither 1.0 nor 1.1", "HTTP/2.0 200 OK\r\n\r\n"),
        BAD(0, status, "HTTP/1.1  101 a\r\n\r\n"),
        BAD(0, status, "HTTP/1.1 099 a\r\n\r\n"),
        BAD(0, status, "HTTP/1.1 1010 a\r\n\r\n"),
        BAD(0, status, "HTTP/1.1 101\r\n\r\n"),
        BAD(0, status, "HTTP/1.1 1x1 a\r\n\r\n"),
        BAD(0, "status line holds a control character", "HTTP/1.1 101 a\0b\r\n\r\n"),
        BAD(0, "status line holds a control character", "HTTP/1.1 101 a\n\n"),
        BAD(0, "header field is folded over two lines", "HTTP/1.1 101 a\r\nA: b\r\n c\r\n\r\n"),
        BAD(0, "Content-Length is repeated", "HTTP/1.1 200 a\r\nContent-Length: 1\r\nContent-Length: 1\r\n"),
        BAD(0, "Transfer-Encoding is not exactly one chunked",
            "HTTP/1.1 200 a\r\nTransfer-Encoding: gzip\r\n"),
    };
    const weft__head_limits tight = {.max_uri_length = 14, .max_header_size = 64, .max_fields = 8};
    static const head_case limited[] = {
        GOOD("HTTP/1.1 101 a\r\n\r\n"),
        BAD(0, "status line is over 14 bytes", "HTTP/1.1 101 ab"),
    };
    CHECK(cases);
    check_all(limited, sizeof limited / sizeof *limited, &tight);
}

static bool lies_in(weft_string view, const char *bytes, size_t length)
{
    return view.bytes >= bytes && view.bytes + view.length <= bytes + length;
}

static void test_views_move_with_the_bytes(void **state)
{
    (void)state;
    char here[] = "GET http://a?b HTTP/1.1\r\nHost: a\r\nEmpty:\r\n\r\n", there[sizeof here];
    const size_t length = sizeof here - 1;
    weft__head head;
    weft__problem problem;
    assert_int_equal(weft__head_parse_request(&head, here, length, &wide, &problem), length);
    memcpy(there, here, sizeof here);
    weft__head_move(&head, here, there);
    assert_true(lies_in(head.method, there, length));
    assert_true(lies_in(head.target, there, length));
    assert_true(lies_in(head.query, there, length));
    assert_true(lies_in(head.path, there, length)); /* the last slash of the scheme, as the URL has no path */
    assert_true(weft__string_equals(head.path, "/"));
    assert_true(weft__string_equals(head.query, "b"));
    assert_null(head.reason.bytes);
    for (size_t i = 0; i < head.fields.count; i++) {
        assert_true(lies_in(head.fields.items[i].name, there, length));
        assert_true(lies_in(head.fields.items[i].value, there, length));
    }
    assert_true(weft__string_equals(weft__fields_find(&head.fields, "Host")->value, "a"));
    weft__head_clear(&head);
}

/* How often bytes that come one by one are parsed until there is a verdict; where that is goes to `*end`. */
static size_t times_parsed(const char *text, size_t length, const weft__head_limits *limits, size_t *end)
{
    size_t parsed = 0, times = 0;
    int64_t verdict = 0;
    for (size_t arrived = 1; arrived <= length && verdict == 0; arrived++) {
        if (!weft__head_is_worth_parsing(text, arrived, parsed, limits)) continue;
        weft__head head;
        weft__problem problem;
        verdict = weft__head_parse_request(&head, text, arrived, limits, &problem);
        if (verdict > 0) weft__head_clear(&head);
        parsed = *end = arrived;
        times++;
    }
    assert_int_not_equal(verdict, 0);
    return times;
}

static void test_only_what_may_bring_a_verdict_is_worth_parsing(void **state)
{
    (void)state;
    const weft__head_limits limits = {.max_uri_length = 1000, .max_header_size = 2000, .max_fields = 100};
    assert_true(weft__head_is_worth_parsing("G", 1, 0, &limits));
    assert_false(weft__head_is_worth_parsing("G", 1, 1, &limits));
    assert_false(weft__head_is_worth_parsing("\rG", 2, 2, &limits));
    assert_false(weft__head_is_worth_parsing("\r\nG", 3, 2, &limits));
    assert_true(weft__head_is_worth_parsing("\rG\n", 3, 2, &limits));
    assert_true(weft__head_is_worth_parsing("GET ", 4, 2, &limits));
}

static void test_a_dripped_head_is_parsed_by_lines(void **state)
{
    (void)state;
    const weft__head_limits limits = {.max_uri_length = 1000, .max_header_size = 2000, .max_fields = 100};
    const char text[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    size_t end;
    assert_in_range(times_parsed(text, sizeof text - 1, &limits, &end), 3, 8);
    assert_int_equal(end, sizeof text - 1);
}

static void test_a_dripped_head_over_a_limit_is_refused_at_once(void **state)
{
    (void)state;
    const weft__head_limits limits = {.max_uri_length = 1000, .max_header_size = 2000, .max_fields = 100};
    const char *beginnings[] = {"GET /", "\r\nGET /",
                                "GET / HTTP/1.1\r\nX: ", "\r\nGET / HTTP/1.1\r\nHost: a\r\nX: "};
    for (size_t i = 0; i < 4; i++) {
        char text[4000];
        memset(text, 'x', sizeof text);
        size_t begun = strlen(beginnings[i]), end;
        memcpy(text, beginnings[i], begun);
        assert_in_range(times_parsed(text, sizeof text, &limits, &end), 10, 60);
        assert_in_range(end, i < 2 ? 1000 : 2000, begun + (i < 2 ? 1001 : 2001));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_request_is_taken_apart, requests_setup),
        cmocka_unit_test_setup(test_good_requests_are_complete_with_their_last_byte, requests_setup),
        cmocka_unit_test_setup(test_bytes_behind_the_head_are_left, requests_setup),
        cmocka_unit_test_setup(test_bad_request_lines_are_refused, requests_setup),
        cmocka_unit_test_setup(test_targets_other_than_paths_and_urls_are_refused, requests_setup),
        cmocka_unit_test_setup(test_obs_fold_is_refused, requests_setup),
        cmocka_unit_test_setup(test_bad_field_names_are_refused, requests_setup),
        cmocka_unit_test_setup(test_bare_line_ends_and_controls_are_refused, requests_setup),
        cmocka_unit_test_setup(test_exactly_one_valid_host_is_required, requests_setup),
        cmocka_unit_test_setup(test_ambiguous_body_lengths_are_refused, requests_setup),
        cmocka_unit_test_setup(test_transfer_encoding_look_alikes_are_refused, requests_setup),
        cmocka_unit_test_setup(test_limits_hold_to_the_byte, requests_setup),
        cmocka_unit_test_setup(test_absent_limits_do_not_overflow, requests_setup),
        cmocka_unit_test_setup(test_connections_are_kept_as_the_version_says, requests_setup),
        cmocka_unit_test_setup(test_body_framing_is_reported, requests_setup),
        cmocka_unit_test_setup(test_many_fields_are_kept_in_order, requests_setup),
        cmocka_unit_test_setup(test_views_move_with_the_bytes, requests_setup),
        cmocka_unit_test_setup(test_a_response_is_taken_apart, responses_setup),
        cmocka_unit_test_setup(test_responses_are_as_strict_as_requests, responses_setup),
        cmocka_unit_test(test_only_what_may_bring_a_verdict_is_worth_parsing),
        cmocka_unit_test(test_a_dripped_head_is_parsed_by_lines),
        cmocka_unit_test(test_a_dripped_head_over_a_limit_is_refused_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
