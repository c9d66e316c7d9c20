/* The life of a stream, and its answers in the order of the requests (RFC 9112 section 9.3.2). */

#include "endpoint/http_connection.h"

#include "base/allocator.h"
#include "endpoint/request.h"
#include "endpoint/stapler.h"

enum {
    LINGER_MS = 1000 /* how long a peer may take to end TCP after the last answer */
};

static const weft__stream_events stream_events;

static void release(weft__http_connection *connection)
{
    if (--connection->holders > 0) return;
    weft_listener *listener = connection->listener;
    weft__buffer_clear(&connection->input);
    weft__loop_release(connection->loop);
    weft__free(connection);
    weft__listener_release(listener);
}

static weft_request *request_of(weft__link *link)
{
    return WEFT__CONTAINER(link, weft_request, link);
}

static void leave(weft__http_connection *connection)
{
    connection->state = WEFT__HTTP_GONE;
    weft__timer_stop(&connection->timer);
    weft__revocation_check_cancel(connection->revocation_check);
    connection->revocation_check = NULL;
    while (!weft__link_is_alone(&connection->requests))
        weft__request_leave(request_of(connection->requests.next));
    weft__link_remove(&connection->link); /* now, for until then its site cannot end */
    weft__link_remove(&connection->member.link);
}

void weft__http_connection_abort(weft__http_connection *connection)
{
    if (connection->state == WEFT__HTTP_GONE) return;
    leave(connection);
    weft__stream_close(connection->stream);
    connection->stream = NULL;
    weft__site_leave(connection->site, !connection->is_refused);
    release(connection);
}

void weft__http_connection_hand_over(weft__http_connection *connection)
{
    leave(connection);
    weft__stream_read_little(connection->stream, false);
    connection->stream = NULL;
    release(connection);
}

static void on_loop_closing(weft__loop_member *member)
{
    weft__http_connection_abort(WEFT__CONTAINER(member, weft__http_connection, member));
}

/* -- answers ----------------------------------------------------------------------------------- */

/* A long answer has as much time as a request; when it is out, the peer has LINGER_MS to end TCP. Meanwhile
 * what it still sends is dropped, for unread bytes would turn our end into a reset that eats the answer. */
static void linger(weft__http_connection *connection)
{
    connection->state = WEFT__HTTP_LINGERING;
    weft__timer_stop(&connection->timer);
    weft__buffer_clear(&connection->input);
    weft__stream_shut_down(connection->stream);
    bool is_sent = !weft__stream_unsent(connection->stream);
    if (is_sent && connection->peer_ended) {
        weft__http_connection_abort(connection);
        return;
    }
    weft__stream_start_reading(connection->stream);
    uint32_t timeout_ms = is_sent ? LINGER_MS : connection->listener->config.timeout_ms;
    if (timeout_ms) weft__loop_start_timer(connection->loop, &connection->timer, timeout_ms);
}

/* The last answer may still be on its way. */
static void end_idle(weft__http_connection *connection)
{
    weft__stream_write(connection->stream, NULL, 0); /* what was answered in this turn */
    if (weft__stream_unsent(connection->stream)) {
        linger(connection);
    } else {
        weft__http_connection_abort(connection);
    }
}

void weft__http_connection_stop(weft__http_connection *connection)
{
    if (connection->state == WEFT__HTTP_SECURING) {
        weft__http_connection_abort(connection);
        return;
    }
    if (connection->state != WEFT__HTTP_AWAITING_HEAD) return;
    if (connection->request_count > 0) {
        connection->state = WEFT__HTTP_ANSWERING;
        weft__timer_stop(&connection->timer);
        weft__stream_stop_reading(connection->stream);
    } else if (!weft__buffer_length(&connection->input)) {
        end_idle(connection);
    }
}

void weft__http_connection_send_continue(weft__http_connection *connection)
{
    static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
    weft_request *first = request_of(connection->requests.next);
    if (weft__link_is_alone(&connection->requests) || !first->awaits_continue) return;
    first->awaits_continue = false;
    if (weft__buffer_length(&connection->input) || weft__buffer_length(&first->body)) return;
    weft__buffer *output = weft__stream_output(connection->stream);
    if (output && weft__buffer_append(output, interim, sizeof interim - 1, SIZE_MAX) == WEFT_OK) return;
    weft__http_connection_abort(connection);
}

static void send_first_answer(weft__http_connection *connection)
{
    weft_request *first = request_of(connection->requests.next);
    bool is_only = connection->request_count == 1;
    bool ends = connection->state == WEFT__HTTP_ANSWERING || connection->site->is_stopping;
    bool is_last = !first->keep_alive || (ends && is_only);
    if (!weft__answer_send(first, is_last)) {
        weft__http_connection_abort(connection);
    } else if (is_last && connection->state != WEFT__HTTP_GONE) {
        linger(connection);
    }
}

void weft__http_connection_send_answers(weft__http_connection *connection)
{
    connection->holders++;
    while (connection->state < WEFT__HTTP_LINGERING && !weft__link_is_alone(&connection->requests) &&
           request_of(connection->requests.next)->state == WEFT__REQUEST_ANSWERED) {
        send_first_answer(connection);
    }
    if (connection->state == WEFT__HTTP_AWAITING_BODY) weft__http_connection_send_continue(connection);
    weft__http_connection_read_on(connection);
    release(connection);
}

void weft__http_connection_refuse(weft__http_connection *connection, weft_request *request,
                                  const weft__problem *problem)
{
    if (!request) request = weft__request_new(connection, NULL, NULL, 0);
    weft__answer *answer = request ? weft__answer_refuse(request, problem) : NULL;
    if (!answer) {
        weft__http_connection_abort(connection);
        return;
    }
    connection->state = WEFT__HTTP_ANSWERING;
    weft__timer_stop(&connection->timer);
    request->keep_alive = false;
    request->answer = answer;
    request->state = WEFT__REQUEST_ANSWERED;
    weft__http_connection_send_answers(connection);
}

/* -- events of the stream ------------------------------------------------------------------------ */

static void on_read(void *owner, uint8_t *bytes, size_t length)
{
    weft__http_connection *connection = owner;
    if (connection->state >= WEFT__HTTP_ANSWERING) return; /* behind the last answer */
    connection->holders++;
    if (weft__buffer_append(&connection->input, bytes, length, SIZE_MAX) == WEFT_OK) {
        weft__http_connection_read_on(connection);
    } else {
        weft__http_connection_abort(connection);
    }
    release(connection);
}

static void on_end(void *owner, weft_status status, const char *detail)
{
    weft__http_connection *connection = owner;
    connection->holders++;
    if (connection->state == WEFT__HTTP_SECURING) {
        weft__http_connection_fail_to_secure(connection, status == WEFT_OK ? WEFT_ELOST : status, detail);
    } else if (status == WEFT_OK) {
        weft__http_connection_end_input(connection);
    } else {
        weft__http_connection_abort(connection);
    }
    release(connection);
}

static void on_drain(void *owner)
{
    weft__http_connection *connection = owner;
    connection->holders++;
    if (connection->state == WEFT__HTTP_LINGERING) {
        weft__loop_start_timer(connection->loop, &connection->timer, LINGER_MS);
        if (connection->peer_ended) weft__http_connection_abort(connection);
    } else {
        weft__http_connection_read_on(connection);
    }
    release(connection);
}

static void on_secure(void *owner)
{
    weft__http_connection *connection = owner;
    connection->holders++;
    weft__http_connection_secured(connection);
    release(connection);
}

static const weft__stream_events stream_events = {
    .on_read = on_read,
    .on_end = on_end,
    .on_drain = on_drain,
    .on_secure = on_secure,
};

static void on_timer(weft__timer *timer)
{
    weft__http_connection *connection = WEFT__CONTAINER(timer, weft__http_connection, timer);
    connection->holders++;
    if (connection->state == WEFT__HTTP_SECURING) {
        weft__http_connection_fail_to_secure(connection, WEFT_ETIMEDOUT,
                                             "the TLS handshake was not done in time");
    } else {
        weft__http_connection_time_out(connection);
    }
    release(connection);
}

weft_status weft__http_connection_open(weft__site *site, weft__stream *stream, bool is_refused)
{
    weft__http_connection *connection = weft__alloc_zeroed(sizeof *connection);
    if (!connection) return WEFT_ENOMEM;
    connection->site = site;
    connection->listener = site->listener;
    connection->loop = site->loop;
    connection->stream = stream;
    connection->is_refused = is_refused;
    connection->holders = 1;
    connection->member.abort = on_loop_closing;
    weft__link_init(&connection->requests);
    weft__timer_init(&connection->timer, on_timer);
    weft__list_append(&site->streams, &connection->link);
    weft__listener_retain(site->listener);
    weft__loop_retain(site->loop);
    weft__loop_join(site->loop, &connection->member);
    weft__stream_set_owner(stream, &stream_events, connection);
    weft__stream_read_little(stream, true); /* what comes behind a request waits for its answer */
    weft_tls *tls = weft__listener_tls(site->listener);
    weft__stapler_refresh(site, tls);
    if (!tls) {
        connection->state = WEFT__HTTP_AWAITING_HEAD;
        weft__http_connection_read_on(connection);
    } else if (!weft__http_connection_secure(connection, tls)) {
        weft__http_connection_abort(connection);
    }
    weft_tls_release(tls);
    return WEFT_OK;
}
