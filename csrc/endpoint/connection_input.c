/* What comes up: bytes of the stream become callbacks of the service. */

#include "endpoint/connection.h"

#include "base/allocator.h"
#include "protocol/incoming.h"

#include <string.h>

static bool listens(const weft_connection *connection)
{
    return connection->state <= WEFT__CONNECTION_CLOSING;
}

static bool may_deliver(const weft_connection *connection)
{
    return listens(connection) && !connection->is_paused && !weft__connection_is_choked(connection);
}

static void take_ping(weft_connection *connection, const weft_event *event)
{
    const weft_service *service = &connection->plan->service;
    if (service->on_ping) {
        service->on_ping(connection->context, connection, event->bytes, event->length);
    } else {
        weft_connection_pong(connection, event->bytes,
                             event->length); /* ECLOSED while closing is as it should be */
    }
}

static void take_pong(weft_connection *connection, const weft_event *event)
{
    const weft_service *service = &connection->plan->service;
    if (service->on_pong) service->on_pong(connection->context, connection, event->bytes, event->length);
}

static void take_message(weft_connection *connection, weft_message_type type, const uint8_t *bytes,
                         size_t length)
{
    const weft_service *service = &connection->plan->service;
    if (service->on_message) service->on_message(connection->context, connection, type, bytes, length);
}

static void take_event(weft_connection *connection, const weft_event *event)
{
    if (event->type == WEFT_EVENT_PONG && weft__connection_is_keep_alive(event->bytes, event->length)) return;
    connection->last_activity_ms = weft__loop_now(connection->loop);
    switch (event->type) {
    case WEFT_EVENT_NONE: return;
    case WEFT_EVENT_TEXT: take_message(connection, WEFT_TEXT, event->bytes, event->length); return;
    case WEFT_EVENT_BINARY: take_message(connection, WEFT_BINARY, event->bytes, event->length); return;
    case WEFT_EVENT_PING: take_ping(connection, event); return;
    case WEFT_EVENT_PONG: take_pong(connection, event); return;
    case WEFT_EVENT_CLOSE:
        weft__connection_take_close(connection, event->close_code, (const char *)event->bytes, event->length);
        return;
    case WEFT_EVENT_FAILURE:
        weft__connection_fail_with(connection, event->status, event->close_code, event->detail);
        return;
    }
}

/* The short messages that `bytes` begin with, each handed out as soon as it is found: most messages are
 * short. Returns how many of the bytes are done with. */
static size_t deliver_short(weft_connection *connection, uint8_t *bytes, size_t length)
{
    size_t used = 0;
    while (may_deliver(connection) && weft__session_is_between_messages(&connection->session)) {
        size_t taken = weft__session_take_short(&connection->session, bytes + used, length - used);
        if (taken == 0) break;
        const uint8_t *frame = bytes + used;
        used += taken;
        connection->last_activity_ms = weft__loop_now(connection->loop);
        take_message(connection, weft__short_type(frame), frame + WEFT__SHORT_HEADER,
                     taken - WEFT__SHORT_HEADER);
    }
    return used;
}

/* Returns how many of the bytes are done with; fewer only when the connection has been told to wait. */
static size_t deliver(weft_connection *connection, uint8_t *bytes, size_t length)
{
    connection->is_delivering = true;
    size_t used = deliver_short(connection, bytes, length);
    bool is_done = used == length && weft__session_is_between_messages(&connection->session);
    while (!is_done && may_deliver(connection)) {
        weft_event event;
        size_t taken;
        weft__session_next(&connection->session, &event, bytes + used, length - used, &taken);
        used += taken;
        if (event.type == WEFT_EVENT_NONE) {
            if (taken)
                connection->last_activity_ms = weft__loop_now(connection->loop); /* a part of something */
            break;
        }
        take_event(connection, &event);
    }
    connection->is_delivering = false;
    return listens(connection) ? used : length;
}

static void hold(weft_connection *connection, const uint8_t *bytes, size_t length)
{
    if (!connection->held_input) connection->held_input = weft__loop_borrow_buffer(connection->loop);
    weft__buffer *held = connection->held_input;
    if (held && weft__buffer_append(held, bytes, length, SIZE_MAX) == WEFT_OK) return;
    weft__connection_fail_with(connection, WEFT_ENOMEM, WEFT_CLOSE_INTERNAL_ERROR,
                               weft_status_text(WEFT_ENOMEM));
}

/* The loop's hold lasts to the end of the turn, whatever happens. */
static void on_read(void *owner, uint8_t *bytes, size_t length)
{
    weft_connection *connection = owner;
    if (!listens(connection)) return; /* RFC 6455 section 7.1.7: what follows the end is dropped */
    connection->last_read_ms = weft__loop_now(connection->loop);
    if (connection->awaits_pong) {
        connection->awaits_pong = false; /* any byte shows life; the next silence counts from it */
        if (connection->state == WEFT__CONNECTION_OPEN) weft__connection_watch(connection);
    }
    size_t used =
        connection->held_input || connection->is_delivering ? 0 : deliver(connection, bytes, length);
    if (used < length) {
        hold(connection, bytes + used, length - used);
        if (listens(connection)) weft__stream_stop_reading(connection->stream);
    }
}

static void on_end(void *owner, weft_status status, const char *detail)
{
    weft_connection *connection = owner;
    connection->peer_ended = true;
    bool is_broken = status != WEFT_OK;
    switch ((weft__connection_state)connection->state) {
    case WEFT__CONNECTION_OPEN:
    case WEFT__CONNECTION_CLOSING: weft__connection_lose(connection, status, detail); return;
    case WEFT__CONNECTION_ANSWERING:
        if (is_broken) weft__connection_vanish(connection);
        return; /* else the answer still goes out */
    case WEFT__CONNECTION_LINGERING:
        if (connection->is_secure && !is_broken)
            weft__stream_shut_down(connection->stream); /* close_notify */
        weft__connection_vanish(connection);
        return;
    case WEFT__CONNECTION_FAILING: /* decides by itself */
    case WEFT__CONNECTION_GONE: return;
    }
}

static void on_drain(void *owner)
{
    weft__connection_drained(owner);
}

const weft__stream_events weft__connection_stream_events = {
    .on_read = on_read,
    .on_end = on_end,
    .on_drain = on_drain,
};

void weft__connection_read_on(weft_connection *connection)
{
    if (!may_deliver(connection) || connection->is_delivering) return;
    weft__buffer *held = connection->held_input;
    if (held) {
        size_t length = weft__buffer_length(held);
        size_t used = deliver(connection, weft__buffer_front(held), length);
        weft__buffer_consume(held, used);
        if (used < length) return;
        weft__loop_return_buffer(connection->loop, held);
        connection->held_input = NULL;
    }
    if (may_deliver(connection)) weft__stream_start_reading(connection->stream);
}

void weft_connection_pause(weft_connection *connection)
{
    weft__assert_on_loop(connection->loop);
    connection->is_paused = true;
    if (listens(connection)) weft__stream_stop_reading(connection->stream);
}

static void read_on_later(weft_loop *loop, void *context)
{
    (void)loop;
    weft_connection *connection = context;
    weft__connection_read_on(connection);
    weft_connection_release(connection);
}

void weft_connection_resume(weft_connection *connection)
{
    weft__assert_on_loop(connection->loop);
    if (!connection->is_paused) return;
    connection->is_paused = false;
    weft_connection_retain(connection);
    weft_status status = weft_loop_post(connection->loop, read_on_later, connection);
    if (status == WEFT_OK) return;
    weft__turn_begin(connection->loop);
    weft__connection_lose(connection, status, weft_status_text(status));
    weft__turn_end(connection->loop);
    weft_connection_release(connection);
}
