#ifndef WEFT_PROTOCOL_SESSION_H
#define WEFT_PROTOCOL_SESSION_H

#include "protocol/deflate_pool.h"
#include "protocol/message.h"

/** Room for the longest thing that is kept raw: a control frame. */
enum {
    WEFT__PENDING_CAPACITY = 6 + WEFT_CONTROL_PAYLOAD_MAX
};

/** How far the closing handshake is (RFC 6455 section 7.1). */
typedef enum weft__session_phase {
    WEFT__SESSION_OPEN = 0,       /**< No close frame yet. */
    WEFT__SESSION_CLOSE_SENT,     /**< Ours is out; the peer's is awaited, its messages still count. */
    WEFT__SESSION_CLOSE_RECEIVED, /**< The peer's is here; ours is due. Input is dropped. */
    WEFT__SESSION_FAILED,         /**< The peer broke a rule; our close frame is due. Input is dropped. */
    WEFT__SESSION_OVER,           /**< Nothing is due any more. Input is dropped. */
} weft__session_phase;

/**
 * One endpoint, both roles. What the public weft_session adds is an output of its own; here every writer
 * names the buffer that it appends to. A compressed message passes through two places only: it
 * is inflated as the payload of its frames arrives, and deflated before it is cut into frames.
 */
typedef struct weft__session {
    const weft_session_config *config; /**< Borrowed for the session's life; shared by many. */
    weft__deflate *deflate;            /**< Borrowed likewise; NULL where no compression was agreed. */
    weft__message message;
    uint64_t frame_remaining; /**< Payload bytes of the data frame that is arriving to come. */
    uint8_t *pending;         /**< A header or control frame cut by the end of a read, or NULL. */
    uint8_t frame_mask[4];    /**< Of that frame. */
    uint8_t frame_offset;     /**< Low bits of how much of that frame has come. */
    uint8_t pending_length;
    uint8_t phase; /**< A weft__session_phase. */
    bool is_inside_frame : 1;
    bool frame_is_masked : 1;
    bool frame_is_final : 1;
    bool message_is_delivered : 1; /**< The last event lent the message's payload out. */
} weft__session;

/** WEFT_EINVAL for a setting out of range. */
weft_status weft__session_config_check(const weft_session_config *config);

/** A session behind the opening handshake; `config` outlives it. */
void weft__session_init(weft__session *session, const weft_session_config *config);

/** Compresses and inflates with the contexts of `pool` where `config` has it. `deflate`, which is filled
 * here, and `pool` outlive the session. */
void weft__session_use_pool(weft__session *session, weft__deflate *deflate, weft__deflate_pool *pool);

/** Forgets the message under way. */
void weft__session_drop_message(weft__session *session);

/** Gives everything back. */
void weft__session_clear(weft__session *session);

/** Gives the kept bytes of a cut frame back. */
void weft__session_forget_pending(weft__session *session);

/** True until our close frame: the peer's may still be answered by messages first (RFC 6455 section 5.5.1).
 */
static inline bool weft__session_can_send(const weft__session *session)
{
    return session->phase == WEFT__SESSION_OPEN || session->phase == WEFT__SESSION_CLOSE_RECEIVED;
}

/** After a failure: what is owed is still sent before our close frame, as after the peer's. */
static inline void weft__session_stop_receiving(weft__session *session)
{
    session->phase = WEFT__SESSION_CLOSE_RECEIVED;
}

/** True when messages of the peer are still to be read. */
static inline bool weft__session_can_receive(const weft__session *session)
{
    return session->phase <= WEFT__SESSION_CLOSE_SENT;
}

/** True when the next byte of the peer begins a frame that may begin a message, and nothing is lent out. */
static inline bool weft__session_is_between_messages(const weft__session *session)
{
    return weft__session_can_receive(session) && !session->is_inside_frame && !session->pending &&
           !session->message_is_delivered && !weft__message_is_under_way(&session->message);
}

#endif
