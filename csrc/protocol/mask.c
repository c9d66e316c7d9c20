#include "protocol/mask.h"

#include <string.h>

/* Eight bytes a step: the compiler turns this into vectors of the widest kind that its target has. */
static void portable_in_place(uint8_t *bytes, size_t length, uint32_t key)
{
    const uint64_t wide = (uint64_t)key << 32 | key;
    size_t i = 0;
    for (; i + 8 <= length; i += 8) {
        uint64_t word;
        memcpy(&word, bytes + i, 8);
        word ^= wide;
        memcpy(bytes + i, &word, 8);
    }
    uint8_t key_bytes[4];
    memcpy(key_bytes, &key, 4);
    for (; i < length; i++)
        bytes[i] ^= key_bytes[i & 3];
}

static void portable_copy(uint8_t *restrict to, const uint8_t *restrict from, size_t length, uint32_t key)
{
    const uint64_t wide = (uint64_t)key << 32 | key;
    size_t i = 0;
    for (; i + 8 <= length; i += 8) {
        uint64_t word;
        memcpy(&word, from + i, 8);
        word ^= wide;
        memcpy(to + i, &word, 8);
    }
    uint8_t key_bytes[4];
    memcpy(key_bytes, &key, 4);
    for (; i < length; i++)
        to[i] = from[i] ^ key_bytes[i & 3];
}

const weft__mask_kernel weft__mask_portable = {portable_in_place, portable_copy};
const weft__mask_kernel *weft__mask_current = &weft__mask_portable;

static uint32_t rotated(const uint8_t key[4], uint64_t offset)
{
    uint8_t turned[4];
    for (uint64_t i = 0; i < 4; i++)
        turned[i] = key[(offset + i) & 3];
    uint32_t word;
    memcpy(&word, turned, 4);
    return word;
}

void weft__mask(uint8_t *bytes, size_t length, const uint8_t key[4], uint64_t offset)
{
    weft__mask_current->in_place(bytes, length, rotated(key, offset));
}

void weft__mask_copy(uint8_t *restrict to, const uint8_t *restrict from, size_t length, const uint8_t key[4],
                     uint64_t offset)
{
    weft__mask_current->copy(to, from, length, rotated(key, offset));
}
