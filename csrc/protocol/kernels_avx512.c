#include "protocol/kernels.h"

#if defined(WEFT__KERNELS_X86)

#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,avx512f,avx512bw"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,avx512f,avx512bw")
#endif

#define WIDTH 64
#define UNROLL 2
#define NARROWER weft__kernels_avx2

typedef __m512i vector;

static inline vector load(const uint8_t *bytes)
{
    return _mm512_loadu_si512((const void *)bytes);
}

static inline void store(uint8_t *bytes, vector value)
{
    _mm512_storeu_si512((void *)bytes, value);
}

static inline vector fill_8(uint8_t byte)
{
    return _mm512_set1_epi8((char)byte);
}

static inline vector fill_32(uint32_t word)
{
    return _mm512_set1_epi32((int)word);
}

static inline vector both(vector a, vector b)
{
    return _mm512_and_si512(a, b);
}

static inline vector either(vector a, vector b)
{
    return _mm512_or_si512(a, b);
}

static inline vector differing(vector a, vector b)
{
    return _mm512_xor_si512(a, b);
}

/* Not below zero. */
static inline vector minus(vector a, vector b)
{
    return _mm512_subs_epu8(a, b);
}

static inline vector low_nibbles(vector value)
{
    return both(value, fill_8(0x0F));
}

static inline vector high_nibbles(vector value)
{
    return low_nibbles(_mm512_srli_epi16(value, 4));
}

static inline vector lookup(const uint8_t table[16], vector nibbles)
{
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(_mm_loadu_si128((const void *)table)), nibbles);
}

/* The last quarter of `before`, then the first three of `now`: alignr works in quarters. */
static inline vector between(vector now, vector before)
{
    return _mm512_alignr_epi64(now, before, 6);
}

/* What lies one byte (two, three) further to the front. */
static inline vector behind_1(vector now, vector before)
{
    return _mm512_alignr_epi8(now, between(now, before), 15);
}

static inline vector behind_2(vector now, vector before)
{
    return _mm512_alignr_epi8(now, between(now, before), 14);
}

static inline vector behind_3(vector now, vector before)
{
    return _mm512_alignr_epi8(now, between(now, before), 13);
}

static inline bool is_ascii(vector value)
{
    return _mm512_movepi8_mask(value) == 0;
}

static inline bool is_zero(vector value)
{
    return _mm512_test_epi8_mask(value, value) == 0;
}

#include "protocol/vector_kernels.h"

const weft__kernels weft__kernels_avx512 = {"avx512", mask, check_text, unmask_text};

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#else

typedef int weft__kernels_avx512_is_for_others; /* ISO C wants a declaration */

#endif
