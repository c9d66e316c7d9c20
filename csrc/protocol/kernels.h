#ifndef WEFT_PROTOCOL_KERNELS_H
#define WEFT_PROTOCOL_KERNELS_H

#include "protocol/utf8.h"

#if defined(__x86_64__)
#define WEFT__KERNELS_X86 1
#elif defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define WEFT__KERNELS_NEON 1
#endif

/**
 * The work on every byte of a payload, for one kind of processor. `key` is the masking key (RFC 6455
 * section 5.3) as it lies in memory, rotated so that its first byte meets the first byte of `from`. `to` is
 * `from` or does not overlap it. Text begins between two characters.
 */
typedef struct weft__kernels {
    const char *name; /**< As WEFT_KERNELS names it. */
    /** Masks or unmasks. */
    void (*mask)(uint8_t *to, const uint8_t *from, size_t length, uint32_t key);
    /** What weft__utf8_portable says of the text. */
    weft__utf8_state (*check_text)(const uint8_t *bytes, size_t length);
    /** Both in one pass over `from`; what `to` has after a wrong byte is not defined. */
    weft__utf8_state (*unmask_text)(uint8_t *to, const uint8_t *from, size_t length, uint32_t key);
} weft__kernels;

enum {
    WEFT__KERNELS_MOST = 4,  /**< Sets that one processor may have. */
    WEFT__KERNELS_LEAST = 32 /**< Bytes below which the portable set serves. */
};

/** Plain C, which every other set is tested against. */
extern const weft__kernels weft__kernels_portable;

#if defined(WEFT__KERNELS_X86)
extern const weft__kernels weft__kernels_ssse3;
extern const weft__kernels weft__kernels_avx2;
extern const weft__kernels weft__kernels_avx512;
#elif defined(WEFT__KERNELS_NEON)
extern const weft__kernels weft__kernels_neon;
#endif

/** The set in use: the best one, or the one that the environment variable WEFT_KERNELS names. Set before main
 * begins, then only read. */
extern const weft__kernels *weft__kernels_current;

/** Lists the sets that this processor can run, the best one first, the portable one last; their number. */
size_t weft__kernels_supported(const weft__kernels *list[WEFT__KERNELS_MOST]);

/** The set of that name, or the best one when `name` is NULL, unknown, or nothing that this processor can
 * run. */
const weft__kernels *weft__kernels_choose(const char *name);

#endif
