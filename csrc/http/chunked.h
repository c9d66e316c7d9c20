/* The chunked coding of a request's body (RFC 9112 section 7.1), decoded as it arrives. */
#ifndef WEFT_HTTP_CHUNKED_H
#define WEFT_HTTP_CHUNKED_H

#include "http/problem.h"

enum {
    WEFT__CHUNK_EXTENSIONS_MAX = 4096, /**< Bytes, of an answer. */
    WEFT__TRAILERS_MAX = 8192,         /**< Bytes, of an answer. */
};

/** Ceilings of one body. */
typedef struct weft__chunked_limits {
    uint64_t max_body;       /**< Bytes of all chunks together; beyond: 413. */
    uint64_t max_extensions; /**< Bytes of all chunk extensions together; beyond: 400. */
    uint64_t max_trailers;   /**< Bytes of the trailer section; beyond: 400. */
} weft__chunked_limits;

/** A decoder; keeps no bytes. */
typedef struct weft__chunked {
    weft__chunked_limits left; /**< What the ceilings leave. */
    uint64_t chunk_left;       /**< Bytes of the current chunk that have not arrived. */
    uint8_t size_digits;
    uint8_t state;
} weft__chunked;

/** A decoder at the start of a body. */
void weft__chunked_init(weft__chunked *decoder, const weft__chunked_limits *limits);

/** True behind the empty line that ends the body. */
bool weft__chunked_is_done(const weft__chunked *decoder);

/**
 * Takes bytes up to the end of one run of data, or of the body, or of `bytes`. `*data` is a view into
 * `bytes`, mostly empty. Sizes are 1 to 16 hexadecimal digits, lines end with CR LF, extensions and trailers
 * hold no control characters and are dropped. A size that takes the body over its ceiling is refused when it
 * is read. The verdict is the same however the bytes are cut.
 *
 * Returns the bytes used (fewer than `length` only in front of what is not this call's), or WEFT_EHTTP with
 * `problem` filled (400, 413); the decoder must not be used after that.
 */
int64_t weft__chunked_take(weft__chunked *decoder, const char *bytes, size_t length, weft_string *data,
                           weft__problem *problem);

#endif
