#include "no_crypto.h"

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

static void test_a_generator_that_is_not_to_be_had_is_an_error(void **state)
{
    (void)state;
    uint8_t byte;
    crypto_take_away();
    assert_int_equal(weft__random_fill(&byte, 1), WEFT_ESYSTEM);
    crypto_give_back();
    assert_int_equal(weft__random_fill(&byte, 1), WEFT_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_fillings_differ),
        cmocka_unit_test(test_every_byte_is_filled_and_no_other),
        cmocka_unit_test(test_more_than_the_generator_can_count_is_refused),
        cmocka_unit_test(test_a_generator_that_is_not_to_be_had_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
