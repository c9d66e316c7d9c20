#ifndef WEFT_ENDPOINT_LISTENER_H
#define WEFT_ENDPOINT_LISTENER_H

#include "endpoint/router.h"
#include "http/head.h"
#include "net/acceptor.h"

/** The part of a listener that lives on one loop. */
typedef struct weft__site {
    weft_listener *listener;
    weft_loop *loop;
    int socket;    /* until the acceptor takes it */
    bool is_alive; /* holds the listener */
    bool is_stopping;
    weft__acceptor *acceptor;
    weft__link streams; /* weft__http_connection.link */
    weft__connection_host host;
    weft__timer deadline; /* of a graceful stop */
    weft__loop_member member;

    /* any thread */
    _Atomic uint32_t stop_timeout_ms; /* the shortest asked for */
    atomic_bool stop_is_posted;
    weft__mail stop_mail; /* a part of the site, so that stopping needs no memory */
} weft__site;

struct weft_listener {
    /* fixed after open */
    weft_listener_config config; /* strings point into the fields below */
    char *server;                /* closed by a NUL, or NULL */
    weft__endpoint_address address;
    weft__head_limits head_limits;
    bool owns_loops;

    /* any thread */
    _Atomic size_t holders;
    _Atomic size_t open_sites;
    atomic_bool is_stop_asked;
    _Atomic size_t starved_sites; /* where connections wait to be accepted */
    _Atomic uint64_t connections;
    weft__router router;

    size_t site_count;
    weft__site sites[];
};

void weft__listener_retain(weft_listener *listener);
void weft__listener_release(weft_listener *listener);

/** A request or connection has gone from its site; `was_counted` where it stood under max_connections. */
void weft__site_leave(weft__site *site, bool was_counted);

#endif
