#include "check.h"

#include "http/offer.h"

#include <stdio.h>
#include <string.h>

#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define START "HTTP/1.1 101 Switching Protocols\r\n"
#define UPGRADE "Upgrade: WebSocket\r\nConnection: upgrade\r\n"
#define ACCEPT "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"

static weft__url url_of(const char *text)
{
    weft__url url;
    weft__problem problem;
    assert_int_equal(weft__url_parse(&url, weft__string(text), &problem), WEFT_OK);
    return url;
}

static void expect_request(const char *url_text, weft__upgrade_offer offer, const char *expected)
{
    weft__buffer out = {0};
    weft__url url = url_of(url_text);
    offer.url = &url;
    assert_int_equal(weft__upgrade_write_request(&out, &offer, KEY), WEFT_OK);
    assert_int_equal(weft__buffer_length(&out), strlen(expected));
    assert_memory_equal(weft__buffer_front(&out), expected, strlen(expected));
    weft__buffer_clear(&out);
}

#define REST                                                                                                 \
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: " KEY "\r\nSec-WebSocket-Version: "     \
    "13\r\n"

static void test_the_request_of_the_rfc_is_written(void **state)
{
    (void)state;
    const weft__upgrade_offer plain = {0};
    expect_request("ws://a", plain, "GET / HTTP/1.1\r\nHost: a\r\n" REST "\r\n");
    expect_request("wss://a:443/b?c", plain, "GET /b?c HTTP/1.1\r\nHost: a\r\n" REST "\r\n");
    expect_request("ws://[::1]:8080?", plain, "GET /? HTTP/1.1\r\nHost: [::1]:8080\r\n" REST "\r\n");
    expect_request("ws+unix:/s:/b", plain, "GET /b HTTP/1.1\r\nHost: localhost\r\n" REST "\r\n");
}

static void test_what_is_offered_is_written(void **state)
{
    (void)state;
    const weft_field fields[] = {{weft__string("Origin"), weft__string("http://o")},
                                 {weft__string("host"), weft__string("other")}};
    weft_compression compression;
    weft_compression_init(&compression, WEFT_CLIENT);
    const weft__upgrade_offer offer = {.subprotocols = weft__string("x, y"),
                                       .compression = &compression,
                                       .fields = fields,
                                       .field_count = 2};
    expect_request(
        "ws://a/", offer,
        "GET / HTTP/1.1\r\nhost: other\r\n" REST "Sec-WebSocket-Protocol: x, y\r\n"
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\nOrigin: http://o\r\n\r\n");
}

static void test_a_request_that_cannot_be_sent_appends_nothing(void **state)
{
    (void)state;
    const weft__url url = url_of("ws://a/");
    const weft_field field = {weft__string("A"), weft__string("b\r\nC: d")};
    weft__upgrade_offer offer = {.url = &url, .fields = &field, .field_count = 1};
    weft__buffer out = {0};
    counting_allocator counter;
    assert_int_equal(weft__upgrade_write_request(&out, &offer, KEY), WEFT_EINVAL);
    assert_int_equal(weft__buffer_length(&out), 0);
    weft__buffer_clear(&out);
    allocator_count(&counter);
    counter.fail_at = 1;
    offer.field_count = 0;
    assert_int_equal(weft__upgrade_write_request(&out, &offer, KEY), WEFT_ENOMEM);
    allocator_restore(&counter);
}

static void test_subprotocol_lists_hold_different_tokens(void **state)
{
    (void)state;
    static const char *const bad[] = {"a b", "a,a", "a, b, a", "a;b", " a", "a ", "\"a\"", "a\r\nB: c"};
    assert_true(weft__upgrade_is_subprotocol_list((weft_string){0}));
    assert_true(weft__upgrade_is_subprotocol_list(weft__string("a, A,chat.v2")));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(weft__upgrade_is_subprotocol_list(weft__string(bad[i])));
    }
}

typedef struct answer_case {
    const char *subprotocols; /* offered */
    const char *text;
    const char *expected; /* the chosen subprotocol, or the sentence */
} answer_case;

static void expect_answer(const answer_case *c, weft_status expected)
{
    const weft__head_limits limits = {4096, 8192, 64};
    const weft__upgrade_offer offer = {.subprotocols = weft__string(c->subprotocols)};
    weft__head head;
    weft__problem problem;
    weft_string chosen;
    weft_compression agreed;
    assert_int_equal(weft__head_parse_response(&head, c->text, strlen(c->text), &limits, &problem),
                     strlen(c->text));
    assert_int_equal(weft__upgrade_check_answer(&head, &offer, KEY, &chosen, &agreed, &problem), expected);
    if (expected == WEFT_OK) {
        assert_true(weft__string_equals(chosen, c->expected));
    } else {
        assert_string_equal(problem.text, c->expected);
        assert_int_equal(problem.http_status, head.status);
        assert_int_equal(chosen.length, 0);
    }
    assert_false(agreed.enabled);
    weft__head_clear(&head);
}

static void test_good_answers_pass(void **state)
{
    (void)state;
    static const answer_case cases[] = {
        {"", START UPGRADE ACCEPT "\r\n", ""},
        {"a, b", START UPGRADE ACCEPT "Sec-WebSocket-Protocol: b\r\n\r\n", "b"},
        {"", START UPGRADE ACCEPT "Sec-WebSocket-Extensions:\r\n\r\n", ""},
        {"", START "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" ACCEPT "\r\n", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_answer(&cases[i], WEFT_OK);
}

static void test_answers_that_break_the_rfc_are_refused(void **state)
{
    (void)state;
    static const char upgrade[] = "answer does not upgrade to websocket";
    static const char wrong[] = "Sec-WebSocket-Accept does not belong to the key that was sent";
    static const char foreign[] = "answer chooses a subprotocol that was not offered";
    static const char extension[] = "answer uses an extension that was not offered";
    static const answer_case cases[] = {
        {"", "HTTP/1.1 200 OK\r\n" UPGRADE ACCEPT "\r\n", "server answered 200 instead of 101"},
        {"", "HTTP/1.0 101 \r\n" UPGRADE ACCEPT "\r\n", "answer is HTTP/1.0, which has no upgrade"},
        {"", START "Connection: Upgrade\r\n" ACCEPT "\r\n", upgrade},
        {"", START "Upgrade: h2c, websocket\r\nConnection: Upgrade\r\n" ACCEPT "\r\n", upgrade},
        {"", START "Upgrade: websocket\r\n" UPGRADE ACCEPT "\r\n", upgrade},
        {"", START "Upgrade: websocket\r\n" ACCEPT "\r\n", "Connection of the answer does not list Upgrade"},
        {"", START UPGRADE "\r\n", "answer has no Sec-WebSocket-Accept"},
        {"", START UPGRADE ACCEPT ACCEPT "\r\n", "answer repeats Sec-WebSocket-Accept"},
        {"", START UPGRADE "Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", wrong},
        {"", START UPGRADE "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo\r\n\r\n", wrong},
        {"", START UPGRADE "Sec-WebSocket-Accept:\r\n\r\n", wrong},
        {"", START UPGRADE ACCEPT "Sec-WebSocket-Protocol: a\r\n\r\n", foreign},
        {"a, b", START UPGRADE ACCEPT "Sec-WebSocket-Protocol: A\r\n\r\n", foreign},
        {"a, b", START UPGRADE ACCEPT "Sec-WebSocket-Protocol: a, b\r\n\r\n", foreign},
        {"a, b", START UPGRADE ACCEPT "Sec-WebSocket-Protocol:\r\n\r\n", foreign},
        {"a, b", START UPGRADE ACCEPT "\r\n", "answer chooses none of the offered subprotocols"},
        {"a", START UPGRADE ACCEPT "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: a\r\n\r\n",
         "answer repeats Sec-WebSocket-Protocol"},
        {"", START UPGRADE ACCEPT "Sec-WebSocket-Extensions: x\r\n\r\n", extension},
        {"", START UPGRADE ACCEPT "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n", extension},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_answer(&cases[i], WEFT_EHANDSHAKE);
}

static void test_an_answer_to_offered_compression_is_judged(void **state)
{
    (void)state;
    static const char answer[] =
        START UPGRADE ACCEPT "Sec-WebSocket-Protocol: a\r\n"
                             "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=";
    for (int is_good = 0; is_good <= 1; is_good++) {
        char text[512];
        weft_compression offered, agreed;
        weft_compression_init(&offered, WEFT_CLIENT);
        const weft__upgrade_offer offer = {.subprotocols = weft__string("a"), .compression = &offered};
        const weft__head_limits limits = {4096, 8192, 64};
        weft__head head;
        weft__problem problem;
        weft_string chosen;
        snprintf(text, sizeof text, "%s%d\r\n\r\n", answer, is_good ? 12 : 16);
        assert_true(weft__head_parse_response(&head, text, strlen(text), &limits, &problem) > 0);
        weft_status status = weft__upgrade_check_answer(&head, &offer, KEY, &chosen, &agreed, &problem);
        assert_int_equal(status, is_good ? WEFT_OK : WEFT_EHANDSHAKE);
        assert_int_equal(agreed.enabled, is_good);
        assert_int_equal(chosen.length, is_good);
        if (is_good) assert_int_equal(agreed.server_max_window_bits, 12);
        if (!is_good) assert_int_equal(problem.http_status, 101);
        weft__head_clear(&head);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_request_of_the_rfc_is_written),
        cmocka_unit_test(test_what_is_offered_is_written),
        cmocka_unit_test(test_a_request_that_cannot_be_sent_appends_nothing),
        cmocka_unit_test(test_subprotocol_lists_hold_different_tokens),
        cmocka_unit_test(test_good_answers_pass),
        cmocka_unit_test(test_answers_that_break_the_rfc_are_refused),
        cmocka_unit_test(test_an_answer_to_offered_compression_is_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
