/* Cutting the input changes no event, and what one role sends a session of the other role reads back,
 * compressed or not. */
#include "feed.h"
#include "protocol/utf8.h"

enum {
    CHOICES = 6
};

static void note_with_detail(void *log, const weft_event *event)
{
    note_event(log, event);
    if (event->type == WEFT_EVENT_FAILURE) add(log, event->detail, strlen(event->detail));
}

/* A session reads the bytes, cut as `cuts` says. */
static void read_all(weft__buffer *log, const weft_session_config *config, const uint8_t *bytes,
                     size_t length, uint32_t cuts)
{
    weft_session *session;
    if (weft_session_new(&session, config) != WEFT_OK) abort();
    for (size_t at = 0, piece; at < length; at += piece) {
        piece = next_piece(&cuts, length - at);
        feed(session, bytes + at, piece, note_with_detail, log);
    }
    const uint8_t *output;
    weft_session_output(session, &output, &length);
    if (config->role == WEFT_SERVER) add(log, output, length);
    weft_session_free(session);
}

static void require_same_and_clear(weft__buffer *one, weft__buffer *other)
{
    require_same(one, other);
    weft__buffer_clear(one);
    weft__buffer_clear(other);
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
