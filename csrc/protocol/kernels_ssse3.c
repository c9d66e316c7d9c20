#include "protocol/kernels.h"

#if defined(WEFT__KERNELS_X86)

#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("ssse3"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("ssse3")
#endif

#define WIDTH 16
#define UNROLL 4
#define NARROWER weft__kernels_portable

typedef __m128i vector;

static inline vector load(const uint8_t *bytes)
{
    return _mm_loadu_si128((const void *)bytes);
}

static inline void store(uint8_t *bytes, vector value)
{
    _mm_storeu_si128((void *)bytes, value);
}

static inline vector fill_8(uint8_t byte)
{
    return _mm_set1_epi8((char)byte);
}

static inline vector fill_32(uint32_t word)
{
    return _mm_set1_epi32((int)word);
}

static inline vector both(vector a, vector b)
{
    return _mm_and_si128(a, b);
}

static inline vector either(vector a, vector b)
{
    return _mm_or_si128(a, b);
}

static inline vector differing(vector a, vector b)
{
    return _mm_xor_si128(a, b);
}

/* Not below zero. */
static inline vector minus(vector a, vector b)
{
    return _mm_subs_epu8(a, b);
}

static inline vector low_nibbles(vector value)
{
    return both(value, fill_8(0x0F));
}

static inline vector high_nibbles(vector value)
{
    return low_nibbles(_mm_srli_epi16(value, 4));
}

static inline vector lookup(const uint8_t table[16], vector nibbles)
{
    return _mm_shuffle_epi8(load(table), nibbles);
}

/* What lies one byte (two, three) further to the front. */
static inline vector behind_1(vector now, vector before)
{
    return _mm_alignr_epi8(now, before, 15);
}

static inline vector behind_2(vector now, vector before)
{
    return _mm_alignr_epi8(now, before, 14);
}

static inline vector behind_3(vector now, vector before)
{
    return _mm_alignr_epi8(now, before, 13);
}

static inline bool is_ascii(vector value)
{
    return _mm_movemask_epi8(value) == 0;
}

static inline bool is_zero(vector value)
{
    return _mm_movemask_epi8(_mm_cmpeq_epi8(value, fill_8(0))) == 0xFFFF;
}

#include "protocol/vector_kernels.h"

const weft__kernels weft__kernels_ssse3 = {"ssse3", mask, check_text, unmask_text};

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#else

typedef int weft__kernels_ssse3_is_for_others; /* ISO C wants a declaration */

#endif
