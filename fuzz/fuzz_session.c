/* Cutting the input changes no event, and what one role sends a session of the other role reads back,
 * compressed or not. */
#include "base/buffer.h"
#include "protocol/utf8.h"
#include "weft/session.h"

#include <stdlib.h>
#include <string.h>

enum {
    CHOICES = 6,
    WHOLE = 0,
    BYTE_BY_BYTE = 1
};

static void add(weft__buffer *log, const void *bytes, size_t length)
{
    if (weft__buffer_append(log, bytes, length, SIZE_MAX) != WEFT_OK) abort();
}

static void note(weft__buffer *log, weft_event_type type, uint16_t code, const void *bytes, size_t length)
{
    add(log, &type, sizeof type);
    add(log, &code, sizeof code);
    add(log, &length, sizeof length);
    add(log, bytes, length);
}

/* Length of the next read: everything, one byte, or what a small generator says. */
static size_t next_read(uint32_t *cuts, size_t left)
{
    if (*cuts == WHOLE) return left;
    if (*cuts == BYTE_BY_BYTE) return 1;
    *cuts = (*cuts * 1664525 + 1013904223) | 2; /* never one of the two names above */
    size_t length = 1 + (*cuts >> 24) % (*cuts >> 16 & 1 ? 4 : 64);
    return length < left ? length : left;
}

/* A session reads the bytes, cut as `cuts` says; each read lies in a block of just its size. */
static void read_all(weft__buffer *log, const weft_session_config *config, const uint8_t *bytes,
                     size_t length, uint32_t cuts)
{
    weft_session *session;
    if (weft_session_new(&session, config) != WEFT_OK) abort();
    for (size_t at = 0, size; at < length; at += size) {
        size = next_read(&cuts, length - at);
        uint8_t *read = malloc(size);
        if (!read) abort();
        memcpy(read, bytes + at, size);
        weft_event event = {.type = WEFT_EVENT_PING};
        for (size_t done = 0, used; event.type != WEFT_EVENT_NONE; done += used) {
            if (weft_session_next(session, &event, read + done, size - done, &used) != WEFT_OK) abort();
            if (used > size - done || (event.type == WEFT_EVENT_NONE && used != size - done)) abort();
            if (event.type == WEFT_EVENT_NONE) continue;
            note(log, event.type, event.close_code, event.bytes, event.length);
            if (event.type == WEFT_EVENT_FAILURE) add(log, event.detail, strlen(event.detail));
        }
        free(read);
    }
    const uint8_t *output;
    weft_session_output(session, &output, &length);
    if (config->role == WEFT_SERVER) add(log, output, length);
    weft_session_free(session);
}

static void require_same_and_clear(weft__buffer *a, weft__buffer *b)
{
    size_t length = weft__buffer_length(a);
    if (length != weft__buffer_length(b)) abort();
    if (length && memcmp(weft__buffer_front(a), weft__buffer_front(b), length) != 0) abort();
    weft__buffer_clear(a);
    weft__buffer_clear(b);
}

/* The input as a message, a ping and a close reason, sent by one role and read by the other. */
static void check_round_trip(weft_session_config config, const uint8_t *bytes, size_t length, uint32_t cuts)
{
    weft_session *sender;
    weft__buffer expected = {0}, found = {0};
    if (weft_session_new(&sender, &config) != WEFT_OK) abort();
    bool is_text = weft__utf8_is_valid(bytes, length);
    size_t ping_length = length < WEFT_CONTROL_PAYLOAD_MAX ? length : WEFT_CONTROL_PAYLOAD_MAX;
    size_t reason_length = is_text && length <= WEFT_CLOSE_REASON_MAX ? length : 0;
    weft_status text = weft_session_send(sender, WEFT_TEXT, bytes, length);
    if (text != (is_text ? WEFT_OK : WEFT_EPAYLOAD)) abort();
    if (is_text) note(&expected, WEFT_EVENT_TEXT, 0, bytes, length);
    if (weft_session_ping(sender, bytes, ping_length) != WEFT_OK) abort();
    weft_session_trim(sender);
    note(&expected, WEFT_EVENT_PING, 0, bytes, ping_length);
    if (weft_session_send(sender, WEFT_BINARY, bytes, length) != WEFT_OK) abort();
    note(&expected, WEFT_EVENT_BINARY, 0, bytes, length);
    if (weft_session_close(sender, 3000, (const char *)bytes, reason_length) != WEFT_OK) abort();
    note(&expected, WEFT_EVENT_CLOSE, 3000, bytes, reason_length);

    config.role = config.role == WEFT_CLIENT ? WEFT_SERVER : WEFT_CLIENT;
    config.max_message_size = PTRDIFF_MAX;
    config.max_fragments = UINT32_MAX;
    const uint8_t *output;
    weft_session_output(sender, &output, &length);
    read_all(&found, &config, output, length, cuts);
    require_same_and_clear(&expected, &found);
    weft_session_free(sender);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < CHOICES) return 0;
    weft_session_config config;
    weft_session_config_init(&config);
    config.role = data[0] & 1 ? WEFT_SERVER : WEFT_CLIENT;
    config.max_frame_size = 1 + (uint64_t)data[1] * (data[0] & 2 ? 256 : 1);
    config.max_message_size = 1 + (uint64_t)data[2] * (data[0] & 4 ? 256 : 1);
    config.max_fragments = 1 + data[3];
    weft_compression agreed;
    weft_compression_init(&agreed, WEFT_CLIENT);
    agreed.enabled = data[0] & 8;
    agreed.server_no_context_takeover = agreed.client_no_context_takeover = data[0] & 16;
    agreed.threshold = data[0] & 32 ? 0 : agreed.threshold;
    config.compression = &agreed;
    uint32_t cuts = 2 + ((uint32_t)data[4] << 8 | data[5]);
    weft__buffer whole = {0}, cut = {0};
    for (int i = 0; i < 2; i++) {
        read_all(&whole, &config, data + CHOICES, size - CHOICES, WHOLE);
        read_all(&cut, &config, data + CHOICES, size - CHOICES, i == 0 ? cuts : BYTE_BY_BYTE);
        require_same_and_clear(&whole, &cut);
    }
    agreed.server_max_window_bits = (uint8_t)(8 + data[5] % 8);
    agreed.client_max_window_bits = (uint8_t)(8 + data[4] % 8);
    check_round_trip(config, data + CHOICES, size - CHOICES, cuts);
    return 0;
}
