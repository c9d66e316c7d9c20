#ifndef WEFT_HTTP_AUTHORITY_H
#define WEFT_HTTP_AUTHORITY_H

#include "weft/status.h"

/** `host[:port]` of a URL, an Origin or a Host field (RFC 3986 section 3.2). Views into the text. */
typedef struct weft__authority {
    weft_string host;  /**< A name, an IPv4 address, or an IPv6 address without its brackets. */
    uint16_t port;     /**< 0 when there is none. */
    bool host_is_ipv6; /**< The host stood in brackets. */
} weft__authority;

/**
 * Takes `text` apart. Narrower than RFC 3986: a name consists of letters, digits, `-`, `_` and single
 * dots, at most 253 characters and 63 between two dots; no percent-encoding, user information, IPvFuture or
 * zone; the port is 1 to 65535 in at most five digits.
 * Returns NULL, or a static sentence that says what is wrong.
 */
const char *weft__authority_parse(weft__authority *authority, weft_string text);

/** The same host in any case and the same port, where none means `default_port`. */
bool weft__authority_is_same(const weft__authority *one, const weft__authority *other, uint16_t default_port);

#endif
