/* Heads and bodies are read one after the other; as many requests as max_pipelined_requests are with the
 * application at a time. */

#include "endpoint/request.h"

#include <string.h>

enum {
    REFUSED_MS = 5000 /* how long a peer over max_connections may take to send its request */
};

static void hand_over(weft__http_connection *connection, weft_request *request)
{
    bool is_last = request->is_upgrade || !request->keep_alive || connection->site->is_stopping;
    connection->state = is_last ? WEFT__HTTP_ANSWERING : WEFT__HTTP_AWAITING_HEAD;
    request->awaits_continue = false;
    weft__timer_stop(&connection->timer);
    weft__request_hand_over(request);
}

static weft_request *last_request(const weft__http_connection *connection)
{
    return WEFT__CONTAINER(connection->requests.previous, weft_request, link);
}

static bool has_body(const weft__head *head)
{
    return head->chunked || head->content_length > 0;
}

static void await_body(weft__http_connection *connection, weft_request *request)
{
    const weft_listener_config *config = &connection->listener->config;
    connection->state = WEFT__HTTP_AWAITING_BODY;
    if (request->head.chunked) {
        const weft__chunked_limits limits = {
            .max_body = config->max_entity_body_size < 0 ? INT64_MAX : (uint64_t)config->max_entity_body_size,
            .max_extensions = config->max_header_size,
            .max_trailers = config->max_header_size,
        };
        weft__chunked_init(&connection->chunked_body, &limits);
    } else {
        connection->body_left = (uint64_t)request->head.content_length;
    }
    weft__http_connection_send_continue(connection);
}

static void begin(weft__http_connection *connection, weft_request *request)
{
    weft__problem problem;
    weft_status status =
        connection->is_refused
            ? weft__problem_set(&problem, 503, "the server has as many connections as it takes")
            : weft__request_route(request, &problem);
    if (status == WEFT_ENOMEM) {
        weft__http_connection_abort(connection);
    } else if (status != WEFT_OK) {
        weft__http_connection_refuse(connection, request, &problem);
    } else if (has_body(&request->head)) {
        await_body(connection, request);
    } else {
        hand_over(connection, request);
    }
}

static int64_t parse_head(weft__http_connection *connection, weft__head *head, weft__problem *problem)
{
    const char *bytes = (const char *)weft__buffer_front(&connection->input);
    size_t length = weft__buffer_length(&connection->input);
    const weft__head_limits *limits = &connection->listener->head_limits;
    if (!weft__head_is_worth_parsing(bytes, length, connection->length_parsed, limits)) return 0;
    int64_t used = weft__head_parse_request(head, bytes, length, limits, problem);
    connection->length_parsed = used == 0 ? length : 0;
    return used;
}

/* These two take one request's head or what is there of its body; false: more must arrive. */
static bool take_head(weft__http_connection *connection)
{
    weft__head head;
    weft__problem problem;
    int64_t length = parse_head(connection, &head, &problem);
    if (length == 0) return false;
    const char *bytes = (const char *)weft__buffer_front(&connection->input);
    if (length == WEFT_EHTTP) {
        weft__http_connection_refuse(connection, NULL, &problem);
        return true;
    }
    weft_request *request = length > 0 ? weft__request_new(connection, &head, bytes, (size_t)length) : NULL;
    if (request) {
        weft__buffer_consume(&connection->input, (size_t)length);
        begin(connection, request);
    } else {
        weft__head_clear(&head);
        weft__http_connection_abort(connection);
    }
    return true;
}

/* The bytes used, or a negative status. */
static int64_t take_data(weft__http_connection *connection, weft_string *data, weft__problem *problem)
{
    const char *bytes = (const char *)weft__buffer_front(&connection->input);
    size_t length = weft__buffer_length(&connection->input);
    if (last_request(connection)->head.chunked) {
        return weft__chunked_take(&connection->chunked_body, bytes, length, data, problem);
    }
    if (length > connection->body_left) length = (size_t)connection->body_left;
    *data = (weft_string){bytes, length};
    connection->body_left -= length;
    return (int64_t)length;
}

static bool body_is_there(const weft__http_connection *connection)
{
    return last_request(connection)->head.chunked ? weft__chunked_is_done(&connection->chunked_body)
                                                  : connection->body_left == 0;
}

static bool take_body(weft__http_connection *connection)
{
    weft_request *request = last_request(connection);
    weft_string data;
    weft__problem problem;
    int64_t used = take_data(connection, &data, &problem);
    if (used < 0) {
        weft__http_connection_refuse(connection, request, &problem);
    } else if (weft__buffer_append(&request->body, data.bytes, data.length, SIZE_MAX) != WEFT_OK) {
        weft__http_connection_abort(connection);
    } else {
        weft__buffer_consume(&connection->input, (size_t)used);
        if (body_is_there(connection)) hand_over(connection, request);
    }
    return true;
}

/* A peer that does not read its answers gets no more of them until it does; one that has asked enough waits.
 */
static bool is_held_back(const weft__http_connection *connection)
{
    if (weft__stream_unsent(connection->stream)) return true;
    return connection->state == WEFT__HTTP_AWAITING_HEAD &&
           connection->request_count >= connection->listener->config.max_pipelined_requests;
}

static bool takes_requests(const weft__http_connection *connection)
{
    return connection->state == WEFT__HTTP_AWAITING_HEAD || connection->state == WEFT__HTTP_AWAITING_BODY;
}

static void take_all(weft__http_connection *connection)
{
    bool goes_on = true;
    while (goes_on && takes_requests(connection) && weft__buffer_length(&connection->input) &&
           !is_held_back(connection)) {
        goes_on =
            connection->state == WEFT__HTTP_AWAITING_HEAD ? take_head(connection) : take_body(connection);
    }
}

/* One deadline for each request, from accept, the last answer, or its first byte behind others; bytes do not
 * move it. */
static void watch_arrival(weft__http_connection *connection)
{
    uint32_t timeout_ms = connection->listener->config.timeout_ms;
    if (connection->is_refused && (!timeout_ms || timeout_ms > REFUSED_MS)) timeout_ms = REFUSED_MS;
    bool has_begun = connection->state == WEFT__HTTP_AWAITING_BODY ||
                     (weft__buffer_length(&connection->input) && !is_held_back(connection));
    bool is_due = connection->request_count == 0 || has_begun;
    if (!timeout_ms || !is_due || weft__timer_is_running(&connection->timer)) return;
    weft__loop_start_timer(connection->loop, &connection->timer, timeout_ms);
}

void weft__http_connection_read_on(weft__http_connection *connection)
{
    if (connection->is_taking || !takes_requests(connection)) return;
    connection->is_taking = true;
    take_all(connection);
    connection->is_taking = false;
    if (connection->state >= WEFT__HTTP_LINGERING) return;
    if (!takes_requests(connection) || is_held_back(connection)) {
        weft__stream_stop_reading(connection->stream);
    } else {
        weft__stream_start_reading(connection->stream);
    }
    if (takes_requests(connection)) watch_arrival(connection);
    if (!weft__buffer_length(&connection->input)) weft__buffer_clear(&connection->input);
}

void weft__http_connection_time_out(weft__http_connection *connection)
{
    bool awaits_body = connection->state == WEFT__HTTP_AWAITING_BODY;
    bool has_begun = connection->state == WEFT__HTTP_AWAITING_HEAD && weft__buffer_length(&connection->input);
    if (!awaits_body && !has_begun) {
        weft__http_connection_abort(connection);
        return;
    }
    weft__problem problem;
    weft__problem_set(&problem, 408, "the request did not arrive in time");
    weft__http_connection_refuse(connection, awaits_body ? last_request(connection) : NULL, &problem);
}

void weft__http_connection_end_input(weft__http_connection *connection)
{
    connection->peer_ended = true;
    if (connection->state == WEFT__HTTP_AWAITING_BODY) {
        weft__problem problem;
        weft__problem_set(&problem, 400, "the body ended too early");
        weft__http_connection_refuse(connection, last_request(connection), &problem);
    } else if (connection->request_count > 0) {
        connection->state = WEFT__HTTP_ANSWERING;
        weft__timer_stop(&connection->timer);
    } else if (connection->state == WEFT__HTTP_AWAITING_HEAD || !weft__stream_unsent(connection->stream)) {
        weft__http_connection_abort(connection);
    }
}
