/* What a peer sends has the same outcome here and in wslay, an independent library: the same messages, pings
 * and pongs up to the same end with the same code, in both roles.
 *
 * Three differences are accepted, each where wslay is laxer or merely other:
 * - a close frame with one byte: RFC 6455 section 5.5.1 asks for two or none; we answer 1002, wslay takes it
 * as none;
 * - the codes 1012 to 1014, registered later with IANA: wslay answers 1002;
 * - a close frame with both a wrong code and a reason that is no UTF-8: we answer 1002, wslay 1007.
 * We also notice some faults earlier, from the first byte of a header, where wslay waits for the payload's;
 * and wslay checks UTF-8 of a cut close frame from each piece's third byte on. So wslay gets its input in one
 * piece, with zeros behind that complete a header, and so do we besides pieces. */
#include "feed.h"

#include <wslay/wslay.h>

enum {
    CHOICES = 3,
    LONGEST = 3072, /* with the zeros less than wslay's buffer */
    ZEROS = 300,
    LONGEST_MESSAGE = 200, /* wslay has the limit for control frames too */
};

typedef struct lax_peer {
    const uint8_t *bytes;
    size_t length;
    weft__buffer log;
    uint16_t failure; /* the code of one, or 0 */
} lax_peer;

static ssize_t hand_over(wslay_event_context_ptr context, uint8_t *out, size_t length, int flags, void *user)
{
    (void)flags;
    lax_peer *peer = user;
    if (length > peer->length) length = peer->length;
    if (length == 0) {
        wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    memcpy(out, peer->bytes, length);
    peer->bytes += length;
    peer->length -= length;
    return (ssize_t)length;
}

static ssize_t drop_output(wslay_event_context_ptr context, const uint8_t *bytes, size_t length, int flags,
                           void *user)
{
    (void)context, (void)bytes, (void)flags, (void)user;
    return (ssize_t)length;
}

static int make_mask(wslay_event_context_ptr context, uint8_t *out, size_t length, void *user)
{
    (void)context, (void)user;
    memset(out, 0, length);
    return 0;
}

static void note_message(wslay_event_context_ptr context, const struct wslay_event_on_msg_recv_arg *message,
                         void *user)
{
    (void)context;
    lax_peer *peer = user;
    weft_event_type type = message->opcode == WSLAY_TEXT_FRAME     ? WEFT_EVENT_TEXT
                           : message->opcode == WSLAY_BINARY_FRAME ? WEFT_EVENT_BINARY
                           : message->opcode == WSLAY_PING         ? WEFT_EVENT_PING
                           : message->opcode == WSLAY_PONG         ? WEFT_EVENT_PONG
                                                                   : WEFT_EVENT_CLOSE;
    bool is_close = type == WEFT_EVENT_CLOSE;
    size_t code_length = !is_close ? 0 : message->msg_length < 2 ? message->msg_length : 2;
    uint16_t code = is_close && code_length < 2 ? WEFT_CLOSE_NO_STATUS : message->status_code;
    note(&peer->log, type, code, message->msg + code_length, message->msg_length - code_length);
}

static void ask_wslay(lax_peer *peer, weft_role role)
{
    const struct wslay_event_callbacks callbacks = {
        .recv_callback = hand_over,
        .send_callback = drop_output,
        .genmask_callback = make_mask,
        .on_msg_recv_callback = note_message,
    };
    wslay_event_context_ptr context;
    int made = role == WEFT_SERVER ? wslay_event_context_server_init(&context, &callbacks, peer)
                                   : wslay_event_context_client_init(&context, &callbacks, peer);
    if (made != 0) abort();
    wslay_event_config_set_max_recv_msg_length(context, LONGEST_MESSAGE);
    int status = wslay_event_recv(context);
    bool is_closed = wslay_event_get_close_received(context);
    wslay_event_send(context);
    if (!is_closed && wslay_event_get_close_sent(context)) {
        /* It has no code for what is wrong in a header. */
        peer->failure = status ? WEFT_CLOSE_PROTOCOL_ERROR : wslay_event_get_status_code_sent(context);
        note(&peer->log, WEFT_EVENT_FAILURE, peer->failure, NULL, 0);
    }
    wslay_event_context_free(context);
}

/* Our events, as wslay would have put them where a difference is accepted. */
typedef struct verdict {
    weft__buffer log;
    uint16_t code_of_wslay; /* of its failure, or 0 */
} verdict;

static void note_as_wslay(void *context, const weft_event *event)
{
    verdict *verdict = context;
    bool is_late_code =
        event->type == WEFT_EVENT_CLOSE && event->close_code >= 1012 && event->close_code <= 1014;
    bool is_two_faults = strcmp(event->detail, "a close frame has a code that may not be sent") == 0 &&
                         verdict->code_of_wslay == WEFT_CLOSE_INVALID_PAYLOAD;
    if (is_late_code) {
        note(&verdict->log, WEFT_EVENT_FAILURE, WEFT_CLOSE_PROTOCOL_ERROR, NULL, 0);
    } else if (is_two_faults) {
        note(&verdict->log, WEFT_EVENT_FAILURE, WEFT_CLOSE_INVALID_PAYLOAD, NULL, 0);
    } else if (strcmp(event->detail, "a close frame has half a code") == 0) {
        note(&verdict->log, WEFT_EVENT_CLOSE, WEFT_CLOSE_NO_STATUS, NULL, 0);
    } else {
        note_event(&verdict->log, event);
    }
}

static void check(const lax_peer *wslay, weft_role role, const uint8_t *bytes, size_t length, uint32_t cuts)
{
    weft_session_config config;
    weft_session *session;
    verdict ours = {.code_of_wslay = wslay->failure};
    weft_session_config_init(&config);
    config.role = role;
    config.max_frame_size = PTRDIFF_MAX;
    config.max_message_size = LONGEST_MESSAGE;
    if (weft_session_new(&session, &config) != WEFT_OK) abort();
    for (size_t at = 0, piece; at < length; at += piece) {
        piece = next_piece(&cuts, length - at);
        feed(session, bytes + at, piece, note_as_wslay, &ours);
    }
    require_same(&wslay->log, &ours.log);
    weft_session_free(session);
    weft__buffer_clear(&ours.log);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t zeros[ZEROS];
    if (size < CHOICES || size > LONGEST) return 0;
    weft_role role = data[0] & 1 ? WEFT_SERVER : WEFT_CLIENT;
    weft__buffer wire = {0};
    add(&wire, data + CHOICES, size - CHOICES);
    add(&wire, zeros, sizeof zeros);
    size_t length = weft__buffer_length(&wire);
    lax_peer wslay = {.bytes = weft__buffer_front(&wire), .length = length};
    ask_wslay(&wslay, role);
    check(&wslay, role, weft__buffer_front(&wire), length, 0);
    check(&wslay, role, weft__buffer_front(&wire), length, 1 + ((uint32_t)data[1] << 8 | data[2]));
    weft__buffer_clear(&wire);
    weft__buffer_clear(&wslay.log);
    return 0;
}
