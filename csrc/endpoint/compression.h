/* The zlib contexts that the connections of a loop share or take turns with. */
#ifndef WEFT_ENDPOINT_COMPRESSION_H
#define WEFT_ENDPOINT_COMPRESSION_H

#include "net/loop.h"
#include "protocol/deflate_pool.h"
#include "weft/compression.h"

enum {
    /** A context that has rested for this long, or for up to twice as long, is given back. */
    WEFT__CONTEXT_REST_MS = 2000
};

/** The contexts of a loop, which live as long as it does; NULL without memory. On the loop. */
weft__deflate_pool *weft__loop_deflate_pool(weft_loop *loop);

/** True when both say the same of what is agreed; NULL: nothing is. */
bool weft__compression_is_same(const weft_compression *one, const weft_compression *other);

#endif
