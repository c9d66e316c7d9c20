/* The client's side of the opening handshake: what it asks for, and whether the answer may stand. */
#ifndef WEFT_HTTP_OFFER_H
#define WEFT_HTTP_OFFER_H

#include "base/buffer.h"
#include "http/extension.h"
#include "http/head.h"
#include "http/key.h"
#include "http/url.h"

/** What a client asks for. */
typedef struct weft__upgrade_offer {
    const weft__url *url;
    weft_string subprotocols;            /**< Comma-separated; empty: no field. */
    const weft_compression *compression; /**< Taken settings of what is offered; NULL: nothing. */
    const weft_field *fields;            /**< A Host here replaces our own. */
    size_t field_count;
} weft__upgrade_offer;

/** True for a comma-separated list of different tokens (RFC 6455 section 4.1), and for the empty one. */
bool weft__upgrade_is_subprotocol_list(weft_string list);

/** Appends the request of RFC 6455 section 4.1. WEFT_EINVAL (a field that cannot be sent) and WEFT_ENOMEM
 *  append nothing. */
weft_status weft__upgrade_write_request(weft__buffer *out, const weft__upgrade_offer *offer,
                                        const char key[WEFT__KEY_LENGTH + 1]);

/**
 * The rules of RFC 6455 section 4.1 for the server's answer: HTTP/1.1 and 101, Upgrade, Connection, one right
 * Sec-WebSocket-Accept (compared in constant time), a subprotocol that was offered (none is fine only
 * when none was offered), no extension that was not offered, and an answer to permessage-deflate that keeps
 * RFC 7692 section 7.1.
 * `*subprotocol` becomes a view of the chosen one, empty for none and on failure; `agreed` what holds of
 * compression, not enabled for none and on failure.
 * Returns WEFT_OK, WEFT_ESYSTEM (no SHA-1), or WEFT_EHANDSHAKE with `problem->text`;
 * `problem->http_status` is the answer's status.
 */
weft_status weft__upgrade_check_answer(const weft__head *answer, const weft__upgrade_offer *offer,
                                       const char key[WEFT__KEY_LENGTH + 1], weft_string *subprotocol,
                                       weft_compression *agreed, weft__problem *problem);

/** True for an answer that another one follows (RFC 9110 section 15.2). */
bool weft__upgrade_answer_is_interim(const weft__head *answer);

/** Counts an interim answer that is passed over; WEFT_EHANDSHAKE with `problem` when there are too many. */
weft_status weft__upgrade_pass_interim(unsigned *count, weft__problem *problem);

#endif
