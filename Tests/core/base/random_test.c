#include "check.h"

#include "base/random.h"

#include <string.h>

static void test_two_fillings_differ(void **state)
{
    (void)state;
    uint8_t one[16] = {0}, other[16] = {0};
    assert_int_equal(weft__random_fill(one, sizeof one), WEFT_OK);
    assert_int_equal(weft__random_fill(other, sizeof other), WEFT_OK);
    assert_memory_not_equal(one, other, sizeof one);
}

static void test_every_byte_is_filled_and_no_other(void **state)
{
    (void)state;
    for (size_t length = 0; length < 20; length++) {
        uint8_t seen[20] = {0};
        for (int round = 0; round < 100; round++) {
            uint8_t bytes[20] = {0};
            assert_int_equal(weft__random_fill(bytes, length), WEFT_OK);
            for (size_t i = 0; i < sizeof bytes; i++)
                seen[i] |= bytes[i];
        }
        for (size_t i = 0; i < sizeof seen; i++)
            assert_int_equal(seen[i] != 0, i < length);
    }
}

static void test_more_than_the_generator_can_count_is_refused(void **state)
{
    (void)state;
    uint8_t byte;
    assert_int_equal(weft__random_fill(&byte, SIZE_MAX), WEFT_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_fillings_differ),
        cmocka_unit_test(test_every_byte_is_filled_and_no_other),
        cmocka_unit_test(test_more_than_the_generator_can_count_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
