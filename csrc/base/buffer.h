#ifndef WEFT_BASE_BUFFER_H
#define WEFT_BASE_BUFFER_H

#include "weft/status.h"

/**
 * Bytes that grow at their end and are taken from their front. All zero is an empty
 * buffer that holds no memory.
 */
typedef struct weft__buffer {
    uint8_t *bytes;  /**< The block; the content begins at `start`. */
    size_t start;    /**< Bytes taken already. */
    size_t end;      /**< One past the last byte of the content. */
    size_t capacity; /**< Size of the block. */
} weft__buffer;

/** Bytes of content. */
static inline size_t weft__buffer_length(const weft__buffer *buffer)
{
    return buffer->end - buffer->start;
}

/** First byte of the content; valid until the buffer next changes. */
static inline uint8_t *weft__buffer_front(const weft__buffer *buffer)
{
    return buffer->start ? buffer->bytes + buffer->start : buffer->bytes;
}

/** weft__buffer_reserve where the block has no room behind the content. */
uint8_t *weft__buffer_make_room(weft__buffer *buffer, size_t length);

/**
 * Room for `length` (at least 1) more bytes in one piece at the end, or NULL when memory ran out or
 * the content would pass `ceiling`. The bytes count only after weft__buffer_commit.
 */
static inline uint8_t *weft__buffer_reserve(weft__buffer *buffer, size_t length, size_t ceiling)
{
    size_t held = weft__buffer_length(buffer);
    if (length > ceiling || held > ceiling - length) return NULL;
    if (buffer->capacity - buffer->end >= length) return buffer->bytes + buffer->end;
    return weft__buffer_make_room(buffer, length);
}

/** Counts `length` bytes that were written behind weft__buffer_reserve. */
static inline void weft__buffer_commit(weft__buffer *buffer, size_t length)
{
    buffer->end += length;
}

/** Copies `length` bytes to the end; on failure (as weft__buffer_reserve) nothing is added. */
weft_status weft__buffer_append(weft__buffer *buffer, const void *bytes, size_t length, size_t ceiling);

/** The same for what nobody may find in memory later, see weft__buffer_wipe: a block that is outgrown is
 * overwritten. */
weft_status weft__buffer_append_secret(weft__buffer *buffer, const void *bytes, size_t length,
                                       size_t ceiling);

/** Takes `length` bytes from the front; at most what is there. */
void weft__buffer_consume(weft__buffer *buffer, size_t length);

/** Empties the buffer and keeps its block. */
static inline void weft__buffer_reset(weft__buffer *buffer)
{
    buffer->start = buffer->end = 0;
}

/** Empties the buffer and gives its block back. */
void weft__buffer_clear(weft__buffer *buffer);

/** The same for what nobody may find in memory later: the block is overwritten first. Blocks that the buffer
 *  has outgrown before are not: reserve the whole room at once, or append with weft__buffer_append_secret. */
void weft__buffer_wipe(weft__buffer *buffer);

#endif
