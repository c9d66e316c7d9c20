/* The verdict and the place of the wrong byte are those of a slow decoder, however the text is cut, with
 * every set of kernels, and also where the text is unmasked on the way. */
#include "protocol/kernels.h"
#include "protocol/mask.h"

#include <stdlib.h>

enum {
    NOWHERE = -1,
    LONGEST = 1024 /* each input is read once for each of its bytes */
};

/* The bytes of the character at the front of `bytes`, 0 when more are needed; `*wrong` is the place of the
 * first byte after which no character of RFC 3629 section 3 is possible. */
static size_t decode_one(const uint8_t *bytes, size_t length, long *wrong)
{
    static const uint32_t smallest[] = {0x80, 0x800, 0x10000};
    *wrong = NOWHERE;
    if (bytes[0] < 0x80) return 1;
    size_t more = bytes[0] >= 0xF0 ? 3 : bytes[0] >= 0xE0 ? 2 : 1;
    uint32_t point = bytes[0] & (0x3Fu >> more);
    if (bytes[0] < 0xC0 || bytes[0] >= 0xF8) *wrong = 0;
    for (size_t i = 0; *wrong == NOWHERE; i++) {
        if (i > 0) point = point << 6 | (bytes[i] & 0x3F);
        uint32_t lowest = point << 6 * (more - i), highest = lowest | ((1u << 6 * (more - i)) - 1);
        bool is_surrogate = lowest >= 0xD800 && highest < 0xE000;
        bool is_outside = highest < smallest[more - 1] || lowest > 0x10FFFF;
        bool is_cut_short = i > 0 && (bytes[i] & 0xC0) != 0x80;
        if (is_surrogate || is_outside || is_cut_short) *wrong = (long)i;
        if (*wrong == NOWHERE && i == more) return more + 1;
        if (i + 1 == length) return 0;
    }
    return 0;
}

static weft__utf8_state run(weft__utf8_state state, const uint8_t *bytes, size_t length)
{
    return weft__utf8_continue(state, bytes, length);
}

/* Unmasks from a masked copy, which begins at any alignment, and in place. */
static void check_unmasking(const uint8_t *text, size_t size, weft__utf8_state whole)
{
    static const uint8_t key[4] = {0x37, 0xFA, 0x21, 0x3D};
    static uint8_t masked[64 + LONGEST], to[64 + LONGEST];
    size_t alignment = size ? text[0] % 64 : 0;
    size_t cut = size ? (size_t)text[size - 1] * 4 % (size + 1) : 0;
    weft__mask_copy(masked + alignment, text, size, key, 3);
    weft__utf8_state state =
        weft__mask_text(WEFT__UTF8_COMPLETE, to + alignment, masked + alignment, cut, key, 3);
    if (state != run(WEFT__UTF8_COMPLETE, text, cut)) abort();
    state = weft__mask_text(state, to + alignment + cut, masked + alignment + cut, size - cut, key, 3 + cut);
    if (state != whole) abort();
    if (state != WEFT__UTF8_INVALID && memcmp(to + alignment, text, size) != 0) abort();
    state = weft__mask_text(WEFT__UTF8_COMPLETE, masked + alignment, masked + alignment, size, key, 3);
    if (state != whole) abort();
    if (state != WEFT__UTF8_INVALID && memcmp(masked + alignment, text, size) != 0) abort();
}

static void check(const uint8_t *data, size_t size, size_t valid, size_t wrong_at)
{
    weft__utf8_state whole = run(WEFT__UTF8_COMPLETE, data, size), state = WEFT__UTF8_COMPLETE;
    if (whole != weft__utf8_portable(WEFT__UTF8_COMPLETE, data, size)) abort();
    if ((whole == WEFT__UTF8_INVALID) != (wrong_at != SIZE_MAX)) abort();
    if ((whole == WEFT__UTF8_COMPLETE) != (valid == size)) abort();
    if (weft__utf8_is_valid(data, size) != (valid == size)) abort();
    for (size_t i = 0; i < size; i++) {
        state = run(state, data + i, 1);
        if ((state == WEFT__UTF8_INVALID) != (i >= wrong_at)) abort();
        if (run(state, data + i + 1, size - i - 1) != whole) abort();
    }
    check_unmasking(data, size, whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > LONGEST) return 0;
    size_t at = 0, used = 1;
    long wrong = NOWHERE;
    while (at < size && used > 0)
        at += used = decode_one(data + at, size - at, &wrong);
    size_t wrong_at = wrong == NOWHERE ? SIZE_MAX : at + (size_t)wrong;

    const weft__kernels *sets[WEFT__KERNELS_MOST];
    size_t count = weft__kernels_supported(sets);
    for (size_t i = 0; i < count; i++) {
        weft__kernels_current = sets[i];
        check(data, size, at, wrong_at);
    }
    return 0;
}
