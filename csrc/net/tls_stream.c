#include "net/tls_stream.h"

#include "net/stream_internal.h"

#include <string.h>

enum {
    RECORD_MAX = 16 * 1024,          /* plain bytes of one record (RFC 8446 section 5.1) */
    HEADROOM = RECORD_MAX + 1024,    /* for a record that has come in part before */
    SEND_ABOVE = 96 * 1024,          /* so many records are worth a call of the system */
    ANSWERS_WAITING_MAX = 64 * 1024, /* bytes */
    WRITES_WAITING_MAX = 32,
};

static weft__tls_engine *engine_of(const weft__stream *stream)
{
    return stream->kind_state;
}

static void break_for(weft__stream *stream, weft_status status)
{
    weft__stream_break(stream, status == WEFT_ENOMEM ? UV_ENOMEM : WEFT__BROKEN_BY_KIND);
}

static weft_status send_records(weft__stream *stream, weft__buffer *records)
{
    size_t length = weft__buffer_length(records);
    weft__span span = {weft__buffer_front(records), length};
    weft_status status = length ? weft__stream_send_raw(stream, &span, 1) : WEFT_OK;
    weft__buffer_reset(records);
    return status;
}

/* -- receiving ----------------------------------------------------------------------------------- */

/* Records that TLS itself has to say: of the handshake, alerts, answers to key updates. A peer that asks for
 * more and more of these and reads none is given up. */
static void send_answers(weft__stream *stream, weft__buffer *records)
{
    weft__tls_engine *engine = engine_of(stream);
    size_t length = weft__buffer_length(records);
    if (!length) return;
    send_records(stream, records);
    engine->answers_waiting = stream->writes_waiting ? engine->answers_waiting + length : 0;
    bool are_too_many =
        engine->answers_waiting > ANSWERS_WAITING_MAX || stream->writes_waiting > WRITES_WAITING_MAX;
    if (are_too_many) weft__stream_break(stream, UV_ENOBUFS);
}

/* True when the handshake is done and the owner goes on. */
static bool shake_hands(weft__stream *stream, weft__buffer *records)
{
    weft__tls_engine *engine = engine_of(stream);
    weft_status status = weft__tls_engine_shake_hands(engine, records);
    if (status == WEFT_OK && engine->peer_has_closed) {
        status = weft__tls_problem_set(weft__tls_engine_problem(engine),
                                       "the TLS handshake failed: the peer closed");
    }
    send_answers(stream, records);
    if (status != WEFT_OK) break_for(stream, status);
    if (status != WEFT_OK || !engine->is_open) return false;
    if (stream->events->on_secure) stream->events->on_secure(weft__stream_owner(stream));
    return !stream->is_closed;
}

/*
 * Decrypts to the beginning of the receive buffer while the records are taken from behind: the plain bytes
 * never catch up, for they are no more than what was taken, and HEADROOM for a record that had come in part.
 * `*is_over` says that the records are used up.
 */
static weft_status decrypt(weft__stream *stream, size_t *length, bool *is_over, weft__buffer *records)
{
    weft__tls_engine *engine = engine_of(stream);
    uint8_t *plain = stream->loop->receive_buffer;
    *length = 0;
    while (plain + *length < engine->input) {
        size_t count, room = (size_t)(engine->input - (plain + *length));
        weft_status status = weft__tls_engine_read(engine, plain + *length, room, &count, records);
        *is_over = status != WEFT_OK || !count;
        if (*is_over) return status;
        *length += count;
    }
    return WEFT_OK;
}

static void read_on(weft__stream *stream, weft__buffer *records)
{
    bool is_over = false;
    while (!is_over && !stream->is_closed) {
        size_t length;
        weft_status status = decrypt(stream, &length, &is_over, records);
        send_answers(stream, records);
        if (status != WEFT_OK) break_for(stream, status);
        if (length) stream->events->on_read(weft__stream_owner(stream), stream->loop->receive_buffer, length);
    }
}

static void tell_end(weft__stream *stream)
{
    if (stream->is_reading) {
        weft__stream_tell_end(stream);
    } else {
        stream->kind_waits = true;
    }
}

/* What came behind the handshake, whose owner wants to wait before it reads. */
static void hold(weft__stream *stream)
{
    weft__tls_engine *engine = engine_of(stream);
    stream->kind_waits = true;
    if (weft__buffer_append(&engine->held, engine->input, engine->input_length, SIZE_MAX) != WEFT_OK)
        weft__stream_break(stream, UV_ENOMEM);
}

/* `bytes` are in the receive buffer, HEADROOM behind its beginning. */
static void take(weft__stream *stream, const uint8_t *bytes, size_t length, weft__buffer *records)
{
    weft__tls_engine *engine = engine_of(stream);
    bool had_closed = engine->peer_has_closed;
    weft__tls_engine_feed(engine, bytes, length);
    if (!engine->is_open && !shake_hands(stream, records)) return;
    if (!stream->is_reading) {
        hold(stream);
        return;
    }
    read_on(stream, records);
    if (stream->is_closed || stream->is_broken) return;
    if (engine->peer_has_closed && !had_closed) tell_end(stream);
}

static void tls_receive(weft__stream *stream, uint8_t *bytes, size_t length)
{
    weft_loop *loop = stream->loop;
    weft__buffer *records = weft__loop_borrow_buffer(loop);
    if (!records) {
        weft__stream_break(stream, UV_ENOMEM);
        return;
    }
    take(stream, bytes, length, records);
    weft__loop_return_buffer(loop, records);
}

static void tls_resume(weft__stream *stream)
{
    weft__tls_engine *engine = engine_of(stream);
    weft__buffer held = engine->held;
    size_t length = weft__buffer_length(&held);
    engine->held = (weft__buffer){0};
    if (length) {
        uint8_t *place = stream->loop->receive_buffer + HEADROOM;
        memcpy(place, weft__buffer_front(&held), length); /* it came from there */
        weft__buffer_clear(&held);
        tls_receive(stream, place, length);
    } else if (engine->peer_has_closed) {
        weft__stream_tell_end(stream);
    }
}

/* An end of TCP that nobody announced may be an attacker's, who cuts off what follows (RFC 8446 section
 * 6.1). */
static void tls_end(weft__stream *stream)
{
    weft__tls_engine *engine = engine_of(stream);
    weft__stream_stop_reading(stream);
    if (engine->peer_has_closed) return; /* it was told */
    weft__tls_problem_set(weft__tls_engine_problem(engine),
                          engine->is_open ? "TCP ended without the close_notify of TLS"
                                          : "the peer ended TCP during the TLS handshake");
    weft__stream_break(stream, WEFT__BROKEN_BY_KIND);
}

static const char *tls_break_text(const weft__stream *stream, weft_status *status)
{
    const weft__tls_engine *engine = engine_of(stream);
    *status = engine->has_failed || !engine->is_open ? WEFT_ETLS : WEFT_ELOST;
    return weft__tls_engine_text(engine);
}

/* -- sending ------------------------------------------------------------------------------------- */

/* On its way from plain bytes to the system. */
typedef struct sealing {
    weft__stream *stream;
    weft__buffer *records;
    weft_status status;
    size_t gathered; /* bytes of `record` */
    uint8_t record[RECORD_MAX];
} sealing;

static void seal(sealing *sealing, const uint8_t *bytes, size_t length)
{
    if (sealing->status != WEFT_OK) return;
    weft__stream *stream = sealing->stream;
    sealing->status = weft__tls_engine_write(engine_of(stream), bytes, length, sealing->records);
    if (sealing->status != WEFT_OK) break_for(stream, sealing->status);
    bool is_much = weft__buffer_length(sealing->records) > SEND_ABOVE && !stream->writes_waiting;
    if (sealing->status == WEFT_OK && is_much) sealing->status = send_records(stream, sealing->records);
}

/* Fills records to the brim; bytes that fill one by themselves are not copied before they are encrypted. */
static void add(sealing *sealing, const uint8_t *bytes, size_t length)
{
    while (length > 0) {
        size_t room = RECORD_MAX - sealing->gathered;
        size_t count = length < room ? length : room;
        if (count == RECORD_MAX) {
            seal(sealing, bytes, count);
        } else {
            memcpy(sealing->record + sealing->gathered, bytes, count);
            sealing->gathered += count;
        }
        if (sealing->gathered == RECORD_MAX) {
            seal(sealing, sealing->record, RECORD_MAX);
            sealing->gathered = 0;
        }
        bytes += count;
        length -= count;
    }
}

static weft_status tls_send(weft__stream *stream, const weft__span *spans, size_t count)
{
    if (!engine_of(stream)->is_open) return WEFT_OK; /* nothing can be said yet */
    sealing sealing;
    sealing.stream = stream;
    sealing.status = WEFT_OK;
    sealing.gathered = 0;
    sealing.records = weft__loop_borrow_buffer(stream->loop);
    if (!sealing.records) {
        weft__stream_break(stream, UV_ENOMEM);
        return WEFT_ENOMEM;
    }
    if (stream->output)
        add(&sealing, weft__buffer_front(stream->output), weft__buffer_length(stream->output));
    for (size_t i = 0; i < count; i++)
        add(&sealing, spans[i].bytes, spans[i].length);
    seal(&sealing, sealing.record, sealing.gathered);
    if (sealing.status == WEFT_OK) sealing.status = send_records(stream, sealing.records);
    weft__loop_return_buffer(stream->loop, sealing.records);
    return sealing.status;
}

static void tls_finish(weft__stream *stream)
{
    weft__buffer *records = weft__loop_borrow_buffer(stream->loop);
    if (!records) return; /* TCP's end has to say it then */
    weft__tls_engine_close(engine_of(stream), records);
    send_records(stream, records);
    weft__loop_return_buffer(stream->loop, records);
}

static void tls_clear(weft__stream *stream)
{
    weft__tls_engine_free(engine_of(stream));
    stream->kind_state = NULL;
}

static const weft__stream_kind tls_kind = {
    .receive_offset = HEADROOM,
    .receive = tls_receive,
    .end = tls_end,
    .send = tls_send,
    .finish = tls_finish,
    .resume = tls_resume,
    .break_text = tls_break_text,
    .clear = tls_clear,
};

/* -- beginning ----------------------------------------------------------------------------------- */

weft_status weft__stream_secure(weft__stream *stream, weft_tls *tls, const char *host, uint16_t port)
{
    weft__tls_engine *engine;
    weft__buffer *records = weft__loop_borrow_buffer(stream->loop);
    weft_status status = records ? weft__tls_engine_new(&engine, tls, host, port) : WEFT_ENOMEM;
    if (status != WEFT_OK) {
        if (records) weft__loop_return_buffer(stream->loop, records);
        return status;
    }
    stream->kind = &tls_kind;
    stream->kind_state = engine;
    if (host) { /* the client speaks first */
        status = weft__tls_engine_shake_hands(engine, records);
        send_answers(stream, records);
        if (status != WEFT_OK) break_for(stream, status);
    }
    weft__loop_return_buffer(stream->loop, records);
    weft__stream_start_reading(stream);
    return WEFT_OK;
}

const weft__tls_engine *weft__stream_tls(const weft__stream *stream)
{
    return stream->kind == &tls_kind ? stream->kind_state : NULL;
}
