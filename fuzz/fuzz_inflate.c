/* Two compressed messages of any bytes (final blocks, cut ones, bombs) in frames with pings between, in both
 * roles, come out as zlib alone inflates them, or are refused where it has an error, the message ends inside
 * a block, or the limit is passed. */
#include "feed.h"

#include <zlib.h>

enum {
    CHOICES = 4,
    WINDOW = 1 << 15
};

/* zlib behind nothing but a loop. After a final block a new stream begins that knows the old one's window. */
typedef struct oracle {
    z_stream stream;
    weft__buffer out;
} oracle;

static bool oracle_inflate(oracle *oracle, const uint8_t *bytes, size_t length, size_t most)
{
    uint8_t block[512], window[WINDOW];
    oracle->stream.next_in = (z_const Bytef *)bytes;
    oracle->stream.avail_in = (uInt)length;
    for (;;) {
        oracle->stream.next_out = block;
        oracle->stream.avail_out = sizeof block;
        int code = inflate(&oracle->stream, Z_SYNC_FLUSH);
        add(&oracle->out, block, sizeof block - oracle->stream.avail_out);
        if (weft__buffer_length(&oracle->out) > most) return true;
        if (code == Z_BUF_ERROR || (code == Z_OK && oracle->stream.avail_out)) return true;
        if (code == Z_STREAM_END) {
            uInt known = 0;
            if (inflateGetDictionary(&oracle->stream, window, &known) != Z_OK) abort();
            if (inflateReset(&oracle->stream) != Z_OK) abort();
            if (inflateSetDictionary(&oracle->stream, window, known) != Z_OK) abort();
        } else if (code != Z_OK) {
            return false;
        }
    }
}

/* The tail of RFC 7692 section 7.2.1 yields nothing and ends the stream, or a block behind it is read as one.
 */
static bool oracle_ends_whole(oracle *oracle)
{
    static const uint8_t tail[] = {0x00, 0x00, 0xFF, 0xFF}, block[] = {0x00, 0x01, 0x00, 0xFE, 0xFF, 'X'};
    z_stream probe;
    uint8_t found[2];
    if (inflateCopy(&probe, &oracle->stream) != Z_OK) abort();
    probe.next_in = (z_const Bytef *)tail;
    probe.avail_in = sizeof tail;
    probe.next_out = found;
    probe.avail_out = sizeof found;
    int code = inflate(&probe, Z_SYNC_FLUSH);
    bool is_whole = probe.avail_in == 0 && probe.avail_out == sizeof found;
    if (is_whole && code == Z_OK) {
        probe.next_in = (z_const Bytef *)block;
        probe.avail_in = sizeof block;
        is_whole = inflate(&probe, Z_SYNC_FLUSH) == Z_OK && probe.avail_out == 1 && found[0] == 'X';
    } else if (code != Z_STREAM_END) {
        is_whole = false;
    }
    inflateEnd(&probe);
    return is_whole && oracle_inflate(oracle, tail, sizeof tail, SIZE_MAX);
}

/* Notes what must come of the message; false when the session fails. */
static bool foresee(weft__buffer *log, oracle *oracle, const uint8_t *bytes, size_t length, uint64_t most,
                    bool stands_alone)
{
    weft__buffer_clear(&oracle->out);
    if (stands_alone && inflateReset(&oracle->stream) != Z_OK) abort();
    bool is_fine = oracle_inflate(oracle, bytes, length, (size_t)most);
    bool is_too_big = weft__buffer_length(&oracle->out) > most;
    if (is_fine && !is_too_big) is_fine = oracle_ends_whole(oracle);
    size_t found = weft__buffer_length(&oracle->out);
    if (is_too_big || !is_fine) {
        note(log, WEFT_EVENT_FAILURE, is_too_big ? WEFT_CLOSE_TOO_BIG : WEFT_CLOSE_INVALID_PAYLOAD, NULL, 0);
    } else {
        note(log, WEFT_EVENT_BINARY, 0, found ? weft__buffer_front(&oracle->out) : NULL, found);
    }
    return is_fine && !is_too_big;
}

/* The message as frames of at most `step` bytes, a ping behind each but the last. */
static void add_message(weft__buffer *wire, weft_role role, const uint8_t *bytes, size_t length, size_t step)
{
    const weft_frame_header ping = {.opcode = WEFT_OPCODE_PING, .is_final = true, .payload_length = 1};
    weft_frame_header frame = {.opcode = WEFT_OPCODE_BINARY, .rsv1 = true};
    for (size_t at = 0; !frame.is_final; at += step) {
        frame.payload_length = length - at < step ? length - at : step;
        frame.is_final = at + frame.payload_length == length;
        add_frame(wire, role, frame, bytes + at);
        frame = (weft_frame_header){.opcode = WEFT_OPCODE_CONTINUATION, .is_final = frame.is_final};
        if (!frame.is_final) add_frame(wire, role, ping, bytes);
    }
}

static void drop_ping(void *log, const weft_event *event)
{
    if (event->type != WEFT_EVENT_PING) note_event(log, event);
}

static void check(const weft_session_config *config, const uint8_t *bytes, size_t length, size_t cut,
                  size_t step, uint32_t cuts)
{
    const weft_compression *agreed = config->compression;
    bool stands_alone =
        config->role == WEFT_SERVER ? agreed->client_no_context_takeover : agreed->server_no_context_takeover;
    weft__buffer wire = {0}, expected = {0}, found = {0};
    oracle oracle = {0};
    weft_session *session;
    if (inflateInit2(&oracle.stream, -15) != Z_OK || weft_session_new(&session, config) != WEFT_OK) abort();
    add_message(&wire, config->role, bytes, cut, step);
    add_message(&wire, config->role, bytes + cut, length - cut, step);
    if (foresee(&expected, &oracle, bytes, cut, config->max_message_size, stands_alone))
        foresee(&expected, &oracle, bytes + cut, length - cut, config->max_message_size, stands_alone);
    for (size_t at = 0, piece; at < weft__buffer_length(&wire); at += piece) {
        piece = next_piece(&cuts, weft__buffer_length(&wire) - at);
        feed(session, weft__buffer_front(&wire) + at, piece, drop_ping, &found);
        if (cuts & 1 << 20) weft_session_trim(session);
    }
    require_same(&expected, &found);
    inflateEnd(&oracle.stream);
    weft_session_free(session);
    weft__buffer_clear(&wire);
    weft__buffer_clear(&expected);
    weft__buffer_clear(&found);
    weft__buffer_clear(&oracle.out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < CHOICES) return 0;
    weft_session_config config;
    weft_compression agreed;
    weft_session_config_init(&config);
    config.role = data[0] & 1 ? WEFT_SERVER : WEFT_CLIENT;
    config.max_message_size = 1 + (uint64_t)data[1] * (data[0] & 2 ? 64 : 1);
    weft_compression_init(&agreed, WEFT_CLIENT);
    agreed.client_no_context_takeover = agreed.server_no_context_takeover = data[0] & 4;
    config.compression = &agreed;
    size_t cut = (size_t)data[2] * 4 % (size - CHOICES + 1);
    check(&config, data + CHOICES, size - CHOICES, cut, 1 + data[3], 0);
    check(&config, data + CHOICES, size - CHOICES, cut, 1 + data[3] % 8, data[1] | 1U);
    return 0;
}
