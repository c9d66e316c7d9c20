#include "check.h"

#include "endpoint/destination.h"

#include "tls/authority.h"

#include <string.h>

static void expect_refusal(const char *url, weft__url_parser parse, weft_tls *tls, weft_status status,
                           const char *sentence)
{
    weft__destination destination;
    weft__problem problem;
    assert_int_equal(weft__destination_init(&destination, weft__string(url), parse, tls, &problem), status);
    assert_string_equal(problem.text, sentence);
    assert_null(destination.tls);
    weft__destination_clear(&destination);
}

static void test_the_url_is_copied(void **state)
{
    (void)state;
    weft__destination destination;
    weft__problem problem;
    char text[] = "http://[::1]:8080/a?b";
    assert_int_equal(
        weft__destination_init(&destination, weft__string(text), weft__url_parse_http, NULL, &problem),
        WEFT_OK);
    memset(text, 'x', sizeof text);
    assert_string_equal(destination.host, "::1");
    assert_int_equal(destination.url.port, 8080);
    assert_true(weft__string_equals(destination.url.path, "/a"));
    assert_null(destination.tls);
    weft__destination_clear(&destination);
}

static void test_what_cannot_be_reached_is_refused(void **state)
{
    (void)state;
    expect_refusal("http://a/", weft__url_parse, NULL, WEFT_EURL, "URL scheme is not ws, wss or ws+unix");
    expect_refusal("ws://a/", weft__url_parse_http, NULL, WEFT_EURL, "URL scheme is not http or https");
    expect_refusal("", weft__url_parse_http, NULL, WEFT_EURL, "URL does not begin with http:// or https://");
    char long_path[512] = "ws+unix:/", sentence[128];
    memset(long_path + 9, 'x', sizeof long_path - 10);
    snprintf(sentence, sizeof sentence, "the path of the unix socket has a NUL, or more than %d bytes", 107);
    expect_refusal(long_path, weft__url_parse, NULL, WEFT_EURL, sentence);
    expect_refusal("ws+unix:/a%00b", weft__url_parse, NULL, WEFT_EURL, sentence);
}

static void test_only_secure_urls_hold_tls(void **state)
{
    (void)state;
    papers all;
    issue_all(&all);
    weft_tls *server = open_server(&all), *client = open_client(&all);
    weft__destination destination;
    weft__problem problem;
    expect_refusal("https://a/", weft__url_parse_http, server, WEFT_EINVAL, "tls is a server's");
    expect_refusal("http://a/", weft__url_parse_http, server, WEFT_EINVAL, "tls is a server's");
    assert_int_equal(weft__destination_init(&destination, weft__string("http://a/"), weft__url_parse_http,
                                            client, &problem),
                     WEFT_OK);
    assert_null(destination.tls);
    weft__destination_clear(&destination);
    assert_int_equal(weft__destination_init(&destination, weft__string("https://a/"), weft__url_parse_http,
                                            client, &problem),
                     WEFT_OK);
    assert_ptr_equal(destination.tls, client);
    weft_tls_release(client);
    weft__destination_clear(&destination);
    assert_int_equal(
        weft__destination_init(&destination, weft__string("wss://a/"), weft__url_parse, NULL, &problem),
        WEFT_OK);
    assert_non_null(destination.tls);
    weft__destination_clear(&destination);
    weft_tls_release(server);
    discard_all(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_url_is_copied),
        cmocka_unit_test(test_what_cannot_be_reached_is_refused),
        cmocka_unit_test(test_only_secure_urls_hold_tls),
    };
    return cmocka_run_group_tests(tests, open_folder, remove_folder);
}
