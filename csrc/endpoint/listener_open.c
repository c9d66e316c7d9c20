/* How a listener comes to life: with a port of its own, or on another's. */

#include "endpoint/listener.h"

#include "base/allocator.h"
#include "base/config.h"

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

/* -- opening ----------------------------------------------------------------------------------- */

static weft_status check_config(const weft_listener_config *config, char *detail, size_t detail_size)
{
    const char *wrong = NULL;
    if (!config->host) wrong = "host is missing";
    if (!config->loops && (config->threads < 1 || config->threads > 1024))
        wrong = "threads is not in 1 to 1024";
    if (config->loops && config->loop_count < 1) wrong = "loop_count is 0";
    if (config->backlog < 1 || config->backlog > INT32_MAX) wrong = "backlog is not in 1 to 2147483647";
    size_t path_length = config->unix_path ? strlen(config->unix_path) : 1;
    if (!path_length || path_length > weft__unix_path_max()) wrong = "unix_path is empty or too long";
    if (!config->max_uri_length) wrong = "max_uri_length is 0";
    if (!config->max_header_size) wrong = "max_header_size is 0";
    if (config->keep_alive > WEFT_KEEP_ALIVE_NEVER) wrong = "keep_alive is no weft_keep_alive";
    if (!config->max_pipelined_requests) wrong = "max_pipelined_requests is 0";
    if (!weft__is_field_value(weft__string(config->server))) wrong = "server has control characters";
    if (!config->routes && config->route_count) wrong = "routes is NULL";
    if (config->tls && !config->tls->is_server) wrong = "tls is a client's";
    if (config->max_entity_body_size < -1) wrong = "max_entity_body_size is below -1";
    if (!wrong) return WEFT_OK;
    snprintf(detail, detail_size, "%s", wrong);
    return WEFT_EINVAL;
}

static weft_listener *new_listener(const weft_listener_config *config, size_t site_count)
{
    weft_listener *listener = weft__alloc_zeroed(sizeof *listener + site_count * sizeof *listener->sites);
    if (!listener) return NULL;
    listener->config = *config;
    listener->holders = 1;
    listener->site_count = site_count;
    listener->head_limits = (weft__head_limits){
        .max_uri_length = config->max_uri_length,
        .max_header_size = config->max_header_size,
        .max_fields = WEFT__MOST_FIELDS,
    };
    weft__link_init(&listener->sharers);
    weft__link_init(&listener->sharer_link);
    weft__route_group_init(&listener->routes, listener);
    for (size_t i = 0; i < site_count; i++)
        weft__site_init(&listener->sites[i], listener);
    return listener;
}

/* What a listener has that owns its port. */
static weft_status furnish(weft_listener *listener)
{
    const char *server = listener->config.server;
    listener->owns_loops = listener->config.loops == NULL;
    listener->router = &listener->own_router;
    listener->sharers_mutex = weft__mutex_new();
    listener->tls_mutex = weft__mutex_new();
    listener->speaks_tls = listener->config.tls != NULL;
    if (listener->speaks_tls) listener->tls = weft_tls_retain(listener->config.tls);
    listener->config.tls = NULL; /* others may follow it */
    if (!listener->tls_mutex || !listener->sharers_mutex ||
        weft__router_init(&listener->own_router) != WEFT_OK)
        return WEFT_ENOMEM;
    if (!server) return WEFT_OK;
    listener->server = weft__alloc(strlen(server) + 1);
    if (!listener->server) return WEFT_ENOMEM;
    memcpy(listener->server, server, strlen(server) + 1);
    return WEFT_OK;
}

/* One socket for all sites: its queue has no SO_REUSEPORT, and whoever is free takes the next peer. */
static weft_status open_unix_socket(weft_listener *listener, char *detail, size_t detail_size)
{
    weft_status status = weft__unix_listening_socket_open(&listener->sites[0].socket, &listener->unix_file,
                                                          listener->config.unix_path,
                                                          (int)listener->config.backlog, detail, detail_size);
    for (size_t i = 1; i < listener->site_count && status == WEFT_OK; i++) {
        listener->sites[i].socket = weft__unix_socket_duplicate(listener->sites[0].socket);
        if (listener->sites[i].socket < 0) status = WEFT_ESYSTEM;
    }
    return status;
}

static weft_status take_compression(weft_listener *listener, char *detail, size_t detail_size)
{
    weft__problem problem;
    weft_status status =
        weft__compression_take(&listener->compression, listener->config.compression, WEFT_SERVER, &problem);
    if (status != WEFT_OK) snprintf(detail, detail_size, "%s", problem.text);
    return status;
}

static weft_status open_sockets(weft_listener *listener, char *detail, size_t detail_size)
{
    if (listener->config.unix_path) return open_unix_socket(listener, detail, detail_size);
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
    size_t failed;
    weft_status status = weft__router_attach(listener->router, &listener->routes, config->routes,
                                             config->route_count, &failed);
    if (status == WEFT_OK || failed >= config->route_count) return status;
    const char *path = config->routes[failed].path;
    const char *problem = weft_path_pattern_problem(path);
    snprintf(detail, detail_size, "%s: %s", path, problem ? problem : weft_status_text(status));
    return status;
}

static void bring_to_life(weft_listener *listener)
{
    listener->open_sites = listener->accepting_sites = listener->site_count;
    for (size_t i = 0; i < listener->site_count; i++) {
        listener->sites[i].is_alive = true;
        weft__listener_retain(listener); /* the site's */
    }
}

/* A site whose loop is closed ends here. WEFT_ECLOSED when none is left. */
static weft_status start_sites(weft_listener *listener)
{
    size_t started = 0;
    for (size_t i = 0; i < listener->site_count; i++) {
        weft__site *site = &listener->sites[i];
        if (weft__site_start(site)) {
            started++;
            continue;
        }
        weft__listener_stop_accepting(listener);
        weft__listening_socket_close(site->socket);
        site->socket = -1;
        site->is_alive = false;
        if (started == 0 && i + 1 == listener->site_count) listener->config.on_closed = NULL;
        weft__listener_site_ended(listener);
        weft__listener_release(listener);
    }
    return started ? WEFT_OK : WEFT_ECLOSED;
}

/* Nothing of a listener that failed to open is ever called. */
static weft_status give_up(weft_listener *listener, weft_status status, char *detail, size_t detail_size)
{
    if (detail_size && !detail[0]) snprintf(detail, detail_size, "%s", weft_status_text(status));
    if (!listener) return status;
    listener->config.on_closed = NULL;
    if (listener->router && listener->router->mutex) {
        weft__router_forget_contexts(listener->router, &listener->routes);
        weft__router_close_group(listener->router, &listener->routes);
    }
    weft_listener_release(listener);
    return status;
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

    weft_listener *listener = new_listener(&config, config.loops ? config.loop_count : config.threads);
    status = listener ? furnish(listener) : WEFT_ENOMEM;
    if (status == WEFT_OK) status = take_compression(listener, detail, detail_size);
    if (status == WEFT_OK) status = attach_routes(listener, detail, detail_size);
    if (status == WEFT_OK) status = open_sockets(listener, detail, detail_size);
    if (status == WEFT_OK) status = open_loops(listener);
    if (status == WEFT_OK) {
        bring_to_life(listener);
        status = start_sites(listener);
    }
    if (status != WEFT_OK) return give_up(listener, status, detail, detail_size);
    *out = listener;
    return WEFT_OK;
}

/* -- sharing ----------------------------------------------------------------------------------- */

static weft_listener *new_sharer(weft_listener *owner, const weft_listener_config *given)
{
    weft_listener_config config = owner->config;
    config.routes = given->routes;
    config.route_count = given->route_count;
    config.context = given->context;
    config.on_closed = given->on_closed;
    config.on_warning = NULL;
    config.on_tls_failure = NULL;
    weft_listener *sharer = new_listener(&config, owner->site_count);
    if (!sharer) return NULL;
    sharer->compression = owner->compression;
    weft__listener_retain(owner);
    sharer->owner = owner;
    sharer->server = owner->server;
    sharer->router = owner->router;
    sharer->address = owner->address;
    for (size_t i = 0; i < sharer->site_count; i++) {
        sharer->sites[i].loop = owner->sites[i].loop;
        weft__loop_retain(sharer->sites[i].loop);
    }
    return sharer;
}

/* All or nothing, and not while the owner is being stopped. The sites live before the first request. */
static weft_status move_in(weft_listener *sharer, char *detail, size_t detail_size)
{
    weft_listener *owner = sharer->owner;
    weft__mutex_lock(owner->sharers_mutex);
    weft_status status = WEFT_ESTATE;
    bring_to_life(sharer);
    if (!atomic_load(&owner->is_stop_asked)) status = attach_routes(sharer, detail, detail_size);
    if (status == WEFT_OK) weft__list_append(&owner->sharers, &sharer->sharer_link);
    weft__mutex_unlock(owner->sharers_mutex);
    for (size_t i = 0; status != WEFT_OK && i < sharer->site_count; i++) {
        sharer->sites[i].is_alive = false;
        weft__listener_release(sharer);
    }
    return status;
}

weft_status weft_listener_share(weft_listener **out, weft_listener *owner, const weft_listener_config *given,
                                char *detail, size_t detail_size)
{
    *out = NULL;
    weft_listener_config config;
    weft_listener_config_init(&config);
    if (detail_size) detail[0] = '\0';
    if (weft__config_take(&config, given, sizeof config) != WEFT_OK) return WEFT_EINVAL;
    if (!config.routes && config.route_count) return WEFT_EINVAL;
    weft_listener *sharer = new_sharer(weft__listener_of_port(owner), &config);
    weft_status status = sharer ? move_in(sharer, detail, detail_size) : WEFT_ENOMEM;
    if (status == WEFT_ESTATE) snprintf(detail, detail_size, "the listener that owns the port is stopping");
    if (status == WEFT_OK) status = start_sites(sharer);
    if (status != WEFT_OK) return give_up(sharer, status, detail, detail_size);
    *out = sharer;
    return WEFT_OK;
}
