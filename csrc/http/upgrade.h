#ifndef WEFT_HTTP_UPGRADE_H
#define WEFT_HTTP_UPGRADE_H

#include "base/buffer.h"
#include "http/head.h"
#include "http/url.h"

enum {
    WEFT__KEY_LENGTH = 24,    /**< Characters of Sec-WebSocket-Key. */
    WEFT__ACCEPT_LENGTH = 28, /**< Characters of Sec-WebSocket-Accept. */
};

/** True when the request asks for the `websocket` upgrade at all, well or badly (RFC 6455 section 4.2.1):
 *  an Upgrade field that lists websocket, or a Sec-WebSocket-Key. */
bool weft__upgrade_is_asked(const weft__head *request);

/**
 * The rules of RFC 6455 section 4.2.1 for a request that asks for the upgrade. Returns WEFT_OK, or
 * WEFT_EHTTP with the answer in `problem`: 405 method not GET, 400 HTTP/1.0, missing Upgrade or
 * Connection token, missing, repeated or ill-formed Sec-WebSocket-Key, a body
 * (Content-Length over 0, or chunked), 426 Sec-WebSocket-Version missing, repeated or not 13.
 */
weft_status weft__upgrade_check_request(const weft__head *request, weft__problem *problem);

/** Sec-WebSocket-Accept for a key, closed by a NUL (RFC 6455 section 4.2.2). */
weft_status weft__upgrade_accept_key(char out[WEFT__ACCEPT_LENGTH + 1], weft_string key);

/** True when `offered` (a request's head) lists the subprotocol, compared exactly. */
bool weft__upgrade_offers_subprotocol(const weft__head *request, weft_string subprotocol);

/** The first subprotocol of the client's list that stands in `supported` too ("*" there supports any);
 *  the empty view when there is none. */
weft_string weft__upgrade_choose_subprotocol(const weft__head *request, const weft_string *supported, size_t count);

/**
 * True when the request has no Origin field, or one whose host and port are those of its Host field
 * and whose scheme is `https` where `secure`, else `http` (RFC 6455 section 10.2, RFC 6454 section 4).
 * Default ports are equal to absent ones; "null" and repeated fields are foreign.
 */
bool weft__upgrade_is_same_origin(const weft__head *request, bool secure);

/**
 * Checks extra fields before they are written: names are tokens, values are field values, and none of
 * the fields that the message's writer owns is among them: `Upgrade`, `Connection`, `Sec-WebSocket-*`,
 * `Content-Length`, `Transfer-Encoding`; for a request `Host` and `Origin` are allowed once.
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

/** Appends the 101 answer to a checked request. WEFT_ENOMEM or WEFT_ESYSTEM append nothing. */
weft_status weft__upgrade_write_answer(weft__buffer *out, const weft__head *request,
                                       const weft__upgrade_answer *answer);

/** A plain HTTP answer. */
typedef struct weft__response {
    uint16_t status;
    bool keep_alive;   /**< false: `Connection: close`. */
    bool head_request; /**< Content-Length as for GET, no body (RFC 9110 section 9.3.2). */
    uint8_t minor_version; /**< Of the request: a 1.0 client is told keep-alive in so many words. */
    weft_string server;
    weft_string body;
    const weft_field *fields;
    size_t field_count;
} weft__response;

/** Appends a whole response with Content-Length (left out for 1xx and 204). */
weft_status weft__response_write(weft__buffer *out, const weft__response *response);

/** What a client asks for. */
typedef struct weft__upgrade_offer {
    const weft__url *url;
    weft_string subprotocols; /**< Comma-separated; empty: no field. */
    weft_string extensions;   /**< Value of Sec-WebSocket-Extensions; empty: no field. */
    const weft_field *fields; /**< A Host here replaces our own. */
    size_t field_count;
} weft__upgrade_offer;

/** A fresh Sec-WebSocket-Key from 16 random bytes, closed by a NUL. */
weft_status weft__upgrade_make_key(char out[WEFT__KEY_LENGTH + 1]);

/** Appends the request of RFC 6455 section 4.1. */
weft_status weft__upgrade_write_request(weft__buffer *out, const weft__upgrade_offer *offer,
                                        const char key[WEFT__KEY_LENGTH + 1]);

/**
 * The rules of RFC 6455 section 4.1 for the server's answer: 101, Upgrade, Connection, one right
 * Sec-WebSocket-Accept (compared in constant time), a subprotocol that was offered (none is fine only
 * when none was offered), no extension that was not offered (`offer->extensions` empty: none).
 * `*subprotocol` becomes a view of the chosen one, empty for none.
 * Returns WEFT_OK or WEFT_EHANDSHAKE with `problem->text`; `problem->http_status` is the answer's status.
 */
weft_status weft__upgrade_check_answer(const weft__head *answer, const weft__upgrade_offer *offer,
                                       const char key[WEFT__KEY_LENGTH + 1],
                                       weft_string *subprotocol, weft__problem *problem);

#endif
