#include "check.h"

#include "http/fields.h"

#include <string.h>

static weft_string string(const char *text)
{
    return weft__string(text);
}

static void add(weft__fields *fields, const char *name, const char *value)
{
    assert_int_equal(weft__fields_add(fields, string(name), string(value)), WEFT_OK);
}

static void test_names_are_found_in_any_case_and_in_order(void **state)
{
    (void)state;
    weft__fields fields = {0};
    assert_null(weft__fields_find(&fields, "Host"));
    add(&fields, "Cookie", "a");
    add(&fields, "cookie", "b");
    add(&fields, "Cookies", "c");
    assert_true(weft__string_equals(weft__fields_find(&fields, "COOKIE")->value, "a"));
    assert_int_equal(weft__fields_count(&fields, "cOOkie"), 2);
    assert_int_equal(weft__fields_count(&fields, "Cooki"), 0);
    weft__fields_clear(&fields);
    assert_int_equal(fields.count, 0);
}

static void test_fields_that_find_no_memory_change_nothing(void **state)
{
    (void)state;
    for (size_t n = 1; n < 5; n++) {
        counting_allocator counter;
        weft__fields fields = {0};
        allocator_count(&counter);
        counter.fail_at = n;
        size_t added = 0;
        while (added < 100 && weft__fields_add(&fields, string("a"), string("b")) == WEFT_OK)
            added++;
        assert_int_equal(fields.count, added);
        assert_int_equal(weft__fields_count(&fields, "a"), added);
        weft__fields_clear(&fields);
        allocator_restore(&counter);
    }
}

static void test_a_table_that_cannot_double_is_left_alone(void **state)
{
    (void)state;
    const size_t most = SIZE_MAX / sizeof(weft_field) / 2 + 1;
    weft_field item;
    weft__fields fields = {.items = &item, .count = most, .capacity = most};
    assert_int_equal(weft__fields_add(&fields, string("a"), string("b")), WEFT_ENOMEM);
    assert_ptr_equal(fields.items, &item);
    assert_int_equal(fields.count, most);
}

static void test_tokens_are_found_in_every_list_of_that_name(void **state)
{
    (void)state;
    weft__fields fields = {0};
    add(&fields, "Connection", "keep-alive , ,Upgrade");
    add(&fields, "Other", "close");
    add(&fields, "connection", "\"x, close\"");
    assert_true(weft__fields_list_token(&fields, "Connection", "upgrade"));
    assert_true(weft__fields_list_token(&fields, "Connection", "Keep-Alive"));
    assert_false(weft__fields_list_token(&fields, "Connection", "close"));
    assert_false(weft__fields_list_token(&fields, "Connection", "up"));
    assert_false(weft__fields_list_token(&fields, "Connection", ""));
    weft__fields_clear(&fields);
}

static void expect_elements(const char *list, const char *const *elements)
{
    weft_string rest = string(list), element;
    while (weft__list_next(&rest, &element))
        assert_true(weft__string_equals(element, *elements++));
    assert_null(*elements);
    assert_int_equal(rest.length, 0);
    assert_int_equal(element.length, 0);
}

static void test_lists_are_split_at_commas_outside_quotes(void **state)
{
    (void)state;
    expect_elements("", (const char *[]){NULL});
    expect_elements(" ,\t, ", (const char *[]){NULL});
    expect_elements("a", (const char *[]){"a", NULL});
    expect_elements(",a b , c,", (const char *[]){"a b", "c", NULL});
    expect_elements("a;b=\"x,y\",c", (const char *[]){"a;b=\"x,y\"", "c", NULL});
    expect_elements("\"a\\\",b\",c", (const char *[]){"\"a\\\",b\"", "c", NULL});
    expect_elements("a\\,b", (const char *[]){"a\\", "b", NULL});
    expect_elements("\"a,b", (const char *[]){"\"a,b", NULL});
    expect_elements("\"a\\", (const char *[]){"\"a\\", NULL});
}

static void test_long_lists_of_nothing_take_linear_time(void **state)
{
    (void)state;
    size_t length = 4 << 20;
    char *blanks = malloc(length);
    assert_non_null(blanks);
    for (size_t i = 0; i < length; i++)
        blanks[i] = i % 2 ? ',' : ' ';
    weft_string rest = {blanks, length}, element;
    assert_false(weft__list_next(&rest, &element));
    free(blanks);
}

static void test_strings_are_compared_by_their_length(void **state)
{
    (void)state;
    assert_int_equal(weft__string(NULL).length, 0);
    assert_true(weft__string_equals((weft_string){0}, ""));
    assert_true(weft__string_is_same((weft_string){0}, string("")));
    assert_false(weft__string_equals(string("ab"), "abc"));
    assert_false(weft__string_equals(string("Ab"), "ab"));
    assert_true(weft__string_equals_ignoring_case(string("Ab-Z"), "aB-z"));
    assert_false(weft__string_equals_ignoring_case(string("@["), "`{"));
    assert_false(weft__string_equals_ignoring_case((weft_string){"a\0b", 3}, "a"));
    assert_false(weft__string_is_same(string("a"), string("b")));
    assert_true(weft__string_is_same_ignoring_case(string("aB"), string("Ab")));
}

static void test_blanks_are_trimmed_at_both_ends(void **state)
{
    (void)state;
    assert_true(weft__string_equals(weft__string_trim(string(" \ta b\t ")), "a b"));
    assert_true(weft__string_equals(weft__string_trim(string(" \t ")), ""));
    assert_true(weft__string_equals(weft__string_trim(string("\r\n")), "\r\n"));
    assert_int_equal(weft__string_trim((weft_string){0}).length, 0);
}

static void test_tokens_hold_tchars_only(void **state)
{
    (void)state;
    assert_true(weft__is_token(string("!#$%&'*+-.^_`|~09azAZ")));
    assert_false(weft__is_token(string("")));
    for (int byte = 0; byte < 256; byte++) {
        char text[] = {'a', (char)byte};
        bool is_name =
            (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
        bool is_mark = byte && strchr("!#$%&'*+-.^_`|~", byte);
        assert_int_equal(weft__is_token((weft_string){text, 2}), is_name || is_mark);
    }
}

static void test_field_values_hold_no_control_but_the_tab(void **state)
{
    (void)state;
    assert_true(weft__is_field_value((weft_string){0}));
    for (int byte = 0; byte < 256; byte++) {
        char text[] = {'a', (char)byte};
        bool is_control = (byte < 0x20 && byte != '\t') || byte == 0x7f;
        assert_int_equal(weft__is_field_value((weft_string){text, 2}), !is_control);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_are_found_in_any_case_and_in_order),
        cmocka_unit_test(test_fields_that_find_no_memory_change_nothing),
        cmocka_unit_test(test_a_table_that_cannot_double_is_left_alone),
        cmocka_unit_test(test_tokens_are_found_in_every_list_of_that_name),
        cmocka_unit_test(test_lists_are_split_at_commas_outside_quotes),
        cmocka_unit_test(test_long_lists_of_nothing_take_linear_time),
        cmocka_unit_test(test_strings_are_compared_by_their_length),
        cmocka_unit_test(test_blanks_are_trimmed_at_both_ends),
        cmocka_unit_test(test_tokens_hold_tchars_only),
        cmocka_unit_test(test_field_values_hold_no_control_but_the_tab),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
