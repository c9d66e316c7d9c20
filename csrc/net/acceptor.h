#ifndef WEFT_NET_ACCEPTOR_H
#define WEFT_NET_ACCEPTOR_H

#include "net/stream.h"

/** Where to listen. */
typedef struct weft__listen_address {
    const char *host; /**< A numeric IPv4 or IPv6 address, or a name; "::" takes IPv4 too. */
    uint16_t port;    /**< 0 lets the system choose. */
    int backlog;      /**< Connections that the system keeps until they are accepted. */
    bool is_shared;   /**< Other sockets of this process will listen there too (SO_REUSEPORT). */
    bool is_first;    /**< None of them does yet, so the port must be free. */
} weft__listen_address;

/**
 * A socket that listens already. `*bound` is its address with the real port. The first of
 * shared sockets is refused as well when the port is another program's.
 *
 * WEFT_EADDRESS, WEFT_ERESOLVE or WEFT_ESYSTEM, with `*out` -1 and the address and cause in `detail`, cut at
 * `detail_size`. May wait for the name to be resolved. Thread: any.
 */
weft_status weft__listening_socket_open(int *out, weft__endpoint_address *bound,
                                        const weft__listen_address *address, char *detail,
                                        size_t detail_size);

/** Closes a socket that no acceptor took; -1 is fine. Thread: any. */
void weft__listening_socket_close(int socket);

/** Accepts streams on one loop. Functions are for the loop's own thread. */
typedef struct weft__acceptor weft__acceptor;

/** What an acceptor tells its owner, inside a turn. Each may stop the acceptor. */
typedef struct weft__acceptor_events {
    /** A peer has come. The stream is the owner's; reading is off. */
    void (*on_accept)(void *owner, weft__stream *stream);
    /** Descriptors (WEFT_ESYSTEM) or memory (WEFT_ENOMEM) have run out: peers wait in the system's queue and
     *  are tried again ten times a second. Told once until on_recovered; `detail` is valid during the call.
     */
    void (*on_starved)(void *owner, weft_status status, const char *detail);
    /** Peers are accepted again, and none waits. */
    void (*on_recovered)(void *owner);
} weft__acceptor_events;

/** Takes `socket`, which listens, over, also on failure: WEFT_ENOMEM or WEFT_ESYSTEM with `*out` NULL. */
weft_status weft__acceptor_start(weft__acceptor **out, weft_loop *loop, int socket,
                                 const weft__acceptor_events *events, void *owner);

/** Accepts no more; the acceptor frees itself. NULL is fine. */
void weft__acceptor_stop(weft__acceptor *acceptor);

#endif
