/* The ways out: each ends in on_close exactly once, then in TCP, then in on_release. */

#include "endpoint/connection.h"

#include "base/allocator.h"
#include "protocol/outgoing.h"

#include <string.h>

enum {
    LINGER_MS = 1000, /* how long a peer may take to end TCP after the close frames */
    ANSWER_MS = 1000, /* how long a service may hold the answer to a close frame */
};

static void tell_error(weft_connection *connection, weft_status reason, const char *detail)
{
    const weft_service *service = &connection->plan->service;
    if (service->on_error) service->on_error(connection->context, connection, reason, detail);
}

static void tell_close(weft_connection *connection, uint16_t code, const char *reason, size_t length)
{
    const weft_service *service = &connection->plan->service;
    if (connection->is_told_closed) return;
    connection->is_told_closed = true;
    if (service->on_close) service->on_close(connection->context, connection, code, reason, length);
}

static void set_not_open(weft_connection *connection)
{
    atomic_store_explicit(&connection->is_open, false, memory_order_release);
}

void weft__connection_stop_sending(weft_connection *connection)
{
    set_not_open(connection);
    atomic_store_explicit(&connection->may_send, false, memory_order_release);
}

static weft_status write_close(weft_connection *connection, uint16_t code, const char *reason, size_t length)
{
    weft__buffer *output = weft__stream_output(connection->stream);
    if (!output) return WEFT_ENOMEM;
    return weft__session_write_close(&connection->session, output, code, reason, length);
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

void weft__connection_fail_with(weft_connection *connection, weft_status reason, uint16_t code,
                                const char *detail)
{
    if (connection->state >= WEFT__CONNECTION_ANSWERING) return;
    weft_connection_retain(connection);
    weft__connection_stop_sending(connection);
    size_t length = reason_length(detail);
    if (connection->state == WEFT__CONNECTION_CLOSING) { /* there is one close frame, and it is out */
        code = connection->sent_code;
        length = 0;
    } else {
        write_close(connection, code, detail, length); /* at best */
    }
    connection->state = WEFT__CONNECTION_LINGERING;
    tell_error(connection, reason, detail);
    tell_close(connection, code, detail, length);
    if (connection->state == WEFT__CONNECTION_LINGERING) weft__connection_linger(connection);
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
    tell_close(connection, WEFT_CLOSE_ABNORMAL, "", 0);
    weft__connection_vanish(connection);
    weft_connection_release(connection);
}

void weft__connection_answer(weft_connection *connection)
{
    weft__connection_stop_sending(connection);
    write_close(connection, connection->answer_code, "", 0); /* at best */
    weft__connection_linger(connection);
}

void weft__connection_take_close(weft_connection *connection, uint16_t code, const char *reason,
                                 size_t length)
{
    bool is_first = connection->state == WEFT__CONNECTION_OPEN;
    set_not_open(connection);
    weft__timer_stop(&connection->timer);
    connection->answer_code = code;
    connection->state = WEFT__CONNECTION_ANSWERING;
    tell_close(connection, code, reason, length);
    if (connection->state != WEFT__CONNECTION_ANSWERING) return;
    if (!is_first) {
        weft__connection_linger(connection);
    } else if (connection->holds_close) {
        weft__loop_start_timer(connection->loop, &connection->timer, ANSWER_MS);
    } else {
        weft__connection_answer(connection);
    }
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
    if (service->on_release) service->on_release(connection->context);
    weft__link_remove(&connection->member.link);
    if (connection->host) connection->host->on_gone(connection->host);
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

void weft_connection_hold_close(weft_connection *connection)
{
    if (connection->state == WEFT__CONNECTION_ANSWERING) connection->holds_close = true;
}

static void answer_held(weft_loop *loop, void *context)
{
    weft_connection *connection = context;
    (void)loop;
    if (connection->state == WEFT__CONNECTION_ANSWERING && connection->is_told_closed) {
        weft__timer_stop(&connection->timer);
        weft__connection_answer(connection);
    }
    weft_connection_release(connection);
}

void weft_connection_answer_close(weft_connection *connection)
{
    weft_connection_retain(connection);
    if (weft_loop_post(connection->loop, answer_held, connection) != WEFT_OK)
        weft_connection_release(connection);
}

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
    /* A reset could overtake a close frame that is still on its way. */
    connection->resets = connection->state != WEFT__CONNECTION_LINGERING;
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

typedef struct close_mail {
    weft__mail mail;
    weft_connection *connection;
    uint32_t timeout_ms;
    uint16_t code;
    uint8_t length;
    char reason[WEFT_CLOSE_REASON_MAX];
} close_mail;

/* The caller has made sure that no other close is under way: whoever takes `is_open` down writes the frame.
 */
static weft_status close_here(weft_connection *connection, uint16_t code, const char *reason, size_t length,
                              uint32_t timeout_ms)
{
    if (connection->state != WEFT__CONNECTION_OPEN) return WEFT_ECLOSED;
    weft_status status = write_close(connection, code, reason, length);
    if (status != WEFT_OK) return status;
    if (timeout_ms == 0) timeout_ms = connection->plan->config.close_timeout_ms;
    connection->state = WEFT__CONNECTION_CLOSING;
    connection->sent_code = code ? code : WEFT_CLOSE_NO_STATUS;
    weft__connection_stop_sending(connection);
    weft__timer_stop(&connection->timer);
    if (timeout_ms != WEFT_NO_TIMEOUT)
        weft__loop_start_timer(connection->loop, &connection->timer, timeout_ms);
    return WEFT_OK;
}

static void open_close_mail(weft_loop *loop, weft__mail *mail)
{
    close_mail *letter = WEFT__CONTAINER(mail, close_mail, mail);
    weft_status status =
        close_here(letter->connection, letter->code, letter->reason, letter->length, letter->timeout_ms);
    bool must_end = status != WEFT_OK && status != WEFT_ECLOSED; /* the caller was told that it will */
    if (must_end) weft__connection_lose(letter->connection, status, weft_status_text(status));
    weft_connection_release(letter->connection);
    weft__free(letter);
    (void)loop;
}

static weft_status post_close(weft_connection *connection, uint16_t code, const char *reason, size_t length,
                              uint32_t timeout_ms)
{
    close_mail *letter = weft__alloc(sizeof *letter);
    if (!letter) return WEFT_ENOMEM;
    if (!atomic_exchange_explicit(&connection->is_open, false, memory_order_acq_rel)) {
        weft__free(letter);
        return WEFT_ECLOSED;
    }
    atomic_store_explicit(&connection->may_send, false, memory_order_release);
    letter->mail.open = open_close_mail;
    letter->connection = weft_connection_retain(connection);
    letter->timeout_ms = timeout_ms;
    letter->code = code;
    letter->length = (uint8_t)length;
    if (length) memcpy(letter->reason, reason, length);
    if (weft__loop_send(connection->loop, &letter->mail)) return WEFT_OK;
    weft_connection_release(connection);
    weft__free(letter);
    return WEFT_ECLOSED;
}

weft_status weft_connection_close(weft_connection *connection, uint16_t code, const char *reason,
                                  size_t length, uint32_t timeout_ms)
{
    weft_status status = weft__session_check_close(code, reason, length);
    if (status != WEFT_OK) return status;
    if (!weft_loop_is_current(connection->loop))
        return post_close(connection, code, reason, length, timeout_ms);
    if (!atomic_exchange_explicit(&connection->is_open, false, memory_order_acq_rel)) return WEFT_ECLOSED;
    weft__turn_begin(connection->loop);
    status = close_here(connection, code, reason, length, timeout_ms);
    if (status != WEFT_OK) atomic_store_explicit(&connection->is_open, true, memory_order_release);
    weft__turn_end(connection->loop);
    return status;
}

void weft__connection_stop(weft_connection *connection, uint32_t timeout_ms)
{
    const weft_service *service = &connection->plan->service;
    if (!weft_connection_is_open(connection)) return;
    if (service->on_stop) {
        service->on_stop(connection->context, connection, timeout_ms);
    } else {
        weft_connection_close(connection, WEFT_CLOSE_GOING_AWAY, "", 0, timeout_ms);
    }
}
