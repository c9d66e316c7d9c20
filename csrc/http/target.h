#ifndef WEFT_HTTP_TARGET_H
#define WEFT_HTTP_TARGET_H

#include "http/authority.h"

/** A request target taken apart (RFC 9112 section 3.2). Views into the text. */
typedef struct weft__target {
    weft_string path;          /**< Still percent-encoded; "/" where an absolute URL has none. */
    weft_string query;         /**< Behind the '?', which is left out. */
    bool is_absolute;          /**< It named scheme and authority. */
    bool is_secure;            /**< `https` or `wss`. */
    weft__authority authority; /**< Absolute only. */
} weft__target;

/**
 * Takes `text` apart: origin-form, absolute-form (http, https, ws, wss), or `*` where `allows_asterisk`,
 * as OPTIONS does. No authority-form, for there is no CONNECT here.
 * Returns NULL, or a static sentence that says what is wrong.
 */
const char *weft__target_parse(weft__target *target, weft_string text, bool allows_asterisk);

#endif
