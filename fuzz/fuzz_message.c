/* Frames become the events that a slow model of RFC 6455 section 5.4 foresees, with all three limits and
 * control frames in between, in both roles and however they are cut. The input is limits, and then frames: a
 * byte of kind, one of length, the payload. */
#include "feed.h"
#include "protocol/utf8.h"

enum {
    CHOICES = 5
};

typedef struct model {
    weft_session_config limits;
    weft__buffer wire;   /* the frames as they are sent */
    weft__buffer log;    /* the events that they must make */
    weft__buffer joined; /* of the message under way */
    weft_message_type type;
    uint32_t fragments;
    bool is_over;
} model;

static void foresee(model *model, weft_event_type type, uint16_t code, const void *bytes, size_t length)
{
    note(&model->log, type, code, bytes, length);
    model->is_over = type == WEFT_EVENT_FAILURE || type == WEFT_EVENT_CLOSE;
}

static void foresee_failure(model *model, uint16_t code)
{
    foresee(model, WEFT_EVENT_FAILURE, code, NULL, 0);
}

static void foresee_close(model *model, const uint8_t *payload, size_t length)
{
    uint16_t code = length < 2 ? WEFT_CLOSE_NO_STATUS : (uint16_t)(payload[0] << 8 | payload[1]);
    bool may_be_sent =
        (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
    if (length == 1 || (length > 1 && !may_be_sent)) {
        foresee_failure(model, WEFT_CLOSE_PROTOCOL_ERROR);
    } else if (length > 2 &&
               weft__utf8_portable(WEFT__UTF8_COMPLETE, payload + 2, length - 2) != WEFT__UTF8_COMPLETE) {
        foresee_failure(model, WEFT_CLOSE_INVALID_PAYLOAD);
    } else {
        foresee(model, WEFT_EVENT_CLOSE, code, payload + 2, length > 2 ? length - 2 : 0);
    }
}

static void foresee_data(model *model, const weft_frame_header *frame, const uint8_t *payload)
{
    const weft_session_config *limits = &model->limits;
    bool continues = frame->opcode == WEFT_OPCODE_CONTINUATION;
    uint64_t size = weft__buffer_length(&model->joined) + frame->payload_length;
    if (frame->payload_length > limits->max_frame_size) {
        foresee_failure(model, WEFT_CLOSE_TOO_BIG);
    } else if (continues != (model->fragments > 0)) {
        foresee_failure(model, WEFT_CLOSE_PROTOCOL_ERROR);
    } else if (++model->fragments > limits->max_fragments || size > limits->max_message_size) {
        foresee_failure(model, WEFT_CLOSE_TOO_BIG);
    }
    if (model->is_over) return;
    if (!continues) model->type = (weft_message_type)frame->opcode;
    add(&model->joined, payload, (size_t)frame->payload_length);
    const uint8_t *joined = size ? weft__buffer_front(&model->joined) : payload;
    weft__utf8_state text = model->type == WEFT_TEXT
                                ? weft__utf8_portable(WEFT__UTF8_COMPLETE, joined, (size_t)size)
                                : WEFT__UTF8_COMPLETE;
    if (text == WEFT__UTF8_INVALID || (frame->is_final && text != WEFT__UTF8_COMPLETE)) {
        foresee_failure(model, WEFT_CLOSE_INVALID_PAYLOAD);
    } else if (frame->is_final) {
        foresee(model, (weft_event_type)model->type, 0, joined, (size_t)size);
        weft__buffer_clear(&model->joined);
        model->fragments = 0;
    }
}

/* The next frame of the input; the bytes of it. */
static size_t add_next(model *model, const uint8_t *data, size_t size)
{
    static const uint8_t opcodes[] = {0x0, 0x0, 0x0, 0x1, 0x2, 0x9, 0xA, 0x8};
    weft_frame_header frame = {.opcode = opcodes[data[0] % 8], .is_final = data[0] & 8};
    bool is_control = frame.opcode >= WEFT_OPCODE_CLOSE;
    size_t most = is_control ? WEFT_CONTROL_PAYLOAD_MAX : 255, length = data[1];
    if (length > most) length = most;
    if (length > size - 2) length = size - 2;
    frame.payload_length = length;
    frame.is_final |= is_control;
    add_frame(&model->wire, model->limits.role, frame, data + 2);
    if (frame.opcode == WEFT_OPCODE_CLOSE) {
        foresee_close(model, data + 2, length);
    } else if (is_control) {
        foresee(model, frame.opcode == WEFT_OPCODE_PING ? WEFT_EVENT_PING : WEFT_EVENT_PONG, 0, data + 2,
                length);
    } else {
        foresee_data(model, &frame, data + 2);
    }
    return 2 + length;
}

static void check(const model *model, uint32_t cuts)
{
    weft__buffer found = {0};
    weft_session *session;
    if (weft_session_new(&session, &model->limits) != WEFT_OK) abort();
    feed_and_note(&found, session, weft__buffer_front(&model->wire), weft__buffer_length(&model->wire), cuts);
    require_same(&model->log, &found);
    weft_session_free(session);
    weft__buffer_clear(&found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < CHOICES) return 0;
    model model = {.is_over = false};
    weft_session_config_init(&model.limits);
    model.limits.role = data[0] & 1 ? WEFT_SERVER : WEFT_CLIENT;
    model.limits.max_frame_size = 1 + data[1];
    model.limits.max_message_size = 1 + (uint64_t)data[2] * 4;
    model.limits.max_fragments = 1 + data[3] % 16;
    for (size_t at = CHOICES; at + 2 <= size && !model.is_over;)
        at += add_next(&model, data + at, size - at);
    if (weft__buffer_length(&model.wire) > 0) {
        check(&model, WHOLE);
        check(&model, BYTE_BY_BYTE + data[4]);
    }
    weft__buffer_clear(&model.wire);
    weft__buffer_clear(&model.log);
    weft__buffer_clear(&model.joined);
    return 0;
}
