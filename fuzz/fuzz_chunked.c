/* However a chunked body is cut it has one verdict and the same bytes. */
#include "base/buffer.h"
#include "http/chunked.h"

#include <stdlib.h>
#include <string.h>

typedef struct outcome {
    int64_t verdict; /* bytes used, or a negative status */
    bool is_done;
    weft__problem problem;
    weft__buffer body;
} outcome;

static outcome decode(const char *bytes, size_t length, size_t piece)
{
    const weft__chunked_limits limits = {.max_body = 1000, .max_extensions = 50, .max_trailers = 50};
    outcome outcome = {0};
    weft__chunked decoder;
    weft__chunked_init(&decoder, &limits);
    while ((size_t)outcome.verdict < length && !weft__chunked_is_done(&decoder)) {
        size_t left = length - (size_t)outcome.verdict;
        weft_string data;
        int64_t used = weft__chunked_take(&decoder, bytes + outcome.verdict, left < piece ? left : piece,
                                          &data, &outcome.problem);
        if (used == 0) abort();
        if (weft__buffer_append(&outcome.body, data.bytes, data.length, SIZE_MAX) != WEFT_OK) abort();
        outcome.verdict = used < 0 ? used : outcome.verdict + used;
        if (used < 0) break;
    }
    outcome.is_done = weft__chunked_is_done(&decoder);
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    outcome whole = decode((const char *)data, size, size);
    for (size_t piece = 1; piece < 20 && piece < size; piece++) {
        outcome cut = decode((const char *)data, size, piece);
        if (cut.verdict != whole.verdict || cut.is_done != whole.is_done) abort();
        if (strcmp(cut.problem.text, whole.problem.text) != 0) abort();
        size_t length = weft__buffer_length(&cut.body);
        if (length > 1000 || length != weft__buffer_length(&whole.body)) abort();
        const void *one = weft__buffer_front(&cut.body), *other = weft__buffer_front(&whole.body);
        if (length && memcmp(one, other, length) != 0) abort();
        weft__buffer_clear(&cut.body);
    }
    weft__buffer_clear(&whole.body);
    return 0;
}
