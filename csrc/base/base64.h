#ifndef WEFT_BASE_BASE64_H
#define WEFT_BASE_BASE64_H

#include "weft/status.h"

/** Characters that base64 needs for `length` bytes, padding included, without a NUL. */
static inline size_t weft__base64_length(size_t length)
{
    return (length + 2) / 3 * 4;
}

/** Writes weft__base64_length(length) characters and a NUL to `out` (RFC 4648 section 4). */
void weft__base64_encode(char *out, const void *bytes, size_t length);

/**
 * True when `text` is base64 of exactly `length` bytes, `length` at most 64: canonical
 * alphabet, right padding, no white space.
 */
bool weft__base64_is_of(weft_string text, size_t length);

#endif
