#ifndef WEFT_PROTOCOL_OUTGOING_H
#define WEFT_PROTOCOL_OUTGOING_H

#include "protocol/session.h"

#include <string.h>

/** A message on its way out. */
typedef struct weft__outgoing {
    const uint8_t *bytes; /**< What is left of the payload. */
    size_t length;
    uint8_t opcode; /**< Of the next frame. */
    bool is_compressed;
    bool is_done;
} weft__outgoing;

/** One frame of it: send `header`, then `payload` (masked with `mask` by a client). */
typedef struct weft__outgoing_frame {
    uint8_t header[WEFT_FRAME_HEADER_MAX];
    size_t header_length;
    uint8_t mask[4];
    const uint8_t *payload;
    size_t payload_length;
} weft__outgoing_frame;

/**
 * Starts to cut a message into frames, compressed where that was agreed and pays. The compressed bytes lie in
 * the session's pool until weft__session_end_message, and no other message may start in between.
 */
weft__outgoing weft__session_begin_message(weft__session *session, weft_message_type type,
                                           const uint8_t *bytes, size_t length);

/** The frames have been copied or sent; or they have not all been, and the peer will never see them. */
void weft__session_end_message(weft__session *session, const weft__outgoing *message);

/** Takes the next frame off; call until `message->is_done`. WEFT_ESYSTEM without random bytes. */
weft_status weft__session_next_frame(const weft__session *session, weft__outgoing *message,
                                     weft__outgoing_frame *frame);

/** Bytes that a message of `length` takes on the wire, at most where it is compressed; SIZE_MAX when that is
 *  more than can be counted. */
size_t weft__session_wire_length(const weft__session *session, size_t length);

/** Appends the frames of a message that has begun to `out`, or nothing: WEFT_ENOMEM, WEFT_ESYSTEM. */
weft_status weft__session_write_frames(const weft__session *session, weft__buffer *out,
                                       weft__outgoing *message);

enum {
    WEFT__FINAL = 0x80 /**< In the first byte of a frame: the last one of its message. */
};

/** The commonest message of all: it is one frame of a server, of the shortest form. */
static inline bool weft__session_is_short(const weft__session *session, size_t length)
{
    return length <= WEFT_CONTROL_PAYLOAD_MAX && length <= session->config->max_frame_size &&
           session->config->role == WEFT_SERVER;
}

/** Appends the one frame of such a message, or nothing: WEFT_ENOMEM. */
static inline weft_status weft__session_write_short(weft__buffer *out, uint8_t first_byte,
                                                    const uint8_t *bytes, size_t length)
{
    uint8_t *room = weft__buffer_reserve(out, 2 + length, SIZE_MAX);
    if (!room) return WEFT_ENOMEM;
    room[0] = first_byte;
    room[1] = (uint8_t)length;
    if (length) memcpy(room + 2, bytes, length);
    weft__buffer_commit(out, 2 + length);
    return WEFT_OK;
}

/** Appends a whole message to `out`, or nothing: WEFT_ECLOSED, WEFT_ENOMEM, WEFT_ESYSTEM. Text is not
 *  checked. */
weft_status weft__session_write_message(weft__session *session, weft__buffer *out, weft_message_type type,
                                        const uint8_t *bytes, size_t length);

/** Appends a ping or a pong. Errors as weft_session_ping. */
weft_status weft__session_write_control(weft__session *session, weft__buffer *out, weft_opcode opcode,
                                        const uint8_t *bytes, size_t length);

/** The rules of weft_session_close about code and reason, nothing written. */
weft_status weft__session_check_close(uint16_t code, const char *reason, size_t length);

/** Appends the close frame. Errors as weft_session_close. */
weft_status weft__session_write_close(weft__session *session, weft__buffer *out, uint16_t code,
                                      const char *reason, size_t length);

#endif
