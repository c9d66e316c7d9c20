#ifndef WEFT_NET_DIALER_H
#define WEFT_NET_DIALER_H

#include "net/stream.h"

/** One attempt to reach a host: its name is resolved off the loop's thread, then each address is tried in
 * turn. */
typedef struct weft__dialer weft__dialer;

/**
 * How it ended, inside a turn, exactly once unless cancelled: a connected stream that is the owner's, or
 * NULL with WEFT_ERESOLVE, WEFT_EREFUSED, WEFT_ESYSTEM or WEFT_ENOMEM and a sentence in `detail`.
 */
typedef void (*weft__on_dialled)(void *owner, weft__stream *stream, weft_status status, const char *detail);

/** Starts; copies `host`. WEFT_ENOMEM or WEFT_ESYSTEM with `*out` NULL. Loop's own thread. */
weft_status weft__dialer_start(weft__dialer **out, weft_loop *loop, const char *host, uint16_t port,
                               weft__on_dialled on_dialled, void *owner);

/** Gives up without an event; the dialer frees itself. Not after the event; NULL is fine. Loop's own thread.
 */
void weft__dialer_cancel(weft__dialer *dialer);

#endif
