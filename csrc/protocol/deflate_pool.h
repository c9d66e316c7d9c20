/* The zlib contexts of one loop, or of one session without I/O, and which connections have them. */
#ifndef WEFT_PROTOCOL_DEFLATE_POOL_H
#define WEFT_PROTOCOL_DEFLATE_POOL_H

#include "base/buffer.h"
#include "base/list.h"

#include <zlib.h>

struct weft__deflate;

/** What the next message of the peer may refer to. */
typedef struct weft__history {
    bool is_live; /**< A weft__context; else a weft__window. */
} weft__history;

/** All that is left of the peer's messages while the connection is idle. */
typedef struct weft__window {
    weft__history history;
    size_t length;
    uint8_t bytes[];
} weft__window;

/** A zlib stream of one direction. */
typedef struct weft__context {
    weft__history history; /**< Live. */
    bool compresses;
    bool has_rested; /**< All the time since the pool last aged. */
    uint8_t level;   /**< Of a decompressor 0. */
    uint8_t window_bits;
    weft__link link;             /**< In `spare` or `owned`, unless it is at work on a message. */
    struct weft__deflate *owner; /**< Whose messages it remembers; NULL: nobody's. */
    z_stream stream;
} weft__context;

/**
 * Contexts at rest: those that remember messages belong to their connections, the others are for anybody.
 * Not for several threads at a time.
 */
typedef struct weft__deflate_pool {
    weft__link spare; /**< Nobody's; the one that has rested longest first. */
    size_t spare_count;
    weft__link owned;      /**< Each remembers for its connection. */
    weft__buffer output;   /**< The message that was compressed last. */
    weft__buffer *payload; /**< A spare one for inflated messages, or NULL. */
    void (*on_first_rest)(struct weft__deflate_pool *pool); /**< Contexts begin to rest here; may be NULL. */
} weft__deflate_pool;

enum {
    WEFT__SPARE_CONTEXTS = 8,          /**< More are not kept. */
    WEFT__SPARE_BLOCK_MAX = 128 * 1024 /**< Larger buffers are not kept. */
};

/** What one connection has of its pool. All zero: permessage-deflate was not agreed. */
typedef struct weft__deflate {
    weft__deflate_pool *pool;
    weft__context *compressor; /**< Remembers our messages; NULL: the next one begins anew. */
    weft__history *incoming;   /**< Remembers the peer's, or is inside one; NULL: neither. */
} weft__deflate;

/** An empty pool. */
void weft__deflate_pool_init(weft__deflate_pool *pool);

/** Gives all memory back; no connection has anything of the pool any more. */
void weft__deflate_pool_clear(weft__deflate_pool *pool);

/** A context that remembers nothing, or NULL without memory; `window_bits` are 9 to 15. */
weft__context *weft__deflate_pool_take_compressor(weft__deflate_pool *pool, uint8_t window_bits,
                                                  uint8_t level);

/** The same for the peer's messages, with a window of 8 to 15 bits. */
weft__context *weft__deflate_pool_take_decompressor(weft__deflate_pool *pool, uint8_t window_bits);

/** A resting context of a connection's goes to work again. */
void weft__deflate_pool_wake(weft__deflate_pool *pool, weft__context *context);

/** Its message is done: rests, for `owner` alone or, when that is NULL, without memory of anything. */
void weft__deflate_pool_rest(weft__deflate_pool *pool, weft__context *context, weft__deflate *owner);

/**
 * Gives back the contexts that have rested since the last call; of decompressors that somebody owns the
 * window stays, with its owner. False when nothing rests any more.
 */
bool weft__deflate_pool_age(weft__deflate_pool *pool);

/** Our next message begins anew: the peer has not seen all that the compressor remembers. */
void weft__deflate_forget_compressor(weft__deflate *deflate);

/** Ends a connection's part; its contexts become spare ones. */
void weft__deflate_clear(weft__deflate *deflate);

#endif
