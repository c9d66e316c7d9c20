#include "check.h"

#include "base/buffer.h"

#include <string.h>

static void append(weft__buffer *buffer, const char *text)
{
    assert_int_equal(weft__buffer_append(buffer, text, strlen(text), SIZE_MAX), WEFT_OK);
}

static void expect(const weft__buffer *buffer, const char *text)
{
    assert_int_equal(weft__buffer_length(buffer), strlen(text));
    if (*text) assert_memory_equal(weft__buffer_front(buffer), text, strlen(text));
}

static void test_bytes_leave_in_the_order_they_came(void **state)
{
    (void)state;
    weft__buffer buffer = {0};
    expect(&buffer, "");
    append(&buffer, "abc");
    append(&buffer, "");
    append(&buffer, "def");
    weft__buffer_consume(&buffer, 2);
    expect(&buffer, "cdef");
    weft__buffer_consume(&buffer, 100);
    expect(&buffer, "");
    append(&buffer, "g");
    weft__buffer_reset(&buffer);
    expect(&buffer, "");
    assert_true(buffer.capacity > 0);
    weft__buffer_clear(&buffer);
    assert_int_equal(buffer.capacity, 0);
    weft__buffer_clear(&buffer);
}

static void test_more_than_doubling_can_count_is_asked_for_as_it_is(void **state)
{
    (void)state;
    counting_allocator counter;
    weft__buffer buffer = {0};
    allocator_count(&counter);
    append(&buffer, "abc");
    counter.fail_at = counter.requests + 1;
    assert_null(weft__buffer_reserve(&buffer, SIZE_MAX / 2 + 1, SIZE_MAX));
    assert_int_equal(counter.requests, counter.fail_at);
    expect(&buffer, "abc");
    weft__buffer_clear(&buffer);
    allocator_restore(&counter);
}

static void test_the_ceiling_counts_content_only(void **state)
{
    (void)state;
    weft__buffer buffer = {0};
    assert_int_equal(weft__buffer_append(&buffer, "12345", 5, 4), WEFT_ENOMEM);
    assert_int_equal(weft__buffer_append(&buffer, "1234", 4, 4), WEFT_OK);
    assert_null(weft__buffer_reserve(&buffer, 1, 4));
    assert_null(weft__buffer_reserve(&buffer, 1, 2));
    assert_null(weft__buffer_reserve(&buffer, SIZE_MAX, SIZE_MAX));
    expect(&buffer, "1234");
    weft__buffer_consume(&buffer, 3);
    assert_int_equal(weft__buffer_append(&buffer, "567", 3, 4), WEFT_OK);
    expect(&buffer, "4567");
    weft__buffer_clear(&buffer);
}

static void test_reserved_bytes_count_when_they_are_committed(void **state)
{
    (void)state;
    weft__buffer buffer = {0};
    uint8_t *room = weft__buffer_reserve(&buffer, 1000, 1000);
    assert_non_null(room);
    memset(room, 'x', 1000);
    expect(&buffer, "");
    weft__buffer_commit(&buffer, 3);
    expect(&buffer, "xxx");
    weft__buffer_clear(&buffer);
}

static void test_growth_is_geometric(void **state)
{
    (void)state;
    counting_allocator counter;
    weft__buffer buffer = {0};
    allocator_count(&counter);
    for (size_t i = 0; i < 1 << 20; i++) {
        uint8_t byte = (uint8_t)i;
        assert_int_equal(weft__buffer_append(&buffer, &byte, 1, SIZE_MAX), WEFT_OK);
    }
    assert_true(counter.requests < 20);
    for (size_t i = 0; i < 1 << 20; i++) {
        if (weft__buffer_front(&buffer)[i] != (uint8_t)i) fail();
    }
    weft__buffer_clear(&buffer);
    allocator_restore(&counter);
}

static void test_the_front_is_used_again(void **state)
{
    (void)state;
    counting_allocator counter;
    weft__buffer buffer = {0};
    allocator_count(&counter);
    for (int i = 0; i < 10000; i++) {
        append(&buffer, "0123456789");
        append(&buffer, "abcdefghij");
        weft__buffer_consume(&buffer, i ? 20 : 10);
        expect(&buffer, "abcdefghij");
    }
    assert_int_equal(counter.requests, 1);
    weft__buffer_clear(&buffer);
    allocator_restore(&counter);
}

static void test_failure_keeps_the_content(void **state)
{
    (void)state;
    char big[1000] = {0};
    counting_allocator counter;
    weft__buffer buffer = {0};
    allocator_count(&counter);
    append(&buffer, "abc");
    weft__buffer_consume(&buffer, 1);
    counter.fail_at = 2;
    assert_int_equal(weft__buffer_append(&buffer, big, sizeof big, SIZE_MAX), WEFT_ENOMEM);
    expect(&buffer, "bc");
    append(&buffer, "d");
    expect(&buffer, "bcd");
    weft__buffer_clear(&buffer);
    allocator_restore(&counter);
}

static bool freed_block_is_zero;

static void look_and_release(void *context, void *block)
{
    const uint8_t *bytes = block;
    freed_block_is_zero = true;
    for (size_t i = 0; i < 256; i++)
        freed_block_is_zero = freed_block_is_zero && bytes[i] == 0;
    counting_release(context, block);
}

static void test_wiping_leaves_nothing_in_memory(void **state)
{
    (void)state;
    counting_allocator counter = {0};
    weft__buffer buffer = {0};
    const weft_allocator hook = {&counter, counting_allocate, counting_reallocate, look_and_release};
    assert_int_equal(weft_set_allocator(&hook), WEFT_OK);
    weft__buffer_wipe(&buffer); /* without a block */
    append(&buffer, "a secret");
    weft__buffer_consume(&buffer, 2); /* what was taken is still there */
    assert_int_equal(buffer.capacity, 256);
    weft__buffer_wipe(&buffer);
    assert_true(freed_block_is_zero);
    assert_null(buffer.bytes);
    expect(&buffer, "");
    allocator_restore(&counter);
}

static void test_secrets_are_wiped_from_blocks_that_are_outgrown(void **state)
{
    (void)state;
    counting_allocator counter = {0};
    weft__buffer buffer = {0};
    const weft_allocator hook = {&counter, counting_allocate, counting_reallocate, look_and_release};
    assert_int_equal(weft_set_allocator(&hook), WEFT_OK);
    assert_int_equal(weft__buffer_append_secret(&buffer, "a secret", 8, SIZE_MAX), WEFT_OK);
    weft__buffer_consume(&buffer, 2);
    char more[256];
    memset(more, 'x', sizeof more);
    counter.fail_at = counter.requests + 1;
    assert_int_equal(weft__buffer_append_secret(&buffer, more, sizeof more, SIZE_MAX), WEFT_ENOMEM);
    counter.fail_at = 0;
    expect(&buffer, "secret");
    assert_int_equal(weft__buffer_append_secret(&buffer, more, sizeof more, 261), WEFT_ENOMEM);
    assert_int_equal(weft__buffer_append_secret(&buffer, more, sizeof more, 262), WEFT_OK);
    assert_true(freed_block_is_zero);
    assert_int_equal(weft__buffer_length(&buffer), 262);
    assert_memory_equal(weft__buffer_front(&buffer), "secretxxx", 9);
    weft__buffer_clear(&buffer);
    allocator_restore(&counter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_leave_in_the_order_they_came),
        cmocka_unit_test(test_more_than_doubling_can_count_is_asked_for_as_it_is),
        cmocka_unit_test(test_the_ceiling_counts_content_only),
        cmocka_unit_test(test_reserved_bytes_count_when_they_are_committed),
        cmocka_unit_test(test_growth_is_geometric),
        cmocka_unit_test(test_the_front_is_used_again),
        cmocka_unit_test(test_failure_keeps_the_content),
        cmocka_unit_test(test_wiping_leaves_nothing_in_memory),
        cmocka_unit_test(test_secrets_are_wiped_from_blocks_that_are_outgrown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
