#ifndef WEFT_HTTP_ORIGIN_H
#define WEFT_HTTP_ORIGIN_H

#include "http/head.h"

/**
 * True when the request has no Origin field, or one whose host and port are those of its Host field
 * and whose scheme is `https` where `secure`, else `http` (RFC 6455 section 10.2, RFC 6454 section 4).
 * Default ports are equal to absent ones; "null" and repeated fields are foreign.
 */
bool weft__upgrade_is_same_origin(const weft__head *request, bool secure);

/**
 * What keeps `origin` from being equal to one that a browser sends (RFC 6454 section 6.2): `null`, or scheme,
 * host and port in lower case, without the scheme's default port and without a path. NULL when nothing does.
 * Static.
 */
const char *weft__origin_problem(weft_string origin);

#endif
