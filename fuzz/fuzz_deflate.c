/* What is compressed inflates to itself, however it is cut and whatever is idle in between; and no input
 * inflates to more than the limit, or to something else when it is cut. */
#include "protocol/deflate.h"

#include <stdlib.h>
#include <string.h>

enum {
    CHOICES = 5
};

/* One side of a connection; must not move. */
typedef struct side {
    weft_compression agreed;
    weft_session_config config;
    weft__deflate_pool pool;
    weft__deflate deflate;
} side;

static void side_init(side *side, weft_role role, const uint8_t *choices)
{
    weft_compression_init(&side->agreed, WEFT_CLIENT);
    side->agreed.server_no_context_takeover = choices[0] & 1;
    side->agreed.client_no_context_takeover = choices[0] & 2;
    side->agreed.server_max_window_bits = (uint8_t)(8 + choices[1] % 8);
    side->agreed.client_max_window_bits = (uint8_t)(8 + (choices[1] >> 4) % 8);
    side->agreed.level = (uint8_t)(1 + choices[2] % 9);
    side->agreed.threshold = 0;
    weft_session_config_init(&side->config);
    side->config.role = role;
    side->config.compression = &side->agreed;
    weft__deflate_pool_init(&side->pool);
    side->deflate = (weft__deflate){.pool = &side->pool};
}

static void side_clear(side *side)
{
    weft__deflate_clear(&side->deflate);
    weft__deflate_pool_clear(&side->pool);
}

/* Inflates pieces of `piece` bytes, each in a block of just its size, up to the end of the message. */
static weft_status inflate_all(side *side, weft__buffer *out, const uint8_t *bytes, size_t length,
                               size_t piece)
{
    for (size_t at = 0, now; at < length; at += now) {
        now = length - at < piece ? length - at : piece;
        uint8_t *copy = malloc(now);
        if (!copy) abort();
        memcpy(copy, bytes + at, now);
        weft_status status = weft__deflate_inflate(&side->deflate, &side->config, out, copy, now);
        free(copy);
        if (weft__buffer_length(out) > side->config.max_message_size) abort();
        if (status != WEFT_OK) return status;
    }
    return weft__deflate_finish(&side->deflate, &side->config);
}

static void check_message(side *from, side *to, const uint8_t *bytes, size_t length, size_t piece)
{
    weft__buffer out = {0};
    const uint8_t *wire = bytes;
    size_t wire_length = length;
    if (!weft__deflate_compress(&from->deflate, &from->config, &wire, &wire_length)) return;
    if (wire_length >= length) abort();
    if (inflate_all(to, &out, wire, wire_length, piece) != WEFT_OK) abort();
    if (weft__buffer_length(&out) != length) abort();
    if (memcmp(weft__buffer_front(&out), bytes, length) != 0) abort();
    weft__buffer_clear(&out);
}

/* The input in messages of `step` bytes, both ways, with rests after some of them. */
static void check_round_trips(const uint8_t *choices, const uint8_t *bytes, size_t length)
{
    side server, client;
    size_t step = 1 + (size_t)choices[3] * 8, piece = 1 + choices[4] % 64;
    side_init(&server, WEFT_SERVER, choices);
    side_init(&client, WEFT_CLIENT, choices);
    for (size_t at = 0, now, number = 0; at < length; at += now, number++) {
        now = length - at < step ? length - at : step;
        check_message(&server, &client, bytes + at, now, piece);
        check_message(&client, &server, bytes + at, now, piece);
        if ((choices[4] >> (number % 8) & 1) == 0) continue;
        weft__deflate_pool_age(&server.pool);
        weft__deflate_pool_age(&client.pool);
    }
    side_clear(&server);
    side_clear(&client);
}

/* What came is the same as far as both came. zlib looks for what is referred to in its output first and then
 * in its window, so only with the widest one does the cut never decide. */
static void require_agreement(weft_status one, const weft__buffer *bytes, weft_status other,
                              const weft__buffer *other_bytes, bool is_widest)
{
    size_t length = weft__buffer_length(bytes), other_length = weft__buffer_length(other_bytes);
    size_t both = length < other_length ? length : other_length;
    if (both && memcmp(weft__buffer_front(bytes), weft__buffer_front(other_bytes), both) != 0) abort();
    bool is_same = one == other && length == other_length;
    bool is_beyond_window = !is_widest && (one == WEFT_EPAYLOAD || other == WEFT_EPAYLOAD);
    if (!is_same && !is_beyond_window) abort();
}

static void check_any_bytes(const uint8_t *choices, const uint8_t *bytes, size_t length)
{
    side whole, cut;
    weft__buffer one = {0}, other = {0};
    side_init(&whole, WEFT_SERVER, choices);
    side_init(&cut, WEFT_SERVER, choices);
    whole.config.max_message_size = cut.config.max_message_size = 1 + (uint64_t)choices[3] * 64;
    bool is_widest = whole.agreed.client_no_context_takeover || whole.agreed.client_max_window_bits == 15;
    for (int round = 0; round < 2; round++) {
        weft_status status = inflate_all(&whole, &one, bytes, length, SIZE_MAX);
        weft_status status_of_cut = inflate_all(&cut, &other, bytes, length, 1 + choices[4] % 3);
        require_agreement(status, &one, status_of_cut, &other, is_widest);
        weft__buffer_clear(&one);
        weft__buffer_clear(&other);
        if (status != WEFT_OK || status_of_cut != WEFT_OK) break;
    }
    side_clear(&whole);
    side_clear(&cut);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < CHOICES) return 0;
    check_round_trips(data, data + CHOICES, size - CHOICES);
    check_any_bytes(data, data + CHOICES, size - CHOICES);
    return 0;
}
