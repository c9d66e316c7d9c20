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

/* Chi-square over 256 values: a fair source is beyond 430 once in 10^10 times. */
static void assert_even(const uint32_t counts[256], size_t total)
{
    double expected = (double)total / 256, sum = 0;
    for (size_t i = 0; i < 256; i++)
        sum += ((double)counts[i] - expected) * ((double)counts[i] - expected) / expected;
    assert_true(sum < 430);
}

/* Keys and masks are made of them: no value is likelier than another, nor after another. */
static void test_bytes_are_spread_evenly(void **state)
{
    (void)state;
    enum {
        TOTAL = 1 << 18,
        MASK = 4
    };
    static uint8_t bytes[TOTAL];
    for (size_t i = 0; i < TOTAL; i += MASK)
        assert_int_equal(weft__random_fill(bytes + i, MASK), WEFT_OK);
    for (size_t distance = 1; distance <= 2 * MASK; distance++) {
        uint32_t alone[256] = {0}, sums[256] = {0}, changes[256] = {0};
        for (size_t i = distance; i < TOTAL; i++) {
            alone[bytes[i]]++;
            sums[(uint8_t)(bytes[i] + bytes[i - distance])]++;
            changes[bytes[i] ^ bytes[i - distance]]++;
        }
        assert_even(alone, TOTAL - distance);
        assert_even(sums, TOTAL - distance);
        assert_even(changes, TOTAL - distance);
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
        cmocka_unit_test(test_bytes_are_spread_evenly),
        cmocka_unit_test(test_more_than_the_generator_can_count_is_refused),
        cmocka_unit_test(test_a_generator_that_is_not_to_be_had_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
