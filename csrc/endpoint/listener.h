#ifndef WEFT_ENDPOINT_LISTENER_H
#define WEFT_ENDPOINT_LISTENER_H

#include "endpoint/router.h"
#include "endpoint/site.h"
#include "http/extension.h"
#include "http/head.h"
#include "net/unix_socket.h"

struct weft_listener {
    /* fixed after open */
    weft_listener_config config; /* strings point into the fields below */
    char *server;                /* closed by a NUL, or NULL; the owner's where there is one */
    weft__endpoint_address address;
    weft__unix_file unix_file; /* where it listens on one */
    weft__head_limits head_limits;
    weft_compression compression;
    bool owns_loops;
    bool speaks_tls;
    weft_listener *owner; /* whose port this one shares, held; NULL: the port is its own */
    weft__router *router; /* of the port */

    /* any thread */
    _Atomic size_t holders;
    _Atomic size_t open_sites;
    _Atomic size_t accepting_sites;
    atomic_bool is_stop_asked;
    _Atomic size_t starved_sites;      /* where connections wait to be accepted */
    _Atomic uint64_t connections;      /* of this listener */
    _Atomic uint64_t port_connections; /* of all that share its port */
    weft__router own_router;
    weft__route_group routes;

    weft__mutex *tls_mutex;
    weft_tls *tls; /* held, under the lock; NULL: plain */

    weft__mutex *sharers_mutex;
    weft__link sharers;     /* weft_listener.sharer_link, under the lock */
    weft__link sharer_link; /* of the owner, under its lock */

    size_t site_count;
    weft__site sites[];
};

void weft__listener_retain(weft_listener *listener);
void weft__listener_release(weft_listener *listener);

/** The one whose port it is. */
static inline weft_listener *weft__listener_of_port(weft_listener *listener)
{
    return listener->owner ? listener->owner : listener;
}

/** The settings of TLS for a stream that was accepted now, one hold the caller's; NULL: it is plain. */
weft_tls *weft__listener_tls(weft_listener *listener);

/** A listener on another's port gives its paths back before its connections have ended; twice is fine. */
void weft__listener_withdraw(weft_listener *listener);

/** One site fewer accepts; with the last one, whose socket is still open, the file of a unix socket is
 * removed. */
void weft__listener_stop_accepting(weft_listener *listener);

/** One site fewer; with the last one the listener has ended. */
void weft__listener_site_ended(weft_listener *listener);

#endif
