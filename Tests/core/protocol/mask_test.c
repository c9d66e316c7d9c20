#include "check.h"

#include "protocol/mask.h"

#include <string.h>

enum {
    LONGEST = 80,
    ALIGNMENTS = 16,
    ROOM = LONGEST + ALIGNMENTS + 1,
    UNTOUCHED = 0xEE
};

static const uint8_t key[4] = {0x37, 0xFA, 0x21, 0x3D};

/* RFC 6455 section 5.3, as it is written there. */
static void mask_by_bytes(uint8_t *to, const uint8_t *from, size_t length, uint64_t offset)
{
    for (size_t i = 0; i < length; i++)
        to[i] = from[i] ^ key[(offset + i) % 4];
}

static void fill(uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)(i * 31 + 7);
}

/* Masks `length` bytes at `alignment` in a larger block, in both ways, and looks at the whole block. */
static void check_one(size_t length, size_t alignment, uint64_t offset)
{
    uint8_t plain[LONGEST], expected[ROOM], in_place[ROOM], copied[ROOM];
    fill(plain, sizeof plain);
    memset(expected, UNTOUCHED, ROOM);
    memset(copied, UNTOUCHED, ROOM);
    memset(in_place, UNTOUCHED, ROOM);
    mask_by_bytes(expected + alignment, plain, length, offset);
    if (length) memcpy(in_place + alignment, plain, length);

    weft__mask(in_place + alignment, length, key, offset);
    weft__mask_copy(copied + alignment, plain, length, key, offset);
    assert_memory_equal(in_place, expected, ROOM);
    assert_memory_equal(copied, expected, ROOM);

    weft__mask(in_place + alignment, length, key, offset);
    assert_memory_equal(in_place + alignment, plain, length);

    if (offset > 0) return;
    weft__mask_short(in_place + alignment, length, key);
    assert_memory_equal(in_place, expected, ROOM);
}

static void test_every_length_alignment_and_offset_equals_the_byte_loop(void **state)
{
    (void)state;
    for (size_t length = 0; length <= LONGEST; length++) {
        for (size_t alignment = 0; alignment < ALIGNMENTS; alignment++) {
            for (uint64_t offset = 0; offset < 8; offset++)
                check_one(length, alignment, offset);
        }
    }
}

static void test_offsets_beyond_32_bits_keep_the_key_in_step(void **state)
{
    (void)state;
    static const uint64_t offsets[] = {UINT32_MAX, UINT64_C(0x100000001), INT64_MAX, UINT64_MAX - 1};
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++)
        check_one(37, 1, offsets[i]);
}

static void test_a_copy_leaves_its_source_alone(void **state)
{
    (void)state;
    uint8_t source[LONGEST], before[LONGEST], to[LONGEST];
    fill(source, LONGEST);
    fill(before, LONGEST);
    weft__mask_copy(to, source, LONGEST, key, 3);
    assert_memory_equal(source, before, LONGEST);
}

static void test_payload_in_three_pieces_is_masked_as_one(void **state)
{
    (void)state;
    for (size_t first = 0; first <= 40; first++) {
        for (size_t second = first; second <= 40; second++) {
            uint8_t plain[40], expected[40];
            fill(plain, 40);
            mask_by_bytes(expected, plain, 40, 0);
            weft__mask(plain, first, key, 0);
            weft__mask(plain + first, second - first, key, first);
            weft__mask(plain + second, 40 - second, key, second);
            assert_memory_equal(plain, expected, 40);
        }
    }
}

static void test_the_zero_key_changes_nothing(void **state)
{
    (void)state;
    static const uint8_t zero[4];
    uint8_t bytes[LONGEST], before[LONGEST];
    fill(bytes, LONGEST);
    fill(before, LONGEST);
    weft__mask(bytes, LONGEST, zero, 1);
    assert_memory_equal(bytes, before, LONGEST);
}

static void test_no_bytes_need_no_memory(void **state)
{
    (void)state;
    weft__mask(NULL, 0, key, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_length_alignment_and_offset_equals_the_byte_loop),
        cmocka_unit_test(test_offsets_beyond_32_bits_keep_the_key_in_step),
        cmocka_unit_test(test_a_copy_leaves_its_source_alone),
        cmocka_unit_test(test_payload_in_three_pieces_is_masked_as_one),
        cmocka_unit_test(test_the_zero_key_changes_nothing),
        cmocka_unit_test(test_no_bytes_need_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
