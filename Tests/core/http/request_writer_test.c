#include "check.h"

#include "http/request_writer.h"

#include <string.h>

static weft__url url_of(const char *text)
{
    weft__url url;
    weft__problem problem;
    assert_int_equal(weft__url_parse_http(&url, weft__string(text), &problem), WEFT_OK);
    return url;
}

static void expect_request(const char *url_text, weft__plain_request request, const char *expected)
{
    weft__buffer out = {0};
    weft__url url = url_of(url_text);
    request.url = &url;
    assert_int_equal(weft__request_write(&out, &request), WEFT_OK);
    assert_int_equal(weft__buffer_length(&out), strlen(expected));
    assert_memory_equal(weft__buffer_front(&out), expected, strlen(expected));
    weft__buffer_clear(&out);
}

#define REST "Connection: close\r\nAccept-Encoding: identity\r\n"

static void test_a_request_says_where_it_goes(void **state)
{
    (void)state;
    const weft__plain_request get = {.method = weft__string("GET")};
    expect_request("http://a", get, "GET / HTTP/1.1\r\nHost: a\r\n" REST "\r\n");
    expect_request("https://a:443/b?c", get, "GET /b?c HTTP/1.1\r\nHost: a\r\n" REST "\r\n");
    expect_request("http://[::1]:8080?", get, "GET /? HTTP/1.1\r\nHost: [::1]:8080\r\n" REST "\r\n");
}

static void test_a_body_goes_with_its_length(void **state)
{
    (void)state;
    weft__plain_request request = {.method = weft__string("POST"), .body = weft__string("a=b")};
    expect_request("http://a", request, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n" REST "\r\na=b");
    request.body.length = 0;
    expect_request("http://a", request, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n" REST "\r\n");
    request.method = weft__string("HEAD");
    expect_request("http://a", request, "HEAD / HTTP/1.1\r\nHost: a\r\n" REST "\r\n");
    request.method = weft__string("GET");
    request.body = weft__string("x");
    expect_request("http://a", request, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n" REST "\r\nx");
}

static void test_given_fields_take_the_place_of_our_own(void **state)
{
    (void)state;
    const weft_field fields[] = {
        {weft__string("X"), weft__string("y")},
        {weft__string("accept-encoding"), weft__string("gzip")},
        {weft__string("HOST"), weft__string("other")},
    };
    const weft__plain_request request = {.method = weft__string("GET"), .fields = fields, .field_count = 3};
    expect_request(
        "http://a", request,
        "GET / HTTP/1.1\r\nHOST: other\r\nConnection: close\r\nX: y\r\naccept-encoding: gzip\r\n\r\n");
}

static void test_what_cannot_be_sent_appends_nothing(void **state)
{
    (void)state;
    const weft__url url = url_of("http://a/");
    const weft_field field = {weft__string("A"), weft__string("b\r\nC: d")};
    weft__plain_request request = {
        .method = weft__string("GET"), .url = &url, .fields = &field, .field_count = 1};
    weft__buffer out = {0};
    counting_allocator counter;
    assert_int_equal(weft__request_write(&out, &request), WEFT_EINVAL);
    assert_int_equal(weft__buffer_length(&out), 0);
    weft__buffer_clear(&out);
    allocator_count(&counter);
    counter.fail_at = 1;
    request.field_count = 0;
    assert_int_equal(weft__request_write(&out, &request), WEFT_ENOMEM);
    allocator_restore(&counter);
}

static void test_one_block_holds_it_all(void **state)
{
    (void)state;
    static char long_value[5000], long_body[70000];
    memset(long_value, 'v', sizeof long_value);
    memset(long_body, 'b', sizeof long_body);
    const weft__url url = url_of("http://[::1]:65535/a/path?and=query");
    const weft_field fields[] = {{weft__string("A"), {long_value, sizeof long_value}},
                                 {weft__string("B"), weft__string("")}};
    const weft__plain_request request = {.method = {long_value, 32},
                                         .url = &url,
                                         .fields = fields,
                                         .field_count = 2,
                                         .body = {long_body, sizeof long_body}};
    weft__buffer out = {0};
    counting_allocator counter;
    allocator_count(&counter);
    assert_int_equal(weft__request_write(&out, &request), WEFT_OK);
    assert_int_equal(counter.requests, 1);
    weft__buffer_clear(&out);
    allocator_restore(&counter);
}

static void test_methods_are_tokens(void **state)
{
    (void)state;
    static const char *const good[] = {"GET", "POST", "get", "X-Y", "abcdefghijklmnopqrstuvwxyzabcdef"};
    static const char *const bad[] = {
        "", "G T", "GET\r\n", "CONNECT", "abcdefghijklmnopqrstuvwxyzabcdefg", "G\xc3\x89T"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(weft__request_is_method(weft__string(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(weft__request_is_method(weft__string(bad[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request_says_where_it_goes),
        cmocka_unit_test(test_a_body_goes_with_its_length),
        cmocka_unit_test(test_given_fields_take_the_place_of_our_own),
        cmocka_unit_test(test_what_cannot_be_sent_appends_nothing),
        cmocka_unit_test(test_one_block_holds_it_all),
        cmocka_unit_test(test_methods_are_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
