#include "protocol/outgoing.h"

#include "base/random.h"
#include "protocol/deflate.h"
#include "protocol/mask.h"

#include <string.h>

static weft__outgoing uncompressed(weft_message_type type, const uint8_t *bytes, size_t length)
{
    return (weft__outgoing){.bytes = bytes, .length = length, .opcode = (uint8_t)type};
}

weft__outgoing weft__session_begin_message(weft__session *session, weft_message_type type,
                                           const uint8_t *bytes, size_t length)
{
    weft__outgoing message = uncompressed(type, bytes, length);
    if (session->deflate) {
        message.is_compressed =
            weft__deflate_compress(session->deflate, session->config, &message.bytes, &message.length);
    }
    return message;
}

void weft__session_end_message(weft__session *session, const weft__outgoing *message)
{
    if (!message->is_compressed) return;
    weft__deflate_forget_output(session->deflate);
    if (!message->is_done) weft__deflate_forget_compressor(session->deflate);
}

enum {
    COMPRESSED = 0x40
};

static size_t frame_payload_length(const weft__session *session, size_t left)
{
    uint64_t most = session->config->max_frame_size;
    return left < most ? left : (size_t)most;
}

/* RFC 7692 section 6: a compressed message is marked on its first frame. */
static weft_status write_header(const weft__session *session, weft__outgoing_frame *frame, uint8_t opcode,
                                bool is_final, bool is_compressed)
{
    weft_frame_header header = {
        .rsv1 = is_compressed && opcode != WEFT_OPCODE_CONTINUATION,
        .payload_length = frame->payload_length,
        .opcode = opcode,
        .is_final = is_final,
        .is_masked = session->config->role == WEFT_CLIENT,
    };
    if (header.is_masked) {
        /* RFC 6455 section 5.3: a fresh, unpredictable key for each frame. */
        weft_status status = weft__random_fill(header.mask, sizeof header.mask);
        if (status != WEFT_OK) return status;
        memcpy(frame->mask, header.mask, sizeof frame->mask);
    }
    frame->header_length = weft_frame_header_write(frame->header, &header);
    return WEFT_OK;
}

weft_status weft__session_next_frame(const weft__session *session, weft__outgoing *message,
                                     weft__outgoing_frame *frame)
{
    frame->payload = message->bytes;
    frame->payload_length = frame_payload_length(session, message->length);
    bool is_final = frame->payload_length == message->length;
    weft_status status = write_header(session, frame, message->opcode, is_final, message->is_compressed);
    if (status != WEFT_OK) return status;

    if (frame->payload_length) message->bytes += frame->payload_length;
    message->length -= frame->payload_length;
    message->opcode = WEFT_OPCODE_CONTINUATION;
    message->is_done = is_final;
    return WEFT_OK;
}

static size_t header_length(const weft__session *session, size_t payload_length)
{
    size_t length = payload_length < 126 ? 2 : payload_length <= UINT16_MAX ? 4 : 10;
    return session->config->role == WEFT_CLIENT ? length + 4 : length;
}

size_t weft__session_wire_length(const weft__session *session, size_t length)
{
    size_t full = frame_payload_length(session, length);
    if (full == length) return length + header_length(session, length);
    size_t frames = length / full, rest = length % full;
    size_t last_header = rest ? header_length(session, rest) : 0;
    size_t one_header = header_length(session, full);
    if (frames > (SIZE_MAX - length - last_header) / one_header) return SIZE_MAX;
    return length + frames * one_header + last_header;
}

/* Writes a frame behind room that is there; returns one past its last byte. */
static uint8_t *put_frame(const weft__session *session, uint8_t *to, const weft__outgoing_frame *frame)
{
    memcpy(to, frame->header, frame->header_length);
    to += frame->header_length;
    if (frame->payload_length == 0) return to;
    if (session->config->role == WEFT_CLIENT) {
        weft__mask_copy(to, frame->payload, frame->payload_length, frame->mask, 0);
    } else {
        memcpy(to, frame->payload, frame->payload_length);
    }
    return to + frame->payload_length;
}

static weft_status write_any_frames(const weft__session *session, weft__buffer *out, weft__outgoing *message)
{
    size_t wire_length = weft__session_wire_length(session, message->length);
    uint8_t *room = weft__buffer_reserve(out, wire_length, PTRDIFF_MAX);
    if (!room) return WEFT_ENOMEM;

    while (!message->is_done) {
        weft__outgoing_frame frame;
        weft_status status = weft__session_next_frame(session, message, &frame);
        if (status != WEFT_OK) return status;
        room = put_frame(session, room, &frame);
    }
    weft__buffer_commit(out, wire_length);
    return WEFT_OK;
}

weft_status weft__session_write_frames(const weft__session *session, weft__buffer *out,
                                       weft__outgoing *message)
{
    if (!weft__session_is_short(session, message->length)) return write_any_frames(session, out, message);
    uint8_t first_byte = (uint8_t)(WEFT__FINAL | message->opcode | (message->is_compressed ? COMPRESSED : 0));
    weft_status status = weft__session_write_short(out, first_byte, message->bytes, message->length);
    message->is_done = status == WEFT_OK;
    return status;
}

static weft_status compress_and_write(weft__session *session, weft__buffer *out, weft_message_type type,
                                      const uint8_t *bytes, size_t length)
{
    weft__outgoing message = weft__session_begin_message(session, type, bytes, length);
    weft_status status = weft__session_write_frames(session, out, &message);
    weft__session_end_message(session, &message);
    return status;
}

weft_status weft__session_write_message(weft__session *session, weft__buffer *out, weft_message_type type,
                                        const uint8_t *bytes, size_t length)
{
    if (!weft__session_can_send(session)) return WEFT_ECLOSED;
    if (session->deflate) return compress_and_write(session, out, type, bytes, length);
    if (weft__session_is_short(session, length))
        return weft__session_write_short(out, (uint8_t)(WEFT__FINAL | type), bytes, length);
    weft__outgoing message = uncompressed(type, bytes, length);
    return write_any_frames(session, out, &message);
}

static weft_status append_control(weft__session *session, weft__buffer *out, weft_opcode opcode,
                                  const uint8_t *bytes, size_t length)
{
    weft__outgoing_frame frame = {.payload = bytes, .payload_length = length};
    weft_status status = write_header(session, &frame, (uint8_t)opcode, true, false);
    if (status != WEFT_OK) return status;
    uint8_t *room = weft__buffer_reserve(out, frame.header_length + length, SIZE_MAX);
    if (!room) return WEFT_ENOMEM;
    put_frame(session, room, &frame);
    weft__buffer_commit(out, frame.header_length + length);
    return WEFT_OK;
}

weft_status weft__session_write_control(weft__session *session, weft__buffer *out, weft_opcode opcode,
                                        const uint8_t *bytes, size_t length)
{
    if (length > WEFT_CONTROL_PAYLOAD_MAX) return WEFT_ECONTROL;
    if (!weft__session_can_send(session)) return WEFT_ECLOSED;
    return append_control(session, out, opcode, bytes, length);
}

weft_status weft__session_check_close(uint16_t code, const char *reason, size_t length)
{
    bool has_code = code != 0 && code != WEFT_CLOSE_NO_STATUS;
    if (has_code && !weft_close_code_is_valid(code)) return WEFT_EINVAL;
    if (length > WEFT_CLOSE_REASON_MAX || (length && !has_code)) return WEFT_EINVAL;
    return weft__utf8_is_valid((const uint8_t *)reason, length) ? WEFT_OK : WEFT_EPAYLOAD;
}

static void close_frame_is_out(weft__session *session)
{
    session->phase = session->phase == WEFT__SESSION_OPEN ? WEFT__SESSION_CLOSE_SENT : WEFT__SESSION_OVER;
}

weft_status weft__session_write_close(weft__session *session, weft__buffer *out, uint16_t code,
                                      const char *reason, size_t length)
{
    bool is_out = session->phase == WEFT__SESSION_CLOSE_SENT || session->phase == WEFT__SESSION_OVER;
    if (is_out) return WEFT_ECLOSED;
    weft_status status = weft__session_check_close(code, reason, length);
    if (status != WEFT_OK) return status;

    uint8_t payload[WEFT_CONTROL_PAYLOAD_MAX];
    size_t payload_length = 0;
    if (code != 0 && code != WEFT_CLOSE_NO_STATUS) {
        payload[0] = (uint8_t)(code >> 8);
        payload[1] = (uint8_t)code;
        if (length) memcpy(payload + 2, reason, length);
        payload_length = 2 + length;
    }
    status = append_control(session, out, WEFT_OPCODE_CLOSE, payload, payload_length);
    if (status == WEFT_OK) close_frame_is_out(session);
    return status;
}
