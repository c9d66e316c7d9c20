#ifndef WEFT_ENDPOINT_ROUTER_H
#define WEFT_ENDPOINT_ROUTER_H

#include "endpoint/connection.h"
#include "net/mutex.h"
#include "weft/listener.h"

/** A route of a router, kept alive by those who use it. */
typedef struct weft__attached_route {
    _Atomic size_t holders;
    struct weft__attached_route *next;
    weft_route route;
    weft_string *origins;            /* copies */
    _Atomic(weft__plan *) last_plan; /* of the last acceptance: the next one mostly says the same */
    char path[];                     /* closed by a NUL */
} weft__attached_route;

/** The routes of one listener. Thread: any. */
typedef struct weft__router {
    weft__mutex *mutex;
    weft__attached_route *first;
} weft__router;

weft_status weft__router_init(weft__router *router);

/** Detaches everything. */
void weft__router_detach_all(weft__router *router);

/** Detaches everything and frees the lock. */
void weft__router_clear(weft__router *router);

/** Nobody's on_release will be called: the routes go back to their owners as they came. */
void weft__router_forget_contexts(weft__router *router);

/** As weft_listener_attach and weft_listener_detach. */
weft_status weft__router_attach(weft__router *router, const char *path, const weft_route *route);
weft_status weft__router_detach(weft__router *router, const char *path);

/** The route at `path`, held for the caller, or NULL. */
weft__attached_route *weft__router_find(weft__router *router, weft_string path);

/** One holder more. */
void weft__attached_route_retain(weft__attached_route *attached);

/** One holder less; the last one calls on_release. */
void weft__attached_route_release(weft__attached_route *attached);

#endif
