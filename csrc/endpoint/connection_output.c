/* What goes down: messages and control frames become bytes of the stream. */

#include "endpoint/connection.h"

#include "base/allocator.h"
#include "protocol/outgoing.h"

#include <string.h>

enum {
    /* From here on a server's payload goes to the system from where it lies; below, copying it beside the
     * other frames of the turn is cheaper than a system call of its own. */
    GATHER_FROM = 16 * 1024,
    FRAMES_AT_ONCE = 7,
};

size_t weft_connection_buffered_amount(const weft_connection *connection)
{
    return atomic_load_explicit(&connection->posted, memory_order_relaxed) +
           atomic_load_explicit(&connection->unsent, memory_order_relaxed);
}

/* The limit is for what piles up: a message that finds nothing waiting may go, whatever its size. */
static bool is_too_much(const weft__plan *plan, size_t waiting, size_t added)
{
    uint64_t limit = plan->config.send_queue_limit;
    return waiting > 0 && (waiting > limit || added > limit - waiting);
}

/* -- on the loop --------------------------------------------------------------------------------- */

/* Frame headers from the stack, payload from where it lies. */
static weft_status send_gathered(weft_connection *connection, weft__outgoing *message)
{
    while (!message->is_done) {
        weft__outgoing_frame frames[FRAMES_AT_ONCE];
        weft__span spans[2 * FRAMES_AT_ONCE];
        size_t count = 0;
        for (size_t i = 0; i < FRAMES_AT_ONCE && !message->is_done; i++) {
            weft_status status = weft__session_next_frame(&connection->session, message, &frames[i]);
            if (status != WEFT_OK) return status;
            spans[count++] = (weft__span){frames[i].header, frames[i].header_length};
            spans[count++] = (weft__span){frames[i].payload, frames[i].payload_length};
        }
        weft_status status = weft__stream_write(connection->stream, spans, count);
        if (status != WEFT_OK) return status;
    }
    return WEFT_OK;
}

static bool is_gathered(const weft__plan *plan, size_t length)
{
    uint64_t frame_length = length < plan->session.max_frame_size ? length : plan->session.max_frame_size;
    return frame_length >= GATHER_FROM && plan->session.role == WEFT_SERVER;
}

/* Beside the other frames of the turn. */
static weft_status send_copied(weft_connection *connection, weft_message_type type, const uint8_t *bytes,
                               size_t length)
{
    weft__buffer *output = weft__stream_output(connection->stream);
    if (!output) return WEFT_ENOMEM;
    return weft__session_write_message(&connection->session, output, type, bytes, length);
}

static weft_status copy_frames(weft_connection *connection, weft__outgoing *message)
{
    weft__buffer *output = weft__stream_output(connection->stream);
    return output ? weft__session_write_frames(&connection->session, output, message) : WEFT_ENOMEM;
}

/* A message that is long, at least until it is compressed. */
static weft_status send_long(weft_connection *connection, weft_message_type type, const uint8_t *bytes,
                             size_t length)
{
    weft__session *session = &connection->session;
    weft__outgoing message = weft__session_begin_message(session, type, bytes, length);
    weft_status status = is_gathered(connection->plan, message.length) ? send_gathered(connection, &message)
                                                                       : copy_frames(connection, &message);
    weft__session_end_message(session, &message);
    return status;
}

/* What waits in memory, and what other threads have been told will. */
static size_t waiting_here(const weft_connection *connection)
{
    return weft__stream_unsent(connection->stream) +
           atomic_load_explicit(&connection->posted, memory_order_relaxed);
}

static weft_status send_here(weft_connection *connection, weft_message_type type, const uint8_t *bytes,
                             size_t length)
{
    connection->last_activity_ms = weft__loop_now(connection->loop);
    weft_status status =
        (is_gathered(connection->plan, length) ? send_long : send_copied)(connection, type, bytes, length);
    return status == WEFT_ELOST ? WEFT_ECLOSED : status;
}

weft_status weft__connection_write_control(weft_connection *connection, weft_opcode opcode,
                                           const uint8_t *bytes, size_t length)
{
    weft__buffer *output = weft__stream_output(connection->stream);
    if (!output) return WEFT_ENOMEM;
    return weft__session_write_control(&connection->session, output, opcode, bytes, length);
}

/* RFC 6455 section 5.5.3: one answer to the newest ping is enough, so a flood of pings to a connection whose
 * peer does not read costs one payload. */
static weft_status keep_newest_pong(weft_connection *connection, const uint8_t *bytes, size_t length)
{
    if (!connection->newest_pong) connection->newest_pong = weft__alloc(1 + WEFT_CONTROL_PAYLOAD_MAX);
    if (!connection->newest_pong) return WEFT_ENOMEM;
    connection->newest_pong[0] = (uint8_t)length;
    if (length) memcpy(connection->newest_pong + 1, bytes, length);
    return WEFT_OK;
}

static weft_status control_here(weft_connection *connection, weft_opcode opcode, const uint8_t *bytes,
                                size_t length)
{
    connection->last_activity_ms = weft__loop_now(connection->loop);
    bool must_wait = opcode == WEFT_OPCODE_PONG && weft__stream_unsent(connection->stream) > 0;
    if (must_wait) return keep_newest_pong(connection, bytes, length);
    return weft__connection_write_control(connection, opcode, bytes, length);
}

void weft__connection_drained(weft_connection *connection)
{
    const weft_service *service = &connection->plan->service;
    weft_connection_retain(connection);
    uint8_t *pong = connection->newest_pong;
    connection->newest_pong = NULL;
    if (pong && connection->state == WEFT__CONNECTION_OPEN) {
        control_here(connection, WEFT_OPCODE_PONG, pong + 1, pong[0]);
    }
    weft__free(pong);
    if (connection->state == WEFT__CONNECTION_OPEN && service->on_writable) {
        service->on_writable(connection->context, connection);
    }
    weft__connection_read_on(connection);
    weft_connection_release(connection);
}

/* -- from other threads -------------------------------------------------------------------------- */

/* A message or control frame on its way to the loop. */
typedef struct frame_mail {
    weft__mail mail;
    weft_connection *connection;
    weft_opcode opcode;
    size_t length;
    uint8_t bytes[];
} frame_mail;

/* A peer that has sent its close frame still gets what is written until ours goes out: a service that answers
 * asynchronously is not cut off from the messages that came before. */
static bool may_send(const weft_connection *connection)
{
    bool takes =
        connection->state == WEFT__CONNECTION_OPEN || connection->state == WEFT__CONNECTION_ANSWERING;
    return takes && weft__session_can_send(&connection->session);
}

/* On the loop; the limit has been looked at. */
static weft_status dispatch(weft_connection *connection, weft_opcode opcode, const uint8_t *bytes,
                            size_t length)
{
    if (!may_send(connection)) return WEFT_ECLOSED;
    bool is_control = opcode >= WEFT_OPCODE_CLOSE;
    weft_status status = is_control ? control_here(connection, opcode, bytes, length)
                                    : send_here(connection, (weft_message_type)opcode, bytes, length);
    weft__stream_flush_large(connection->stream);
    return status;
}

static void open_frame_mail(weft_loop *loop, weft__mail *mail)
{
    frame_mail *letter = WEFT__CONTAINER(mail, frame_mail, mail);
    weft_connection *connection = letter->connection;
    (void)loop;
    size_t wire_length = weft__session_wire_length(&connection->session, letter->length);
    weft_status status = dispatch(connection, letter->opcode, letter->bytes, letter->length);
    /* After dispatch has counted what was refused: rather counted twice for a moment than not at all. */
    atomic_fetch_sub_explicit(&connection->posted, wire_length, memory_order_release);
    /* The sender was told that it is on its way: what cannot be kept ends the connection. */
    if (status == WEFT_ENOMEM || status == WEFT_ESYSTEM) {
        weft__connection_lose(connection, status, weft_status_text(status));
    }
    weft_connection_release(connection);
    weft__free(letter);
}

static weft_status post(weft_connection *connection, weft_opcode opcode, const uint8_t *bytes, size_t length)
{
    if (!atomic_load_explicit(&connection->may_send, memory_order_acquire)) return WEFT_ECLOSED;
    frame_mail *letter = weft__alloc(sizeof *letter + length);
    if (!letter) return WEFT_ENOMEM;
    /* First taken, then looked at: of senders that meet here none passes the limit on the other's back. */
    size_t wire_length = weft__session_wire_length(&connection->session, length);
    size_t waiting = atomic_fetch_add_explicit(&connection->posted, wire_length, memory_order_acquire) +
                     atomic_load_explicit(&connection->unsent, memory_order_relaxed);
    if (is_too_much(connection->plan, waiting, wire_length)) {
        atomic_fetch_sub_explicit(&connection->posted, wire_length, memory_order_relaxed);
        weft__free(letter);
        return WEFT_EBACKPRESSURE;
    }
    letter->mail.open = open_frame_mail;
    letter->connection = weft_connection_retain(connection);
    letter->opcode = opcode;
    letter->length = length;
    if (length) memcpy(letter->bytes, bytes, length);
    if (weft__loop_send(connection->loop, &letter->mail)) return WEFT_OK;

    atomic_fetch_sub_explicit(&connection->posted, wire_length, memory_order_relaxed);
    weft_connection_release(connection);
    weft__free(letter);
    return WEFT_ECLOSED;
}

/* -- the doors ----------------------------------------------------------------------------------- */

/* Nothing has a say in it but room: no limit, as nothing waits, no extension, no masking key. */
static bool is_simple(const weft_connection *connection, size_t length)
{
    return weft__turn_here == connection->loop && connection->state == WEFT__CONNECTION_OPEN &&
           weft__session_is_short(&connection->session, length) && !connection->session.deflate &&
           weft__session_can_send(&connection->session) && weft_connection_buffered_amount(connection) == 0;
}

static weft_status send_simple(weft_connection *connection, weft_message_type type, const uint8_t *bytes,
                               size_t length)
{
    weft__buffer *output = weft__stream_output(connection->stream);
    if (!output) return WEFT_ENOMEM;
    connection->last_activity_ms = weft__loop_now(connection->loop);
    return weft__session_write_short(output, (uint8_t)(WEFT__FINAL | type), bytes, length);
}

static weft_status send_frame(weft_connection *connection, weft_opcode opcode, const uint8_t *bytes,
                              size_t length)
{
    if (!weft_loop_is_current(connection->loop)) return post(connection, opcode, bytes, length);
    size_t waiting =
        may_send(connection) ? waiting_here(connection) : 0; /* else dispatch says it is closed */
    bool is_kept_apart = opcode == WEFT_OPCODE_PONG;         /* of those that wait only one is kept */
    if (waiting && !is_kept_apart) {
        size_t wire_length = weft__session_wire_length(&connection->session, length);
        if (is_too_much(connection->plan, waiting, wire_length)) return WEFT_EBACKPRESSURE;
    }
    weft__turn_begin(connection->loop);
    weft_status status = dispatch(connection, opcode, bytes, length);
    weft__turn_end(connection->loop);
    return status;
}

static weft_status send_message(weft_connection *connection, weft_message_type type, const uint8_t *bytes,
                                size_t length)
{
    if (is_simple(connection, length)) return send_simple(connection, type, bytes, length);
    return send_frame(connection, (weft_opcode)type, bytes, length);
}

weft_status weft_connection_send(weft_connection *connection, weft_message_type type, const uint8_t *bytes,
                                 size_t length)
{
    if (type != WEFT_TEXT && type != WEFT_BINARY) return WEFT_EINVAL;
    if (type == WEFT_TEXT && !weft__utf8_is_valid(bytes, length)) return WEFT_EPAYLOAD;
    return send_message(connection, type, bytes, length);
}

weft_status weft_connection_send_valid_text(weft_connection *connection, const uint8_t *bytes, size_t length)
{
    return send_message(connection, WEFT_TEXT, bytes, length);
}

weft_status weft_connection_ping(weft_connection *connection, const uint8_t *bytes, size_t length)
{
    if (length > WEFT_CONTROL_PAYLOAD_MAX) return WEFT_ECONTROL;
    return send_frame(connection, WEFT_OPCODE_PING, bytes, length);
}

weft_status weft_connection_pong(weft_connection *connection, const uint8_t *bytes, size_t length)
{
    if (length > WEFT_CONTROL_PAYLOAD_MAX) return WEFT_ECONTROL;
    return send_frame(connection, WEFT_OPCODE_PONG, bytes, length);
}
