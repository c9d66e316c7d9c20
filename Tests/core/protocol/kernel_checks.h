#ifndef WEFT_TESTS_KERNEL_CHECKS_H
#define WEFT_TESTS_KERNEL_CHECKS_H

/* One set of kernels against the byte loop and the portable set. */
#include "check.h"

#include "protocol/kernels.h"
#include "protocol/mask.h"

#include <stdio.h>

enum {
    CHECKED_LENGTH = 300, /* more than two steps of the widest vectors */
    CHECKED_ALIGNMENTS = 64,
    CHECKED_ROOM = CHECKED_LENGTH + CHECKED_ALIGNMENTS + 64,
    CHECKED_GUARD = 0xEE
};

static const uint8_t checked_key[4] = {0x37, 0xFA, 0x21, 0x3D};

/* The set of that name where this processor can run it, or NULL. */
static inline const weft__kernels *find_kernels(const char *name)
{
    const weft__kernels *list[WEFT__KERNELS_MOST];
    size_t count = weft__kernels_supported(list);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i]->name, name) == 0) return list[i];
    }
    return NULL;
}

static inline uint32_t key_at(size_t offset)
{
    uint8_t rotated[4];
    uint32_t word;
    for (size_t i = 0; i < 4; i++)
        rotated[i] = checked_key[(offset + i) % 4];
    memcpy(&word, rotated, 4);
    return word;
}

static inline void mask_by_bytes(uint8_t *to, const uint8_t *from, size_t length, size_t offset)
{
    for (size_t i = 0; i < length; i++)
        to[i] = from[i] ^ checked_key[(offset + i) % 4];
}

/* Every length, alignment and rotation of the key, in place and copying, with guards around. */
static inline void check_masking(const weft__kernels *set)
{
    uint8_t plain[CHECKED_LENGTH], expected[CHECKED_ROOM], in_place[CHECKED_ROOM], copied[CHECKED_ROOM];
    for (size_t i = 0; i < sizeof plain; i++)
        plain[i] = (uint8_t)(i * 31 + 7);
    for (size_t length = 0; length <= CHECKED_LENGTH; length++) {
        for (size_t alignment = 0; alignment < CHECKED_ALIGNMENTS; alignment++) {
            size_t offset = (length + alignment) % 4;
            for (size_t turn = alignment < 4 ? 4 : 1; turn > 0; turn--, offset++) {
                memset(expected, CHECKED_GUARD, CHECKED_ROOM);
                memset(in_place, CHECKED_GUARD, CHECKED_ROOM);
                memset(copied, CHECKED_GUARD, CHECKED_ROOM);
                mask_by_bytes(expected + alignment, plain, length, offset);
                memcpy(in_place + alignment, plain, length);
                set->mask(in_place + alignment, in_place + alignment, length, key_at(offset));
                set->mask(copied + alignment, plain, length, key_at(offset));
                assert_memory_equal(in_place, expected, CHECKED_ROOM);
                assert_memory_equal(copied, expected, CHECKED_ROOM);
            }
        }
    }
}

/* The state that the portable set ends in, from both ways to check; at the end of a block of its own size, so
 * that the address sanitizer sees what is read behind. */
static inline void check_one_text(const weft__kernels *set, const uint8_t *text, size_t length)
{
    weft__utf8_state expected = weft__utf8_portable(WEFT__UTF8_COMPLETE, text, length);
    static size_t calls;
    size_t alignment = calls++ % CHECKED_ALIGNMENTS;
    uint8_t *block = malloc(alignment + length + 1), *copy = malloc(alignment + length + 1);
    assert_non_null(block);
    assert_non_null(copy);
    uint8_t *exact = block + alignment + 1, *to = copy + alignment + 1;
    memcpy(exact, text, length);
    weft__utf8_state found = set->check_text(exact, length);
    if (found != expected) fail_msg("%s: state %x, not %x, of %zu bytes", set->name, found, expected, length);

    mask_by_bytes(exact, text, length, length);
    found = set->unmask_text(to, exact, length, key_at(length));
    if (found != expected) fail_msg("%s: copied: %x, not %x, of %zu", set->name, found, expected, length);
    if (found != WEFT__UTF8_INVALID) assert_memory_equal(to, text, length);
    found = set->unmask_text(exact, exact, length, key_at(length));
    if (found != expected) fail_msg("%s: in place: %x, not %x, of %zu", set->name, found, expected, length);
    if (found != WEFT__UTF8_INVALID) assert_memory_equal(exact, text, length);
    free(block);
    free(copy);
}

static const char *const checked_sequences[] = {
    "",
    "\xC3\xA9",
    "\xE2\x82\xAC",
    "\xE0\xA0\x80",
    "\xED\x9F\xBF",
    "\xEE\x80\x80",
    "\xEF\xBF\xBF",
    "\xF0\x9F\x92\xA9",
    "\xF0\x90\x80\x80",
    "\xF4\x8F\xBF\xBF",
    /* wrong: */
    "\x80",
    "\xBF\xBF",
    "\x80\x80\x80\x80",
    "\xC0\x80",
    "\xC1\xBF",
    "\xC2\xC2\x80",
    "\xE0\x80\x80",
    "\xE0\x9F\xBF",
    "\xED\xA0\x80",
    "\xED\xBF\xBF",
    "\xE2\x82(",
    "\xE2\xE2\x82\xAC",
    "\xF0\x80\x80\x80",
    "\xF0\x8F\xBF\xBF",
    "\xF0\x9F\x92(",
    "\xF0\x9F\xC3\xA9",
    "\xF4\x90\x80\x80",
    "\xF5\x80\x80\x80",
    "\xF7\x9F\x80\x80",
    "\xF8\x88\x80\x80\x80",
    "\xFC\x84\x80\x80\x80\x80",
    "\xFE\x80",
    "\xFF",
    "\xC3\xA9\x80",
    "\xE2\x82\xAC\x80",
    "\xF0\x9F\x92\xA9\x80",
};
static const char *const checked_fillers[] = {"a", "\xC3\xA9", "\xE4\xB8\x96", "\xF0\x9F\x98\x80"};

/* Every kind of sequence at every place of a text, with the text's end behind each of its bytes. */
static inline void check_sequences(const weft__kernels *set)
{
    enum {
        LENGTH = 2 * 128 + 8 /* two steps of the widest vectors */
    };
    uint8_t text[LENGTH + 8];
    for (size_t i = 0; i < sizeof checked_sequences / sizeof *checked_sequences; i++) {
        const char *sequence = checked_sequences[i];
        size_t width = strlen(sequence);
        for (size_t at = 0; at + width <= LENGTH; at++) {
            const char *filler =
                checked_fillers[(at + i) % 4]; /* each kind at each place, over all sequences */
            size_t step = strlen(filler), used = at % step;
            memset(text, 'b', sizeof text);
            for (; used + step <= at; used += step)
                memcpy(text + used, filler, step);
            memcpy(text + at, sequence, width);
            check_one_text(set, text, LENGTH);
            for (size_t end = 0; end <= width; end++)
                check_one_text(set, text, at + end);
        }
    }
}

/* Every two bytes, with up to two continuations behind them, across the end of a vector. */
static inline void check_pairs(const weft__kernels *set)
{
    enum {
        LENGTH = 160,
        BORDER = 128
    };
    uint8_t text[LENGTH];
    size_t differences = 0;
    for (unsigned pair = 0; pair < 65536; pair++) {
        for (size_t more = 0; more <= 2; more++) {
            memset(text, 'a', LENGTH);
            text[BORDER - 1] = (uint8_t)(pair >> 8);
            text[BORDER] = (uint8_t)pair;
            memset(text + BORDER + 1, 0x80, more);
            differences +=
                set->check_text(text, LENGTH) != weft__utf8_portable(WEFT__UTF8_COMPLETE, text, LENGTH);
        }
    }
    assert_int_equal(differences, 0);
}

static inline uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

/* Valid characters of all widths, whole ones only, up to `length` bytes; then ASCII. */
static inline void fill_with_characters(uint8_t *text, size_t length, uint32_t *seed)
{
    size_t used = 0;
    uint32_t kinds = next_random(seed) % 5; /* 0: ASCII alone */
    while (used < length) {
        uint32_t kind = next_random(seed) % 16 < 10 ? 0 : next_random(seed) % (kinds + 1);
        const char *character = kind == 0 ? "x" : checked_fillers[kind % 4];
        size_t width = strlen(character);
        if (used + width > length) {
            character = "y";
            width = 1;
        }
        memcpy(text + used, character, width);
        used += width;
    }
}

/* Characters with a few bytes changed, of any length. */
static inline void check_mutations(const weft__kernels *set)
{
    enum {
        ROUNDS = 6000,
        LONGEST = 700
    };
    uint32_t seed = 20110113;
    uint8_t text[LONGEST];
    for (size_t round = 0; round < ROUNDS; round++) {
        size_t length = 1 + next_random(&seed) % LONGEST;
        fill_with_characters(text, length, &seed);
        for (uint32_t changes = next_random(&seed) % 3; changes > 0; changes--)
            text[next_random(&seed) % length] = (uint8_t)next_random(&seed);
        check_one_text(set, text, length);
        check_one_text(set, text, length - next_random(&seed) % length);
    }
}

/* Through the wrappers, in two pieces at every cut. */
static inline void check_cuts(const weft__kernels *set)
{
    const weft__kernels *before = weft__kernels_current;
    uint8_t text[CHECKED_LENGTH], masked[CHECKED_LENGTH], to[CHECKED_LENGTH];
    uint32_t seed = 6455;
    weft__kernels_current = set;
    for (size_t round = 0; round < 60; round++) {
        fill_with_characters(text, CHECKED_LENGTH, &seed);
        if (round % 3 == 0) text[next_random(&seed) % CHECKED_LENGTH] = (uint8_t)next_random(&seed);
        mask_by_bytes(masked, text, CHECKED_LENGTH, 0);
        weft__utf8_state whole = weft__utf8_portable(WEFT__UTF8_COMPLETE, text, CHECKED_LENGTH);
        for (size_t cut = 0; cut <= CHECKED_LENGTH; cut++) {
            weft__utf8_state first = weft__utf8_portable(WEFT__UTF8_COMPLETE, text, cut);
            assert_int_equal(weft__utf8_continue(WEFT__UTF8_COMPLETE, text, cut), first);
            assert_int_equal(weft__utf8_continue(first, text + cut, CHECKED_LENGTH - cut), whole);
            assert_int_equal(weft__mask_text(WEFT__UTF8_COMPLETE, to, masked, cut, checked_key, 0), first);
            weft__utf8_state last =
                weft__mask_text(first, to + cut, masked + cut, CHECKED_LENGTH - cut, checked_key, cut);
            assert_int_equal(last, whole);
            if (whole != WEFT__UTF8_INVALID) assert_memory_equal(to, text, CHECKED_LENGTH);
        }
    }
    weft__kernels_current = before;
}

/* The tests of the file that has defined CHECKED_SET, the name of a set. */
#ifdef CHECKED_SET
static const weft__kernels *checked_set;

/* SKIP_RETURN_CODE in CMakeLists.txt; elsewhere, as in an emulator, a failure. */
enum {
    CANNOT_RUN_HERE = 77
};

static void test_masking_equals_the_byte_loop(void **state)
{
    (void)state;
    check_masking(checked_set);
}

static void test_every_sequence_at_every_place_is_judged_as_by_the_portable_set(void **state)
{
    (void)state;
    check_sequences(checked_set);
}

static void test_every_pair_of_bytes_is_judged_as_by_the_portable_set(void **state)
{
    (void)state;
    check_pairs(checked_set);
}

static void test_changed_texts_are_judged_as_by_the_portable_set(void **state)
{
    (void)state;
    check_mutations(checked_set);
}

static void test_texts_in_two_pieces_are_judged_as_one(void **state)
{
    (void)state;
    check_cuts(checked_set);
}

int main(void)
{
    checked_set = find_kernels(CHECKED_SET);
    if (!checked_set) {
        puts("# this processor cannot run " CHECKED_SET);
        return CANNOT_RUN_HERE;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_masking_equals_the_byte_loop),
        cmocka_unit_test(test_every_sequence_at_every_place_is_judged_as_by_the_portable_set),
        cmocka_unit_test(test_every_pair_of_bytes_is_judged_as_by_the_portable_set),
        cmocka_unit_test(test_changed_texts_are_judged_as_by_the_portable_set),
        cmocka_unit_test(test_texts_in_two_pieces_are_judged_as_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif

#endif
