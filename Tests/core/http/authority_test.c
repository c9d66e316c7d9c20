#include "check.h"

#include "http/authority.h"
#include "http/fields.h"

#include <stdio.h>
#include <string.h>

static const char *parse(weft__authority *authority, const char *text)
{
    return weft__authority_parse(authority, weft__string(text));
}

static void expect(const char *text, const char *host, uint16_t port, bool is_ipv6)
{
    weft__authority authority;
    assert_null(parse(&authority, text));
    assert_true(weft__string_equals(authority.host, host));
    assert_int_equal(authority.port, port);
    assert_int_equal(authority.host_is_ipv6, is_ipv6);
}

static void expect_fault(const char *text, const char *fault)
{
    weft__authority authority;
    const char *found = parse(&authority, text);
    assert_non_null(found);
    assert_string_equal(found, fault);
}

static void test_hosts_and_ports_are_told_apart(void **state)
{
    (void)state;
    expect("a", "a", 0, false);
    expect("A-b_c.d.:1", "A-b_c.d.", 1, false);
    expect("127.0.0.1:65535", "127.0.0.1", 65535, false);
    expect("[::1]:8080", "::1", 8080, true);
    expect("[::]", "::", 0, true);
}

static void test_ports_are_1_to_65535(void **state)
{
    (void)state;
    static const char *const bad[] = {"a:", "a:0", "a:65536", "a:-1", "a:+1", "a:8o", "a:000080", "a:1:2"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        expect_fault(bad[i], "port is not a number from 1 to 65535");
    }
    expect_fault("::1", "host is missing");
    expect("a:00080", "a", 80, false);
}

static void test_bad_host_names_are_refused(void **state)
{
    (void)state;
    static const char character[] = "host name contains a character that is not allowed";
    static const char *const bad[] = {"a b", "a,b", "a%20b", "a/b", "b\xc3\xbc", "a\\b", "*", "a]"};
    weft__authority authority;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect_fault(bad[i], character);
    assert_string_equal(weft__authority_parse(&authority, (weft_string){"a\0b", 3}), character);
    expect_fault("", "host is missing");
    expect_fault(":80", "host is missing");
    expect_fault(".a", "host name has an empty label");
    expect_fault("a..b", "host name has an empty label");
    expect_fault("u@a", "user information stands before the host");
    expect_fault("u:p@[::1]:80", "user information stands before the host");
    assert_non_null(weft__authority_parse(&authority, (weft_string){0}));
}

static void test_names_and_labels_have_the_limits_of_dns(void **state)
{
    (void)state;
    char text[300];
    snprintf(text, sizeof text, "%063d", 1);
    expect(text, text, 0, false);
    snprintf(text, sizeof text, "%064d", 1);
    expect_fault(text, "host name has a label over 63 characters");
    for (size_t i = 0; i < 254; i++)
        text[i] = i % 2 ? '.' : 'a';
    text[254] = '\0';
    expect_fault(text, "host name is over 253 characters");
    text[253] = '\0';
    expect(text, text, 0, false);
}

static void test_ipv6_literals_follow_rfc_3986(void **state)
{
    (void)state;
    static const char *const good[] = {"1:2:3:4:5:6:7:8",
                                       "::",
                                       "::1",
                                       "1::",
                                       "1::8",
                                       "1:2:3:4:5:6:7::",
                                       "::2:3:4:5:6:7:8",
                                       "::1.2.3.4",
                                       "::ffff:1.2.3.4",
                                       "1:2:3:4:5:6:1.2.3.4",
                                       "abcd:EF01::",
                                       "1:2:3:4:5::1.2.3.4"};
    static const char *const bad[] = {"",
                                      ":",
                                      "1",
                                      ":::",
                                      "1:2:3:4:5:6:7",
                                      "1:2:3:4:5:6:7:8:9",
                                      "1::2::3",
                                      "12345::",
                                      "g::",
                                      "1:",
                                      ":1",
                                      "1:2:3:4:5:6:7:8::",
                                      "::1:2:3:4:5:6:7:8",
                                      "::1.2.3",
                                      "::1.2.3.4.5",
                                      "::1.2.3.256",
                                      "::1.2.3.1234",
                                      "::1.2..4",
                                      "::1.2.3x4",
                                      "::01.2.3.4",
                                      "1.2.3.4",
                                      "::1.2.3.4:5",
                                      "1:2:3:4:5:6:7:1.2.3.4",
                                      "fe80::1%25eth0",
                                      "::1 "};
    char text[64];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        snprintf(text, sizeof text, "[%s]", good[i]);
        expect(text, good[i], 0, true);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(text, sizeof text, "[%s]", bad[i]);
        expect_fault(text, "IPv6 address is ill-formed");
    }
    expect_fault("[::1", "IPv6 address has no closing bracket");
    expect_fault("[", "IPv6 address has no closing bracket");
    expect_fault("[::1]80", "something other than a port follows the IPv6 address");
}

static void test_no_byte_behind_the_text_is_read(void **state)
{
    (void)state;
    static const char text[] = "[12::34.56.78.90]:1234";
    for (size_t length = 0; length < sizeof text; length++) {
        weft__authority authority;
        char *exact = malloc(length + 1);
        assert_non_null(exact);
        memcpy(exact + 1, text, length);
        weft__authority_parse(&authority, (weft_string){exact + 1, length});
        free(exact);
    }
}

static void test_authorities_are_the_same_with_the_default_port(void **state)
{
    (void)state;
    weft__authority one, other;
    parse(&one, "Example.org");
    parse(&other, "example.ORG:443");
    assert_true(weft__authority_is_same(&one, &other, 443));
    assert_false(weft__authority_is_same(&one, &other, 80));
    parse(&other, "example.org.");
    assert_false(weft__authority_is_same(&one, &other, 80));
    parse(&other, "[::1]");
    assert_false(weft__authority_is_same(&one, &other, 80));
    parse(&one, "[::1]:80");
    assert_true(weft__authority_is_same(&one, &other, 80));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hosts_and_ports_are_told_apart),
        cmocka_unit_test(test_ports_are_1_to_65535),
        cmocka_unit_test(test_bad_host_names_are_refused),
        cmocka_unit_test(test_names_and_labels_have_the_limits_of_dns),
        cmocka_unit_test(test_ipv6_literals_follow_rfc_3986),
        cmocka_unit_test(test_no_byte_behind_the_text_is_read),
        cmocka_unit_test(test_authorities_are_the_same_with_the_default_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
