/* The ways out: each ends in on_close exactly once, then in TCP, then in on_release. */

#include "endpoint/connection.h"

#include "base/allocator.h"
#include "protocol/outgoing.h"

#include <string.h>

enum {
    LINGER_MS = 1000, /* how long a peer may take to end TCP after the close frames */
};

static void tell_error(weft_connection *connection, weft_status reason, const char *detail)
{
    const weft_service *service = &connection->plan->service;
    if (service->on_error) service->on_error(connection->context, connection, reason, detail);
}

void weft__connection_tell_close(weft_connection *connection, uint16_t code, const char *reason,
                                 size_t length)
{
    const weft_service *service = &connection->plan->service;
    if (connection->is_told_closed) return;
    connection->is_told_closed = true;
    if (service->on_close) service->on_close(connection->context, connection, code, reason, length);
}

void weft__connection_set_not_open(weft_connection *connection)
{
    atomic_store_explicit(&connection->is_open, false, memory_order_release);
}

void weft__connection_stop_sending(weft_connection *connection)
{
    weft__connection_set_not_open(connection);
    atomic_store_explicit(&connection->may_send, false, memory_order_release);
}

void weft__connection_linger(weft_connection *connection)
{
    connection->state = WEFT__CONNECTION_LINGERING;
    /* RFC 6455 section 7.1.1: the server ends TCP first, so that it does not hold TIME_WAIT for its
     * clients... */
    bool is_server = connection->plan->session.role == WEFT_SERVER;
    if (is_server || connection->peer_ended) weft__stream_shut_down(connection->stream);
    if (connection->peer_ended) {
        weft__connection_vanish(connection);
        return;
    }
    weft__stream_start_reading(connection->stream);
    weft__loop_start_timer(connection->loop, &connection->timer, LINGER_MS);
}

/* What of a text fits into a close frame, up to a whole character; nothing of one that is not UTF-8. */
static size_t reason_length(const char *text)
{
    size_t length = strnlen(text, WEFT_CLOSE_REASON_MAX), whole = length;
    while (whole > 0 && length - whole < 4 && !weft__utf8_is_valid((const uint8_t *)text, whole))
        whole--;
    return weft__utf8_is_valid((const uint8_t *)text, whole) ? whole : 0;
}

/* Our close frame is out and the only one. */
static void fail_while_closing(weft_connection *connection, weft_status reason, const char *detail)
{
    weft__connection_stop_sending(connection);
    connection->state = WEFT__CONNECTION_LINGERING;
    tell_error(connection, reason, detail);
    weft__connection_tell_close(connection, connection->sent_code, "", 0);
    if (connection->state == WEFT__CONNECTION_LINGERING) weft__connection_linger(connection);
}

/* The close frame leaves behind what the service has sent before and, where it holds the frame back, behind
 * what it still has to say. */
static void fail_while_open(weft_connection *connection, weft_status reason, uint16_t code,
                            const char *detail)
{
    size_t length = reason_length(detail);
    weft__connection_set_not_open(connection);
    connection->answer_code = code;
    connection->state = WEFT__CONNECTION_FAILING;
    tell_error(connection, reason, detail);
    bool is_held = connection->state == WEFT__CONNECTION_ANSWERING;
    if (is_held) {
        weft__connection_keep_reason(connection, detail, length);
    } else if (connection->state == WEFT__CONNECTION_FAILING) {
        weft__connection_stop_sending(connection);
        weft__connection_write_close(connection, code, detail, length); /* at best */
        connection->state = WEFT__CONNECTION_LINGERING;
    }
    weft__connection_tell_close(connection, code, detail, length);
    if (!is_held && connection->state == WEFT__CONNECTION_LINGERING) weft__connection_linger(connection);
}

void weft__connection_fail_with(weft_connection *connection, weft_status reason, uint16_t code,
                                const char *detail)
{
    weft_connection_retain(connection);
    switch ((weft__connection_state)connection->state) {
    case WEFT__CONNECTION_OPEN: fail_while_open(connection, reason, code, detail); break;
    case WEFT__CONNECTION_CLOSING: fail_while_closing(connection, reason, detail); break;
    case WEFT__CONNECTION_ANSWERING: /* a failure that is held has been told; it waits for nothing more */
        if (connection->holds_failure) weft__connection_answer(connection);
        break;
    case WEFT__CONNECTION_FAILING:
    case WEFT__CONNECTION_LINGERING:
    case WEFT__CONNECTION_GONE: break;
    }
    weft_connection_release(connection);
}

void weft__connection_lose(weft_connection *connection, weft_status reason, const char *detail)
{
    if (connection->state == WEFT__CONNECTION_GONE) return;
    weft_connection_retain(connection);
    bool is_news = connection->state <= WEFT__CONNECTION_CLOSING;
    weft__connection_stop_sending(connection);
    connection->state = WEFT__CONNECTION_LINGERING; /* nothing is sent or delivered from here */
    if (is_news && reason != WEFT_OK) tell_error(connection, reason, detail);
    weft__connection_tell_close(connection, WEFT_CLOSE_ABNORMAL, "", 0);
    weft__connection_vanish(connection);
    weft_connection_release(connection);
}

void weft__connection_say_farewell(weft__turn_end_hook *hook)
{
    weft_connection *connection = WEFT__CONTAINER(hook, weft_connection, farewell);
    const weft_service *service = &connection->plan->service;
    weft__session_clear(&connection->session);
    if (connection->held_input) weft__loop_return_buffer(connection->loop, connection->held_input);
    connection->held_input = NULL;
    weft__free(connection->newest_pong);
    connection->newest_pong = NULL;
    weft__connection_forget_failure(connection);
    if (service->on_release) service->on_release(connection->context);
    weft__link_remove(connection->has_host ? &connection->host_link : &connection->member.link);
    if (connection->has_host) connection->host->on_gone(connection->host);
    weft_connection_release(connection);
}

void weft__connection_vanish(weft_connection *connection)
{
    if (connection->state == WEFT__CONNECTION_GONE) return;
    connection->state = WEFT__CONNECTION_GONE;
    weft__timer_stop(&connection->timer);
    weft__stream_share_unsent(connection->stream, NULL);
    (connection->resets ? weft__stream_reset : weft__stream_close)(connection->stream);
    connection->stream = NULL;
    atomic_store_explicit(&connection->unsent, 0, memory_order_relaxed);
    weft__link_init(&connection->farewell.link); /* where the timer was */
    connection->farewell.run = weft__connection_say_farewell;
    weft__turn_at_end(connection->loop, &connection->farewell);
}

/* -- what the application asks for --------------------------------------------------------------- */

void weft_connection_fail(weft_connection *connection, const char *detail)
{
    weft__assert_on_loop(connection->loop);
    weft__turn_begin(connection->loop);
    weft__connection_fail_with(connection, WEFT_ECALLBACK, WEFT_CLOSE_INTERNAL_ERROR, detail);
    weft__turn_end(connection->loop);
}

static void abort_here(weft_connection *connection)
{
    weft_loop *loop = connection->loop;
    weft_connection_retain(connection);
    weft__turn_begin(loop);
    /* A reset could overtake a close frame that is still on its way, and the end of TCP one of this turn. */
    connection->resets = connection->state != WEFT__CONNECTION_LINGERING;
    if (!connection->resets) weft__stream_flush(connection->stream);
    weft__connection_lose(connection, WEFT_OK, "");
    weft__turn_end(loop);
    weft_connection_release(connection);
}

void weft__connection_open_abort_mail(weft_loop *loop, weft__mail *mail)
{
    weft_connection *connection = WEFT__CONTAINER(mail, weft_connection, abort_mail);
    (void)loop;
    abort_here(connection);
    weft_connection_release(connection);
}

void weft_connection_abort(weft_connection *connection)
{
    if (weft_loop_is_current(connection->loop)) {
        abort_here(connection);
    } else if (!atomic_exchange(&connection->abort_is_posted, true)) {
        weft_connection_retain(connection);
        if (!weft__loop_send(connection->loop, &connection->abort_mail)) weft_connection_release(connection);
    }
}
