/* How fast masking and the validation of UTF-8 are with each set of kernels that this processor can run,
 * beside memcpy and, where its library is given, simdutf. Each line of output is one figure as JSON; the
 * median of several runs is what to quote. usage: kernel-rates [LIBRARY]   LIBRARY: with simdutf_validates,
 * as Benchmarks/peers/simdutf.cpp has it */

#include "protocol/kernels.h"
#include "protocol/mask.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    MOST_BYTES = 262144,
    PAYLOAD_OFFSET = 14 /* behind the longest header of a frame: not aligned */
};

static const uint64_t slice_ns = 20000000;
static const uint8_t key[4] = {0x37, 0xFA, 0x21, 0x3D};
static const size_t sizes[] = {125, 1024, 16384, MOST_BYTES};

typedef bool (*validator)(const char *bytes, size_t length);
static validator simdutf_validates;
static uint8_t rooms[2][PAYLOAD_OFFSET + MOST_BYTES];
static uint8_t *const payload = rooms[0] + PAYLOAD_OFFSET;
static uint8_t *const other = rooms[1] + PAYLOAD_OFFSET;

static void copy(size_t length)
{
    memcpy(other, payload, length);
}

static void mask_in_place(size_t length)
{
    weft__mask(payload, length, key, 0);
}

static void mask_copy(size_t length)
{
    weft__mask_copy(other, payload, length, key, 0);
}

static void validate(size_t length)
{
    if (!weft__utf8_is_valid(payload, length)) abort();
}

static void validate_simdutf(size_t length)
{
    if (!simdutf_validates((const char *)payload, length)) abort();
}

/* The zero key: what is unmasked is the same text every time. */
static void unmask_and_validate(size_t length)
{
    static const uint8_t zero[4];
    if (weft__mask_text(WEFT__UTF8_COMPLETE, payload, payload, length, zero, 0) != WEFT__UTF8_COMPLETE)
        abort();
}

typedef struct text {
    const char *name;
    const char *both_name; /* unmasked and validated in one pass */
    const char *repeated;
} text;

static const text texts[] = {
    {"UTF-8, ASCII", "unmasking and UTF-8, ASCII", "plain words, and nothing but plain words. "},
    {"UTF-8, 1 to 4 bytes", "unmasking and UTF-8, 1 to 4 bytes",
     "Gr\xC3\xBC\xC3\x9F"
     "e an alle, \xE4\xB8\x96\xE7\x95\x8C! \xD0\x9F\xD1\x80\xD0\xB8 \xF0\x9F\x98\x80 plain. "},
    {"UTF-8, Chinese", "unmasking and UTF-8, Chinese", "\xE4\xB8\x96\xE7\x95\x8C\xE5\xA5\xBD"},
};

/* Whole characters, then spaces. */
static void fill(const char *repeated, size_t length)
{
    size_t step = strlen(repeated);
    size_t at = 0;
    for (; at + step <= length; at += step)
        memcpy(payload + at, repeated, step);
    memset(payload + at, ' ', length - at);
}

static uint64_t now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

static void rate(const char *kernel, const char *by, void (*work)(size_t length), size_t length)
{
    const unsigned batch = (unsigned)(MOST_BYTES / length);
    uint64_t bytes = 0;
    work(length);
    uint64_t begin = now_ns();
    uint64_t end = begin;
    while (end - begin < slice_ns) {
        for (unsigned i = 0; i < batch; i++)
            work(length);
        bytes += (uint64_t)batch * length;
        end = now_ns();
    }
    printf("{\"kernel\": \"%s\", \"by\": \"%s\", \"bytes\": %zu, \"rate\": %.2f}\n", kernel, by, length,
           (double)bytes / (double)(end - begin));
}

/* With every set, the best one first. */
static void rate_each(const char *kernel, void (*work)(size_t length), size_t length)
{
    const weft__kernels *sets[WEFT__KERNELS_MOST];
    size_t count = weft__kernels_supported(sets);
    for (size_t i = 0; i < count; i++) {
        weft__kernels_current = sets[i];
        rate(kernel, sets[i]->name, work, length);
    }
}

static bool open_simdutf(const char *path)
{
    void *library = dlopen(path, RTLD_NOW);
    void *function = library ? dlsym(library, "simdutf_validates") : NULL;
    if (!function) {
        fprintf(stderr, "kernel-rates: %s\n", dlerror());
        return false;
    }
    memcpy(&simdutf_validates, &function, sizeof function); /* ISO C has no cast between the two */
    return true;
}

int main(int count, char **words)
{
    if (count > 1 && !open_simdutf(words[1])) return 1;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        fill(texts[0].repeated, sizes[i]);
        rate("copying", "memcpy", copy, sizes[i]);
        rate_each("masking into another place", mask_copy, sizes[i]);
        rate_each("masking in place", mask_in_place, sizes[i]);
        for (size_t j = 0; j < sizeof texts / sizeof *texts; j++) {
            fill(texts[j].repeated, sizes[i]);
            rate_each(texts[j].name, validate, sizes[i]);
            if (simdutf_validates) rate(texts[j].name, "simdutf", validate_simdutf, sizes[i]);
            rate_each(texts[j].both_name, unmask_and_validate, sizes[i]);
        }
    }
    return 0;
}
