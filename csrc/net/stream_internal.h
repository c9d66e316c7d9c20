#ifndef WEFT_NET_STREAM_INTERNAL_H
#define WEFT_NET_STREAM_INTERNAL_H

#include "net/loop_internal.h"
#include "net/stream.h"

/**
 * What kind of stream it is: plain bytes, or TLS over them. A kind turns received bytes into
 * on_read, and output into bytes for the socket.
 */
typedef struct weft__stream_kind {
    /** Bytes of the socket, in the loop's receive buffer. */
    void (*receive)(weft__stream *stream, uint8_t *bytes, size_t length);
    /** Sends the output and `spans` through weft__stream_send_raw. */
    weft_status (*send)(weft__stream *stream, const weft__span *spans, size_t count);
    /** Says the kind's own farewell, if it has one, before the socket's direction ends. */
    void (*finish)(weft__stream *stream);
    /** Gives the kind's own state back. */
    void (*clear)(weft__stream *stream);
} weft__stream_kind;

struct weft__stream {
    const weft__stream_kind *kind;
    weft_loop *loop;
    const weft__stream_events *events;
    void *owner;
    weft__buffer *output; /* gathered in this turn, or behind a write that waits */
    weft__turn_end_hook flush;
    _Atomic size_t *shared_unsent; /* the owner's copy of the bytes that wait, or NULL */
    uint8_t writes_waiting;        /* uv_write requests under way */
    bool is_broken : 1;
    bool is_closed : 1;
    bool is_reading : 1;
    bool reads_little : 1;
    int break_error; /* libuv's; why the stream is broken, to be told at the end of the turn; or 0 */
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
    } uv;
};

/** A plain stream whose `uv.tcp` is initialised and not connected, or NULL. */
weft__stream *weft__stream_new(weft_loop *loop);

/** Sends spans on the socket, or keeps what it does not take. */
weft_status weft__stream_send_raw(weft__stream *stream, const weft__span *spans, size_t count);

#endif
