#include "protocol/incoming.h"

#include "base/allocator.h"
#include "protocol/deflate.h"
#include "protocol/mask.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const uint8_t no_bytes[1];
static const char not_utf8[] = "a text message is not UTF-8";

static uint16_t close_code_for(weft_status status)
{
    switch (status) {
    case WEFT_EPAYLOAD: return WEFT_CLOSE_INVALID_PAYLOAD;
    case WEFT_ETOOBIG: return WEFT_CLOSE_TOO_BIG;
    case WEFT_ENOMEM: return WEFT_CLOSE_INTERNAL_ERROR;
    default: return WEFT_CLOSE_PROTOCOL_ERROR;
    }
}

/* Field by field: clearing the detail with the rest would cost more than a small frame. */
static void reset(weft_event *event)
{
    event->type = WEFT_EVENT_NONE;
    event->bytes = no_bytes;
    event->length = 0;
    event->close_code = 0;
    event->status = WEFT_OK;
    event->detail[0] = '\0';
}

/* RFC 6455 section 7.1.7: everything after a violation is dropped, and one close frame is due. */
static void fail(weft__session *session, weft_event *event, weft_status status, const char *detail)
{
    weft__session_clear(session);
    session->phase = session->phase == WEFT__SESSION_CLOSE_SENT ? WEFT__SESSION_OVER : WEFT__SESSION_FAILED;
    event->type = WEFT_EVENT_FAILURE;
    event->bytes = no_bytes;
    event->length = 0;
    event->status = status;
    event->close_code = close_code_for(status);
    snprintf(event->detail, sizeof event->detail, "%s", detail);
}

static void fail_over_limit(weft__session *session, weft_event *event, const char *what, uint64_t size,
                            const char *limit_name, uint64_t limit)
{
    char detail[sizeof event->detail];
    snprintf(detail, sizeof detail, "%s of %" PRIu64 " bytes is over %s %" PRIu64, what, size, limit_name,
             limit);
    fail(session, event, WEFT_ETOOBIG, detail);
}

static void deliver(weft_event *event, weft_event_type type, const uint8_t *bytes, size_t length)
{
    event->type = type;
    event->bytes = length ? bytes : no_bytes;
    event->length = length;
}

static weft_event_type event_of(weft_message_type type)
{
    return type == WEFT_TEXT ? WEFT_EVENT_TEXT : WEFT_EVENT_BINARY;
}

/* RFC 7692 section 6: of the reserved bits the first may be set on the first frame of a message. */
static const char *reserved_bit_fault(const weft__session *session, const weft_frame_header *header)
{
    if (!session->deflate) return "a reserved bit is set and no extension was negotiated";
    if (header->rsv2 || header->rsv3) return "a reserved bit is set that no negotiated extension uses";
    if (header->opcode == WEFT_OPCODE_TEXT || header->opcode == WEFT_OPCODE_BINARY) return NULL;
    return "a frame that does not begin a message is marked as compressed";
}

/* What depends on the endpoint rather than on the frame alone. False when the event says why. */
static bool accept_header(weft__session *session, weft_event *event, const weft_frame_header *header)
{
    bool expects_mask = session->config->role == WEFT_SERVER;
    if (header->is_masked != expects_mask) {
        fail(session, event, WEFT_EPROTOCOL, /* RFC 6455 section 5.1 */
             expects_mask ? "a frame from the client is not masked" : "a frame from the server is masked");
        return false;
    }
    if (header->rsv1 || header->rsv2 || header->rsv3) { /* RFC 6455 section 5.2 */
        const char *fault = reserved_bit_fault(session, header);
        if (fault) {
            fail(session, event, WEFT_EPROTOCOL, fault);
            return false;
        }
    }
    /* RFC 6455 section 5.5 bounds control frames already; a close must get through whatever the limit. */
    bool is_control = header->opcode >= WEFT_OPCODE_CLOSE;
    if (!is_control && header->payload_length > session->config->max_frame_size) {
        fail_over_limit(session, event, "frame", header->payload_length, "maxFrameSize",
                        session->config->max_frame_size);
        return false;
    }
    return true;
}

static void fail_header(weft__session *session, weft_event *event, weft_status status)
{
    fail(session, event, status,
         status == WEFT_ECONTROL ? "a control frame is longer than 125 bytes"
                                 : "a frame header has a reserved opcode, a fragmented control frame or a "
                                   "bad length");
}

static void take_close(weft__session *session, weft_event *event, const uint8_t *bytes, size_t length)
{
    uint16_t code = WEFT_CLOSE_NO_STATUS;
    if (length == 1) { /* RFC 6455 section 5.5.1 */
        fail(session, event, WEFT_EPROTOCOL, "a close frame has half a code");
        return;
    }
    if (length >= 2) {
        code = (uint16_t)(bytes[0] << 8 | bytes[1]);
        if (!weft_close_code_is_valid(code)) { /* RFC 6455 section 7.4 */
            fail(session, event, WEFT_EPROTOCOL, "a close frame has a code that may not be sent");
            return;
        }
        if (!weft__utf8_is_valid(bytes + 2, length - 2)) { /* RFC 6455 section 5.5.1 */
            fail(session, event, WEFT_EPAYLOAD, "a close reason is not UTF-8");
            return;
        }
    }
    weft__session_drop_message(session);
    session->phase =
        session->phase == WEFT__SESSION_CLOSE_SENT ? WEFT__SESSION_OVER : WEFT__SESSION_CLOSE_RECEIVED;
    event->close_code = code;
    bool has_reason = length > 2;
    deliver(event, WEFT_EVENT_CLOSE, has_reason ? bytes + 2 : no_bytes, has_reason ? length - 2 : 0);
}

/* A control frame whose payload is all there. */
static void take_control(weft__session *session, weft_event *event, const weft_frame_header *header,
                         uint8_t *payload)
{
    size_t length = (size_t)header->payload_length;
    if (header->is_masked) weft__mask(payload, length, header->mask, 0);
    if (header->opcode == WEFT_OPCODE_CLOSE) {
        take_close(session, event, payload, length);
    } else {
        bool is_ping = header->opcode == WEFT_OPCODE_PING;
        deliver(event, is_ping ? WEFT_EVENT_PING : WEFT_EVENT_PONG, payload, length);
    }
}

static void fail_message(weft__session *session, weft_event *event, weft_status status, uint64_t frame_length)
{
    const weft__message *message = &session->message;
    if (status == WEFT_ETOOBIG && message->fragments >= session->config->max_fragments) {
        char detail[sizeof event->detail];
        snprintf(detail, sizeof detail, "a message has more than maxFragments %" PRIu32 " frames",
                 session->config->max_fragments);
        fail(session, event, status, detail);
    } else if (status == WEFT_ETOOBIG) {
        uint64_t size = weft__message_length(message) + frame_length;
        fail_over_limit(session, event, "message", size, "maxMessageSize", session->config->max_message_size);
    } else if (status == WEFT_ECONTINUATION) {
        fail(session, event, status,
             weft__message_is_under_way(message) ? "a new message begins inside a fragmented one"
                                                 : "a continuation frame continues nothing");
    } else if (status == WEFT_EPAYLOAD) {
        fail(session, event, status, not_utf8);
    } else {
        fail(session, event, status, weft_status_text(status));
    }
}

static void begin_data_frame(weft__session *session, weft_event *event, const weft_frame_header *header)
{
    weft_status status = weft__message_begin_frame(&session->message, header, session->config);
    if (status != WEFT_OK) {
        fail_message(session, event, status, header->payload_length);
        return;
    }
    if (header->rsv1) {
        session->message.payload = weft__deflate_borrow_payload(session->deflate);
        if (!session->message.payload) {
            fail_message(session, event, WEFT_ENOMEM, 0);
            return;
        }
    }
    memcpy(session->frame_mask, header->mask, sizeof session->frame_mask);
    session->frame_remaining = header->payload_length;
    session->frame_offset = 0;
    session->frame_is_masked = header->is_masked;
    session->frame_is_final = header->is_final;
    session->is_inside_frame = true;
}

static void fail_inflating(weft__session *session, weft_event *event, weft_status status)
{
    if (status == WEFT_ETOOBIG) {
        char detail[sizeof event->detail];
        snprintf(detail, sizeof detail, "a compressed message inflates to more than maxMessageSize %" PRIu64,
                 session->config->max_message_size);
        fail(session, event, status, detail);
    } else if (status == WEFT_EPAYLOAD) {
        fail(session, event, status, "a compressed message is damaged");
    } else {
        fail(session, event, status, weft_status_text(status));
    }
}

/* RFC 7692 section 7.2.2. What was inflated is checked even where the rest is wrong, so that the cut of the
 * input does not decide which of two faults comes first. */
static void take_compressed(weft__session *session, weft_event *event, const uint8_t *bytes, size_t length)
{
    weft__message *message = &session->message;
    size_t before = weft__buffer_length(message->payload);
    weft_status status =
        weft__deflate_inflate(session->deflate, session->config, message->payload, bytes, length);
    weft_status text = weft__message_check(message, weft__buffer_length(message->payload) - before);
    bool is_over = status == WEFT_OK && session->frame_remaining == 0 && session->frame_is_final;
    if (is_over) status = weft__deflate_finish(session->deflate, session->config);
    if (text != WEFT_OK) {
        fail_message(session, event, text, 0);
    } else if (status != WEFT_OK) {
        fail_inflating(session, event, status);
    }
}

/* The frame that is under way takes what is there. */
static void take_payload(weft__session *session, weft_event *event, uint8_t *bytes, size_t length,
                         size_t *used)
{
    weft__message *message = &session->message;
    size_t taken = session->frame_remaining < length ? (size_t)session->frame_remaining : length;
    uint8_t offset = session->frame_offset;
    *used += taken;
    session->frame_remaining -= taken;
    session->frame_offset = (uint8_t)(offset + taken);

    weft_status status = WEFT_OK;
    if (message->is_compressed) {
        if (session->frame_is_masked) weft__mask(bytes, taken, session->frame_mask, offset);
        take_compressed(session, event, bytes, taken);
        if (event->type == WEFT_EVENT_FAILURE) return;
    } else if (session->frame_is_masked) {
        status = weft__message_append_masked(message, bytes, taken, session->frame_mask, offset);
    } else {
        status = weft__message_append(message, bytes, taken);
    }
    if (status == WEFT_OK && session->frame_remaining > 0) return;
    if (status == WEFT_OK && session->frame_is_final) status = weft__message_finish(message);
    if (status != WEFT_OK) {
        fail_message(session, event, status, 0);
        return;
    }
    session->is_inside_frame = false;
    if (!session->frame_is_final) return;
    session->message_is_delivered = true;
    deliver(event, event_of((weft_message_type)message->type),
            message->payload ? weft__buffer_front(message->payload) : NULL, weft__message_length(message));
}

/* Unmasks a whole message where it lies. False when it is text and not UTF-8. */
static bool unmask_whole(const weft_frame_header *header, uint8_t *payload, size_t length)
{
    bool is_text = header->opcode == WEFT_OPCODE_TEXT;
    if (header->is_masked && is_text)
        return weft__mask_text(WEFT__UTF8_COMPLETE, payload, payload, length, header->mask, 0) ==
               WEFT__UTF8_COMPLETE;
    if (header->is_masked) weft__mask(payload, length, header->mask, 0);
    return !is_text || weft__utf8_is_valid(payload, length);
}

/* The usual case: a whole message in one frame, handed out where it lies. */
static void take_whole_message(weft__session *session, weft_event *event, const weft_frame_header *header,
                               uint8_t *payload)
{
    size_t length = (size_t)header->payload_length;
    if (length > session->config->max_message_size) {
        fail_message(session, event, WEFT_ETOOBIG, length);
        return;
    }
    if (!unmask_whole(header, payload, length)) {
        fail_message(session, event, WEFT_EPAYLOAD, length);
        return;
    }
    deliver(event, event_of((weft_message_type)header->opcode), payload, length);
}

/* The end of a read cuts a header or a control frame: keeps it raw, for the next read to complete. */
static void keep_pending(weft__session *session, weft_event *event, const uint8_t *bytes, size_t length)
{
    if (!session->pending) session->pending = weft__alloc(WEFT__PENDING_CAPACITY);
    if (!session->pending) {
        fail(session, event, WEFT_ENOMEM, weft_status_text(WEFT_ENOMEM));
        return;
    }
    memcpy(session->pending + session->pending_length, bytes, length);
    session->pending_length = (uint8_t)(session->pending_length + length);
}

/* Completes what the last read cut. The kept bytes begin a frame and are less than its header or, of a
 * control frame, less than the whole. */
static void take_pending(weft__session *session, weft_event *event, const uint8_t *bytes, size_t length,
                         size_t *used)
{
    size_t kept = session->pending_length;
    size_t added = WEFT__PENDING_CAPACITY - kept < length ? WEFT__PENDING_CAPACITY - kept : length;
    memcpy(session->pending + kept, bytes, added);

    weft_frame_header header;
    int header_length = weft_frame_header_read(&header, session->pending, kept + added);
    if (header_length < 0) {
        fail_header(session, event, (weft_status)header_length);
        return;
    }
    bool is_control = header_length > 0 && header.opcode >= WEFT_OPCODE_CLOSE;
    size_t whole = header_length == 0 ? SIZE_MAX : (size_t)header_length;
    if (header_length > 0 && !accept_header(session, event, &header)) return;
    if (is_control) whole += (size_t)header.payload_length;
    if (kept + added < whole) {
        session->pending_length = (uint8_t)(kept + added);
        *used += added;
        return;
    }
    *used += whole - kept;
    session->pending_length = 0;
    if (is_control) {
        take_control(session, event, &header, session->pending + header_length);
    } else {
        begin_data_frame(session, event, &header);
    }
}

/* One frame from its header on, or the part of it that is there. */
static void take_frame(weft__session *session, weft_event *event, uint8_t *bytes, size_t length, size_t *used)
{
    weft_frame_header header;
    int header_length = weft_frame_header_read(&header, bytes, length);
    if (header_length < 0) {
        fail_header(session, event, (weft_status)header_length);
        return;
    }
    if (header_length == 0) {
        keep_pending(session, event, bytes, length);
        *used += length;
        return;
    }
    if (!accept_header(session, event, &header)) return;

    uint8_t *payload = bytes + header_length;
    size_t available = length - (size_t)header_length;
    bool is_whole = header.payload_length <= available;
    if (header.opcode >= WEFT_OPCODE_CLOSE) {
        if (is_whole) {
            *used += (size_t)header_length + (size_t)header.payload_length;
            take_control(session, event, &header, payload);
        } else {
            keep_pending(session, event, bytes, length);
            *used += length;
        }
        return;
    }
    bool is_alone = header.is_final && !header.rsv1 && header.opcode != WEFT_OPCODE_CONTINUATION &&
                    !weft__message_is_under_way(&session->message);
    if (is_whole && is_alone) {
        *used += (size_t)header_length + (size_t)header.payload_length;
        take_whole_message(session, event, &header, payload);
        return;
    }
    *used += (size_t)header_length;
    begin_data_frame(session, event, &header);
}

size_t weft__session_take_short(const weft__session *session, uint8_t *bytes, size_t length)
{
    enum {
        FINAL_TEXT = 0x81,
        FINAL_BINARY = 0x82,
        MASKED = 0x80
    };
    const weft_session_config *limits = session->config;
    if (length < WEFT__SHORT_HEADER || limits->role != WEFT_SERVER) return 0;
    if (bytes[0] != FINAL_TEXT && bytes[0] != FINAL_BINARY) return 0;
    size_t payload_length = bytes[1] ^ MASKED; /* unmasked and longer ones come out above 125 */
    if (payload_length > WEFT_CONTROL_PAYLOAD_MAX || payload_length > length - WEFT__SHORT_HEADER) return 0;
    if (payload_length > limits->max_frame_size || payload_length > limits->max_message_size) return 0;

    uint8_t *payload = bytes + WEFT__SHORT_HEADER, *key = bytes + 2;
    bool is_ascii = weft__mask_short(payload, payload_length, key);
    if (!is_ascii && bytes[0] == FINAL_TEXT && !weft__utf8_is_valid(payload, payload_length)) {
        weft__mask_short(payload, payload_length, key); /* as it came, for whom it concerns */
        return 0;
    }
    return WEFT__SHORT_HEADER + payload_length;
}

/* The commonest frame of all, without the questions that only other frames answer. False when it is not that.
 */
static bool take_short_message(weft__session *session, weft_event *event, uint8_t *bytes, size_t length,
                               size_t *used)
{
    if (weft__message_is_under_way(&session->message)) return false;
    size_t taken = weft__session_take_short(session, bytes, length);
    if (taken == 0) return false;
    *used += taken;
    deliver(event, event_of(weft__short_type(bytes)), bytes + WEFT__SHORT_HEADER, taken - WEFT__SHORT_HEADER);
    return true;
}

static void take_back_what_was_lent(weft__session *session)
{
    if (session->message_is_delivered) {
        weft__session_drop_message(session);
        session->message_is_delivered = false;
    }
    if (session->pending && session->pending_length == 0) weft__session_forget_pending(session);
}

void weft__session_next(weft__session *session, weft_event *event, uint8_t *bytes, size_t length,
                        size_t *used)
{
    *used = 0;
    reset(event);
    take_back_what_was_lent(session);
    while (event->type == WEFT_EVENT_NONE && weft__session_can_receive(session)) {
        size_t left = length - *used;
        bool is_empty_frame = session->is_inside_frame && session->frame_remaining == 0;
        if (left == 0 && !is_empty_frame) break;
        uint8_t *at = left ? bytes + *used : bytes;
        if (session->is_inside_frame) {
            take_payload(session, event, at, left, used);
        } else if (session->pending_length > 0) {
            take_pending(session, event, at, left, used);
        } else if (!take_short_message(session, event, at, left, used)) {
            take_frame(session, event, at, left, used);
        }
    }
    if (!weft__session_can_receive(session)) *used = length;
}
