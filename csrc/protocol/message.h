#ifndef WEFT_PROTOCOL_MESSAGE_H
#define WEFT_PROTOCOL_MESSAGE_H

#include "base/buffer.h"
#include "protocol/utf8.h"
#include "weft/session.h"

/** A message that arrives in pieces. All zero: none is under way. */
typedef struct weft__message {
    weft__buffer *payload; /**< What has arrived, unmasked; NULL before the first byte. */
    uint32_t fragments;    /**< Frames so far; 0: no message is under way. */
    weft__utf8_state utf8; /**< Of a text message. */
    uint8_t type;          /**< A weft_message_type. */
    bool is_compressed;    /**< RSV1 of its first frame (RFC 7692 section 6). */
} weft__message;

/** Bytes of its payload so far. */
static inline size_t weft__message_length(const weft__message *message)
{
    return message->payload ? weft__buffer_length(message->payload) : 0;
}

/** True between the first frame of a message and its last byte. */
static inline bool weft__message_is_under_way(const weft__message *message)
{
    return message->fragments > 0;
}

/**
 * Counts a data frame in: WEFT_ECONTINUATION when its opcode does not fit (RFC 6455 section 5.4),
 * WEFT_ETOOBIG when the message would pass a limit (what a compressed one inflates to is known later).
 * Nothing is allocated.
 */
weft_status weft__message_begin_frame(weft__message *message, const weft_frame_header *header,
                                      const weft_session_config *limits);

/** Validates payload that was added at the end of `payload` itself. WEFT_EPAYLOAD as weft__message_append. */
weft_status weft__message_check(weft__message *message, size_t added);

/** Adds unmasked payload. WEFT_EPAYLOAD as soon as text is not UTF-8, or WEFT_ENOMEM. */
weft_status weft__message_append(weft__message *message, const uint8_t *bytes, size_t length);

/** The same for payload that is masked; `offset` bytes of its frame came before it. It is unmasked on its way
 * into `payload`, and validated in the same pass. */
weft_status weft__message_append_masked(weft__message *message, const uint8_t *bytes, size_t length,
                                        const uint8_t key[4], uint64_t offset);

/** The last byte is there: WEFT_EPAYLOAD when text ends inside a character. */
weft_status weft__message_finish(const weft__message *message);

/** Forgets the message and gives its memory back. */
void weft__message_clear(weft__message *message);

#endif
