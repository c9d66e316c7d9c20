#include "protocol/message.h"

#include "base/allocator.h"
#include "protocol/mask.h"

weft_status weft__message_begin_frame(weft__message *message, const weft_frame_header *header,
                                      const weft_session_config *limits)
{
    bool continues = header->opcode == WEFT_OPCODE_CONTINUATION;
    if (continues != weft__message_is_under_way(message)) return WEFT_ECONTINUATION;
    if (message->fragments >= limits->max_fragments) return WEFT_ETOOBIG;
    uint64_t arrived = weft__message_length(message);
    bool is_compressed = continues ? message->is_compressed : header->rsv1;
    if (!is_compressed && header->payload_length > limits->max_message_size - arrived) return WEFT_ETOOBIG;

    if (!continues) message->type = header->opcode;
    message->is_compressed = is_compressed;
    message->fragments++;
    return WEFT_OK;
}

static weft_status check_text(weft__message *message, const uint8_t *bytes, size_t length)
{
    if (message->type != WEFT_TEXT || length == 0) return WEFT_OK;
    message->utf8 = weft__utf8_continue(message->utf8, bytes, length);
    return message->utf8 == WEFT__UTF8_INVALID ? WEFT_EPAYLOAD : WEFT_OK;
}

weft_status weft__message_check(weft__message *message, size_t added)
{
    if (added == 0) return WEFT_OK; /* and `payload` may have no block */
    const uint8_t *end = weft__buffer_front(message->payload) + weft__buffer_length(message->payload);
    return check_text(message, end - added, added);
}

/* Room for `length` more bytes of payload, or NULL when memory ran out. */
static uint8_t *reserve(weft__message *message, size_t length)
{
    if (!message->payload) message->payload = weft__alloc_zeroed(sizeof *message->payload);
    return message->payload ? weft__buffer_reserve(message->payload, length, SIZE_MAX) : NULL;
}

weft_status weft__message_append(weft__message *message, const uint8_t *bytes, size_t length)
{
    weft_status status = check_text(message, bytes, length);
    if (status != WEFT_OK || length == 0) return status;
    uint8_t *room = reserve(message, length);
    if (!room) return WEFT_ENOMEM;
    memcpy(room, bytes, length);
    weft__buffer_commit(message->payload, length);
    return WEFT_OK;
}

weft_status weft__message_append_masked(weft__message *message, const uint8_t *bytes, size_t length,
                                        const uint8_t key[4], uint64_t offset)
{
    if (length == 0) return WEFT_OK;
    uint8_t *room = reserve(message, length);
    if (!room) return WEFT_ENOMEM;
    if (message->type == WEFT_TEXT) {
        message->utf8 = weft__mask_text(message->utf8, room, bytes, length, key, offset);
        if (message->utf8 == WEFT__UTF8_INVALID) return WEFT_EPAYLOAD;
    } else {
        weft__mask_copy(room, bytes, length, key, offset);
    }
    weft__buffer_commit(message->payload, length);
    return WEFT_OK;
}

weft_status weft__message_finish(const weft__message *message)
{
    return message->utf8 == WEFT__UTF8_COMPLETE ? WEFT_OK : WEFT_EPAYLOAD;
}

void weft__message_clear(weft__message *message)
{
    if (message->payload) weft__buffer_clear(message->payload);
    weft__free(message->payload);
    *message = (weft__message){0};
}
