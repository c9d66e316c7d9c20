#ifndef WEFT_PROTOCOL_MASK_H
#define WEFT_PROTOCOL_MASK_H

#include <stddef.h>
#include <stdint.h>

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

#endif
