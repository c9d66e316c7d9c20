/* Two sessions talk, with and without compression: whatever is called in whatever order and however their
 * bytes are cut, each gets what the other sent, whole and in order, and one close. The input is settings, and
 * then calls: a byte of kind, one of length, the payload. */
#include "feed.h"

enum {
    CHOICES = 6
};

typedef struct side {
    weft_session *session;
    weft__buffer sent; /* messages and pings that were accepted, and the close */
    weft__buffer found;
    size_t closes;
} side;

static void take(void *context, const weft_event *event)
{
    side *side = context;
    if (event->type == WEFT_EVENT_FAILURE || side->closes > 0) abort();
    if (event->type == WEFT_EVENT_PONG) return;
    note_event(&side->found, event);
    if (event->type == WEFT_EVENT_PING) {
        weft_status status = weft_session_pong(side->session, event->bytes, event->length);
        if (status != WEFT_OK && status != WEFT_ECLOSED) abort();
    }
    side->closes += event->type == WEFT_EVENT_CLOSE;
}

static void move(side *from, side *to, size_t most)
{
    const uint8_t *bytes;
    size_t length;
    weft_session_output(from->session, &bytes, &length);
    if (length > most) length = most;
    if (length) feed(to->session, bytes, length, take, to);
    weft_session_consume_output(from->session, length);
}

/* After our close frame nothing goes out, and before it everything does. */
static void expect_sent(side *side, weft_status status, bool *has_closed, weft_event_type type, uint16_t code,
                        const uint8_t *bytes, size_t length)
{
    if (status != (*has_closed ? WEFT_ECLOSED : WEFT_OK)) abort();
    if (status == WEFT_OK) note(&side->sent, type, code, bytes, length);
    if (type == WEFT_EVENT_CLOSE) *has_closed = true;
}

static void call(side *side, struct side *other, bool *has_closed, const uint8_t *data, size_t length)
{
    char text[256];
    size_t short_length = length < WEFT_CLOSE_REASON_MAX ? length : WEFT_CLOSE_REASON_MAX;
    weft_session *session = side->session;
    for (size_t i = 0; i < length; i++)
        text[i] = (char)(data[2 + i] & 0x7F);
    const uint8_t *letters = (const uint8_t *)text;
    switch (data[0] >> 1 & 7) {
    case 0:
    case 1:
        expect_sent(side, weft_session_send(session, WEFT_TEXT, letters, length), has_closed, WEFT_EVENT_TEXT,
                    0, letters, length);
        break;
    case 2:
        expect_sent(side, weft_session_send(session, WEFT_BINARY, data + 2, length), has_closed,
                    WEFT_EVENT_BINARY, 0, data + 2, length);
        break;
    case 3:
        expect_sent(side, weft_session_ping(session, letters, short_length), has_closed, WEFT_EVENT_PING, 0,
                    letters, short_length);
        break;
    case 4:
    case 5: move(side, other, 1 + length * (data[0] & 16 ? 16 : 1)); break;
    case 6: weft_session_trim(session); break;
    default: /* 7 */
        if (!(data[0] & 32)) break;
        expect_sent(side, weft_session_close(session, 3000, text, short_length), has_closed, WEFT_EVENT_CLOSE,
                    3000, letters, short_length);
    }
}

static weft_session *open_side(weft_role role, const uint8_t *data)
{
    weft_session_config config;
    weft_compression agreed;
    weft_session *session;
    weft_session_config_init(&config);
    weft_compression_init(&agreed, role);
    config.role = role;
    config.max_frame_size = 1 + (uint64_t)data[0] * data[0];
    agreed.enabled = data[1] & 1;
    agreed.server_no_context_takeover = data[1] & 2;
    agreed.client_no_context_takeover = data[1] & 4;
    agreed.server_max_window_bits = (uint8_t)(8 + data[2] % 8);
    agreed.client_max_window_bits = (uint8_t)(8 + data[3] % 8);
    agreed.level = (uint8_t)(1 + data[4] % 9);
    agreed.threshold = data[5];
    config.compression = &agreed;
    if (weft_session_new(&session, &config) != WEFT_OK) abort();
    return session;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < CHOICES) return 0;
    side sides[2] = {{.session = open_side(WEFT_CLIENT, data)}, {.session = open_side(WEFT_SERVER, data)}};
    bool has_closed[2] = {false, false};
    for (size_t at = CHOICES, length; at + 2 <= size; at += 2 + length) {
        length = data[at + 1] < size - at - 2 ? data[at + 1] : size - at - 2;
        int one = data[at] & 1;
        call(&sides[one], &sides[!one], &has_closed[one], data + at, length);
    }
    for (int i = 0; i < 2; i++) {
        weft_status status = weft_session_close(sides[i].session, 1000, NULL, 0);
        expect_sent(&sides[i], status, &has_closed[i], WEFT_EVENT_CLOSE, 1000, NULL, 0);
    }
    move(&sides[0], &sides[1], SIZE_MAX);
    move(&sides[1], &sides[0], SIZE_MAX);
    for (int i = 0; i < 2; i++) {
        if (sides[i].closes != 1 || !weft_session_is_over(sides[i].session)) abort();
        require_same(&sides[!i].sent, &sides[i].found);
    }
    for (int i = 0; i < 2; i++) {
        weft_session_free(sides[i].session);
        weft__buffer_clear(&sides[i].sent);
        weft__buffer_clear(&sides[i].found);
    }
    return 0;
}
