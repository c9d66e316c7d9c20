#ifndef WEFT_PROTOCOL_INCOMING_H
#define WEFT_PROTOCOL_INCOMING_H

#include "protocol/session.h"

/**
 * As weft_session_next, except that the close frame after a FAILURE is left to the caller.
 * Nothing else is written to the session's peer from here.
 */
void weft__session_next(weft__session *session, weft_event *event, uint8_t *bytes, size_t length,
                        size_t *used);

#endif
