/* The closing handshake, and close frames that a service holds back. */

#include "endpoint/connection.h"

#include "base/allocator.h"
#include "protocol/outgoing.h"

#include <string.h>

enum {
    ANSWER_MS = 5000, /* how long a service may hold a close frame */
};

weft_status weft__connection_write_close(weft_connection *connection, uint16_t code, const char *reason,
                                         size_t length)
{
    weft__buffer *output = weft__stream_output(connection->stream);
    if (!output) return WEFT_ENOMEM;
    return weft__session_write_close(&connection->session, output, code, reason, length);
}

/* -- held back ----------------------------------------------------------------------------------- */

/* A failure's frame has the sentence that it was told with; the answer to a close frame has none. */
void weft__connection_answer(weft_connection *connection)
{
    weft__connection_stop_sending(connection);
    weft__timer_stop(&connection->timer);
    bool has_reason = connection->holds_failure && connection->held_reason;
    const char *reason = has_reason ? connection->held_reason : "";
    weft__connection_write_close(connection, connection->answer_code, reason, strlen(reason)); /* at best */
    weft__connection_forget_failure(connection);
    weft__connection_linger(connection);
}

void weft__connection_forget_failure(weft_connection *connection)
{
    if (connection->holds_failure) weft__free(connection->held_reason);
    connection->holds_failure = false;
}

/* What came before the violation is still answered; without memory its reason is left out. */
static void hold_failure(weft_connection *connection)
{
    connection->state = WEFT__CONNECTION_ANSWERING;
    connection->holds_failure = true;
    connection->held_reason = NULL;
    weft__session_stop_receiving(&connection->session);
    weft__loop_start_timer(connection->loop, &connection->timer, ANSWER_MS);
}

void weft__connection_keep_reason(weft_connection *connection, const char *reason, size_t length)
{
    char *copy = weft__alloc(length + 1);
    connection->held_reason = copy;
    if (!copy) return;
    memcpy(copy, reason, length);
    copy[length] = '\0';
}

void weft_connection_hold_close(weft_connection *connection)
{
    if (connection->state == WEFT__CONNECTION_ANSWERING) connection->holds_close = true;
    if (connection->state == WEFT__CONNECTION_FAILING) hold_failure(connection);
}

static void answer_here(weft_connection *connection)
{
    bool is_held = connection->state == WEFT__CONNECTION_ANSWERING && connection->is_told_closed;
    if (is_held) weft__connection_answer(connection);
}

static void answer_later(weft_loop *loop, void *context)
{
    weft_connection *connection = context;
    (void)loop;
    answer_here(connection);
    weft_connection_release(connection);
}

void weft_connection_answer_close(weft_connection *connection)
{
    if (weft_loop_is_current(connection->loop)) {
        weft__turn_begin(connection->loop);
        answer_here(connection);
        weft__turn_end(connection->loop);
        return;
    }
    /* What is sent from here on comes behind the close frame. */
    if (!weft_connection_is_open(connection)) weft__connection_stop_sending(connection);
    weft_connection_retain(connection);
    if (weft_loop_post(connection->loop, answer_later, connection) != WEFT_OK)
        weft_connection_release(connection);
}

/* -- the peer's close frame ---------------------------------------------------------------------- */

void weft__connection_take_close(weft_connection *connection, uint16_t code, const char *reason,
                                 size_t length)
{
    bool is_first = connection->state == WEFT__CONNECTION_OPEN;
    weft__connection_set_not_open(connection);
    weft__timer_stop(&connection->timer);
    connection->answer_code = code;
    connection->state = WEFT__CONNECTION_ANSWERING;
    weft__connection_tell_close(connection, code, reason, length);
    if (connection->state != WEFT__CONNECTION_ANSWERING) return;
    if (!is_first) {
        weft__connection_linger(connection);
    } else if (connection->holds_close) {
        weft__loop_start_timer(connection->loop, &connection->timer, ANSWER_MS);
    } else {
        weft__connection_answer(connection);
    }
}

/* -- ours ---------------------------------------------------------------------------------------- */

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
    weft_status status = weft__connection_write_close(connection, code, reason, length);
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
