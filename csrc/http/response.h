#ifndef WEFT_HTTP_RESPONSE_H
#define WEFT_HTTP_RESPONSE_H

#include "base/buffer.h"

/** A plain HTTP answer. */
typedef struct weft__response {
    uint16_t status;        /**< 100 to 999. */
    bool head_request;      /**< Content-Length as for GET, no body (RFC 9110 section 9.3.2). */
    weft_string connection; /**< Value of Connection; empty: no field. */
    weft_string server;     /**< Value of Server; empty: no field. */
    weft_string body;
    const weft_field *fields;
    size_t field_count;
} weft__response;

/**
 * Appends a whole response with Content-Length (left out for 1xx, 204 and 304, which have no body).
 * WEFT_EINVAL (the status, or a field that weft__upgrade_check_fields would refuse to spell out) and
 * WEFT_ENOMEM append nothing.
 */
weft_status weft__response_write(weft__buffer *out, const weft__response *response);

/** What Connection has to say so that both sides agree about the end (RFC 9112 section 9.3); "" for nothing:
 *  1.1 keeps the connection and 1.0 closes it unless told otherwise. */
const char *weft__response_connection(bool keep_alive, uint8_t minor_version);

/** Appends a response that was written without Connection, now with that value of it; "": still without. */
weft_status weft__response_append(weft__buffer *out, const weft__buffer *response, const char *connection);

/** False for a status whose answers end with their head whatever its fields say (RFC 9112 section 6.3). */
bool weft__response_has_body(uint16_t status);

/** The standard phrase of a status (RFC 9110 section 15), "" when it has none. */
const char *weft__reason_phrase(uint16_t status);

#endif
