#include "check.h"

#include "base/allocator.h"

#include <string.h>

static void test_every_block_comes_from_the_hook(void **state)
{
    (void)state;
    counting_allocator counter;
    allocator_count(&counter);
    char *one = weft__alloc(10), *other = weft__alloc_zeroed(20);
    assert_non_null(one);
    assert_non_null(other);
    assert_int_equal(counter.blocks, 2);
    assert_int_equal(counter.bytes, 30);
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(other[i], 0);
    memcpy(one, "0123456789", 10);
    one = weft__realloc(one, 100);
    assert_memory_equal(one, "0123456789", 10);
    assert_int_equal(counter.bytes, 120);
    weft__free(one);
    weft__free(other);
    weft__free(NULL);
    allocator_restore(&counter);
}

static void test_no_bytes_are_a_block_all_the_same(void **state)
{
    (void)state;
    void *one = weft__alloc(0), *other = weft__alloc_zeroed(0), *third = weft__realloc(NULL, 0);
    assert_non_null(one);
    assert_non_null(other);
    assert_non_null(third);
    weft__free(one);
    weft__free(other);
    weft__free(third);
}

static void test_failure_is_null_and_keeps_the_old_block(void **state)
{
    (void)state;
    counting_allocator counter;
    allocator_count(&counter);
    char *block = weft__alloc(4);
    memcpy(block, "kept", 4);
    counter.fail_at = 2;
    assert_null(weft__alloc(1));
    assert_null(weft__alloc_zeroed(1));
    assert_null(weft__realloc(block, 1000));
    assert_memory_equal(block, "kept", 4);
    weft__free(block);
    allocator_restore(&counter);
}

static void test_a_hook_with_a_missing_member_is_refused(void **state)
{
    (void)state;
    counting_allocator counter;
    allocator_count(&counter);
    weft_allocator hook = {&counter, counting_allocate, counting_reallocate, counting_release};
    weft_allocator incomplete = hook;
    incomplete.allocate = NULL;
    assert_int_equal(weft_set_allocator(&incomplete), WEFT_EINVAL);
    incomplete = hook;
    incomplete.reallocate = NULL;
    assert_int_equal(weft_set_allocator(&incomplete), WEFT_EINVAL);
    incomplete = hook;
    incomplete.release = NULL;
    assert_int_equal(weft_set_allocator(&incomplete), WEFT_EINVAL);
    weft__free(weft__alloc(1));
    assert_int_equal(counter.requests, 1); /* the old hook is still in place */
    allocator_restore(&counter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_block_comes_from_the_hook),
        cmocka_unit_test(test_no_bytes_are_a_block_all_the_same),
        cmocka_unit_test(test_failure_is_null_and_keeps_the_old_block),
        cmocka_unit_test(test_a_hook_with_a_missing_member_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
