#ifndef WEFT_PROTOCOL_UTF8_H
#define WEFT_PROTOCOL_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/**
 * Where a validation stands between two pieces of text: between characters, beyond repair, or inside a
 * character (then it packs how many bytes are missing and what range the next one must be in).
 */
typedef uint32_t weft__utf8_state;

enum {
    WEFT__UTF8_COMPLETE = 0, /**< All characters so far are whole and valid. */
    WEFT__UTF8_INVALID = 1,  /**< Some byte was wrong; stays so. */
};

/** Bytes that the character under way still needs, 0 to 3. */
static inline size_t weft__utf8_missing(weft__utf8_state state)
{
    return state >> 16;
}

/** Byte by byte, but for ASCII: what every set of weft__kernels is tested against, and takes to the end of a
 * text (RFC 3629: shortest forms, no surrogate, up to U+10FFFF). */
weft__utf8_state weft__utf8_portable(weft__utf8_state state, const uint8_t *bytes, size_t length);

/** The state after `length` more bytes; starts with WEFT__UTF8_COMPLETE. A wrong byte is found at once. */
weft__utf8_state weft__utf8_continue(weft__utf8_state state, const uint8_t *bytes, size_t length);

/** True for ASCII of 8 to 125 bytes; false also where it was not worth finding out. */
static inline bool weft__utf8_is_short_ascii(const uint8_t *bytes, size_t length)
{
    uint64_t word, bits = 0;
    if (length < sizeof word || length > 125) return false;
    for (size_t i = 0; i + sizeof word < length; i += sizeof word) {
        memcpy(&word, bytes + i, sizeof word);
        bits |= word;
    }
    memcpy(&word, bytes + length - sizeof word, sizeof word); /* overlaps what was seen */
    return ((bits | word) & UINT64_C(0x8080808080808080)) == 0;
}

/** True when `bytes` are whole, valid UTF-8. */
static inline bool weft__utf8_is_valid(const uint8_t *bytes, size_t length)
{
    if (weft__utf8_is_short_ascii(bytes, length)) return true;
    return weft__utf8_continue(WEFT__UTF8_COMPLETE, bytes, length) == WEFT__UTF8_COMPLETE;
}

#endif
