#include "protocol/kernels.h"

#include <stdlib.h>

/* Eight bytes a step: the compiler turns this into vectors of the widest kind that its target has. */
static void mask_in_place(uint8_t *bytes, size_t length, uint32_t key)
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

static void mask_copy(uint8_t *restrict to, const uint8_t *restrict from, size_t length, uint32_t key)
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

static void mask(uint8_t *to, const uint8_t *from, size_t length, uint32_t key)
{
    if (to == from) {
        mask_in_place(to, length, key);
    } else {
        mask_copy(to, from, length, key);
    }
}

static weft__utf8_state check_text(const uint8_t *bytes, size_t length)
{
    return weft__utf8_portable(WEFT__UTF8_COMPLETE, bytes, length);
}

static weft__utf8_state unmask_text(uint8_t *to, const uint8_t *from, size_t length, uint32_t key)
{
    mask(to, from, length, key);
    return check_text(to, length);
}

const weft__kernels weft__kernels_portable = {"portable", mask, check_text, unmask_text};
const weft__kernels *weft__kernels_current = &weft__kernels_portable;

/* Without a branch for what a processor has, so that one machine's tests reach all of it. */
size_t weft__kernels_supported(const weft__kernels *list[WEFT__KERNELS_MOST])
{
    size_t count = 0;
#if defined(WEFT__KERNELS_X86)
    __builtin_cpu_init();
    list[count] = &weft__kernels_avx512;
    count += __builtin_cpu_supports("avx512bw") != 0;
    list[count] = &weft__kernels_avx2;
    count += __builtin_cpu_supports("avx2") != 0;
    list[count] = &weft__kernels_ssse3;
    count += __builtin_cpu_supports("ssse3") != 0;
#elif defined(WEFT__KERNELS_NEON)
    list[count++] = &weft__kernels_neon; /* part of every such processor */
#endif
    list[count++] = &weft__kernels_portable;
    return count;
}

const weft__kernels *weft__kernels_choose(const char *name)
{
    const weft__kernels *list[WEFT__KERNELS_MOST];
    size_t count = weft__kernels_supported(list);
    for (size_t i = 0; name && i < count; i++) {
        if (strcmp(list[i]->name, name) == 0) return list[i];
    }
    return list[0];
}

__attribute__((constructor)) static void choose_at_start(void)
{
    weft__kernels_current = weft__kernels_choose(getenv("WEFT_KERNELS"));
}
