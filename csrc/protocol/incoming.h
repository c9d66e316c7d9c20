#ifndef WEFT_PROTOCOL_INCOMING_H
#define WEFT_PROTOCOL_INCOMING_H

#include "protocol/session.h"

/**
 * As weft_session_next, except that the close frame after a FAILURE is left to the caller.
 * Nothing else is written to the session's peer from here.
 */
void weft__session_next(weft__session *session, weft_event *event, uint8_t *bytes, size_t length,
                        size_t *used);

enum {
    WEFT__SHORT_HEADER = 2 + 4
};

/**
 * The commonest frame of all, without an event: where `bytes` begin with a short whole message from a client
 * and the session is between messages, unmasks its payload, WEFT__SHORT_HEADER behind `bytes`, and returns
 * the length of its frame. 0, with nothing changed, where they begin with anything else; weft__session_next
 * says what it is.
 */
size_t weft__session_take_short(const weft__session *session, uint8_t *bytes, size_t length);

/** The type of a short message, from the first byte of its frame. */
static inline weft_message_type weft__short_type(const uint8_t *bytes)
{
    return (weft_message_type)(bytes[0] & 0x0F);
}

#endif
