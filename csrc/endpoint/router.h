#ifndef WEFT_ENDPOINT_ROUTER_H
#define WEFT_ENDPOINT_ROUTER_H

#include "endpoint/connection.h"
#include "endpoint/route_tree.h"
#include "net/mutex.h"
#include "weft/listener.h"

/** A route of a router, kept alive by those who use it. */
typedef struct weft__attached_route {
    _Atomic size_t holders;
    weft__link link; /* of its group; under the router's lock */
    weft_route route;
    weft_listener *listener;         /* whose route it is: held until on_release; NULL in tests */
    weft_string *origins;            /* copies */
    _Atomic(weft__plan *) last_plan; /* of the last acceptance: the next one mostly says the same */
    char path[];                     /* the pattern, closed by a NUL */
} weft__attached_route;

/** The routes of one port, which several listeners may share. Thread: any. */
typedef struct weft__router {
    weft__mutex *mutex;
    weft__route_tree tree;
    weft__route_place for_all; /**< Of "*". */
} weft__router;

/** Those of one listener among them, under the router's lock. */
typedef struct weft__route_group {
    weft_listener *listener;
    bool is_closed; /**< Takes no routes any more. */
    weft__link routes;
} weft__route_group;

weft_status weft__router_init(weft__router *router);

/** Frees the lock; every group is closed by then. */
void weft__router_clear(weft__router *router);

/** A group without routes. */
void weft__route_group_init(weft__route_group *group, weft_listener *listener);

/** Detaches the routes of a group, which takes no further ones. */
void weft__router_close_group(weft__router *router, weft__route_group *group);

/** Nobody's on_release will be called: the routes go back to their owners as they came. */
void weft__router_forget_contexts(weft__router *router, weft__route_group *group);

/**
 * Attaches all or none, so that no request meets a part of them. On failure `*failed` is the index of the
 * route that could not be: WEFT_EINVAL, WEFT_EDUPLICATE, WEFT_ENOMEM, WEFT_ESTATE (the group is closed).
 */
weft_status weft__router_attach(weft__router *router, weft__route_group *group, const weft_path_route *routes,
                                size_t count, size_t *failed);

/** Detaches the group's routes at a pattern of that shape, `context` NULL: all of them, else those with this
 *  context. WEFT_ENOTATTACHED. */
weft_status weft__router_detach(weft__router *router, weft__route_group *group, const char *path,
                                const void *context);

/**
 * The route that takes a well-formed path, held for the caller, or NULL. Where two live at its place, the one
 * for upgrades if the request asks for one, else the other.
 */
weft__attached_route *weft__router_find(weft__router *router, weft_string path, bool asks_for_upgrade);

/** One holder more. */
void weft__attached_route_retain(weft__attached_route *attached);

/** One holder less; the last one calls on_release. NULL is fine. */
void weft__attached_route_release(weft__attached_route *attached);

#endif
