/* The HTTP life of an accepted stream: heads are read, routed, and answered one after the other. */

#include "endpoint/request.h"

#include "base/allocator.h"
#include "http/origin.h"
#include "http/response.h"
#include "http/upgrade.h"

#include <string.h>

enum {
    LINGER_MS = 1000,  /* how long a peer may take to end TCP after the last answer */
    REFUSED_MS = 5000, /* how long one over max_connections may take to send its request */
};

static const weft__stream_events stream_events;

void weft__request_release(weft_request *request)
{
    if (atomic_fetch_sub_explicit(&request->holders, 1, memory_order_acq_rel) > 1) return;
    weft_listener *listener = request->listener;
    weft__head_clear(&request->head);
    weft__buffer_clear(&request->input);
    weft__attached_route_release(request->route);
    weft__loop_release(request->loop);
    weft__free(request);
    weft__listener_release(listener);
}

/* Forgets the request, but not what came behind it. */
static void forget_head(weft_request *request)
{
    weft__head_clear(&request->head);
    weft__buffer_consume(&request->input, request->head_length);
    request->head_length = 0;
    weft__attached_route_release(request->route);
    request->route = NULL;
}

static void leave(weft_request *request)
{
    request->state = WEFT__REQUEST_GONE;
    weft__timer_stop(&request->timer);
    weft__link_remove(&request->link);
    weft__link_remove(&request->member.link);
}

static void vanish(weft_request *request)
{
    if (request->state == WEFT__REQUEST_GONE) return;
    if (request->state != WEFT__REQUEST_DECIDING) { /* else the application may still look at it */
        weft__attached_route_release(request->route);
        request->route = NULL;
    }
    leave(request);
    weft__stream_close(request->stream);
    request->stream = NULL;
    weft__site_leave(request->site, !request->is_refused);
    weft__request_release(request);
}

void weft__request_hand_over(weft_request *request)
{
    leave(request);
    request->stream = NULL;
    weft__request_release(request);
}

void weft__request_abort(weft__link *link)
{
    vanish(WEFT__CONTAINER(link, weft_request, link));
}

void weft__request_stop(weft__link *link)
{
    weft_request *request = WEFT__CONTAINER(link, weft_request, link);
    bool asks_for_nothing = request->state == WEFT__REQUEST_READING && !weft__buffer_length(&request->input);
    if (asks_for_nothing) vanish(request);
}

static void on_loop_closing(weft__loop_member *member)
{
    vanish(WEFT__CONTAINER(member, weft_request, member));
}

/* -- answers ----------------------------------------------------------------------------------- */

static void await_request(weft_request *request)
{
    request->state = WEFT__REQUEST_READING;
    uint32_t timeout_ms = request->listener->config.timeout_ms;
    if (request->is_refused && (!timeout_ms || timeout_ms > REFUSED_MS)) timeout_ms = REFUSED_MS;
    if (timeout_ms) weft__loop_start_timer(request->loop, &request->timer, timeout_ms);
    weft__stream_start_reading(request->stream);
}

/* A long answer has as much time as a request; when it is out, the peer has LINGER_MS to end TCP. */
static void linger(weft_request *request)
{
    uint32_t timeout_ms = request->listener->config.timeout_ms;
    request->state = WEFT__REQUEST_LINGERING;
    weft__timer_stop(&request->timer);
    weft__stream_shut_down(request->stream);
    weft__stream_start_reading(request->stream);
    if (!weft__stream_unsent(request->stream)) timeout_ms = LINGER_MS;
    if (timeout_ms) weft__loop_start_timer(request->loop, &request->timer, timeout_ms);
}

static void read_next(weft_loop *loop, void *context);

void weft__request_send_answer(weft_request *request, weft__buffer *answer, bool keep_alive)
{
    weft__buffer *output = weft__stream_output(request->stream);
    weft_status status = WEFT_ENOMEM;
    if (output) {
        status =
            weft__buffer_append(output, weft__buffer_front(answer), weft__buffer_length(answer), SIZE_MAX);
    }
    weft__buffer_clear(answer);
    if (status != WEFT_OK) {
        vanish(request);
    } else if (!keep_alive || request->site->is_stopping) {
        linger(request);
    } else {
        forget_head(request);
        await_request(request);
        if (!weft__buffer_length(&request->input)) return;
        /* Pipelined requests are taken up one a turn, so that none waits on the stack of another. */
        atomic_fetch_add_explicit(&request->holders, 1, memory_order_relaxed);
        if (weft_loop_post(request->loop, read_next, request) == WEFT_OK) return;
        weft__request_release(request);
        vanish(request);
    }
}

/* The library's own answers end TCP: after an error nobody knows where the next request would begin. */
static void refuse(weft_request *request, uint16_t http_status, const char *text)
{
    weft__buffer answer = {0};
    weft_field fields[4] = {{weft__string("Content-Type"), weft__string("text/plain; charset=utf-8")}};
    size_t count;
    const weft_field *required = weft__upgrade_refusal_fields(http_status, &count);
    memcpy(fields + 1, required, count * sizeof *required);
    weft__response response = {
        .status = http_status,
        .minor_version = 1,
        .head_request = weft__string_equals(request->head.method, "HEAD"),
        .server = weft__string(request->listener->server),
        .body = weft__string(text),
        .fields = fields,
        .field_count = count + 1,
    };
    if (weft__response_write(&answer, &response) == WEFT_OK) {
        weft__request_send_answer(request, &answer, false);
    } else {
        weft__buffer_clear(&answer);
        vanish(request);
    }
}

static void on_timer(weft__timer *timer)
{
    weft_request *request = WEFT__CONTAINER(timer, weft_request, timer);
    bool has_begun = request->state == WEFT__REQUEST_READING && weft__buffer_length(&request->input);
    if (has_begun) {
        refuse(request, 408, "the request did not arrive in time");
    } else {
        vanish(request);
    }
}

/* -- routing ----------------------------------------------------------------------------------- */

static bool origin_is_allowed(const weft_request *request, const weft_route *route)
{
    const weft_field *origin = weft__fields_find(&request->head.fields, "Origin");
    if (!origin || route->origins == WEFT_ORIGIN_ANY) return true;
    if (route->origins == WEFT_ORIGIN_SAME) return weft__upgrade_is_same_origin(&request->head, false);
    if (weft__fields_count(&request->head.fields, "Origin") > 1) return false;
    for (size_t i = 0; i < route->origin_count; i++) {
        weft_string allowed = route->origin_list[i];
        bool is_equal = allowed.length == origin->value.length &&
                        memcmp(allowed.bytes, origin->value.bytes, allowed.length) == 0;
        if (is_equal) return true;
    }
    return false;
}

static void hand_to_application(weft_request *request, bool is_upgrade)
{
    const weft_route *route = &request->route->route;
    request->is_upgrade = is_upgrade;
    request->state = WEFT__REQUEST_DECIDING;
    weft__timer_stop(&request->timer);
    weft__stream_stop_reading(request->stream);
    weft__stream_remote_address(request->stream, &request->remote_address);
    weft__stream_local_address(request->stream, &request->local_address);
    atomic_fetch_add_explicit(&request->holders, 1, memory_order_relaxed);
    /* An answer from inside lets go of the route, which must not be released while its callback runs. */
    weft__attached_route *attached = request->route;
    weft__attached_route_retain(attached);
    (is_upgrade ? route->on_upgrade : route->on_request)(route->context, request);
    weft__attached_route_release(attached);
}

static void route_upgrade(weft_request *request)
{
    weft__problem problem;
    if (weft__upgrade_check_request(&request->head, &problem) != WEFT_OK) {
        refuse(request, problem.http_status, problem.text);
    } else if (!origin_is_allowed(request, &request->route->route)) {
        refuse(request, 403,
               "the Origin of this request is not allowed: list it in the service's allowedOrigins");
    } else {
        hand_to_application(request, true);
    }
}

static void route_request(weft_request *request)
{
    const weft__head *head = &request->head;
    request->route = weft__router_find(&request->listener->router, head->path);
    const weft_route *route = request->route ? &request->route->route : NULL;
    if (request->is_refused) {
        refuse(request, 503, "the server has as many connections as it takes");
    } else if (!route) {
        refuse(request, 404, "nothing is attached at this path");
    } else if (route->on_upgrade && weft__upgrade_is_asked(head)) {
        route_upgrade(request);
    } else if (!route->on_request) {
        refuse(request, 426, "this path speaks WebSocket");
    } else if (head->chunked || head->content_length > 0) {
        refuse(request, 413, "requests with a body are not accepted here");
    } else {
        hand_to_application(request, false);
    }
}

/* -- reading ----------------------------------------------------------------------------------- */

static void read_head(weft_request *request)
{
    weft__problem problem;
    const char *bytes = (const char *)weft__buffer_front(&request->input);
    int64_t length = weft__head_parse_request(&request->head, bytes, weft__buffer_length(&request->input),
                                              &request->listener->head_limits, &problem);
    if (length == 0) return;
    if (length == WEFT_ENOMEM) {
        vanish(request);
    } else if (length < 0) {
        refuse(request, problem.http_status, problem.text);
    } else {
        request->head_length = (size_t)length;
        route_request(request);
    }
}

/* A peer that does not read its answers gets no more of them until it does. */
static void read_on(weft_request *request)
{
    if (request->state != WEFT__REQUEST_READING || !weft__buffer_length(&request->input)) return;
    if (weft__stream_unsent(request->stream)) {
        weft__stream_stop_reading(request->stream);
    } else {
        read_head(request);
    }
}

static void read_next(weft_loop *loop, void *context)
{
    weft_request *request = context;
    (void)loop;
    read_on(request);
    weft__request_release(request);
}

static void on_read(void *owner, uint8_t *bytes, size_t length)
{
    weft_request *request = owner;
    if (request->state != WEFT__REQUEST_READING) return; /* behind the last answer */
    atomic_fetch_add_explicit(&request->holders, 1, memory_order_relaxed);
    if (weft__buffer_append(&request->input, bytes, length, SIZE_MAX) == WEFT_OK) {
        read_on(request);
    } else {
        vanish(request);
    }
    weft__request_release(request);
}

static void on_end(void *owner, weft_status status, const char *detail)
{
    weft_request *request = owner;
    (void)detail;
    /* An answer that is being decided may still go to a peer that has only ended its own direction. */
    if (status == WEFT_OK && request->state == WEFT__REQUEST_DECIDING) return;
    request->peer_ended = true;
    bool is_owed_something =
        request->state == WEFT__REQUEST_LINGERING && weft__stream_unsent(request->stream);
    if (status != WEFT_OK || !is_owed_something) vanish(request);
}

static void on_drain(void *owner)
{
    weft_request *request = owner;
    if (request->state == WEFT__REQUEST_LINGERING) {
        weft__loop_start_timer(request->loop, &request->timer, LINGER_MS);
        if (request->peer_ended) vanish(request);
    } else if (request->state == WEFT__REQUEST_READING) {
        atomic_fetch_add_explicit(&request->holders, 1, memory_order_relaxed);
        weft__stream_start_reading(request->stream);
        read_on(request);
        weft__request_release(request);
    }
}

static const weft__stream_events stream_events = {on_read, on_end, on_drain};

weft_status weft__request_open(weft__site *site, weft__stream *stream, bool is_refused)
{
    weft_request *request = weft__alloc_zeroed(sizeof *request);
    if (!request) return WEFT_ENOMEM;
    request->site = site;
    request->listener = site->listener;
    request->loop = site->loop;
    request->stream = stream;
    request->is_refused = is_refused;
    request->holders = 1;
    request->member.abort = on_loop_closing;
    weft__timer_init(&request->timer, on_timer);
    weft__list_append(&site->requests, &request->link);
    weft__listener_retain(site->listener);
    weft__loop_retain(site->loop);
    weft__loop_join(site->loop, &request->member);
    weft__stream_set_owner(stream, &stream_events, request);
    await_request(request);
    return WEFT_OK;
}
