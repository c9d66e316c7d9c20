#include "no_crypto.h"

#include "http/upgrade.h"

#include <string.h>

#define START "GET /chat HTTP/1.1\r\nHost: a\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define UPGRADE "Upgrade: websocket\r\nConnection: Upgrade\r\n"

/* A parsed head; the text must outlive it. */
static weft__head request(const char *text)
{
    const weft__head_limits limits = {4096, 8192, 64};
    weft__head head;
    weft__problem problem;
    assert_int_equal(weft__head_parse_request(&head, text, strlen(text), &limits, &problem), strlen(text));
    return head;
}

static void test_an_upgrade_is_asked_for_well_or_badly(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool asked;
    } cases[] = {
        {START UPGRADE KEY VERSION "\r\n", true},
        {START "Upgrade: h2c, WebSocket\r\n\r\n", true},
        {START KEY "\r\n", true},
        {START "Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n", false},
        {START "\r\n", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weft__head head = request(cases[i].text);
        assert_int_equal(weft__upgrade_is_asked(&head), cases[i].asked);
        weft__head_clear(&head);
    }
}

static void test_good_upgrade_requests_pass(void **state)
{
    (void)state;
    static const char *const good[] = {
        START UPGRADE KEY VERSION "\r\n",
        START "connection: keep-alive, upgrade\r\nupgrade: h2c, WebSocket/13, WEBSOCKET\r\n" KEY VERSION
              "\r\n",
        START UPGRADE KEY VERSION "Content-Length: 0\r\n\r\n",
        START UPGRADE KEY VERSION "Sec-WebSocket-Protocol: a, b\r\nSec-WebSocket-Protocol:\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        weft__problem problem;
        weft__head head = request(good[i]);
        assert_int_equal(weft__upgrade_check_request(&head, &problem), WEFT_OK);
        weft__head_clear(&head);
    }
}

static void test_bad_upgrade_requests_are_refused(void **state)
{
    (void)state;
    static const struct {
        uint16_t http_status;
        const char *text, *sentence;
    } cases[] = {
        {405, "POST / HTTP/1.1\r\nHost: a\r\n" UPGRADE KEY VERSION "\r\n",
         "method of an upgrade request is not GET"},
        {405, "get / HTTP/1.1\r\nHost: a\r\n" UPGRADE KEY VERSION "\r\n",
         "method of an upgrade request is not GET"},
        {400, "GET / HTTP/1.0\r\nHost: a\r\n" UPGRADE KEY VERSION "\r\n", "HTTP/1.0 has no upgrade"},
        {400, START "Connection: Upgrade\r\n" KEY VERSION "\r\n", "Upgrade does not list websocket"},
        {400, START "Upgrade: websockets\r\nConnection: Upgrade\r\n" KEY VERSION "\r\n",
         "Upgrade does not list websocket"},
        {400, START "Upgrade: websocket\r\n" KEY VERSION "\r\n", "Connection does not list Upgrade"},
        {400, START "Upgrade: websocket\r\nConnection: close\r\n" KEY VERSION "\r\n",
         "Connection does not list Upgrade"},
        {400, START UPGRADE VERSION "\r\n", "Sec-WebSocket-Key is missing"},
        {400, START UPGRADE KEY KEY VERSION "\r\n", "Sec-WebSocket-Key is repeated"},
        {400, START UPGRADE VERSION "Sec-WebSocket-Key: short\r\n\r\n",
         "Sec-WebSocket-Key is not 16 bytes of base64"},
        {426, START UPGRADE KEY "\r\n", "Sec-WebSocket-Version is missing"},
        {426, START UPGRADE KEY VERSION VERSION "\r\n", "Sec-WebSocket-Version is repeated"},
        {426, START UPGRADE KEY "Sec-WebSocket-Version: 8\r\n\r\n", "Sec-WebSocket-Version is not 13"},
        {426, START UPGRADE KEY "Sec-WebSocket-Version: 7\r\n\r\n", "Sec-WebSocket-Version is not 13"},
        {426, START UPGRADE KEY "Sec-WebSocket-Version: 0\r\n\r\n", "Sec-WebSocket-Version is not 13"},
        {426, START UPGRADE KEY "Sec-WebSocket-Version: 013\r\n\r\n", "Sec-WebSocket-Version is not 13"},
        {426, START UPGRADE KEY "Sec-WebSocket-Version: 13, 8\r\n\r\n", "Sec-WebSocket-Version is not 13"},
        {400, START UPGRADE KEY VERSION "Content-Length: 6\r\n\r\n", "upgrade request has a body"},
        {400, START UPGRADE KEY VERSION "Transfer-Encoding: chunked\r\n\r\n", "upgrade request has a body"},
        {400, START UPGRADE KEY VERSION "Sec-WebSocket-Protocol: a, b c\r\n\r\n",
         "Sec-WebSocket-Protocol lists something that is no token"},
        {400, START UPGRADE KEY VERSION "Sec-WebSocket-Extensions: a, b;\r\n\r\n",
         "Sec-WebSocket-Extensions is malformed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weft__problem problem;
        weft__head head = request(cases[i].text);
        assert_int_equal(weft__upgrade_check_request(&head, &problem), WEFT_EHTTP);
        assert_int_equal(problem.http_status, cases[i].http_status);
        assert_string_equal(problem.text, cases[i].sentence);
        weft__head_clear(&head);
    }
}

static void test_refusals_carry_the_fields_that_http_asks_for(void **state)
{
    (void)state;
    size_t count;
    const weft_field *fields = weft__upgrade_refusal_fields(405, &count);
    assert_int_equal(count, 1);
    assert_true(weft__string_equals(fields[0].name, "Allow"));
    fields = weft__upgrade_refusal_fields(426, &count);
    assert_int_equal(count, 2);
    assert_true(weft__string_equals(fields[0].name, "Upgrade"));
    assert_true(weft__string_equals(fields[1].name, "Sec-WebSocket-Version"));
    assert_true(weft__string_equals(fields[1].value, "13"));
    assert_string_equal(weft__upgrade_refusal_connection(426), "Upgrade, close");
    assert_string_equal(weft__upgrade_refusal_connection(405), "close");
    weft__upgrade_refusal_fields(400, &count);
    assert_int_equal(count, 0);
}

static void test_subprotocols_are_chosen_in_the_order_of_the_client(void **state)
{
    (void)state;
    weft__head head = request(START "Sec-WebSocket-Protocol: a, B\r\nsec-websocket-protocol: c\r\n\r\n");
    const weft_string supported[] = {weft__string("c"), weft__string("B"), weft__string("b")};
    const weft_string any = weft__string("*");
    assert_true(weft__string_equals(weft__upgrade_choose_subprotocol(&head, supported, 3), "B"));
    assert_true(weft__string_equals(weft__upgrade_choose_subprotocol(&head, supported, 1), "c"));
    assert_true(weft__string_equals(weft__upgrade_choose_subprotocol(&head, &any, 1), "a"));
    assert_int_equal(weft__upgrade_choose_subprotocol(&head, supported, 0).length, 0);
    assert_true(weft__upgrade_offers_subprotocol(&head, weft__string("c")));
    assert_false(weft__upgrade_offers_subprotocol(&head, weft__string("b")));
    assert_false(weft__upgrade_offers_subprotocol(&head, weft__string("")));
    assert_false(weft__upgrade_offers_subprotocol(&head, weft__string("a, B")));
    weft_string found = weft__upgrade_find_subprotocol(&head, weft__string("c"));
    assert_ptr_equal(found.bytes, head.fields.items[2].value.bytes);
    weft__head_clear(&head);
}

static weft_status check_field(const char *name, weft_string value, const char *sentence)
{
    weft__problem problem = {0};
    const weft_field field = {weft__string(name), value};
    weft_status status = weft__upgrade_check_fields(&field, 1, &problem);
    assert_string_equal(problem.text, sentence);
    return status;
}

static void test_extra_fields_are_checked_before_they_are_written(void **state)
{
    (void)state;
    static const char *const owned[] = {"upgrade",           "Connection",        "Content-Length",
                                        "transfer-encoding", "Sec-WebSocket-Key", "sec-websocket-anything"};
    assert_int_equal(check_field("X-A", weft__string(""), ""), WEFT_OK);
    assert_int_equal(check_field("Sec-WebSocket", weft__string("a"), ""), WEFT_OK);
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) {
        weft__problem problem;
        const weft_field field = {weft__string(owned[i]), weft__string("a")};
        assert_int_equal(weft__upgrade_check_fields(&field, 1, &problem), WEFT_EINVAL);
    }
    assert_int_equal(
        check_field("A", weft__string("b\r\nC: d"), "\"A\" has a value with a control character"),
        WEFT_EINVAL);
    assert_int_equal(check_field("A", (weft_string){"b\0", 2}, "\"A\" has a value with a control character"),
                     WEFT_EINVAL);
    assert_int_equal(check_field("A\n", weft__string("b"), "\"A?\" is no valid field name"), WEFT_EINVAL);
    assert_int_equal(check_field("", weft__string("b"), "\"\" is no valid field name"), WEFT_EINVAL);
    char name[101], sentence[128];
    snprintf(name, sizeof name, "%0100d", 0);
    snprintf(sentence, sizeof sentence, "\"%.64s\" has a value with a control character", name);
    assert_int_equal(check_field(name, weft__string("\n"), sentence), WEFT_EINVAL);
}

static void test_host_and_origin_are_allowed_once(void **state)
{
    (void)state;
    weft__problem problem;
    const weft_field fields[] = {
        {weft__string("Host"), weft__string("a")},   {weft__string("Origin"), weft__string("http://a")},
        {weft__string("Cookie"), weft__string("a")}, {weft__string("Cookie"), weft__string("b")},
        {weft__string("host"), weft__string("a")},
    };
    assert_int_equal(weft__upgrade_check_fields(fields, 4, &problem), WEFT_OK);
    assert_int_equal(weft__upgrade_check_fields(fields, 5, &problem), WEFT_EINVAL);
    assert_string_equal(problem.text, "\"host\" is repeated");
    const weft_field origins[] = {{weft__string("Origin"), weft__string("http://a")},
                                  {weft__string("origin"), weft__string("http://a")}};
    assert_int_equal(weft__upgrade_check_fields(origins, 2, &problem), WEFT_EINVAL);
    assert_string_equal(problem.text, "\"origin\" is repeated");
    assert_int_equal(weft__upgrade_check_fields(NULL, 0, &problem), WEFT_OK);
    assert_int_equal(weft__upgrade_check_fields(NULL, 1, &problem), WEFT_EINVAL);
    assert_string_equal(problem.text, "fields are missing");
}

static void test_the_answer_of_the_rfc_is_written(void **state)
{
    (void)state;
    static const char expected[] =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\n"
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
        "Sec-WebSocket-Protocol: chat\r\n"
        "Sec-WebSocket-Extensions: permessage-deflate\r\nServer: weft\r\nA: b\r\n\r\n";
    const weft_field field = {weft__string("A"), weft__string("b")};
    const weft__upgrade_answer answer = {weft__string("chat"), weft__string("permessage-deflate"),
                                         weft__string("weft"), &field, 1};
    weft__head head = request(START UPGRADE KEY VERSION "\r\n");
    weft__buffer out = {0};
    assert_int_equal(weft__upgrade_write_answer(&out, &head, &answer), WEFT_OK);
    assert_int_equal(weft__buffer_length(&out), sizeof expected - 1);
    assert_memory_equal(weft__buffer_front(&out), expected, sizeof expected - 1);
    weft__buffer_clear(&out);
    weft__head_clear(&head);
}

static void test_an_answer_that_cannot_be_sent_appends_nothing(void **state)
{
    (void)state;
    const weft_field field = {weft__string("A"), weft__string("b\r\n")};
    const weft__upgrade_answer bad = {.fields = &field, .field_count = 1},
                               good = {.server = weft__string("x")};
    weft__head head = request(START UPGRADE KEY VERSION "\r\n");
    weft__buffer out = {0};
    counting_allocator counter;
    assert_int_equal(weft__upgrade_write_answer(&out, &head, &bad), WEFT_EINVAL);
    assert_int_equal(weft__buffer_length(&out), 0);
    weft__buffer_clear(&out);
    allocator_count(&counter);
    counter.fail_at = 1;
    assert_int_equal(weft__upgrade_write_answer(&out, &head, &good), WEFT_ENOMEM);
    assert_int_equal(weft__buffer_length(&out), 0);
    allocator_restore(&counter);
    crypto_take_away();
    assert_int_equal(weft__upgrade_write_answer(&out, &head, &good), WEFT_ESYSTEM);
    assert_int_equal(weft__buffer_length(&out), 0);
    crypto_give_back();
    weft__head_clear(&head);
    head = request(START "\r\n");
    assert_int_equal(weft__upgrade_write_answer(&out, &head, &good), WEFT_EINVAL);
    weft__head_clear(&head);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_upgrade_is_asked_for_well_or_badly),
        cmocka_unit_test(test_good_upgrade_requests_pass),
        cmocka_unit_test(test_bad_upgrade_requests_are_refused),
        cmocka_unit_test(test_refusals_carry_the_fields_that_http_asks_for),
        cmocka_unit_test(test_subprotocols_are_chosen_in_the_order_of_the_client),
        cmocka_unit_test(test_extra_fields_are_checked_before_they_are_written),
        cmocka_unit_test(test_host_and_origin_are_allowed_once),
        cmocka_unit_test(test_the_answer_of_the_rfc_is_written),
        cmocka_unit_test(test_an_answer_that_cannot_be_sent_appends_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
