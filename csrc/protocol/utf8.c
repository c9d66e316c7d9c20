#include "protocol/utf8.h"

#include "protocol/kernels.h"

/* A character begun: `missing` bytes to come, the next one from `low` to `high`. */
static weft__utf8_state pack(uint32_t missing, uint32_t low, uint32_t high)
{
    return missing << 16 | high << 8 | low;
}

/* What a lead byte asks for (RFC 3629 section 4); ASCII is handled before. */
static weft__utf8_state after_lead(uint8_t lead)
{
    if (lead < 0xC2) return WEFT__UTF8_INVALID; /* continuation, or overlong */
    if (lead < 0xE0) return pack(1, 0x80, 0xBF);
    if (lead == 0xE0) return pack(2, 0xA0, 0xBF); /* below: overlong */
    if (lead == 0xED) return pack(2, 0x80, 0x9F); /* above: surrogates */
    if (lead < 0xF0) return pack(2, 0x80, 0xBF);
    if (lead == 0xF0) return pack(3, 0x90, 0xBF); /* below: overlong */
    if (lead < 0xF4) return pack(3, 0x80, 0xBF);
    if (lead == 0xF4) return pack(3, 0x80, 0x8F); /* above: beyond U+10FFFF */
    return WEFT__UTF8_INVALID;
}

static weft__utf8_state after_continuation(weft__utf8_state state, uint8_t byte)
{
    uint32_t missing = state >> 16, high = state >> 8 & 0xFF, low = state & 0xFF;
    if (byte < low || byte > high) return WEFT__UTF8_INVALID;
    return missing == 1 ? WEFT__UTF8_COMPLETE : pack(missing - 1, 0x80, 0xBF);
}

static bool is_ascii(const uint64_t *words, size_t count)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < count; i++)
        bits |= words[i];
    return (bits & UINT64_C(0x8080808080808080)) == 0;
}

static bool is_ascii_32(const uint8_t *bytes)
{
    uint64_t words[4];
    memcpy(words, bytes, sizeof words);
    return is_ascii(words, 4);
}

static bool is_ascii_8(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return is_ascii(&word, 1);
}

static size_t ascii_length(const uint8_t *bytes, size_t length)
{
    size_t i = 0;
    while (i + 32 <= length && is_ascii_32(bytes + i))
        i += 32;
    while (i + 8 <= length && is_ascii_8(bytes + i))
        i += 8;
    while (i < length && bytes[i] < 0x80)
        i++;
    return i;
}

weft__utf8_state weft__utf8_portable(weft__utf8_state state, const uint8_t *bytes, size_t length)
{
    size_t i = 0;
    while (i < length && state != WEFT__UTF8_INVALID) {
        if (state != WEFT__UTF8_COMPLETE) {
            state = after_continuation(state, bytes[i++]);
        } else if (bytes[i] < 0x80) {
            i += ascii_length(bytes + i, length - i);
        } else {
            state = after_lead(bytes[i++]);
        }
    }
    return state;
}

weft__utf8_state weft__utf8_continue(weft__utf8_state state, const uint8_t *bytes, size_t length)
{
    if (length < WEFT__KERNELS_LEAST) return weft__utf8_portable(state, bytes, length);
    size_t head = weft__utf8_missing(state);
    if (head > 0) state = weft__utf8_portable(state, bytes, head);
    if (state != WEFT__UTF8_COMPLETE) return state;
    return weft__kernels_current->check_text(bytes + head, length - head);
}
