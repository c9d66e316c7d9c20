#ifndef WEFT_BASE_SHA1_H
#define WEFT_BASE_SHA1_H

#include "weft/status.h"

enum {
    WEFT__SHA1_LENGTH = 20
};

/** SHA-1 of `bytes`, as the opening handshake asks for (RFC 6455 section 1.3): no secret rests on it. */
weft_status weft__sha1(uint8_t out[WEFT__SHA1_LENGTH], const void *bytes, size_t length);

#endif
