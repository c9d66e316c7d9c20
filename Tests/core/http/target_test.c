#include "check.h"

#include "http/fields.h"
#include "http/target.h"

static void expect(const char *text, const char *path, const char *query)
{
    weft__target target;
    assert_null(weft__target_parse(&target, weft__string(text), true));
    assert_true(weft__string_equals(target.path, path));
    assert_true(weft__string_equals(target.query, query));
}

static void test_origin_form_is_split_at_the_first_question_mark(void **state)
{
    (void)state;
    expect("/", "/", "");
    expect("/a/b?c=/d?e", "/a/b", "c=/d?e");
    expect("/?", "/", "");
    expect("//a", "//a", "");
    expect("*", "*", "");
}

static void test_absolute_form_names_scheme_and_authority(void **state)
{
    (void)state;
    weft__target target;
    expect("http://a/b?c", "/b", "c");
    expect("WS://a/", "/", "");
    assert_null(weft__target_parse(&target, weft__string("wss://[::1]:81/b"), false));
    assert_true(target.is_absolute && target.is_secure);
    assert_true(weft__string_equals(target.authority.host, "::1"));
    assert_int_equal(target.authority.port, 81);
    assert_null(weft__target_parse(&target, weft__string("http://a/b"), false));
    assert_false(target.is_secure);
    assert_null(weft__target_parse(&target, weft__string("/https://a/b"), false));
    assert_false(target.is_absolute);
}

static void test_an_absolute_target_without_a_path_means_the_root(void **state)
{
    (void)state;
    expect("https://a", "/", "");
    expect("http://a?b", "/", "b");
}

static void test_other_forms_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",        "a",      "a:80",      "http:", "http:/",
                                      "http://", "http:a", "file:///a", "*/"};
    weft__target target;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_non_null(weft__target_parse(&target, weft__string(bad[i]), true));
    }
    assert_non_null(weft__target_parse(&target, weft__string("*"), false));
    assert_non_null(weft__target_parse(&target, (weft_string){0}, false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_origin_form_is_split_at_the_first_question_mark),
        cmocka_unit_test(test_absolute_form_names_scheme_and_authority),
        cmocka_unit_test(test_an_absolute_target_without_a_path_means_the_root),
        cmocka_unit_test(test_other_forms_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
