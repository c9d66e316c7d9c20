#include "http/key.h"

#include "base/base64.h"
#include "base/random.h"
#include "base/sha1.h"

#include <string.h>

enum {
    KEY_BYTES = 16,
    GUID_LENGTH = 36
};

/* RFC 6455 section 1.3: shows that the server knows WebSocket; it is no secret. */
static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

weft_status weft__upgrade_make_key(char out[WEFT__KEY_LENGTH + 1])
{
    uint8_t bytes[KEY_BYTES];
    weft_status status = weft__random_fill(bytes, sizeof bytes);
    if (status != WEFT_OK) return status;
    weft__base64_encode(out, bytes, sizeof bytes);
    return WEFT_OK;
}

bool weft__upgrade_is_key(weft_string key)
{
    return weft__base64_is_of(key, KEY_BYTES);
}

weft_status weft__upgrade_accept_key(char out[WEFT__ACCEPT_LENGTH + 1], weft_string key)
{
    char text[WEFT__KEY_LENGTH + GUID_LENGTH];
    uint8_t digest[WEFT__SHA1_LENGTH];
    if (key.length != WEFT__KEY_LENGTH) return WEFT_EINVAL;
    memcpy(text, key.bytes, WEFT__KEY_LENGTH);
    memcpy(text + WEFT__KEY_LENGTH, guid, GUID_LENGTH);
    weft_status status = weft__sha1(digest, text, sizeof text);
    if (status != WEFT_OK) return status;
    weft__base64_encode(out, digest, sizeof digest);
    return WEFT_OK;
}
