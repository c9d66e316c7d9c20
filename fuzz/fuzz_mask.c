/* Every set of kernels equals the byte loop at any offset and alignment; masking twice changes nothing. */
#include "protocol/kernels.h"
#include "protocol/mask.h"

#include <stdlib.h>
#include <string.h>

enum {
    GUARD = 0xEE,
    ALIGNMENTS = 64
};

static void check(const uint8_t *plain, size_t length, const uint8_t key[4], uint64_t offset,
                  size_t alignment)
{
    size_t total = alignment + length + ALIGNMENTS;
    uint8_t *expected = malloc(total), *in_place = malloc(total), *copied = malloc(total);
    if (!expected || !in_place || !copied) abort();
    memset(expected, GUARD, total);
    memset(in_place, GUARD, total);
    memset(copied, GUARD, total);
    for (size_t i = 0; i < length; i++)
        expected[alignment + i] = plain[i] ^ key[(offset + i) % 4];

    if (length) memcpy(in_place + alignment, plain, length);
    if (offset % 4 == 0) {
        weft__mask_short(in_place + alignment, length, key);
        if (memcmp(in_place, expected, total) != 0) abort();
        weft__mask_short(in_place + alignment, length, key);
    }
    weft__mask(in_place + alignment, length, key, offset);
    if (memcmp(in_place, expected, total) != 0) abort();
    weft__mask_copy(copied + alignment, plain, length, key, offset);
    if (memcmp(copied, expected, total) != 0) abort();

    size_t cut = length ? (size_t)key[0] % (length + 1) : 0;
    weft__mask(in_place + alignment, cut, key, offset);
    weft__mask(in_place + alignment + cut, length - cut, key, offset + cut);
    if (length && memcmp(in_place + alignment, plain, length) != 0) abort();
    free(expected);
    free(in_place);
    free(copied);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum {
        CHOICES = 4 + 8 + 1
    };
    if (size < CHOICES) return 0;
    uint64_t offset;
    memcpy(&offset, data + 4, sizeof offset);
    const weft__kernels *sets[WEFT__KERNELS_MOST];
    size_t count = weft__kernels_supported(sets);
    for (size_t i = 0; i < count; i++) {
        weft__kernels_current = sets[i];
        check(data + CHOICES, size - CHOICES, data, offset, data[12] % ALIGNMENTS);
    }
    return 0;
}
