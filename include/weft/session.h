#ifndef WEFT_SESSION_H
#define WEFT_SESSION_H

#include "weft/compression.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * One endpoint of an open WebSocket connection without I/O, for programs with an event loop of their
 * own: bytes that arrive go in, events come out; messages go in, bytes to send come out. It keeps
 * RFC 6455 sections 5 to 7: masking, fragmentation, UTF-8, limits, control frames, close codes.
 *
 * Thread: a session may be used by one thread at a time.
 */
typedef struct weft_session weft_session;

/** The kind of a message (RFC 6455 section 5.6). */
typedef enum weft_message_type {
    WEFT_TEXT = 1,
    WEFT_BINARY = 2,
} weft_message_type;

/** Settings of a session. Start from weft_session_config_init(). */
typedef struct weft_session_config {
    size_t size;               /**< Set by init; lets the struct grow at its end. */
    weft_role role;            /**< Server by default. */
    uint64_t max_frame_size;   /**< Payload bytes: the longest frame accepted, and the size into which
                                    outgoing messages are cut; 65536. 1 to PTRDIFF_MAX. */
    uint64_t max_message_size; /**< Bytes of an assembled and inflated message; 1 MiB. 1 to PTRDIFF_MAX. */
    uint32_t max_fragments;    /**< Frames of one message, empty ones included; 131072. At least 1. */
    const weft_compression *compression; /**< What the handshake agreed of permessage-deflate, as
                                              weft_handshake_compression says; copied; NULL: nothing. */
} weft_session_config;

/** What happened, taken by weft_session_next. */
typedef enum weft_event_type {
    WEFT_EVENT_NONE = 0,   /**< The bytes are used up; nothing is complete. */
    WEFT_EVENT_TEXT = 1,   /**< A whole text message, valid UTF-8. */
    WEFT_EVENT_BINARY = 2, /**< A whole binary message. */
    WEFT_EVENT_PING = 3,   /**< Answer it with weft_session_pong (RFC 6455 section 5.5.2). */
    WEFT_EVENT_PONG = 4,
    WEFT_EVENT_CLOSE =
        5, /**< The peer's close frame: answer it with weft_session_close unless yours is out. */
    WEFT_EVENT_FAILURE = 6, /**< The peer broke a rule; the close frame that is due is in the output. */
} weft_event_type;

/** One event. */
typedef struct weft_event {
    weft_event_type type;
    const uint8_t *bytes; /**< Payload, or the close reason; borrowed until the next call on the session
                               and while the bytes handed in are valid. Never NULL. */
    size_t length;
    uint16_t close_code; /**< CLOSE: the peer's, WEFT_CLOSE_NO_STATUS without one. FAILURE: the code due. */
    weft_status status;  /**< FAILURE: what was broken. */
    char detail[96];     /**< FAILURE: one sentence, closed by a NUL. */
} weft_event;

/** weft_session_config_init for a struct of `size` bytes, as the program knows it. */
WEFT_API void weft_session_config_init_sized(weft_session_config *config, size_t size);

/** Writes the defaults named at the fields. Thread: any. */
static inline void weft_session_config_init(weft_session_config *config)
{
    weft_session_config_init_sized(config, sizeof *config);
}

/**
 * A session that starts behind the opening handshake. Copies `config` and what it points to. Free with
 * weft_session_free.
 * Returns WEFT_EINVAL for a setting out of range (a limit of 0 or over PTRDIFF_MAX, agreed window bits that
 * are not 8 to 15, a level that is not 1 to 9) or WEFT_ENOMEM, with `*out` NULL. Thread: any.
 */
WEFT_API weft_status weft_session_new(weft_session **out, const weft_session_config *config);

/** Ends a session; NULL is fine. What its last event and its output lent becomes invalid. */
WEFT_API void weft_session_free(weft_session *session);

/**
 * Gives back the memory that an idle session can do without: with permessage-deflate some 190 KiB of
 * contexts, of which only the window stays that the peer may refer to (nothing when its messages stand
 * alone), and the block of an empty output. The next messages take it again.
 */
WEFT_API void weft_session_trim(weft_session *session);

/**
 * Takes bytes of the peer up to the next event. `bytes` are unmasked in place. `*used` says how many
 * were taken; call again with the rest until the event is NONE. After CLOSE and FAILURE all further
 * bytes are taken and dropped.
 *
 * Returns WEFT_OK, also with a FAILURE event, which has status WEFT_ENOMEM and code 1011 where memory ran
 * out. WEFT_ENOMEM or WEFT_ESYSTEM (a client without random bytes): beside the FAILURE event its close frame
 * could not be made, so the output lacks it.
 */
WEFT_API weft_status weft_session_next(weft_session *session, weft_event *event, uint8_t *bytes,
                                       size_t length, size_t *used);

/**
 * Puts a message into the output, compressed where that was agreed and pays, in frames of at most
 * max_frame_size. Copies `bytes`, which may be NULL for an empty message. On failure nothing is put there:
 * WEFT_EINVAL for an unknown type, WEFT_EPAYLOAD for text that is not UTF-8, WEFT_ECLOSED after our close
 * frame or a failure, WEFT_ENOMEM, WEFT_ESYSTEM for a client without random bytes.
 */
WEFT_API weft_status weft_session_send(weft_session *session, weft_message_type type, const uint8_t *bytes,
                                       size_t length);

/** Puts a ping into the output. Copies `bytes`, which may be NULL for none. WEFT_ECONTROL over 125 bytes,
 * WEFT_ECLOSED after our close frame or a failure, WEFT_ENOMEM, WEFT_ESYSTEM.
 */
WEFT_API weft_status weft_session_ping(weft_session *session, const uint8_t *bytes, size_t length);

/** Puts a pong into the output, asked for or not. Errors as weft_session_ping. */
WEFT_API weft_status weft_session_pong(weft_session *session, const uint8_t *bytes, size_t length);

/**
 * Puts the close frame into the output: code 0 or WEFT_CLOSE_NO_STATUS sends an empty one. WEFT_EINVAL for a
 * code that may not be sent (weft_close_code_is_valid), a reason over WEFT_CLOSE_REASON_MAX bytes, a reason
 * without code; WEFT_EPAYLOAD for a reason that is not UTF-8; WEFT_ECLOSED when one was sent; WEFT_ENOMEM;
 * WEFT_ESYSTEM. Copies `reason`, UTF-8 of `length` bytes, which may be NULL for none.
 */
WEFT_API weft_status weft_session_close(weft_session *session, uint16_t code, const char *reason,
                                        size_t length);

/** Bytes to send, valid until the next call that changes the session; `*length` 0: none. */
WEFT_API void weft_session_output(const weft_session *session, const uint8_t **bytes, size_t *length);

/** Takes `length` sent bytes off the output; at most what is there. */
WEFT_API void weft_session_consume_output(weft_session *session, size_t length);

/** True when both close frames went their way, or after a failure: send the output, then end the connection.
 */
WEFT_API bool weft_session_is_over(const weft_session *session);

#ifdef __cplusplus
}
#endif

#endif
