#include "endpoint/router.h"

#include "base/allocator.h"
#include "base/config.h"
#include "endpoint/listener.h"
#include "http/fields.h"
#include "http/origin.h"
#include "http/path.h"

#include <stdatomic.h>
#include <string.h>

void weft_route_init_sized(weft_route *route, size_t size)
{
    const weft_route defaults = {0};
    weft__config_init(route, size, &defaults, sizeof defaults);
}

weft_status weft__router_init(weft__router *router)
{
    *router = (weft__router){.mutex = weft__mutex_new()};
    return router->mutex ? WEFT_OK : WEFT_ENOMEM;
}

void weft__router_clear(weft__router *router)
{
    weft__mutex_free(router->mutex);
    router->mutex = NULL;
}

void weft__route_group_init(weft__route_group *group, weft_listener *listener)
{
    *group = (weft__route_group){.listener = listener};
    weft__link_init(&group->routes);
}

/* -- one route --------------------------------------------------------------------------------- */

static void free_attached(weft__attached_route *attached)
{
    for (size_t i = 0; attached->origins && i < attached->route.origin_count; i++) {
        weft__free((char *)attached->origins[i].bytes);
    }
    weft__free(attached->origins);
    weft__plan_release(attached->last_plan);
    weft__free(attached);
}

void weft__attached_route_retain(weft__attached_route *attached)
{
    atomic_fetch_add_explicit(&attached->holders, 1, memory_order_relaxed);
}

void weft__attached_route_release(weft__attached_route *attached)
{
    if (!attached || atomic_fetch_sub_explicit(&attached->holders, 1, memory_order_acq_rel) > 1) return;
    weft_listener *listener = attached->listener;
    if (attached->route.on_release) attached->route.on_release(attached->route.context);
    free_attached(attached);
    if (listener) weft__listener_release(listener);
}

static weft_status copy_origins(weft__attached_route *attached, const weft_route *route)
{
    if (route->origin_count == 0) return WEFT_OK;
    attached->origins = weft__alloc_zeroed(route->origin_count * sizeof *attached->origins);
    if (!attached->origins) return WEFT_ENOMEM;
    for (size_t i = 0; i < route->origin_count; i++) {
        weft_string origin = route->origin_list[i];
        char *copy = weft__alloc(origin.length);
        if (!copy) return WEFT_ENOMEM;
        if (origin.length) memcpy(copy, origin.bytes, origin.length);
        attached->origins[i] = (weft_string){copy, origin.length};
    }
    attached->route.origin_list = attached->origins;
    return WEFT_OK;
}

static weft_status check_route(const char *path, const weft_route *route)
{
    bool has_callback = route->on_upgrade || route->on_request;
    bool origins_are_good = route->origins <= WEFT_ORIGIN_ANY && (route->origin_list || !route->origin_count);
    for (size_t i = 0; origins_are_good && i < route->origin_count; i++) {
        origins_are_good = weft_origin_problem(route->origin_list[i]) == NULL;
    }
    bool path_is_good = weft__pattern_problem(weft__string(path)) == NULL;
    return path_is_good && has_callback && origins_are_good ? WEFT_OK : WEFT_EINVAL;
}

static weft_status new_attached(weft__attached_route **out, const char *path, const weft_route *given)
{
    *out = NULL;
    weft_route route;
    weft_route_init(&route);
    if (weft__config_take(&route, given, sizeof route) != WEFT_OK) return WEFT_EINVAL;
    weft_status status = check_route(path, &route);
    if (status != WEFT_OK) return status;

    size_t path_size = strlen(path) + 1;
    weft__attached_route *attached = weft__alloc_zeroed(sizeof *attached + path_size);
    if (!attached) return WEFT_ENOMEM;
    attached->holders = 1;
    attached->route = route;
    memcpy(attached->path, path, path_size);
    status = copy_origins(attached, &route);
    if (status != WEFT_OK) {
        free_attached(attached);
        return status;
    }
    *out = attached;
    return WEFT_OK;
}

/* -- lists of routes --------------------------------------------------------------------------- */

static weft__attached_route *first_of(const weft__link *list)
{
    return WEFT__CONTAINER(list->next, weft__attached_route, link);
}

static void move_to(weft__link *list, weft__attached_route *attached)
{
    weft__link_remove(&attached->link);
    weft__list_append(list, &attached->link);
}

static void move_all(weft__link *from, weft__link *to)
{
    while (!weft__link_is_alone(from))
        move_to(to, first_of(from));
}

/* Outside the lock, as on_release may do anything. */
static void release_all(weft__link *list)
{
    while (!weft__link_is_alone(list)) {
        weft__attached_route *attached = first_of(list);
        weft__link_remove(&attached->link);
        weft__attached_route_release(attached);
    }
}

/* -- under the lock ---------------------------------------------------------------------------- */

/* "*" takes what no pattern does. */
static weft__route_place *place_at(weft__router *router, weft_string path)
{
    if (weft__string_equals(path, "*")) return &router->for_all;
    return weft__route_tree_find(&router->tree, path);
}

static weft_status open_place(weft__router *router, weft_string path, weft__route_place **out)
{
    *out = &router->for_all;
    return weft__string_equals(path, "*") ? WEFT_OK : weft__route_tree_open(&router->tree, path, out);
}

static weft_status take_place(weft__router *router, weft__attached_route *attached)
{
    const weft_route *route = &attached->route;
    weft__route_place *place;
    weft_status status = open_place(router, weft__string(attached->path), &place);
    if (status != WEFT_OK) return status;
    if ((route->on_upgrade && place->upgrade) || (route->on_request && place->plain)) return WEFT_EDUPLICATE;
    if (route->on_upgrade) place->upgrade = attached;
    if (route->on_request) place->plain = attached;
    return WEFT_OK;
}

static void leave_place(weft__router *router, const weft__attached_route *attached)
{
    weft__route_place *place = place_at(router, weft__string(attached->path));
    if (place->upgrade == attached) place->upgrade = NULL;
    if (place->plain == attached) place->plain = NULL;
    if (place != &router->for_all) weft__route_tree_prune(place);
}

/* Gives all of `made` their places, or none. */
static weft_status take_places(weft__router *router, weft__route_group *group, weft__link *made,
                               size_t *failed)
{
    weft__link placed;
    weft__link_init(&placed);
    weft_status status = group->is_closed ? WEFT_ESTATE : WEFT_OK;
    for (*failed = 0; status == WEFT_OK && !weft__link_is_alone(made); ++*failed) {
        weft__attached_route *attached = first_of(made);
        status = take_place(router, attached);
        if (status != WEFT_OK) break;
        move_to(&placed, attached);
    }
    for (weft__link *link = placed.next; link != &placed; link = link->next) {
        weft__attached_route *attached = WEFT__CONTAINER(link, weft__attached_route, link);
        if (status != WEFT_OK) {
            leave_place(router, attached);
        } else if (group->listener) {
            attached->listener = group->listener;
            weft__listener_retain(group->listener);
        }
    }
    move_all(&placed, status == WEFT_OK ? &group->routes : made);
    return status;
}

/* -- for any thread ---------------------------------------------------------------------------- */

static weft_status make_all(weft__link *made, const weft_path_route *routes, size_t count, size_t *failed)
{
    for (*failed = 0; *failed < count; ++*failed) {
        weft__attached_route *attached;
        weft_status status = new_attached(&attached, routes[*failed].path, routes[*failed].route);
        if (status != WEFT_OK) return status;
        weft__list_append(made, &attached->link);
    }
    return WEFT_OK;
}

weft_status weft__router_attach(weft__router *router, weft__route_group *group, const weft_path_route *routes,
                                size_t count, size_t *failed)
{
    weft__link made;
    weft__link_init(&made);
    weft_status status = make_all(&made, routes, count, failed);
    if (status == WEFT_OK) {
        weft__mutex_lock(router->mutex);
        status = take_places(router, group, &made, failed);
        weft__mutex_unlock(router->mutex);
    }
    while (!weft__link_is_alone(&made)) { /* none, unless it failed */
        weft__attached_route *attached = first_of(&made);
        weft__link_remove(&attached->link);
        free_attached(attached);
    }
    return status;
}

static void take_away(weft__router *router, weft__attached_route *attached, const weft__route_group *group,
                      const void *context, weft__link *taken)
{
    bool is_meant =
        attached && attached->listener == group->listener && (!context || attached->route.context == context);
    if (!is_meant) return;
    leave_place(router, attached);
    move_to(taken, attached);
}

weft_status weft__router_detach(weft__router *router, weft__route_group *group, const char *path,
                                const void *context)
{
    weft_string pattern = weft__string(path);
    weft__link taken;
    weft__link_init(&taken);
    if (weft__pattern_problem(pattern)) return WEFT_ENOTATTACHED;
    weft__mutex_lock(router->mutex);
    weft__route_place *place = place_at(router, pattern);
    if (place) take_away(router, place->upgrade, group, context, &taken);
    place = place_at(router, pattern); /* the first one may have taken the place along */
    if (place) take_away(router, place->plain, group, context, &taken);
    weft__mutex_unlock(router->mutex);
    bool is_found = !weft__link_is_alone(&taken);
    release_all(&taken);
    return is_found ? WEFT_OK : WEFT_ENOTATTACHED;
}

void weft__router_close_group(weft__router *router, weft__route_group *group)
{
    weft__link taken;
    weft__link_init(&taken);
    weft__mutex_lock(router->mutex);
    group->is_closed = true;
    while (!weft__link_is_alone(&group->routes)) {
        leave_place(router, first_of(&group->routes));
        move_to(&taken, first_of(&group->routes));
    }
    weft__mutex_unlock(router->mutex);
    release_all(&taken);
}

void weft__router_forget_contexts(weft__router *router, weft__route_group *group)
{
    weft__mutex_lock(router->mutex);
    for (weft__link *link = group->routes.next; link != &group->routes; link = link->next) {
        WEFT__CONTAINER(link, weft__attached_route, link)->route.on_release = NULL;
    }
    weft__mutex_unlock(router->mutex);
}

weft__attached_route *weft__router_find(weft__router *router, weft_string path, bool asks_for_upgrade)
{
    weft__mutex_lock(router->mutex);
    weft__route_place *place = path.length && path.bytes[0] == '/'
                                   ? weft__route_tree_match(&router->tree, path)
                                   : NULL; /* not for OPTIONS * */
    if (!place) place = &router->for_all;
    weft__attached_route *attached = place->plain;
    if (place->upgrade && (asks_for_upgrade || !attached)) attached = place->upgrade;
    if (attached) weft__attached_route_retain(attached);
    weft__mutex_unlock(router->mutex);
    return attached;
}

/* -- patterns for programs --------------------------------------------------------------------- */

const char *weft_path_pattern_problem(const char *pattern)
{
    return weft__pattern_problem(weft__string(pattern));
}

const char *weft_origin_problem(weft_string origin)
{
    return weft__origin_problem(origin);
}

weft_status weft_path_pattern_shape(const char *pattern, char *out, size_t size)
{
    weft__buffer shape = {0};
    if (weft_path_pattern_problem(pattern) || size == 0) return WEFT_EINVAL;
    weft_status status = weft__pattern_shape(&shape, weft__string(pattern));
    size_t length = weft__buffer_length(&shape);
    if (status == WEFT_OK && length >= size) status = WEFT_EINVAL;
    if (status == WEFT_OK) {
        memcpy(out, weft__buffer_front(&shape), length);
        out[length] = '\0';
    }
    weft__buffer_clear(&shape);
    return status;
}
