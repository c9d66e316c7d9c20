#include "protocol/deflate.h"

#include "base/allocator.h"

#include <assert.h>
#include <limits.h>
#include <string.h>

/* What every compressed message would end with and does not (RFC 7692 section 7.2.1). */
static const uint8_t tail[4] = {0x00, 0x00, 0xFF, 0xFF};

enum {
    LEAST_ROOM = 1024,
    FEWEST_ZLIB_BITS = 9, /* zlib compresses no raw streams with a window of 256 bytes */
    MOST_BITS = 15,
};

/* What holds for the messages of one side. */
typedef struct terms {
    uint8_t window_bits;
    bool takes_over; /* messages refer to earlier ones */
} terms;

static terms terms_of(const weft_session_config *config, bool of_server)
{
    const weft_compression *agreed = config->compression;
    return of_server ? (terms){agreed->server_max_window_bits, !agreed->server_no_context_takeover}
                     : (terms){agreed->client_max_window_bits, !agreed->client_no_context_takeover};
}

static terms own_terms(const weft_session_config *config)
{
    return terms_of(config, config->role == WEFT_SERVER);
}

static terms peers_terms(const weft_session_config *config)
{
    return terms_of(config, config->role == WEFT_CLIENT);
}

static uInt clamp(size_t length)
{
    return length < UINT_MAX ? (uInt)length : UINT_MAX;
}

/* Room at the end of `out` for the stream to write, so that the content stays within `ceiling`; its length,
 * or 0 without memory. */
static uInt open_room(z_stream *stream, weft__buffer *out, size_t ceiling)
{
    size_t most = ceiling - weft__buffer_length(out);
    uint8_t *room = weft__buffer_reserve(out, most < LEAST_ROOM ? most : LEAST_ROOM, SIZE_MAX);
    if (!room) return 0;
    size_t available = out->capacity - out->end;
    stream->next_out = room;
    stream->avail_out = clamp(available < most ? available : most);
    return stream->avail_out;
}

/* -- outgoing ---------------------------------------------------------------------------------- */

static weft__context *begin_outgoing(weft__deflate *deflate, const weft_session_config *config)
{
    weft__context *context = deflate->compressor;
    if (context) {
        weft__deflate_pool_wake(deflate->pool, context);
        return context;
    }
    uint8_t level = config->compression->level;
    return weft__deflate_pool_take_compressor(deflate->pool, own_terms(config).window_bits, level);
}

/* False as soon as the result is no shorter than the message. */
static bool run(z_stream *stream, weft__buffer *out, const uint8_t *bytes, size_t length)
{
    size_t ceiling = length - 1 + sizeof tail;
    weft__buffer_reset(out);
    stream->next_in = (z_const Bytef *)bytes;
    while (length > 0) {
        stream->avail_in = clamp(length);
        length -= stream->avail_in;
        int flush = length ? Z_NO_FLUSH : Z_SYNC_FLUSH;
        do {
            if (weft__buffer_length(out) == ceiling) return false;
            uInt room = open_room(stream, out, ceiling);
            if (room == 0) return false;
            deflate(stream, flush);
            weft__buffer_commit(out, room - stream->avail_out);
        } while (stream->avail_out == 0);
    }
    assert(memcmp(out->bytes + out->end - sizeof tail, tail, sizeof tail) == 0);
    out->end -= sizeof tail;
    return true;
}

bool weft__deflate_compress(weft__deflate *deflate, const weft_session_config *config, const uint8_t **bytes,
                            size_t *length)
{
    terms terms = own_terms(config);
    if (*length == 0 || *length < config->compression->threshold) return false;
    if (terms.window_bits < FEWEST_ZLIB_BITS) return false;
    weft__context *context = begin_outgoing(deflate, config);
    if (!context) return false;
    weft__buffer *out = &deflate->pool->output;
    bool pays = run(&context->stream, out, *bytes, *length);
    /* What the peer does not get compressed it does not remember either. */
    bool is_kept = pays && terms.takes_over;
    deflate->compressor = is_kept ? context : NULL;
    weft__deflate_pool_rest(deflate->pool, context, is_kept ? deflate : NULL);
    if (pays) {
        *bytes = weft__buffer_front(out);
        *length = weft__buffer_length(out);
    } else {
        weft__deflate_forget_output(deflate);
    }
    return pays;
}

static void reset_or_clear(weft__buffer *buffer)
{
    if (buffer->capacity > WEFT__SPARE_BLOCK_MAX) {
        weft__buffer_clear(buffer);
    } else {
        weft__buffer_reset(buffer);
    }
}

void weft__deflate_forget_output(weft__deflate *deflate)
{
    reset_or_clear(&deflate->pool->output);
}

/* -- incoming ---------------------------------------------------------------------------------- */

/* A window as large as what is kept of the peer's messages. Those that stand alone are inflated with the one
 * decompressor that all of them share, which fits any. */
static uint8_t incoming_window_bits(const weft_session_config *config)
{
    terms terms = peers_terms(config);
    return terms.takes_over ? terms.window_bits : MOST_BITS;
}

/* Brings back what the peer may refer to. */
static weft__context *begin_incoming(weft__deflate *deflate, const weft_session_config *config)
{
    weft__history *history = deflate->incoming;
    if (history && history->is_live) {
        weft__context *context = (weft__context *)history;
        if (!weft__link_is_alone(&context->link)) weft__deflate_pool_wake(deflate->pool, context);
        return context;
    }
    weft__context *context =
        weft__deflate_pool_take_decompressor(deflate->pool, incoming_window_bits(config));
    if (!context) return NULL;
    deflate->incoming = &context->history;
    weft__window *window = (weft__window *)history;
    if (!window) return context;
    int code = inflateSetDictionary(&context->stream, window->bytes, (uInt)window->length);
    weft__free(window);
    return code == Z_OK ? context : NULL; /* else memory ran out, and so the message ends */
}

/* One call of zlib; `*room` becomes what it left of the output. */
static weft_status step(z_stream *stream, weft__buffer *out, size_t limit, uInt *room)
{
    uint8_t beyond;
    bool is_full = weft__buffer_length(out) == limit;
    *room = 1;
    if (is_full) { /* anything that comes now is too much */
        stream->next_out = &beyond;
        stream->avail_out = 1;
    } else {
        *room = open_room(stream, out, limit);
        if (*room == 0) return WEFT_ENOMEM;
    }
    int code = inflate(stream, Z_SYNC_FLUSH);
    uInt written = *room - stream->avail_out;
    if (is_full && written > 0) return WEFT_ETOOBIG;
    weft__buffer_commit(out, written);
    *room = stream->avail_out;
    switch (code) {
    case Z_OK:
    case Z_BUF_ERROR: return WEFT_OK;
    case Z_STREAM_END: /* RFC 7692 section 7.2.3.4: blocks may follow the final one, and refer to it */
        inflateResetKeep(stream);
        *room = 0; /* not done before a call says so */
        return WEFT_OK;
    case Z_MEM_ERROR: return WEFT_ENOMEM;
    default: return WEFT_EPAYLOAD;
    }
}

weft_status weft__deflate_inflate(weft__deflate *deflate, const weft_session_config *config,
                                  weft__buffer *out, const uint8_t *bytes, size_t length)
{
    if (length == 0) return WEFT_OK;
    weft__context *context = begin_incoming(deflate, config);
    if (!context) return WEFT_ENOMEM;
    z_stream *stream = &context->stream;
    stream->next_in = (z_const Bytef *)bytes;
    while (length > 0) {
        stream->avail_in = clamp(length);
        length -= stream->avail_in;
        uInt room;
        do {
            weft_status status = step(stream, out, (size_t)config->max_message_size, &room);
            if (status != WEFT_OK) return status;
        } while (room == 0);
    }
    return WEFT_OK;
}

/* The tail completes an empty block and yields nothing, or the message ended elsewhere. */
static bool ends_with_tail(z_stream *stream)
{
    enum {
        AT_BLOCK_BOUNDARY = 128,
        BITS_LEFT = 31
    };
    uint8_t beyond;
    int code;
    stream->next_in = (z_const Bytef *)tail;
    stream->avail_in = sizeof tail;
    stream->next_out = &beyond;
    stream->avail_out = 1;
    do
        code = inflate(stream, Z_BLOCK);
    while (code == Z_OK && stream->avail_in > 0 && stream->avail_out > 0);
    bool is_used_up = code == Z_OK && stream->avail_in == 0 && stream->avail_out == 1;
    return is_used_up && (stream->data_type & AT_BLOCK_BOUNDARY) && !(stream->data_type & BITS_LEFT);
}

weft_status weft__deflate_finish(weft__deflate *deflate, const weft_session_config *config)
{
    weft__context *context = begin_incoming(deflate, config);
    if (!context) return WEFT_ENOMEM;
    if (!ends_with_tail(&context->stream)) return WEFT_EPAYLOAD;
    bool is_kept = peers_terms(config).takes_over;
    if (!is_kept) deflate->incoming = NULL;
    weft__deflate_pool_rest(deflate->pool, context, is_kept ? deflate : NULL);
    return WEFT_OK;
}

weft__buffer *weft__deflate_borrow_payload(weft__deflate *deflate)
{
    weft__buffer *payload = deflate->pool->payload;
    deflate->pool->payload = NULL;
    return payload ? payload : weft__alloc_zeroed(sizeof *payload);
}

void weft__deflate_return_payload(weft__deflate *deflate, weft__buffer *payload)
{
    weft__deflate_pool *pool = deflate->pool;
    if (!payload) return;
    reset_or_clear(payload);
    weft__buffer *smaller = payload;
    if (!pool->payload || payload->capacity > pool->payload->capacity) {
        smaller = pool->payload;
        pool->payload = payload;
    }
    if (!smaller) return;
    weft__buffer_clear(smaller);
    weft__free(smaller);
}
