#include "check.h"

#include "http/fields.h"
#include "http/writer.h"

#include <string.h>

static weft_string content(const weft__buffer *buffer)
{
    return (weft_string){(const char *)weft__buffer_front(buffer), weft__buffer_length(buffer)};
}

static void write_all(weft__writer *writer)
{
    const weft_field fields[] = {{weft__string("B"), weft__string("c")},
                                 {weft__string("D"), weft__string("")}};
    weft__writer_text(writer, "GET\r\n");
    weft__writer_string(writer, (weft_string){0});
    weft__writer_field(writer, weft__string("A"), weft__string("a b"));
    weft__writer_optional(writer, "Absent", weft__string(""));
    weft__writer_optional(writer, "Present", weft__string("x"));
    weft__writer_fields(writer, fields, 2);
}

static void test_lines_are_written_in_order(void **state)
{
    (void)state;
    weft__buffer out = {0};
    weft__writer writer = weft__writer_begin(&out);
    write_all(&writer);
    assert_int_equal(weft__writer_end(&writer), WEFT_OK);
    assert_true(weft__string_equals(content(&out), "GET\r\nA: a b\r\nPresent: x\r\nB: c\r\nD: \r\n"));
    weft__buffer_clear(&out);
}

static void expect_refusal(weft_string name, weft_string value)
{
    weft__buffer out = {0};
    assert_int_equal(weft__buffer_append(&out, "kept", 4, SIZE_MAX), WEFT_OK);
    weft__buffer_consume(&out, 1);
    weft__writer writer = weft__writer_begin(&out);
    weft__writer_text(&writer, "GET\r\n");
    weft__writer_field(&writer, name, value);
    weft__writer_text(&writer, "\r\n");
    weft__writer_field(&writer, name, value);
    assert_int_equal(weft__writer_end(&writer), WEFT_EINVAL);
    assert_true(weft__string_equals(content(&out), "ept"));
    weft__buffer_clear(&out);
}

static void test_fields_that_would_write_further_lines_are_refused(void **state)
{
    (void)state;
    expect_refusal(weft__string("A"), weft__string("b\r\nC: d"));
    expect_refusal(weft__string("A"), weft__string("b\n"));
    expect_refusal(weft__string("A"), (weft_string){"\0", 1});
    expect_refusal(weft__string("A: b\r\nC"), weft__string("d"));
    expect_refusal(weft__string("A "), weft__string("d"));
    expect_refusal(weft__string(""), weft__string("d"));
}

static void test_running_out_of_memory_appends_nothing(void **state)
{
    (void)state;
    char long_value[2000];
    memset(long_value, 'x', sizeof long_value);
    for (size_t n = 1; n < 5; n++) {
        counting_allocator counter;
        weft__buffer out = {0};
        allocator_count(&counter);
        counter.fail_at = n;
        weft__writer writer = weft__writer_begin(&out);
        write_all(&writer);
        weft__writer_field(&writer, weft__string("Long"), (weft_string){long_value, sizeof long_value});
        weft_status status = weft__writer_end(&writer);
        assert_int_equal(status, n <= 2 ? WEFT_ENOMEM : WEFT_OK);
        assert_int_equal(weft__buffer_length(&out) > 0, status == WEFT_OK);
        weft__buffer_clear(&out);
        allocator_restore(&counter);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_are_written_in_order),
        cmocka_unit_test(test_fields_that_would_write_further_lines_are_refused),
        cmocka_unit_test(test_running_out_of_memory_appends_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
