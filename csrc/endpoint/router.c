#include "endpoint/router.h"

#include "base/allocator.h"
#include "base/config.h"

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
    if (attached->route.on_release) attached->route.on_release(attached->route.context);
    free_attached(attached);
}

void weft__router_detach_all(weft__router *router)
{
    weft__mutex_lock(router->mutex);
    weft__attached_route *attached = router->first;
    router->first = NULL;
    weft__mutex_unlock(router->mutex);
    while (attached) {
        weft__attached_route *next = attached->next;
        weft__attached_route_release(attached);
        attached = next;
    }
}

void weft__router_clear(weft__router *router)
{
    if (!router->mutex) return; /* memory ran out in init */
    weft__router_detach_all(router);
    weft__mutex_free(router->mutex);
    router->mutex = NULL;
}

void weft__router_forget_contexts(weft__router *router)
{
    for (weft__attached_route *attached = router->first; attached; attached = attached->next) {
        attached->route.on_release = NULL;
    }
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

/* The path of the route that takes what no other one does. */
static const char any_path[] = "*";

static weft_status check_route(const char *path, const weft_route *route)
{
    bool path_is_good = (path[0] == '/' && !strpbrk(path, "?# \t\r\n")) || strcmp(path, any_path) == 0;
    bool has_callback = route->on_upgrade || route->on_request;
    bool origins_are_good = route->origins <= WEFT_ORIGIN_ANY && (route->origin_list || !route->origin_count);
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

/* Where the route at `path` hangs, or where a new one would. Under the lock. */
static weft__attached_route **place_of(weft__router *router, weft_string path)
{
    weft__attached_route **place = &router->first;
    while (*place) {
        const char *other = (*place)->path;
        if (strlen(other) == path.length && memcmp(other, path.bytes, path.length) == 0) break;
        place = &(*place)->next;
    }
    return place;
}

weft_status weft__router_attach(weft__router *router, const char *path, const weft_route *route)
{
    weft__attached_route *attached;
    weft_status status = new_attached(&attached, path, route);
    if (status != WEFT_OK) return status;
    weft__mutex_lock(router->mutex);
    weft__attached_route **place = place_of(router, (weft_string){path, strlen(path)});
    bool is_free = *place == NULL;
    if (is_free) *place = attached;
    weft__mutex_unlock(router->mutex);
    if (is_free) return WEFT_OK;
    free_attached(attached);
    return WEFT_EDUPLICATE;
}

weft_status weft__router_detach(weft__router *router, const char *path)
{
    weft__mutex_lock(router->mutex);
    weft__attached_route **place = place_of(router, (weft_string){path, strlen(path)});
    weft__attached_route *attached = *place;
    if (attached) *place = attached->next;
    weft__mutex_unlock(router->mutex);
    weft__attached_route_release(attached);
    return attached ? WEFT_OK : WEFT_ENOTATTACHED;
}

weft__attached_route *weft__router_find(weft__router *router, weft_string path)
{
    weft__mutex_lock(router->mutex);
    weft__attached_route *attached = *place_of(router, path);
    if (!attached) attached = *place_of(router, (weft_string){any_path, sizeof any_path - 1});
    if (attached) weft__attached_route_retain(attached);
    weft__mutex_unlock(router->mutex);
    return attached;
}
