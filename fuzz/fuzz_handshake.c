/* A server's handshake ends in the same state with the same output, whether its bytes came at once or in
 * pieces. */
#include "weft/handshake.h"

#include <stdlib.h>
#include <string.h>

/* Feeds pieces of `piece` bytes and, on a good request, accepts; returns the bytes that were the head's. */
static size_t serve(weft_handshake **server, const uint8_t *data, size_t size, size_t piece)
{
    size_t at = 0;
    if (weft_handshake_new_server(server) != WEFT_OK) abort();
    while (at < size && weft_handshake_get_state(*server) == WEFT_HANDSHAKE_READING) {
        size_t used, now = size - at < piece ? size - at : piece;
        weft_status status = weft_handshake_receive(*server, data + at, now, &used);
        bool has_failed = weft_handshake_get_state(*server) == WEFT_HANDSHAKE_FAILED;
        if (used > now || (status != WEFT_OK) != has_failed) abort();
        at += used;
    }
    weft_handshake_accept(*server, weft_handshake_field(*server, "Sec-WebSocket-Protocol"), NULL, 0);
    return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    weft_handshake *whole, *cut;
    const uint8_t *one, *other;
    size_t one_length, other_length;
    size_t one_used = serve(&whole, data, size, SIZE_MAX), other_used = serve(&cut, data, size, 1 + size % 7);
    if (weft_handshake_get_state(whole) != weft_handshake_get_state(cut)) abort();
    if (weft_handshake_get_state(whole) != WEFT_HANDSHAKE_FAILED && one_used != other_used) abort();
    if (weft_handshake_http_status(whole) != weft_handshake_http_status(cut)) abort();
    if (strcmp(weft_handshake_detail(whole), weft_handshake_detail(cut)) != 0) abort();
    weft_handshake_output(whole, &one, &one_length);
    weft_handshake_output(cut, &other, &other_length);
    if (one_length != other_length || (one_length && memcmp(one, other, one_length) != 0)) abort();
    weft_handshake_free(whole);
    weft_handshake_free(cut);
    return 0;
}
