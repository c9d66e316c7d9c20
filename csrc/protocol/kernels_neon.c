#include "protocol/kernels.h"

#if defined(WEFT__KERNELS_NEON)

#include <arm_neon.h>

#define WIDTH 16
#define UNROLL 4
#define NARROWER weft__kernels_portable

typedef uint8x16_t vector;

static inline vector load(const uint8_t *bytes)
{
    return vld1q_u8(bytes);
}

static inline void store(uint8_t *bytes, vector value)
{
    vst1q_u8(bytes, value);
}

static inline vector fill_8(uint8_t byte)
{
    return vdupq_n_u8(byte);
}

static inline vector fill_32(uint32_t word)
{
    return vreinterpretq_u8_u32(vdupq_n_u32(word));
}

static inline vector both(vector a, vector b)
{
    return vandq_u8(a, b);
}

static inline vector either(vector a, vector b)
{
    return vorrq_u8(a, b);
}

static inline vector differing(vector a, vector b)
{
    return veorq_u8(a, b);
}

/* Not below zero. */
static inline vector minus(vector a, vector b)
{
    return vqsubq_u8(a, b);
}

static inline vector low_nibbles(vector value)
{
    return both(value, fill_8(0x0F));
}

static inline vector high_nibbles(vector value)
{
    return vshrq_n_u8(value, 4);
}

static inline vector lookup(const uint8_t table[16], vector nibbles)
{
    return vqtbl1q_u8(load(table), nibbles);
}

/* What lies one byte (two, three) further to the front. */
static inline vector behind_1(vector now, vector before)
{
    return vextq_u8(before, now, 15);
}

static inline vector behind_2(vector now, vector before)
{
    return vextq_u8(before, now, 14);
}

static inline vector behind_3(vector now, vector before)
{
    return vextq_u8(before, now, 13);
}

static inline bool is_ascii(vector value)
{
    return vmaxvq_u8(value) < 0x80;
}

static inline bool is_zero(vector value)
{
    return vmaxvq_u8(value) == 0;
}

#include "protocol/vector_kernels.h"

const weft__kernels weft__kernels_neon = {"neon", mask, check_text, unmask_text};

#else

typedef int weft__kernels_neon_is_for_others; /* ISO C wants a declaration */

#endif
