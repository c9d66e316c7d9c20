#ifndef WEFT_NET_DIALER_H
#define WEFT_NET_DIALER_H

#include "net/address.h"

enum {
    WEFT__DIALER_ADDRESSES = 16,     /**< Of a name; the rest is not tried. */
    WEFT__DIALER_STAGGER_MS = 250,   /**< Between the starts of attempts (RFC 8305 section 5). */
    WEFT__DIALER_UNIX_RETRY_MS = 20, /**< While a unix socket's backlog is full. */
};

/**
 * The way to one host. Its name is resolved off the loop's thread; then its addresses are tried as RFC 8305
 * has it: the next one starts when the last one has failed or is silent for a while, and the first to
 * be connected wins.
 */
typedef struct weft__dialer weft__dialer;

/**
 * How it ended, inside a turn, exactly once unless cancelled: a connected stream that is the owner's, or
 * NULL with WEFT_ERESOLVE, WEFT_EREFUSED, WEFT_ETIMEDOUT, WEFT_ESYSTEM or WEFT_ENOMEM and a sentence in
 * `detail` that names the addresses.
 */
typedef void (*weft__on_dialled)(void *owner, weft__stream *stream, weft_status status, const char *detail);

/** Starts, inside a turn; copies `host`. WEFT_ENOMEM or WEFT_ESYSTEM with `*out` NULL. Loop's own thread. */
weft_status weft__dialer_start(weft__dialer **out, weft_loop *loop, const char *host, uint16_t port,
                               weft__on_dialled on_dialled, void *owner);

/** The same for addresses that are known, 1 to WEFT__DIALER_ADDRESSES, in the order given. */
weft_status weft__dialer_start_at(weft__dialer **out, weft_loop *loop, const weft__address *addresses,
                                  size_t count, weft__on_dialled on_dialled, void *owner);

/** The same for the unix socket at a path. Waits while its backlog is full. */
weft_status weft__dialer_start_unix(weft__dialer **out, weft_loop *loop, const char *path,
                                    weft__on_dialled on_dialled, void *owner);

/** Gives up without an event; the dialer frees itself. Not after the event; NULL is fine. Loop's own thread.
 */
void weft__dialer_cancel(weft__dialer *dialer);

#endif
