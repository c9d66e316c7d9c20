#include "endpoint/listener.h"

#include "base/allocator.h"

/* -- holders ----------------------------------------------------------------------------------- */

void weft__listener_retain(weft_listener *listener)
{
    atomic_fetch_add_explicit(&listener->holders, 1, memory_order_relaxed);
}

static void free_listener(weft_listener *listener)
{
    weft__unix_file_remove(&listener->unix_file);
    for (size_t i = 0; i < listener->site_count; i++) {
        weft__site *site = &listener->sites[i];
        weft__listening_socket_close(site->socket);
        if (!site->loop) continue;
        if (listener->owns_loops) {
            weft_loop_close(site->loop);
        } else {
            weft__loop_release(site->loop);
        }
    }
    weft__router_clear(&listener->own_router);
    weft__mutex_free(listener->sharers_mutex);
    weft__mutex_free(listener->tls_mutex);
    weft_tls_release(listener->tls);
    if (!listener->owner) weft__free(listener->server);
    weft_listener *owner = listener->owner;
    weft__free(listener);
    if (owner) weft__listener_release(owner);
}

void weft__listener_release(weft_listener *listener)
{
    if (atomic_fetch_sub_explicit(&listener->holders, 1, memory_order_acq_rel) == 1) free_listener(listener);
}

void weft_listener_release(weft_listener *listener)
{
    if (!listener) return;
    if (!atomic_load(&listener->is_stop_asked)) weft_listener_stop(listener, 0);
    weft__listener_release(listener);
}

void weft__listener_withdraw(weft_listener *listener)
{
    if (listener->owner) weft__router_close_group(listener->router, &listener->routes);
}

void weft__listener_stop_accepting(weft_listener *listener)
{
    size_t before = atomic_fetch_sub_explicit(&listener->accepting_sites, 1, memory_order_acq_rel);
    if (before == 1) weft__unix_file_remove(&listener->unix_file);
}

void weft__listener_site_ended(weft_listener *listener)
{
    if (atomic_fetch_sub_explicit(&listener->open_sites, 1, memory_order_acq_rel) > 1) return;
    weft_listener *owner = listener->owner;
    if (owner) {
        weft__mutex_lock(owner->sharers_mutex);
        weft__link_remove(&listener->sharer_link);
        weft__mutex_unlock(owner->sharers_mutex);
    }
    /* on_closed is the last call, so on_release comes before */
    weft__router_close_group(listener->router, &listener->routes);
    if (listener->config.on_closed) listener->config.on_closed(listener->config.context);
}

/* -- what a handle does ------------------------------------------------------------------------ */

size_t weft_unix_path_max(void)
{
    return weft__unix_path_max();
}

uint16_t weft_listener_port(const weft_listener *listener)
{
    return listener->address.port;
}

const char *weft_listener_host(const weft_listener *listener)
{
    const weft_listener *port = listener->owner ? listener->owner : listener;
    return port->unix_file.path[0] ? port->unix_file.path : port->address.host;
}

size_t weft_listener_connection_count(const weft_listener *listener)
{
    return (size_t)atomic_load_explicit(&listener->connections, memory_order_relaxed);
}

weft_status weft_listener_attach(weft_listener *listener, const char *path, const weft_route *route)
{
    const weft_path_route entry = {path, route};
    size_t failed;
    return weft__router_attach(listener->router, &listener->routes, &entry, 1, &failed);
}

weft_status weft_listener_detach(weft_listener *listener, const char *path)
{
    return weft__router_detach(listener->router, &listener->routes, path, NULL);
}

weft_status weft_listener_detach_context(weft_listener *listener, const char *path, const void *context)
{
    return weft__router_detach(listener->router, &listener->routes, path, context);
}

weft_tls *weft__listener_tls(weft_listener *listener)
{
    if (!listener->speaks_tls) return NULL;
    weft__mutex_lock(listener->tls_mutex);
    weft_tls *tls = weft_tls_retain(listener->tls);
    weft__mutex_unlock(listener->tls_mutex);
    return tls;
}

weft_status weft_listener_set_tls(weft_listener *listener, weft_tls *tls)
{
    if (!tls || !tls->is_server) return WEFT_EINVAL;
    if (!listener->speaks_tls) return WEFT_ESTATE; /* as that of a shared port, which is the owner's */
    weft_tls_retain(tls);
    weft__mutex_lock(listener->tls_mutex);
    weft_tls *before = listener->tls;
    listener->tls = tls;
    weft__mutex_unlock(listener->tls_mutex);
    weft_tls_release(before);
    return WEFT_OK;
}

/* Under the lock under which a new sharer looks whether a stop was asked for, so that none is missed. */
static void stop_sharers(weft_listener *owner, uint32_t timeout_ms)
{
    weft__mutex_lock(owner->sharers_mutex);
    for (weft__link *link = owner->sharers.next; link != &owner->sharers; link = link->next) {
        weft_listener_stop(WEFT__CONTAINER(link, weft_listener, sharer_link), timeout_ms);
    }
    weft__mutex_unlock(owner->sharers_mutex);
}

void weft_listener_stop(weft_listener *listener, uint32_t timeout_ms)
{
    atomic_store(&listener->is_stop_asked, true);
    if (listener->sharers_mutex) stop_sharers(listener, timeout_ms);
    for (size_t i = 0; i < listener->site_count; i++)
        weft__site_stop(&listener->sites[i], timeout_ms);
}
