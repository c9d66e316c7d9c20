#ifndef WEFT_HTTP_KEY_H
#define WEFT_HTTP_KEY_H

#include "weft/status.h"

enum {
    WEFT__KEY_LENGTH = 24,    /**< Characters of Sec-WebSocket-Key. */
    WEFT__ACCEPT_LENGTH = 28, /**< Characters of Sec-WebSocket-Accept. */
};

/** A fresh Sec-WebSocket-Key from 16 random bytes, closed by a NUL. WEFT_ESYSTEM when there are none. */
weft_status weft__upgrade_make_key(char out[WEFT__KEY_LENGTH + 1]);

/** True for base64 of exactly 16 bytes (RFC 6455 section 4.2.1). */
bool weft__upgrade_is_key(weft_string key);

/** Sec-WebSocket-Accept for a key, closed by a NUL (RFC 6455 section 4.2.2). WEFT_EINVAL for no key. */
weft_status weft__upgrade_accept_key(char out[WEFT__ACCEPT_LENGTH + 1], weft_string key);

#endif
