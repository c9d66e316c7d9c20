/* The server's side of the opening handshake. */
#ifndef WEFT_HTTP_UPGRADE_H
#define WEFT_HTTP_UPGRADE_H

#include "base/buffer.h"
#include "http/head.h"
#include "http/key.h"
#include "http/offer.h"
#include "http/origin.h"
#include "http/response.h"

/** True when the request asks for the `websocket` upgrade at all, well or badly (RFC 6455 section 4.2.1):
 *  an Upgrade field that lists websocket, or a Sec-WebSocket-Key. */
bool weft__upgrade_is_asked(const weft__head *request);

/**
 * The rules of RFC 6455 section 4.2.1 for a request that asks for the upgrade. Returns WEFT_OK, or
 * WEFT_EHTTP with the answer in `problem`: 405 method not GET, 400 HTTP/1.0, missing Upgrade or
 * Connection token, missing, repeated or ill-formed Sec-WebSocket-Key, a body
 * (Content-Length over 0, or chunked), a subprotocol that is no token, ill-formed extensions, 426
 * Sec-WebSocket-Version missing, repeated or not 13.
 */
weft_status weft__upgrade_check_request(const weft__head *request, weft__problem *problem);

/**
 * The fields that must go with the answer to a refused upgrade: Allow with 405, Upgrade and
 * Sec-WebSocket-Version with 426 (RFC 9110 sections 15.5.6 and 15.5.22, RFC 6455 section 4.4), none else.
 * Static; `*count` says how many, at most WEFT__REFUSAL_FIELDS.
 */
const weft_field *weft__upgrade_refusal_fields(uint16_t http_status, size_t *count);

enum {
    WEFT__REFUSAL_FIELDS = 2
};

/** The value of Connection in such an answer, which ends TCP and, with 426, names the hop-by-hop Upgrade. */
const char *weft__upgrade_refusal_connection(uint16_t http_status);

/** The subprotocol as the request lists it, compared exactly: a view into the head, empty when not listed. */
weft_string weft__upgrade_find_subprotocol(const weft__head *request, weft_string subprotocol);

/** True when the request lists the subprotocol, compared exactly. */
bool weft__upgrade_offers_subprotocol(const weft__head *request, weft_string subprotocol);

/** The first subprotocol of the client's list that stands in `supported` too ("*" there supports any);
 *  the empty view when there is none. */
weft_string weft__upgrade_choose_subprotocol(const weft__head *request, const weft_string *supported,
                                             size_t count);

/**
 * Checks extra fields before they are written: names are tokens, values are field values, and none of
 * the fields that the message's writer owns is among them: `Upgrade`, `Connection`, `Sec-WebSocket-*`,
 * `Content-Length`, `Transfer-Encoding`; `Host` and `Origin` are allowed once.
 * WEFT_EINVAL with `problem` naming the field.
 */
weft_status weft__upgrade_check_fields(const weft_field *fields, size_t count, weft__problem *problem);

/** What a 101 answer says beside the fixed fields. */
typedef struct weft__upgrade_answer {
    weft_string subprotocol; /**< Empty: no field. */
    weft_string extensions;  /**< Value of Sec-WebSocket-Extensions; empty: no field. */
    weft_string server;      /**< Value of Server; empty: no field. */
    const weft_field *fields;
    size_t field_count;
} weft__upgrade_answer;

/** Appends the 101 answer to a checked request. WEFT_EINVAL (a field that cannot be sent), WEFT_ENOMEM and
 *  WEFT_ESYSTEM append nothing. */
weft_status weft__upgrade_write_answer(weft__buffer *out, const weft__head *request,
                                       const weft__upgrade_answer *answer);

#endif
