#include "base/buffer.h"

#include "base/allocator.h"

#include <openssl/crypto.h>
#include <string.h>

enum {
    SMALLEST_BLOCK = 256
};

static void move_to_front(weft__buffer *buffer)
{
    if (buffer->start == 0) return;
    memmove(buffer->bytes, weft__buffer_front(buffer), weft__buffer_length(buffer));
    buffer->end -= buffer->start;
    buffer->start = 0;
}

uint8_t *weft__buffer_make_room(weft__buffer *buffer, size_t length)
{
    size_t held = weft__buffer_length(buffer);
    /* The front is reused only when that frees at least as much as it moves, so that
     * a queue drained in small steps is not copied at every step. */
    if (buffer->capacity - held >= length && buffer->start >= held) {
        move_to_front(buffer);
        return buffer->bytes + buffer->end;
    }
    size_t capacity = buffer->capacity ? buffer->capacity : SMALLEST_BLOCK;
    while (capacity - held < length)
        capacity = capacity > SIZE_MAX / 2 ? held + length : capacity * 2;
    move_to_front(buffer);
    uint8_t *bytes = weft__realloc(buffer->bytes, capacity);
    if (!bytes) return NULL;
    buffer->bytes = bytes;
    buffer->capacity = capacity;
    return buffer->bytes + buffer->end;
}

weft_status weft__buffer_append(weft__buffer *buffer, const void *bytes, size_t length, size_t ceiling)
{
    if (length == 0) return WEFT_OK;
    uint8_t *room = weft__buffer_reserve(buffer, length, ceiling);
    if (!room) return WEFT_ENOMEM;
    memcpy(room, bytes, length);
    weft__buffer_commit(buffer, length);
    return WEFT_OK;
}

weft_status weft__buffer_append_secret(weft__buffer *buffer, const void *bytes, size_t length, size_t ceiling)
{
    size_t held = weft__buffer_length(buffer);
    bool fits = buffer->capacity - buffer->end >= length;
    if (fits || !buffer->bytes || length > ceiling || held > ceiling - length)
        return weft__buffer_append(buffer, bytes, length, ceiling);
    weft__buffer grown = {0};
    if (!weft__buffer_reserve(&grown, held + length, ceiling)) return WEFT_ENOMEM;
    memcpy(grown.bytes, weft__buffer_front(buffer), held);
    weft__buffer_commit(&grown, held);
    weft__buffer_wipe(buffer);
    *buffer = grown;
    return weft__buffer_append(buffer, bytes, length, ceiling);
}

void weft__buffer_consume(weft__buffer *buffer, size_t length)
{
    size_t held = weft__buffer_length(buffer);
    buffer->start += length < held ? length : held;
    if (buffer->start == buffer->end) weft__buffer_reset(buffer);
}

void weft__buffer_clear(weft__buffer *buffer)
{
    weft__free(buffer->bytes);
    *buffer = (weft__buffer){0};
}

void weft__buffer_wipe(weft__buffer *buffer)
{
    if (buffer->bytes) OPENSSL_cleanse(buffer->bytes, buffer->capacity);
    weft__buffer_clear(buffer);
}
