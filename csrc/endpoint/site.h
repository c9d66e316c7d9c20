#ifndef WEFT_ENDPOINT_SITE_H
#define WEFT_ENDPOINT_SITE_H

#include "endpoint/connection.h"
#include "net/acceptor.h"
#include "weft/listener.h"

/** The part of a listener that lives on one loop. */
typedef struct weft__site {
    weft_listener *listener;
    weft_loop *loop;
    int socket;    /* until the acceptor takes it */
    bool is_alive; /* holds the listener */
    bool is_stopping;
    weft__acceptor *acceptor;   /* NULL where the port is another listener's */
    weft__link streams;         /* weft__http_connection.link, of those accepted here */
    weft__link requests;        /* weft_request.site_link, of this listener's routes, on whoever's streams */
    weft__connection_host host; /* of the connections of this listener's routes */
    struct weft__staple_fetch *staple_fetch; /* stapler.c: under way, or NULL */
    weft__timer deadline;                    /* of a graceful stop */
    weft__loop_member member;

    /* any thread */
    _Atomic uint32_t stop_timeout_ms; /* the shortest asked for */
    atomic_bool stop_is_posted;
    weft__mail start_mail; /* parts of the site, so that starting and stopping need no memory */
    weft__mail stop_mail;
} weft__site;

void weft__site_init(weft__site *site, weft_listener *listener);

/** False when the loop is closed. Thread: any. */
bool weft__site_start(weft__site *site);

/** As weft_listener_stop, for this part. Thread: any. */
void weft__site_stop(weft__site *site, uint32_t timeout_ms);

/** Closes a connection that has opened during a graceful stop, in the time that is left of it. */
void weft__site_stop_connection(weft__site *site, weft_connection *connection);

/** Ends a site that is stopping and empty; to be called when something has left it. */
void weft__site_settle(weft__site *site);

/** A stream or connection has gone; `was_counted` where it stood under max_connections. */
void weft__site_leave(weft__site *site, bool was_counted);

/** A stream that was accepted at `from` has become a connection of a route at `to`. */
void weft__site_move_connection(weft__site *from, weft__site *to);

#endif
