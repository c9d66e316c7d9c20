/* Requests as a client sends them. */
#ifndef WEFT_HTTP_REQUEST_WRITER_H
#define WEFT_HTTP_REQUEST_WRITER_H

#include "http/url.h"
#include "http/writer.h"

/** Appends the request line and Host, which comes first (RFC 9110 section 7.2): the URL's, or the one that is
 *  among `fields`. */
void weft__request_write_start(weft__writer *writer, weft_string method, const weft__url *url,
                               const weft_field *fields, size_t count);

/** Appends all fields but Host. */
void weft__request_write_fields(weft__writer *writer, const weft_field *fields, size_t count);

/** One request that ends the use of its connection. */
typedef struct weft__plain_request {
    weft_string method;
    const weft__url *url;
    const weft_field *fields; /**< A Host or an Accept-Encoding here replaces our own. */
    size_t field_count;
    weft_string body; /**< Without Content-Length when it is empty and the method is GET or HEAD. */
} weft__plain_request;

/** A method that one can be sent with: a token of at most 32 characters, and not CONNECT. */
bool weft__request_is_method(weft_string method);

/** Appends it whole. WEFT_EINVAL (a field that cannot be sent) and WEFT_ENOMEM append nothing. */
weft_status weft__request_write(weft__buffer *out, const weft__plain_request *request);

#endif
