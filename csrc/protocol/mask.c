#include "protocol/mask.h"

#include "protocol/kernels.h"

static uint32_t rotated(const uint8_t key[4], uint64_t offset)
{
    uint8_t turned[4];
    for (uint64_t i = 0; i < 4; i++)
        turned[i] = key[(offset + i) & 3];
    uint32_t word;
    memcpy(&word, turned, 4);
    return word;
}

static const weft__kernels *kernels_for(size_t length)
{
    return length < WEFT__KERNELS_LEAST ? &weft__kernels_portable : weft__kernels_current;
}

void weft__mask(uint8_t *bytes, size_t length, const uint8_t key[4], uint64_t offset)
{
    kernels_for(length)->mask(bytes, bytes, length, rotated(key, offset));
}

void weft__mask_copy(uint8_t *restrict to, const uint8_t *restrict from, size_t length, const uint8_t key[4],
                     uint64_t offset)
{
    kernels_for(length)->mask(to, from, length, rotated(key, offset));
}

weft__utf8_state weft__mask_text(weft__utf8_state state, uint8_t *to, const uint8_t *from, size_t length,
                                 const uint8_t key[4], uint64_t offset)
{
    size_t missing = weft__utf8_missing(state);
    size_t head = missing < length ? missing : length;
    if (head > 0) {
        weft__kernels_portable.mask(to, from, head, rotated(key, offset));
        state = weft__utf8_portable(state, to, head);
    }
    if (state != WEFT__UTF8_COMPLETE || head == length) return state;
    return kernels_for(length - head)
        ->unmask_text(to + head, from + head, length - head, rotated(key, offset + head));
}
