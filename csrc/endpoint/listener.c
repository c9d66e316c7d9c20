#include "endpoint/listener.h"

#include "base/allocator.h"
#include "base/config.h"
#include "endpoint/connection.h"
#include "endpoint/http_connection.h"

#include <stdio.h>
#include <string.h>

void weft_listener_config_init_sized(weft_listener_config *config, size_t size)
{
    const weft_listener_config defaults = {
        .host = "0.0.0.0",
        .threads = 1,
        .backlog = 4096,
        .timeout_ms = 120000,
        .max_uri_length = 4096,
        .max_header_size = 8192,
        .max_connections = UINT64_MAX,
        .max_pipelined_requests = 10,
        .max_entity_body_size = -1,
    };
    weft__config_init(config, size, &defaults, sizeof defaults);
}

/* -- holders ----------------------------------------------------------------------------------- */

void weft__listener_retain(weft_listener *listener)
{
    atomic_fetch_add_explicit(&listener->holders, 1, memory_order_relaxed);
}

static void free_listener(weft_listener *listener)
{
    weft__router_clear(&listener->router);
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
    weft__free(listener->server);
    weft__free(listener);
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

/* -- sites, on their loops --------------------------------------------------------------------- */

static void end_if_done(weft__site *site)
{
    weft_listener *listener = site->listener;
    bool is_empty = weft__link_is_alone(&site->streams) && weft__link_is_alone(&site->host.connections);
    if (!site->is_alive || !site->is_stopping || !is_empty) return;
    site->is_alive = false;
    weft__timer_stop(&site->deadline);
    weft__link_remove(&site->member.link);
    if (atomic_fetch_sub_explicit(&listener->open_sites, 1, memory_order_acq_rel) == 1) {
        weft__router_detach_all(
            &listener->router); /* on_closed is the last call, so on_release comes before */
        if (listener->config.on_closed) listener->config.on_closed(listener->config.context);
    }
    weft__listener_release(listener);
}

void weft__site_leave(weft__site *site, bool was_counted)
{
    if (was_counted) atomic_fetch_sub_explicit(&site->listener->connections, 1, memory_order_relaxed);
    end_if_done(site);
}

static void on_connection_gone(weft__connection_host *host)
{
    weft__site_leave(WEFT__CONTAINER(host, weft__site, host), true);
}

static void on_accept(void *owner, weft__stream *stream)
{
    weft__site *site = owner;
    weft_listener *listener = site->listener;
    uint64_t others = atomic_fetch_add_explicit(&listener->connections, 1, memory_order_relaxed);
    bool counts = others < listener->config.max_connections;
    if (!counts) atomic_fetch_sub_explicit(&listener->connections, 1, memory_order_relaxed);
    if (weft__http_connection_open(site, stream, !counts) == WEFT_OK) return;
    weft__stream_close(stream);
    weft__site_leave(site, counts);
}

static weft__http_connection *stream_of(weft__link *link)
{
    return WEFT__CONTAINER(link, weft__http_connection, link);
}

static void warn(weft_listener *listener, weft_status status, const char *detail)
{
    const weft_listener_config *config = &listener->config;
    if (config->on_warning) config->on_warning(config->context, status, detail);
}

/* The descriptors are the process's: the first site to starve and the last to recover speak for all. */
static void on_starved(void *owner, weft_status status, const char *detail)
{
    weft_listener *listener = ((weft__site *)owner)->listener;
    if (atomic_fetch_add(&listener->starved_sites, 1) == 0) warn(listener, status, detail);
}

static void on_recovered(void *owner)
{
    weft_listener *listener = ((weft__site *)owner)->listener;
    if (atomic_fetch_sub(&listener->starved_sites, 1) == 1)
        warn(listener, WEFT_OK, "connections are accepted again");
}

static const weft__acceptor_events acceptor_events = {on_accept, on_starved, on_recovered};

static weft_connection *connection_of(weft__link *link)
{
    weft__loop_member *member = WEFT__CONTAINER(link, weft__loop_member, link);
    return WEFT__CONTAINER(member, weft_connection, member);
}

static void abort_all(weft__site *site)
{
    while (!weft__link_is_alone(&site->streams))
        weft__http_connection_abort(stream_of(site->streams.next));
    weft__link *next;
    weft__link *connections = &site->host.connections;
    for (weft__link *link = connections->next; link != connections; link = next) {
        next = link->next; /* a connection leaves the list at the end of the turn */
        weft_connection_abort(connection_of(link));
    }
}

static void on_deadline(weft__timer *timer)
{
    abort_all(WEFT__CONTAINER(timer, weft__site, deadline));
}

static void stop_gently(weft__site *site, uint32_t timeout_ms)
{
    bool waits_shorter = weft__timer_is_running(&site->deadline) &&
                         site->deadline.due_ms <= weft__loop_now(site->loop) + timeout_ms;
    if (!waits_shorter) weft__loop_start_timer(site->loop, &site->deadline, timeout_ms);
    weft__link *next;
    for (weft__link *link = site->streams.next; link != &site->streams; link = next) {
        next = link->next;
        weft__http_connection_stop(stream_of(link));
    }
    weft__link *connections = &site->host.connections;
    for (weft__link *link = connections->next; link != connections; link = next) {
        next = link->next;
        weft__connection_stop(connection_of(link), timeout_ms);
    }
}

static void stop_site(weft__site *site, uint32_t timeout_ms)
{
    if (!site->is_alive) return;
    site->is_stopping = true;
    weft__acceptor_stop(site->acceptor);
    site->acceptor = NULL;
    weft__listener_retain(site->listener); /* the last connection may take the site along */
    if (timeout_ms > 0) {
        stop_gently(site, timeout_ms);
    } else {
        abort_all(site);
    }
    end_if_done(site);
    weft__listener_release(site->listener);
}

static void on_loop_closing(weft__loop_member *member)
{
    weft__site *site = WEFT__CONTAINER(member, weft__site, member);
    weft__link *connections = &site->host.connections;
    for (weft__link *link = connections->next; link != connections; link = link->next) {
        weft__loop_member *connection = WEFT__CONTAINER(link, weft__loop_member, link);
        connection->abort(connection); /* tells why; it leaves the list at the end of the turn */
    }
    stop_site(site, 0);
}

static void start_site(weft_loop *loop, void *context)
{
    weft__site *site = context;
    weft_listener *listener = site->listener;
    int socket = site->socket;
    site->socket = -1;
    if (site->is_stopping) { /* before it began */
        weft__listening_socket_close(socket);
    } else {
        weft__loop_join(loop, &site->member);
        weft_status status = weft__acceptor_start(&site->acceptor, loop, socket, &acceptor_events, site);
        if (status != WEFT_OK) stop_site(site, 0); /* better gone, and on_closed said, than deaf */
    }
    weft__listener_release(listener);
}

static void open_stop_mail(weft_loop *loop, weft__mail *mail)
{
    weft__site *site = WEFT__CONTAINER(mail, weft__site, stop_mail);
    weft_listener *listener = site->listener;
    (void)loop;
    atomic_store(&site->stop_is_posted, false);
    stop_site(site, atomic_load(&site->stop_timeout_ms));
    weft__listener_release(listener);
}

/* -- opening ----------------------------------------------------------------------------------- */

static weft_status check_config(const weft_listener_config *config, char *detail, size_t detail_size)
{
    const char *wrong = NULL;
    if (!config->host) wrong = "host is missing";
    if (!config->loops && (config->threads < 1 || config->threads > 1024))
        wrong = "threads is not in 1 to 1024";
    if (config->loops && config->loop_count < 1) wrong = "loop_count is 0";
    if (config->backlog < 1 || config->backlog > INT32_MAX) wrong = "backlog is not in 1 to 2147483647";
    if (!config->max_uri_length) wrong = "max_uri_length is 0";
    if (!config->max_header_size) wrong = "max_header_size is 0";
    if (config->keep_alive > WEFT_KEEP_ALIVE_NEVER) wrong = "keep_alive is no weft_keep_alive";
    if (!config->max_pipelined_requests) wrong = "max_pipelined_requests is 0";
    if (config->max_entity_body_size < -1) wrong = "max_entity_body_size is below -1";
    if (!wrong) return WEFT_OK;
    snprintf(detail, detail_size, "%s", wrong);
    return WEFT_EINVAL;
}

static void init_site(weft__site *site, weft_listener *listener)
{
    site->listener = listener;
    site->socket = -1;
    site->member.abort = on_loop_closing;
    weft__link_init(&site->member.link);
    weft__link_init(&site->streams);
    weft__link_init(&site->host.connections);
    site->host.on_gone = on_connection_gone;
    site->stop_timeout_ms = UINT32_MAX;
    site->stop_mail.open = open_stop_mail;
    weft__timer_init(&site->deadline, on_deadline);
}

static weft_status new_listener(weft_listener **out, const weft_listener_config *config)
{
    size_t count = config->loops ? config->loop_count : config->threads;
    weft_listener *listener = weft__alloc_zeroed(sizeof *listener + count * sizeof *listener->sites);
    if (!listener) return WEFT_ENOMEM;
    listener->config = *config;
    listener->holders = 1;
    listener->owns_loops = config->loops == NULL;
    listener->site_count = count;
    listener->head_limits = (weft__head_limits){
        .max_uri_length = config->max_uri_length,
        .max_header_size = config->max_header_size,
        .max_fields = 256,
    };
    for (size_t i = 0; i < count; i++)
        init_site(&listener->sites[i], listener);
    *out = listener;
    if (weft__router_init(&listener->router) != WEFT_OK) return WEFT_ENOMEM;
    if (!config->server) return WEFT_OK;
    listener->server = weft__alloc(strlen(config->server) + 1);
    if (!listener->server) return WEFT_ENOMEM;
    memcpy(listener->server, config->server, strlen(config->server) + 1);
    return WEFT_OK;
}

static weft_status open_sockets(weft_listener *listener, char *detail, size_t detail_size)
{
    weft__listen_address address = {
        .host = listener->config.host,
        .port = listener->config.port,
        .backlog = (int)listener->config.backlog,
        .is_shared = listener->site_count > 1,
    };
    for (size_t i = 0; i < listener->site_count; i++) {
        address.is_first = i == 0;
        weft_status status = weft__listening_socket_open(&listener->sites[i].socket, &listener->address,
                                                         &address, detail, detail_size);
        if (status != WEFT_OK) return status;
        address.port = listener->address.port;
    }
    return WEFT_OK;
}

static weft_status open_loops(weft_listener *listener)
{
    for (size_t i = 0; i < listener->site_count; i++) {
        weft__site *site = &listener->sites[i];
        if (listener->owns_loops) {
            weft_status status = weft_loop_open(&site->loop);
            if (status != WEFT_OK) return status;
        } else {
            site->loop = listener->config.loops[i];
            weft__loop_retain(site->loop);
        }
    }
    return WEFT_OK;
}

static weft_status attach_routes(weft_listener *listener, char *detail, size_t detail_size)
{
    const weft_listener_config *config = &listener->config;
    for (size_t i = 0; i < config->route_count; i++) {
        const weft_path_route *entry = &config->routes[i];
        weft_status status = weft__router_attach(&listener->router, entry->path, entry->route);
        if (status == WEFT_OK) continue;
        snprintf(detail, detail_size, "%s: %s", entry->path, weft_status_text(status));
        return status;
    }
    return WEFT_OK;
}

/* From here on the sites live: what fails now is the end of a site, not of the call. */
static weft_status start_sites(weft_listener *listener)
{
    listener->open_sites = listener->site_count;
    for (size_t i = 0; i < listener->site_count; i++) {
        weft__site *site = &listener->sites[i];
        site->is_alive = true;
        weft__listener_retain(listener); /* the site's */
        weft__listener_retain(listener); /* the posted task's */
        weft_status status = weft_loop_post(site->loop, start_site, site);
        if (status == WEFT_OK) continue;
        site->is_alive = false;
        weft__listener_release(listener);
        weft__listener_release(listener);
        return status;
    }
    return WEFT_OK;
}

weft_status weft_listener_open(weft_listener **out, const weft_listener_config *given, char *detail,
                               size_t detail_size)
{
    *out = NULL;
    weft_listener_config config;
    weft_listener_config_init(&config);
    if (detail_size) detail[0] = '\0';
    if (weft__config_take(&config, given, sizeof config) != WEFT_OK) return WEFT_EINVAL;
    weft_status status = check_config(&config, detail, detail_size);
    if (status != WEFT_OK) return status;

    weft_listener *listener = NULL;
    status = new_listener(&listener, &config);
    if (status == WEFT_OK) status = attach_routes(listener, detail, detail_size);
    if (status == WEFT_OK) status = open_sockets(listener, detail, detail_size);
    if (status == WEFT_OK) status = open_loops(listener);
    if (status == WEFT_OK) status = start_sites(listener);
    if (status == WEFT_OK) {
        *out = listener;
        return WEFT_OK;
    }
    if (detail_size && !detail[0]) snprintf(detail, detail_size, "%s", weft_status_text(status));
    if (!listener) return status;
    listener->config.on_closed = NULL;
    weft__router_forget_contexts(&listener->router);
    weft_listener_release(listener);
    return status;
}

/* -- what a handle does ------------------------------------------------------------------------ */

uint16_t weft_listener_port(const weft_listener *listener)
{
    return listener->address.port;
}

const char *weft_listener_host(const weft_listener *listener)
{
    return listener->address.host;
}

size_t weft_listener_connection_count(const weft_listener *listener)
{
    return (size_t)atomic_load_explicit(&listener->connections, memory_order_relaxed);
}

weft_status weft_listener_attach(weft_listener *listener, const char *path, const weft_route *route)
{
    return weft__router_attach(&listener->router, path, route);
}

weft_status weft_listener_detach(weft_listener *listener, const char *path)
{
    return weft__router_detach(&listener->router, path);
}

void weft_listener_stop(weft_listener *listener, uint32_t timeout_ms)
{
    atomic_store(&listener->is_stop_asked, true);
    for (size_t i = 0; i < listener->site_count; i++) {
        weft__site *site = &listener->sites[i];
        uint32_t before = atomic_load(&site->stop_timeout_ms);
        while (timeout_ms < before &&
               !atomic_compare_exchange_weak(&site->stop_timeout_ms, &before, timeout_ms)) {
        }
        if (!site->loop || atomic_exchange(&site->stop_is_posted, true)) continue;
        weft__listener_retain(listener);
        if (weft__loop_send(site->loop, &site->stop_mail)) continue;
        weft__listener_release(listener); /* the loop is closed, and has stopped its site */
    }
}
