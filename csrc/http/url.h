#ifndef WEFT_HTTP_URL_H
#define WEFT_HTTP_URL_H

#include "http/head.h"

/** A URL taken apart: a WebSocket's (RFC 6455 section 3), or HTTP's. Views into the text that was parsed. */
typedef struct weft__url {
    bool secure;          /**< wss or https */
    bool unix_socket;     /**< ws+unix: `host` is the socket's path, `port` is 0 */
    bool host_is_ipv6;    /**< The host stood in brackets, which are left out of `host`. */
    uint16_t port;        /**< 80 or 443 when the URL has none. */
    bool port_is_default; /**< The port is the scheme's own, so `Host` leaves it out. */
    weft_string host;
    weft_string path;  /**< From the first '/', without the query; may be empty, which means "/". */
    weft_string query; /**< Behind the '?'. */
    bool has_query;
} weft__url;

/**
 * Takes `text` apart. `ws`, `wss` (scheme in any case) and `ws+unix:/socket/path[:/request/path]`.
 * Refused with a sentence in `problem`: no or another scheme, no host, user information (RFC 6455
 * has none), a bad port (1 to 65535), a fragment, white space, control characters or bytes beyond ASCII
 * ("percent-encode it"), an ill-formed percent-encoding, an ill-formed IPv6 literal or host name.
 * Returns WEFT_OK or WEFT_EURL.
 */
weft_status weft__url_parse(weft__url *url, weft_string text, weft__problem *problem);

/** The same for `http` and `https` (RFC 9110 section 4.2), whose user information is deprecated and refused
 * as well (section 4.2.4). */
weft_status weft__url_parse_http(weft__url *url, weft_string text, weft__problem *problem);

/** Copies a part of a parsed URL without its percent-encoding and closes it with a NUL. False when it
 * has a NUL inside, or needs more than `size` bytes. */
bool weft__url_decode(char *out, size_t size, weft_string part);

#endif
