#ifndef WEFT_NET_STREAM_H
#define WEFT_NET_STREAM_H

#include "net/loop.h"

/**
 * One connected byte stream on one loop. What is written inside a turn leaves at the turn's end in one
 * system call; what the system does not take waits here.
 *
 * All functions are for the loop's own thread and inside a turn, unless they say otherwise.
 */
typedef struct weft__stream weft__stream;

/** Bytes to send that stay where they are. */
typedef struct weft__span {
    const uint8_t *bytes;
    size_t length;
} weft__span;

/** What a stream tells its owner, always inside a turn and never from within a call on the stream. */
typedef struct weft__stream_events {
    /** Bytes of the peer in the loop's own buffer: borrowed until return, free to be changed. */
    void (*on_read)(void *owner, uint8_t *bytes, size_t length);
    /** The peer's end: WEFT_OK for an orderly one (writing goes on), WEFT_ELOST or WEFT_ETLS when the stream
     * is broken. `detail` lives until return. At most one of each kind; after a break nothing more is read or
     *  written. */
    void (*on_end)(void *owner, weft_status status, const char *detail);
    /** What waited for the system has all been taken. */
    void (*on_drain)(void *owner);
    /** The handshake that weft__stream_secure began is done; an owner that stops reading here gets nothing
     *  before it starts again. May be NULL. */
    void (*on_secure)(void *owner);
} weft__stream_events;

/** Hands the stream to another owner; the events of a closed stream go nowhere. */
void weft__stream_set_owner(weft__stream *stream, const weft__stream_events *events, void *owner);

/** The loop that the stream lives on. Thread: any. */
weft_loop *weft__stream_loop(const weft__stream *stream);

/** Reads from now on; reading is off at first. */
void weft__stream_start_reading(weft__stream *stream);

/** Whether one on_read brings no more than 16 KiB, for an owner who may have to keep it; at first it may
 * bring as much as the loop's buffer takes. */
void weft__stream_read_little(weft__stream *stream, bool is_little);

/** Leaves the peer's bytes in the system's buffers from now on. */
void weft__stream_stop_reading(weft__stream *stream);

/** Where to append what is to be sent at the end of the turn; NULL without memory. Valid during the turn. */
weft__buffer *weft__stream_output(weft__stream *stream);

/**
 * Sends the output gathered so far and then `spans` at once, without copying what the system takes.
 * WEFT_ENOMEM when the rest could not be kept: the stream is broken then.
 */
weft_status weft__stream_write(weft__stream *stream, const weft__span *spans, size_t count);

/** Bytes that the system has refused so far and that wait in memory. */
size_t weft__stream_unsent(const weft__stream *stream);

/** Keeps a copy of that figure in `counter`, for readers on other threads; NULL ends it. */
void weft__stream_share_unsent(weft__stream *stream, _Atomic size_t *counter);

/** Sends the output at once when so much was appended that it should not wait for the end of the turn: what
 * is not counted as unsent stays small. */
void weft__stream_flush_large(weft__stream *stream);

/** Sends what the turn has gathered now instead of at its end, unless a write before it waits. */
void weft__stream_flush(weft__stream *stream);

/** Ends our direction once everything is sent; reading goes on. */
void weft__stream_shut_down(weft__stream *stream);

/** Ends the stream at once, drops what is unsent and frees it soon; NULL is fine. No event follows. */
void weft__stream_close(weft__stream *stream);

/** As weft__stream_close, but tells the peer with a reset. */
void weft__stream_reset(weft__stream *stream);

/** An end's numeric address, IPv6 without brackets. */
typedef struct weft__endpoint_address {
    char host[64]; /**< Closed by a NUL; a unix socket's path is not kept: "". */
    uint16_t port;
} weft__endpoint_address;

/** The peer's and our own address. WEFT_ESYSTEM when the system does not tell. */
weft_status weft__stream_remote_address(const weft__stream *stream, weft__endpoint_address *out);
weft_status weft__stream_local_address(const weft__stream *stream, weft__endpoint_address *out);

#endif
