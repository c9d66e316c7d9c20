#include "check.h"

#include "protocol/utf8.h"

#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

typedef enum verdict {
    WHOLE,
    UNFINISHED,
    WRONG,
} verdict;

static verdict verdict_of(weft__utf8_state state)
{
    if (state == WEFT__UTF8_COMPLETE) return WHOLE;
    return state == WEFT__UTF8_INVALID ? WRONG : UNFINISHED;
}

/* True when some code point from `first` to `last` may be encoded in `width` bytes (RFC 3629 section 3). */
static bool some_code_point_fits(uint32_t first, uint32_t last, unsigned width)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (last < smallest[width] || first > 0x10FFFF) return false;
    return !(first >= 0xD800 && last <= 0xDFFF);
}

static unsigned width_of_lead(uint8_t lead)
{
    if (lead < 0x80) return 1;
    if (lead >> 5 == 0x06) return 2;
    if (lead >> 4 == 0x0E) return 3;
    return lead >> 3 == 0x1E ? 4 : 0;
}

/* The slow reference: decodes bit by bit; after each byte it asks which code points are still possible. It
 * shares no table with the validator. `*wrong_at` is the position of the byte that makes the text wrong. */
static verdict decode(const uint8_t *bytes, size_t length, size_t *wrong_at)
{
    unsigned missing = 0, width = 0;
    uint32_t bits = 0;
    for (size_t i = 0; i < length; i++) {
        *wrong_at = i;
        if (missing == 0) {
            width = width_of_lead(bytes[i]);
            if (width == 0) return WRONG;
            missing = width - 1;
            bits = width == 1 ? bytes[i] : bytes[i] & (0x7Fu >> width);
        } else {
            if (bytes[i] >> 6 != 2) return WRONG;
            bits = bits << 6 | (bytes[i] & 0x3F);
            missing--;
        }
        uint32_t first = bits << 6 * missing;
        if (!some_code_point_fits(first, first + (1u << 6 * missing) - 1, width)) return WRONG;
    }
    return missing ? UNFINISHED : WHOLE;
}

static weft__utf8_state run(const void *bytes, size_t length)
{
    return weft__utf8_continue(WEFT__UTF8_COMPLETE, bytes, length);
}

/* The verdict whole, in two pieces at every cut, and byte by byte, where the wrong byte must be named. */
static void check(const uint8_t *bytes, size_t length)
{
    size_t wrong_at = 0;
    verdict expected = decode(bytes, length, &wrong_at);
    weft__utf8_state whole = run(bytes, length);
    assert_int_equal(verdict_of(whole), expected);
    assert_int_equal(weft__utf8_is_valid(bytes, length), expected == WHOLE);
    for (size_t cut = 0; cut <= length; cut++) {
        weft__utf8_state state = weft__utf8_continue(run(bytes, cut), bytes + cut, length - cut);
        assert_int_equal(state, whole);
    }
    weft__utf8_state state = WEFT__UTF8_COMPLETE;
    for (size_t i = 0; i < length; i++) {
        state = weft__utf8_continue(state, bytes + i, 1);
        assert_int_equal(state == WEFT__UTF8_INVALID, expected == WRONG && i >= wrong_at);
    }
}

static void test_every_sequence_of_one_or_two_bytes_is_judged_as_decoded(void **state)
{
    (void)state;
    for (unsigned value = 0; value < 65536; value++) {
        const uint8_t bytes[2] = {(uint8_t)(value >> 8), (uint8_t)value};
        check(bytes, 1);
        check(bytes, 2);
    }
}

/* All 2^24, in a plain comparison: an assertion for each would take most of the time. */
static void test_every_sequence_of_three_bytes_is_judged_as_decoded(void **state)
{
    (void)state;
    size_t differences = 0, wrong_at;
    for (uint32_t value = 0; value < 1u << 24; value++) {
        const uint8_t bytes[3] = {(uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value};
        differences += verdict_of(run(bytes, 3)) != decode(bytes, 3, &wrong_at);
    }
    assert_int_equal(differences, 0);
}

static void test_sequences_of_four_bytes_at_every_edge_are_judged_as_decoded(void **state)
{
    (void)state;
    static const uint8_t edges[] = {0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xE0, 0xF0, 0xFF};
    size_t n = COUNT(edges);
    for (unsigned lead = 0xEF; lead <= 0xFF; lead++) {
        for (size_t i = 0; i < n * n * n; i++) {
            const uint8_t bytes[4] = {(uint8_t)lead, edges[i / n / n], edges[i / n % n], edges[i % n]};
            check(bytes, 4);
        }
    }
}

static size_t encode(uint8_t out[4], uint32_t point)
{
    size_t length = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const uint8_t lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = length - 1; i > 0; i--, point >>= 6)
        out[i] = (uint8_t)(0x80 | (point & 0x3F));
    out[0] = (uint8_t)(lead[length] | point);
    return length;
}

static void test_every_code_point_but_surrogates_is_valid(void **state)
{
    (void)state;
    for (uint32_t point = 0; point <= 0x110FFF; point++) {
        uint8_t bytes[4];
        size_t length = encode(bytes, point);
        bool is_scalar = point <= 0x10FFFF && (point < 0xD800 || point > 0xDFFF);
        if (weft__utf8_is_valid(bytes, length) != is_scalar) fail_msg("U+%04X", (unsigned)point);
    }
}

static void test_wrong_sequences_are_found_at_their_wrong_byte(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *what;
        size_t wrong_at;
    } cases[] = {
        {"\x80", "a lone continuation", 0},
        {"\xBF", "the last continuation alone", 0},
        {"\xC0\x80", "NUL in two bytes", 0},
        {"\xC0\xAF", "a slash in two bytes", 0},
        {"\xC1\xBF", "U+007F in two bytes", 0},
        {"\xE0\x80\xAF", "a slash in three bytes", 1},
        {"\xE0\x9F\xBF", "U+07FF in three bytes", 1},
        {"\xF0\x80\x80\xAF", "a slash in four bytes", 1},
        {"\xF0\x8F\xBF\xBF", "U+FFFF in four bytes", 1},
        {"\xF8\x88\x80\x80\x80", "five bytes", 0},
        {"\xFC\x84\x80\x80\x80\x80", "six bytes", 0},
        {"\xED\xA0\x80", "U+D800", 1},
        {"\xED\xAF\xBF", "U+DBFF", 1},
        {"\xED\xB0\x80", "U+DC00", 1},
        {"\xED\xBF\xBF", "U+DFFF", 1},
        {"\xED\xA0\x80\xED\xB0\x80", "a pair of surrogates", 1},
        {"\xF4\x90\x80\x80", "U+110000", 1},
        {"\xF5\x80\x80\x80", "U+140000", 0},
        {"\xFE", "FE", 0},
        {"\xFF", "FF", 0},
        {"\xC3(", "two bytes cut short", 1},
        {"\xE2\x82(", "three bytes cut short", 2},
        {"\xF0\x9F\x92(", "four bytes cut short", 3},
        {"\xE2\xE2\x82\xAC", "a lead inside a character", 1},
        {"\xF0\x9F\xC3\xA9", "a shorter lead inside a character", 2},
        {"abcdefgh\xFFijklmnop", "FF behind eight letters", 8},
        {"caf\xC3\xA9 \xE2\x82\xAC\xE2\x82\xAC\xE2\x28", "late in a text", 13},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const uint8_t *bytes = (const uint8_t *)cases[i].bytes;
        check(bytes, strlen(cases[i].bytes));
        bool before = run(bytes, cases[i].wrong_at) == WEFT__UTF8_INVALID;
        bool after = run(bytes, cases[i].wrong_at + 1) == WEFT__UTF8_INVALID;
        if (before || !after) fail_msg("%s", cases[i].what);
    }
}

static void test_truncated_characters_are_unfinished_rather_than_wrong(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "\xC2", "\xDF",     "\xE0",         "\xE0\xA0", "\xED",     "\xED\x9F",     "\xEF\xBF",
        "\xF0", "\xF0\x90", "\xF0\x90\x80", "\xF4",     "\xF4\x8F", "\xF4\x8F\xBF", "text \xE2\x82",
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t length = strlen(cases[i]);
        assert_int_equal(verdict_of(run(cases[i], length)), UNFINISHED);
        assert_false(weft__utf8_is_valid((const uint8_t *)cases[i], length));
        check((const uint8_t *)cases[i], length);
    }
}

/* The ASCII steps of 32 and 8 bytes must see a wrong byte at each of their places. */
static void test_a_wrong_byte_is_found_at_every_place_of_a_long_text(void **state)
{
    (void)state;
    enum {
        LENGTH = 100
    };
    for (size_t start = 0; start < 9; start++) {
        for (size_t place = 0; place < LENGTH - start; place++) {
            uint8_t bytes[LENGTH];
            memset(bytes, 'a', LENGTH);
            assert_true(weft__utf8_is_valid(bytes + start, LENGTH - start));
            bytes[start + place] = 0x80;
            assert_false(weft__utf8_is_valid(bytes + start, LENGTH - start));
            size_t wrong_at;
            assert_int_equal(decode(bytes + start, LENGTH - start, &wrong_at), WRONG);
            assert_int_equal(wrong_at, place);
        }
    }
}

static void test_long_texts_are_judged_the_same_however_they_are_cut(void **state)
{
    (void)state;
    static const char text[] = "0123456789abcdefghijklmnopqrstuvwxyz \xC3\xA9t\xC3\xA9 \xE2\x82\xAC"
                               "0123456789abcdefghijklmnopqrstuvwxyz\xF0\x9F\x92\xA9\xF4\x8F\xBF\xBF"
                               " and seventy more letters of plain ASCII to let the wide steps run again";
    check((const uint8_t *)text, sizeof text); /* with the closing NUL, which is a character */
}

static void test_a_wrong_text_stays_wrong(void **state)
{
    (void)state;
    weft__utf8_state wrong = run("\xFF", 1);
    assert_int_equal(weft__utf8_continue(wrong, (const uint8_t *)"fine", 4), WEFT__UTF8_INVALID);
    assert_int_equal(weft__utf8_continue(wrong, NULL, 0), WEFT__UTF8_INVALID);
}

static void test_short_ascii_is_told_from_text_with_any_other_byte(void **state)
{
    (void)state;
    uint8_t text[130];
    memset(text, 'a', sizeof text);
    for (size_t length = 0; length <= sizeof text; length++) {
        bool is_short = length >= 8 && length <= 125;
        assert_int_equal(weft__utf8_is_short_ascii(text, length), is_short);
        for (size_t wrong = 0; wrong < length; wrong++) {
            text[wrong] = 0xFF;
            assert_false(weft__utf8_is_short_ascii(text, length));
            assert_false(weft__utf8_is_valid(text, length));
            text[wrong] = 'a';
        }
    }
}

static void test_no_bytes_are_valid(void **state)
{
    (void)state;
    assert_true(weft__utf8_is_valid(NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_sequence_of_one_or_two_bytes_is_judged_as_decoded),
        cmocka_unit_test(test_every_sequence_of_three_bytes_is_judged_as_decoded),
        cmocka_unit_test(test_sequences_of_four_bytes_at_every_edge_are_judged_as_decoded),
        cmocka_unit_test(test_every_code_point_but_surrogates_is_valid),
        cmocka_unit_test(test_wrong_sequences_are_found_at_their_wrong_byte),
        cmocka_unit_test(test_truncated_characters_are_unfinished_rather_than_wrong),
        cmocka_unit_test(test_a_wrong_byte_is_found_at_every_place_of_a_long_text),
        cmocka_unit_test(test_long_texts_are_judged_the_same_however_they_are_cut),
        cmocka_unit_test(test_a_wrong_text_stays_wrong),
        cmocka_unit_test(test_short_ascii_is_told_from_text_with_any_other_byte),
        cmocka_unit_test(test_no_bytes_are_valid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
