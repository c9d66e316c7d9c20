#include "check.h"

#include "http/origin.h"

static bool is_same(const char *host, const char *origin, bool secure)
{
    weft__head head = {0};
    if (host) weft__fields_add(&head.fields, weft__string("Host"), weft__string(host));
    if (origin) weft__fields_add(&head.fields, weft__string("origin"), weft__string(origin));
    bool same = weft__upgrade_is_same_origin(&head, secure);
    weft__head_clear(&head);
    return same;
}

static void test_a_request_without_origin_is_from_no_browser(void **state)
{
    (void)state;
    assert_true(is_same("a", NULL, false));
    assert_true(is_same(NULL, NULL, true));
}

static void test_the_same_host_and_port_are_the_same_origin(void **state)
{
    (void)state;
    assert_true(is_same("Example.org", "http://example.ORG", false));
    assert_true(is_same("a:80", "http://a", false));
    assert_true(is_same("a", "https://a:443", true));
    assert_true(is_same("[::1]:8080", "http://[::1]:8080", false));
}

static void test_other_schemes_hosts_and_ports_are_foreign(void **state)
{
    (void)state;
    static const char *const foreign[] = {
        "null",       "",          "http://b",  "http://a:81", "https://a", "http://a.b", "http://a/",
        "http://a@b", "http://aa", "http://",   "ws://a",      "http:a",    "a",          "http://a http://b",
        "http://a,",  "http:///a", "file:///a", "http://a?b",  "http://a#", "http://a:",  "http://a:0",
    };
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        assert_false(is_same("a", foreign[i], false));
    }
    assert_false(is_same("a", "http://a", true));
    assert_false(is_same(NULL, "http://a", false));
    assert_false(is_same("a b", "http://a", false));
}

static void test_a_repeated_origin_is_foreign(void **state)
{
    (void)state;
    weft__head head = {0};
    weft__fields_add(&head.fields, weft__string("Host"), weft__string("a"));
    weft__fields_add(&head.fields, weft__string("Origin"), weft__string("http://a"));
    weft__fields_add(&head.fields, weft__string("Origin"), weft__string("http://a"));
    assert_false(weft__upgrade_is_same_origin(&head, false));
    weft__head_clear(&head);
}

static void expect_problem(const char *origin, const char *problem)
{
    const char *found = weft__origin_problem(weft__string(origin));
    if (problem) {
        assert_non_null(found);
        assert_string_equal(found, problem);
    } else {
        assert_null(found);
    }
}

static void test_what_browsers_send_may_be_listed(void **state)
{
    (void)state;
    static const char *const good[] = {
        "null",
        "https://example.org",
        "http://localhost:8080",
        "http://[::1]:81",
        "https://a:80",
        "http://a:443",
        "file://",
        "capacitor://localhost",
        "app+x-1.0://a",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        expect_problem(good[i], NULL);
}

static void test_what_no_browser_sends_is_told(void **state)
{
    (void)state;
    static const char *const shapeless[] = {"",     "*",   "example.org", "https:/a", "https:", "1a://b",
                                            "://a", "nul", "a_b://c",     "a~b://c",  "+a://b"};
    for (size_t i = 0; i < sizeof shapeless / sizeof *shapeless; i++) {
        expect_problem(shapeless[i], "it is not of the form https://example.org or https://example.org:8443");
    }
    expect_problem("https://a/", "it has a path, be it only a slash");
    expect_problem("https://a/b", "it has a path, be it only a slash");
    expect_problem("https://A", "browsers send it in lower case");
    expect_problem("https://a:443", "browsers leave the default port out");
    expect_problem("http://a:80", "browsers leave the default port out");
    expect_problem("http://a:081", "browsers write ports without a zero in front");
    expect_problem("https://[::1]:08443", "browsers write ports without a zero in front");
    expect_problem("https://", "host is missing");
    expect_problem("http://", "host is missing");
    expect_problem("https://a@b", "user information stands before the host");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_browsers_send_may_be_listed),
        cmocka_unit_test(test_what_no_browser_sends_is_told),
        cmocka_unit_test(test_a_request_without_origin_is_from_no_browser),
        cmocka_unit_test(test_the_same_host_and_port_are_the_same_origin),
        cmocka_unit_test(test_other_schemes_hosts_and_ports_are_foreign),
        cmocka_unit_test(test_a_repeated_origin_is_foreign),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
