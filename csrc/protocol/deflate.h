/* permessage-deflate (RFC 7692) over zlib: whole messages out, messages in pieces in. */
#ifndef WEFT_PROTOCOL_DEFLATE_H
#define WEFT_PROTOCOL_DEFLATE_H

#include "protocol/deflate_pool.h"
#include "weft/session.h"

/**
 * Compresses a message; `*bytes` and `*length` then name the result, which lies in the pool until the next
 * message. False when the message had better go as it is: it is short, compressing does not pay, or memory
 * ran out.
 */
bool weft__deflate_compress(weft__deflate *deflate, const weft_session_config *config, const uint8_t **bytes,
                            size_t *length);

/** The result has been copied or sent; a large block is given back. */
void weft__deflate_forget_output(weft__deflate *deflate);

/**
 * Inflates the next piece of a message behind `out`, in bounded steps and never beyond max_message_size.
 * What was inflated before a failure is in `out` too. WEFT_EPAYLOAD for what is no DEFLATE data,
 * WEFT_ETOOBIG, WEFT_ENOMEM.
 */
weft_status weft__deflate_inflate(weft__deflate *deflate, const weft_session_config *config,
                                  weft__buffer *out, const uint8_t *bytes, size_t length);

/**
 * The message has ended. WEFT_EPAYLOAD when it does so inside a block, so that what comes later could be
 * taken for its rest (RFC 7692 section 7.2.2); WEFT_ENOMEM.
 */
weft_status weft__deflate_finish(weft__deflate *deflate, const weft_session_config *config);

/** An empty buffer for a message that is going to be inflated, with a block when the pool has one; NULL
 * without memory. */
weft__buffer *weft__deflate_borrow_payload(weft__deflate *deflate);

/** Takes it back; NULL is fine. */
void weft__deflate_return_payload(weft__deflate *deflate, weft__buffer *payload);

#endif
