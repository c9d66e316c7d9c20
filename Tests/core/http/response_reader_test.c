#include "check.h"

#include "http/response_reader.h"
#include "secrets.h"

#include <stdio.h>
#include <string.h>

#define MAX_BODY 20

/* What comes of an answer. */
typedef struct verdict {
    weft_status status;
    bool is_whole; /* before the end of the connection was told */
    uint16_t http_status;
    size_t fields;
    char body[MAX_BODY + 1];
    char problem[160];
} verdict;

static verdict read_in_pieces(const char *text, size_t length, size_t piece, bool is_to_head)
{
    verdict verdict = {0};
    weft__problem problem = {0};
    weft__response_reader reader;
    weft__response_reader_init(&reader, is_to_head, MAX_BODY);
    for (size_t at = 0; at < length && verdict.status == WEFT_OK; at += piece) {
        size_t count = length - at < piece ? length - at : piece;
        uint8_t *exact = malloc(count); /* reading over its end is an error of memory */
        assert_non_null(exact);
        memcpy(exact, text + at, count);
        verdict.status = weft__response_reader_take(&reader, exact, count, &problem);
        free(exact);
    }
    verdict.is_whole = reader.part == WEFT__RESPONSE_WHOLE;
    if (verdict.status == WEFT_OK) verdict.status = weft__response_reader_end(&reader, &problem);
    if (verdict.status == WEFT_OK) {
        assert_int_equal(reader.part, WEFT__RESPONSE_WHOLE);
        verdict.http_status = reader.head.status;
        verdict.fields = reader.head.fields.count;
        size_t held = weft__buffer_length(&reader.body);
        assert_true(held <= MAX_BODY);
        if (held) memcpy(verdict.body, weft__buffer_front(&reader.body), held);
    } else {
        memcpy(verdict.problem, problem.text, sizeof problem.text);
        assert_int_equal(problem.http_status, 0);
    }
    weft__response_reader_clear(&reader);
    return verdict;
}

/* The same for every length of the pieces. */
static verdict read_text(const char *text, bool is_to_head)
{
    size_t length = strlen(text);
    verdict whole = read_in_pieces(text, length, length + 1, is_to_head);
    for (size_t piece = 1; piece <= length; piece++) {
        verdict cut = read_in_pieces(text, length, piece, is_to_head);
        assert_int_equal(cut.status, whole.status);
        assert_int_equal(cut.is_whole, whole.is_whole);
        assert_int_equal(cut.http_status, whole.http_status);
        assert_int_equal(cut.fields, whole.fields);
        assert_string_equal(cut.body, whole.body);
        assert_string_equal(cut.problem, whole.problem);
    }
    return whole;
}

static void expect_body(const char *text, bool is_to_head, bool is_whole, uint16_t http_status,
                        const char *body)
{
    verdict verdict = read_text(text, is_to_head);
    assert_string_equal(verdict.problem, "");
    assert_int_equal(verdict.status, WEFT_OK);
    assert_int_equal(verdict.is_whole, is_whole);
    assert_int_equal(verdict.http_status, http_status);
    assert_string_equal(verdict.body, body);
}

static void test_the_length_of_the_body_follows_the_rfc(void **state)
{
    (void)state;
    const bool get = false, head = true;
    expect_body("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngone, and more", get, true, 200, "gone");
    expect_body("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nmore", get, true, 200, "");
    expect_body("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", head, true, 200, "");
    expect_body("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", head, true, 200, "");
    expect_body("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", head, true, 200, "");
    expect_body("HTTP/1.1 204 No\r\nContent-Length: 4\r\n\r\n", get, true, 204, "");
    expect_body("HTTP/1.1 304 No\r\nContent-Length: 99\r\n\r\n", get, true, 304, "");
    expect_body("HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n2\r\ngo\r\n2;x=y\r\nne\r\n0\r\n"
                "Trailer: x\r\n\r\nand more",
                get, true, 500, "gone");
    expect_body("HTTP/1.1 200 OK\r\n\r\nup to the end", get, false, 200, "up to the end");
    expect_body("HTTP/1.0 200 OK\r\n\r\n", get, false, 200, "");
    expect_body("HTTP/1.1 301 Moved\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", get, true, 301, "");
}

static void test_interim_answers_are_passed_over(void **state)
{
    (void)state;
    expect_body("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nContent-Length: 5\r\n\r\n"
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
                false, true, 200, "x");
    char text[17 * 32] = "";
    for (int i = 0; i < 17; i++)
        strcat(text, "HTTP/1.1 100 Continue\r\n\r\n");
    verdict verdict = read_text(text, false);
    assert_int_equal(verdict.status, WEFT_EHTTP);
    assert_string_equal(verdict.problem, "the server sent more than 16 interim answers");
}

static void test_what_breaks_a_rule_is_refused(void **state)
{
    (void)state;
    static const char head[] = "the server ended the connection within the head of its answer";
    static const char body[] = "the server ended the connection within the body of its answer";
    static const struct {
        const char *text;
        weft_status status;
        const char *sentence;
    } cases[] = {
        {"", WEFT_ELOST, "the server ended the connection before its answer"},
        {"HTTP/1.1 100 Continue\r\n\r\n", WEFT_ELOST, "the server ended the connection before its answer"},
        {"HTTP/1.1 200", WEFT_ELOST, head},
        {"HTTP/1.1 200 OK\r\nA: b\r\n", WEFT_ELOST, head},
        {"SSH-2.0", WEFT_EHTTP, "answer does not begin with an HTTP version"},
        {"HTTX", WEFT_EHTTP, "answer does not begin with an HTTP version"},
        {"HTTP/2.0 200 OK\r\n\r\n", WEFT_EHTTP, "HTTP version is neither 1.0 nor 1.1"},
        {"HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n", WEFT_EHTTP, "line feed without a carriage return"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", WEFT_EHTTP,
         "both Transfer-Encoding and Content-Length are present"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", WEFT_EHTTP,
         "Transfer-Encoding is not exactly one chunked"},
        {"HTTP/1.1 101 OK\r\nUpgrade: h2c\r\n\r\n", WEFT_EHTTP,
         "the server switched to another protocol, for which it was not asked"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngon", WEFT_ELOST, body},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngone\r\n", WEFT_ELOST, body},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngone\r\n0\r\n", WEFT_ELOST, body},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngoneX", WEFT_EHTTP,
         "line of a chunked body does not end with CR LF"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        verdict verdict = read_text(cases[i].text, false);
        assert_string_equal(verdict.problem, cases[i].sentence);
        assert_int_equal(verdict.status, cases[i].status);
    }
}

static void test_a_body_over_its_bound_is_refused_when_that_is_known(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n15",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n14\r\n01234567890123456789\r\n1",
        "HTTP/1.1 200 OK\r\n\r\n012345678901234567890",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        verdict verdict = read_text(texts[i], false);
        assert_int_equal(verdict.status, WEFT_ETOOBIG);
        assert_string_equal(verdict.problem, "the body of the answer is over 20 bytes");
    }
    expect_body("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n01234567890123456789", false, true, 200,
                "01234567890123456789");
    expect_body("HTTP/1.1 200 OK\r\n\r\n01234567890123456789", false, false, 200, "01234567890123456789");
    expect_body(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n14\r\n01234567890123456789\r\n0\r\n\r\n", false,
        true, 200, "01234567890123456789");
}

static void test_heads_have_a_bound(void **state)
{
    (void)state;
    size_t length = 80000;
    char *text = malloc(length);
    assert_non_null(text);
    memset(text, 'x', length);
    memcpy(text, "HTTP/1.1 200 OK\r\nA: ", 20);
    const size_t pieces[] = {1, 1000, length};
    for (size_t i = 0; i < 3; i++) {
        verdict verdict = read_in_pieces(text, length, pieces[i], false);
        assert_int_equal(verdict.status, WEFT_EHTTP);
        assert_string_equal(verdict.problem, "header fields are over 65536 bytes");
    }
    free(text);
}

/* Head and body grow over several blocks behind a secret. */
static void test_no_block_that_was_outgrown_has_a_secret_in_it(void **state)
{
    (void)state;
    enum {
        GROWTH = 2000
    };
    static const char start[] = "HTTP/1.1 200 OK\r\nX: " SECRET, middle[] = "\r\n\r\n" SECRET;
    char text[sizeof start + sizeof middle + 2 * GROWTH];
    int length = snprintf(text, sizeof text, "%s%0*d%s%0*d", start, GROWTH, 0, middle, GROWTH, 0);
    counting_allocator counter;
    secrets_watch(&counter);
    weft__problem problem;
    weft__response_reader reader;
    weft__response_reader_init(&reader, false, (uint64_t)2 * GROWTH);
    for (int at = 0; at < length; at += 100) {
        size_t count = length - at < 100 ? (size_t)(length - at) : 100;
        assert_int_equal(weft__response_reader_take(&reader, (uint8_t *)text + at, count, &problem), WEFT_OK);
    }
    assert_int_equal(weft__buffer_length(&reader.body), strlen(SECRET) + GROWTH);
    weft__response_reader_clear(&reader);
    secrets_expect_none(&counter);
}

static void test_each_allocation_may_fail(void **state)
{
    (void)state;
    static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngone";
    weft_status status = WEFT_ENOMEM;
    for (size_t n = 1; status != WEFT_OK; n++) {
        assert_true(n < 10);
        counting_allocator counter;
        allocator_count(&counter);
        counter.fail_at = n;
        verdict verdict = read_in_pieces(text, sizeof text - 1, 7, false);
        status = verdict.status;
        if (status != WEFT_OK) assert_int_equal(status, WEFT_ENOMEM);
        if (status != WEFT_OK) assert_string_equal(verdict.problem, "out of memory");
        allocator_restore(&counter);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_length_of_the_body_follows_the_rfc),
        cmocka_unit_test(test_interim_answers_are_passed_over),
        cmocka_unit_test(test_what_breaks_a_rule_is_refused),
        cmocka_unit_test(test_a_body_over_its_bound_is_refused_when_that_is_known),
        cmocka_unit_test(test_heads_have_a_bound),
        cmocka_unit_test(test_no_block_that_was_outgrown_has_a_secret_in_it),
        cmocka_unit_test(test_each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
