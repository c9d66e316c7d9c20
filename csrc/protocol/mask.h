#ifndef WEFT_PROTOCOL_MASK_H
#define WEFT_PROTOCOL_MASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/**
 * One way to XOR bytes with the masking key (RFC 6455 section 5.3). `key` is the masking key as it
 * lies in memory, rotated so that its first byte meets the first byte of `bytes`.
 */
typedef struct weft__mask_kernel {
    void (*in_place)(uint8_t *bytes, size_t length, uint32_t key);
    void (*copy)(uint8_t *restrict to, const uint8_t *restrict from, size_t length, uint32_t key);
} weft__mask_kernel;

/** The portable kernel, which every other one is tested against. */
extern const weft__mask_kernel weft__mask_portable;

/** The kernel in use; set before the first connection, then only read. */
extern const weft__mask_kernel *weft__mask_current;

/** Masks or unmasks in place; `offset` bytes of the payload came before these. */
void weft__mask(uint8_t *bytes, size_t length, const uint8_t key[4], uint64_t offset);

/** The same from one place to another. */
void weft__mask_copy(uint8_t *restrict to, const uint8_t *restrict from, size_t length, const uint8_t key[4],
                     uint64_t offset);

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
