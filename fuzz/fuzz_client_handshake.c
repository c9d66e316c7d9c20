/* Whatever a server answers, a client's handshake ends in the same way however it is cut and with an interim
 * answer before it, and opens only on what RFC 6455 section 4.1 lets stand. The first byte says what was
 * offered. `%` as a field's value stands for the right Sec-WebSocket-Accept, which nobody could guess. */
#include "base/buffer.h"
#include "http/fields.h"
#include "http/key.h"
#include "weft/handshake.h"

#include <stdlib.h>
#include <string.h>

static const char offered_subprotocols[] = "chat, superchat";

static weft_handshake *open_client(uint8_t choices, char accept[WEFT__ACCEPT_LENGTH + 1])
{
    weft_handshake_client_config config;
    weft_compression offer;
    weft_handshake *client;
    const uint8_t *request;
    size_t length;
    weft_handshake_client_config_init(&config);
    weft_compression_init(&offer, WEFT_CLIENT);
    offer.server_max_window_bits = (uint8_t)(9 + choices % 7);
    config.url = weft__string("ws://example.org/");
    config.subprotocols = weft__string(choices & 64 ? offered_subprotocols : "");
    config.compression = choices & 128 ? &offer : NULL;
    if (weft_handshake_new_client(&client, &config) != WEFT_OK) abort();
    weft_handshake_output(client, &request, &length);
    static const char name[] = "Sec-WebSocket-Key: ";
    for (const char *at = (const char *)request; memcmp(at, name, strlen(name)) != 0; at++)
        request = (const uint8_t *)at + 1;
    weft_string key = {(const char *)request + strlen(name), WEFT__KEY_LENGTH};
    if (weft__upgrade_accept_key(accept, key) != WEFT_OK) abort();
    return client;
}

static weft_handshake *ask(const char *before, const uint8_t *data, size_t size, size_t piece, size_t *used)
{
    char accept[WEFT__ACCEPT_LENGTH + 1];
    weft_handshake *client = open_client(data[0], accept);
    weft__buffer answer = {0};
    if (weft__buffer_append(&answer, before, strlen(before), SIZE_MAX) != WEFT_OK) abort();
    for (size_t i = 1; i < size; i++) {
        bool is_accept = i > 2 && memcmp(data + i - 2, ": %", 3) == 0;
        weft_status status = weft__buffer_append(&answer, is_accept ? (uint8_t *)accept : data + i,
                                                 is_accept ? WEFT__ACCEPT_LENGTH : 1, SIZE_MAX);
        if (status != WEFT_OK) abort();
    }
    size_t length = weft__buffer_length(&answer);
    *used = 0;
    while (*used < length && weft_handshake_get_state(client) == WEFT_HANDSHAKE_READING) {
        size_t taken, now = length - *used < piece ? length - *used : piece;
        weft_status status = weft_handshake_receive(client, weft__buffer_front(&answer) + *used, now, &taken);
        bool has_failed = weft_handshake_get_state(client) == WEFT_HANDSHAKE_FAILED;
        if (taken > now || (status != WEFT_OK) != has_failed) abort();
        *used += taken;
    }
    weft__buffer_clear(&answer);
    return client;
}

static void check_open(const weft_handshake *client, const uint8_t *data, size_t size)
{
    const weft_compression *agreed = weft_handshake_compression(client);
    weft_string chosen = weft_handshake_subprotocol(client);
    bool is_offered = weft__string_equals(chosen, "chat") || weft__string_equals(chosen, "superchat");
    if (weft_handshake_http_status(client) != 101 || !memchr(data + 1, '%', size - 1)) abort();
    if (data[0] & 64 ? !is_offered : chosen.length > 0) abort();
    if (!weft__string_equals_ignoring_case(weft_handshake_field(client, "Upgrade"), "websocket")) abort();
    if (weft_handshake_field(client, "Sec-WebSocket-Accept").length != WEFT__ACCEPT_LENGTH) abort();
    weft_string element, extensions = weft_handshake_field(client, "Sec-WebSocket-Extensions");
    if (agreed && !extensions.bytes) abort();
    if (!agreed && weft__list_next(&extensions, &element)) abort(); /* an empty list says nothing */
    if (agreed && (!(data[0] & 128) || agreed->server_max_window_bits > 9 + data[0] % 7)) abort();
}

/* An interim answer before it changes nothing, unless there are too many then. */
static void check_interim(const weft_handshake *plain, const uint8_t *data, size_t size)
{
    size_t used;
    weft_handshake *other = ask("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", data, size, SIZE_MAX, &used);
    const char *detail = weft_handshake_detail(other);
    bool is_too_many = strstr(detail, "interim answers") != NULL;
    if (!is_too_many && weft_handshake_get_state(other) != weft_handshake_get_state(plain)) abort();
    if (!is_too_many && strcmp(detail, weft_handshake_detail(plain)) != 0) abort();
    weft_handshake_free(other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t one_used, other_used;
    if (size == 0) return 0;
    weft_handshake *whole = ask("", data, size, SIZE_MAX, &one_used);
    weft_handshake *cut = ask("", data, size, 1 + size % 7, &other_used);
    weft_handshake_state state = weft_handshake_get_state(whole);
    if (state != weft_handshake_get_state(cut)) abort();
    if (state != WEFT_HANDSHAKE_FAILED && one_used != other_used) abort();
    if ((state == WEFT_HANDSHAKE_FAILED) != (weft_handshake_detail(whole)[0] != '\0')) abort();
    if (weft_handshake_http_status(whole) != weft_handshake_http_status(cut)) abort();
    if (strcmp(weft_handshake_detail(whole), weft_handshake_detail(cut)) != 0) abort();
    if (state == WEFT_HANDSHAKE_OPEN) {
        check_open(whole, data, size);
        check_open(cut, data, size);
    }
    check_interim(whole, data, size);
    weft_handshake_free(whole);
    weft_handshake_free(cut);
    return 0;
}
