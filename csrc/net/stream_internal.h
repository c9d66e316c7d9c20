#ifndef WEFT_NET_STREAM_INTERNAL_H
#define WEFT_NET_STREAM_INTERNAL_H

#include "net/loop_internal.h"
#include "net/stream.h"

/**
 * What kind of stream it is: plain bytes, or TLS over them. A kind turns received bytes into
 * on_read, and output into bytes for the socket.
 */
typedef struct weft__stream_kind {
    /** Where the socket's bytes go in the loop's receive buffer: so far behind its beginning. */
    size_t receive_offset;
    /** Bytes of the socket, there. The owner may have closed the stream on return. */
    void (*receive)(weft__stream *stream, uint8_t *bytes, size_t length);
    /** The end of the socket's bytes: tells the owner, or breaks the stream. */
    void (*end)(weft__stream *stream);
    /** Sends the output and `spans` through weft__stream_send_raw. */
    weft_status (*send)(weft__stream *stream, const weft__span *spans, size_t count);
    /** Says the kind's own farewell, if it has one, before the socket's direction ends. */
    void (*finish)(weft__stream *stream);
    /** The owner reads again, and kind_waits was set; inside a turn, not within a call on the stream. */
    void (*resume)(weft__stream *stream);
    /** Why the stream is broken, where the kind itself has broken it; NULL for a kind that never does. */
    const char *(*break_text)(const weft__stream *stream, weft_status *status);
    /** Gives the kind's own state back. */
    void (*clear)(weft__stream *stream);
} weft__stream_kind;

enum {
    WEFT__BROKEN_BY_KIND = 1 /**< A break_error; libuv's are negative. */
};

struct weft__stream {
    const weft__stream_kind *kind;
    void *kind_state;
    weft_loop *loop;
    const weft__stream_events *events;
    weft__buffer *output; /* gathered in this turn, or behind a write that waits */
    weft__turn_end_hook flush;
    _Atomic size_t *shared_unsent; /* the owner's copy of the bytes that wait, or NULL */
    uint8_t writes_waiting;        /* uv_write requests under way */
    bool is_broken : 1;            /* nothing more is sent; what is still read came before the break */
    bool is_closed : 1;
    bool is_reading : 1;
    bool reads_little : 1;
    bool kind_waits : 1; /* the kind has something to tell once the owner reads */
    int break_error;     /* why the stream is broken, to be told at the end of the turn; or 0 */
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
    } uv; /* its `data` is the owner */
};

/** Who hears of the stream's events. */
static inline void *weft__stream_owner(const weft__stream *stream)
{
    return stream->uv.handle.data;
}

/** A plain stream whose `uv.tcp` is initialised and not connected, or NULL. */
weft__stream *weft__stream_new(weft_loop *loop);

/** Tells the owner, who reads, of the peer's orderly end. */
void weft__stream_tell_end(weft__stream *stream);

/** Breaks the stream for libuv's `error`, or WEFT__BROKEN_BY_KIND: the owner hears of it at the end of the
 *  turn. */
void weft__stream_break(weft__stream *stream, int error);

/** Sends spans on the socket, or keeps what it does not take, behind what waits there already. */
weft_status weft__stream_send_raw(weft__stream *stream, const weft__span *spans, size_t count);

#endif
