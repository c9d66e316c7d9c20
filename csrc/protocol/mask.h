#ifndef WEFT_PROTOCOL_MASK_H
#define WEFT_PROTOCOL_MASK_H

#include "protocol/utf8.h"

/** Masks or unmasks in place; `offset` bytes of the payload came before these. */
void weft__mask(uint8_t *bytes, size_t length, const uint8_t key[4], uint64_t offset);

/** The same from one place to another. */
void weft__mask_copy(uint8_t *restrict to, const uint8_t *restrict from, size_t length, const uint8_t key[4],
                     uint64_t offset);

/** Unmasks text, in place (`to` is `from`) or to another place, and validates it as weft__utf8_continue
 * would, in one pass. After WEFT__UTF8_INVALID what is at `to` is not defined. */
weft__utf8_state weft__mask_text(weft__utf8_state state, uint8_t *to, const uint8_t *from, size_t length,
                                 const uint8_t key[4], uint64_t offset);

/** weft__mask for a payload so short that a call would cost as much as the work. True when all the bytes are
 * ASCII now. */
static inline bool weft__mask_short(uint8_t *bytes, size_t length, const uint8_t key[4])
{
    enum {
        STEP = 8
    };
    uint32_t narrow;
    memcpy(&narrow, key, sizeof narrow);
    const uint64_t wide = (uint64_t)narrow << 32 | narrow;
    uint64_t word, bits = 0;
    size_t i = 0;
    for (; i + STEP <= length; i += STEP) {
        memcpy(&word, bytes + i, STEP);
        word ^= wide;
        memcpy(bytes + i, &word, STEP);
        bits |= word;
    }
    if (length - i >= sizeof narrow) {
        uint32_t half;
        memcpy(&half, bytes + i, sizeof half);
        half ^= narrow;
        memcpy(bytes + i, &half, sizeof half);
        bits |= half;
        i += sizeof half;
    }
    for (; i < length; i++) {
        bytes[i] ^= key[i & 3];
        bits |= bytes[i];
    }
    return (bits & UINT64_C(0x8080808080808080)) == 0;
}

#endif
