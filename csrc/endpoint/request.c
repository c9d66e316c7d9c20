/* One request: how it is held, who answers it, and what it tells. */

#include "endpoint/request.h"

#include "base/allocator.h"
#include "http/origin.h"
#include "http/path.h"
#include "http/upgrade.h"

#include <string.h>

/* -- life -------------------------------------------------------------------------------------- */

/* RFC 9112 section 9.3, unless the settings know better. */
static bool keeps_alive(const weft__head *head, weft_keep_alive setting)
{
    if (setting == WEFT_KEEP_ALIVE_AUTO) return head->keep_alive;
    return setting == WEFT_KEEP_ALIVE_ALWAYS;
}

weft_request *weft__request_new(weft__http_connection *connection, weft__head *head, const char *bytes,
                                size_t length)
{
    weft_request *request = weft__alloc_zeroed(sizeof *request + length);
    if (!request) return NULL;
    request->listener = connection->listener;
    request->loop = connection->loop;
    request->holders = 1;
    request->connection = connection;
    request->is_secure = weft__stream_tls(connection->stream) != NULL;
    if (head) {
        memcpy(request->text, bytes, length);
        request->head = *head;
        weft__head_move(&request->head, bytes, request->text);
        request->keep_alive = keeps_alive(head, connection->listener->config.keep_alive);
    }
    weft__listener_retain(request->listener);
    weft__loop_retain(request->loop);
    weft__link_init(&request->site_link);
    weft__list_append(&connection->requests, &request->link);
    connection->request_count++;
    return request;
}

void weft__request_retain(weft_request *request)
{
    atomic_fetch_add_explicit(&request->holders, 1, memory_order_relaxed);
}

void weft__request_release(weft_request *request)
{
    if (atomic_fetch_sub_explicit(&request->holders, 1, memory_order_acq_rel) > 1) return;
    weft_listener *listener = request->listener;
    weft__head_clear(&request->head);
    weft__buffer_clear(&request->body);
    weft__buffer_clear(&request->peer_certificate);
    weft__fields_clear(&request->parameters);
    weft__buffer_clear(&request->parameter_text);
    weft__attached_route_release(request->route);
    weft__loop_release(request->loop);
    weft__free(request);
    weft__listener_release(listener);
}

void weft__request_leave(weft_request *request)
{
    weft__answer *unsent = request->answer;
    weft__link_remove(&request->link);
    weft__link_remove(&request->site_link);
    request->connection->request_count--;
    request->connection = NULL;
    request->answer = NULL;
    request->state = WEFT__REQUEST_OVER;
    if (unsent) weft__answer_discard(unsent);
    if (request->site) weft__site_settle(request->site);
    weft__request_release(request);
}

void weft__request_hand_over(weft_request *request)
{
    const weft_route *route = &request->route->route;
    weft__stream *stream = request->connection->stream;
    request->state = WEFT__REQUEST_DECIDING;
    weft__stream_remote_address(stream, &request->remote_address);
    weft__stream_local_address(stream, &request->local_address);
    weft__request_retain(request);
    /* An answer from inside lets go of the route, which must not be released while its callback runs. */
    weft__attached_route *attached = request->route;
    weft__attached_route_retain(attached);
    (request->is_upgrade ? route->on_upgrade : route->on_request)(route->context, request);
    weft__attached_route_release(attached);
}

/* -- who answers ------------------------------------------------------------------------------- */

static bool origin_is_allowed(const weft_request *request, const weft_route *route)
{
    const weft_field *origin = weft__fields_find(&request->head.fields, "Origin");
    if (!origin || route->origins == WEFT_ORIGIN_ANY) return true;
    if (route->origins == WEFT_ORIGIN_SAME)
        return weft__upgrade_is_same_origin(&request->head, request->is_secure);
    if (weft__fields_count(&request->head.fields, "Origin") > 1) return false;
    for (size_t i = 0; i < route->origin_count; i++) {
        weft_string allowed = route->origin_list[i];
        bool is_equal = allowed.length == origin->value.length &&
                        memcmp(allowed.bytes, origin->value.bytes, allowed.length) == 0;
        if (is_equal) return true;
    }
    return false;
}

static weft_status route_upgrade(weft_request *request, weft__problem *problem)
{
    weft_status status = weft__upgrade_check_request(&request->head, problem);
    if (status != WEFT_OK) return status;
    request->is_upgrade = true;
    request->keep_alive = false;
    if (origin_is_allowed(request, &request->route->route)) return WEFT_OK;
    return weft__problem_set(
        problem, 403, "the Origin of this request is not allowed: list it in the service's allowedOrigins");
}

/* RFC 9110 section 10.1.1; an HTTP/1.0 client knows no expectations. */
static weft_status check_expectations(weft_request *request, weft__problem *problem)
{
    const weft__fields *fields = &request->head.fields;
    for (size_t i = 0; i < fields->count; i++) {
        const weft_field *field = &fields->items[i];
        bool is_expectation = weft__string_equals_ignoring_case(field->name, "Expect");
        if (!is_expectation || request->head.minor_version == 0) continue;
        if (!weft__string_equals_ignoring_case(field->value, "100-continue")) {
            return weft__problem_set(problem, 417, "the only expectation met here is 100-continue");
        }
        request->awaits_continue = true;
    }
    return WEFT_OK;
}

static weft_status route_plain(weft_request *request, weft__problem *problem)
{
    const weft__head *head = &request->head;
    int64_t most = request->listener->config.max_entity_body_size;
    if (!request->route->route.on_request) {
        bool is_get = weft__string_equals(head->method, "GET");
        return weft__problem_set(problem, is_get ? 426 : 405, "this path speaks WebSocket");
    }
    if (most >= 0 && head->content_length > most) {
        return weft__problem_set(problem, 413, "the body is too large");
    }
    return check_expectations(request, problem);
}

/* What the pattern's parameters stand for; a rest goes to the end of the path. */
static weft_status read_parameters(weft_request *request)
{
    weft_string pattern = weft__string(request->route->path), path = request->head.path;
    if (!memchr(pattern.bytes, '{', pattern.length)) return WEFT_OK;
    char *room = (char *)weft__buffer_reserve(&request->parameter_text, path.length, SIZE_MAX);
    if (!room) return WEFT_ENOMEM;
    const char *end = path.bytes + path.length;
    weft_string part, value, name;
    while (weft__path_next(&pattern, &part) && weft__path_next(&path, &value)) {
        weft__pattern_kind kind = weft__pattern_segment(part, &name);
        if (kind == WEFT__PATTERN_LITERAL) continue;
        if (kind == WEFT__PATTERN_REST) value.length = (size_t)(end - value.bytes);
        size_t length = weft__path_decode(room, value);
        weft_status status = weft__fields_add(&request->parameters, name, (weft_string){room, length});
        if (status != WEFT_OK) return status;
        room += length;
    }
    return WEFT_OK;
}

/* The route's listener may be one that shares the port. */
static void move_to_listener(weft_request *request, weft_listener *listener)
{
    weft__http_connection *connection = request->connection;
    weft__listener_retain(listener);
    weft__listener_release(request->listener);
    request->listener = listener;
    request->site = &listener->sites[connection->site - connection->listener->sites];
    weft__list_append(&request->site->requests, &request->site_link);
}

static weft_status keep_peer_certificate(weft_request *request)
{
    const weft__tls_engine *tls = weft__stream_tls(request->connection->stream);
    return tls ? weft__tls_engine_peer_certificate(tls, &request->peer_certificate) : WEFT_OK;
}

weft_status weft__request_route(weft_request *request, weft__problem *problem)
{
    const weft__head *head = &request->head;
    if (keep_peer_certificate(request) != WEFT_OK) return WEFT_ENOMEM;
    if (!weft__path_is_well_formed(head->path)) {
        return weft__problem_set(problem, 400, "the path has a percent sign without two hexadecimal digits");
    }
    bool asks_for_upgrade = weft__upgrade_is_asked(head);
    request->route = weft__router_find(request->listener->router, head->path, asks_for_upgrade);
    if (!request->route) return weft__problem_set(problem, 404, "nothing is attached at this path");
    move_to_listener(request, request->route->listener);
    weft_status status = read_parameters(request);
    if (status != WEFT_OK) return status;
    if (request->route->route.on_upgrade && asks_for_upgrade) return route_upgrade(request, problem);
    return route_plain(request, problem);
}

/* -- what a request tells ------------------------------------------------------------------------ */

bool weft_request_is_upgrade(const weft_request *request)
{
    return request->is_upgrade;
}

weft_string weft_request_method(const weft_request *request)
{
    return request->head.method;
}

weft_string weft_request_target(const weft_request *request)
{
    return request->head.target;
}

weft_string weft_request_path(const weft_request *request)
{
    return request->head.path;
}

weft_string weft_request_query(const weft_request *request)
{
    return request->head.query;
}

const weft_field *weft_request_fields(const weft_request *request, size_t *count)
{
    *count = request->head.fields.count;
    return request->head.fields.items;
}

weft_string weft_request_field(const weft_request *request, const char *name)
{
    const weft_field *field = weft__fields_find(&request->head.fields, name);
    return field ? field->value : (weft_string){0};
}

const weft_field *weft_request_path_parameters(const weft_request *request, size_t *count)
{
    *count = request->parameters.count;
    return request->parameters.items;
}

weft_string weft_request_path_parameter(const weft_request *request, const char *name)
{
    for (size_t i = 0; i < request->parameters.count; i++) {
        const weft_field *parameter = &request->parameters.items[i];
        if (weft__string_equals(parameter->name, name)) return parameter->value;
    }
    return (weft_string){0};
}

weft_string weft_request_body(const weft_request *request)
{
    return (weft_string){(const char *)weft__buffer_front(&request->body),
                         weft__buffer_length(&request->body)};
}

bool weft_request_is_secure(const weft_request *request)
{
    return request->is_secure;
}

weft_string weft_request_peer_certificate(const weft_request *request)
{
    return (weft_string){(const char *)weft__buffer_front(&request->peer_certificate),
                         weft__buffer_length(&request->peer_certificate)};
}

weft_loop *weft_request_loop(const weft_request *request)
{
    return request->loop;
}

const char *weft_request_remote_host(const weft_request *request, uint16_t *port)
{
    *port = request->remote_address.port;
    return request->remote_address.host;
}

const char *weft_request_local_host(const weft_request *request, uint16_t *port)
{
    *port = request->local_address.port;
    return request->local_address.host;
}

weft_string weft_request_choose_subprotocol(const weft_request *request, const weft_string *supported,
                                            size_t count)
{
    return weft__upgrade_choose_subprotocol(&request->head, supported, count);
}
