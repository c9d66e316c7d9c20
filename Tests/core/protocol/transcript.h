#ifndef WEFT_TESTS_TRANSCRIPT_H
#define WEFT_TESTS_TRANSCRIPT_H

/* Frames go in, whole and cut at every byte; what comes out is compared as text. */

#include "check.h"

#include "protocol/incoming.h"

#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum {
    FIN = 0x80,
    RSV1 = 0x40,
    RSV2 = 0x20,
    RSV3 = 0x10
};
enum {
    TEXT = FIN | WEFT_OPCODE_TEXT,
    BINARY = FIN | WEFT_OPCODE_BINARY
};
enum {
    CLOSE = FIN | WEFT_OPCODE_CLOSE,
    PING = FIN | WEFT_OPCODE_PING,
    PONG = FIN | WEFT_OPCODE_PONG
};
enum {
    FIRST_TEXT = WEFT_OPCODE_TEXT,
    FIRST_BINARY = WEFT_OPCODE_BINARY
};
enum {
    MIDDLE = WEFT_OPCODE_CONTINUATION,
    LAST = FIN | WEFT_OPCODE_CONTINUATION
};

/* What the peer sends. */
typedef struct wire {
    weft_role to;
    size_t length;
    uint8_t bytes[4096];
} wire;

static void put_bytes(wire *wire, const void *bytes, size_t length)
{
    assert_true(length <= sizeof wire->bytes - wire->length);
    memcpy(wire->bytes + wire->length, bytes, length);
    wire->length += length;
}

/* A header by hand, with whatever length it shall announce; its key changes with its place. */
static void put_header(wire *wire, uint8_t first, uint64_t length)
{
    size_t width = length < 126 ? 0 : length < 65536 ? 2 : 8;
    uint8_t second = (uint8_t)(width == 0 ? length : width == 2 ? 126 : 127);
    const uint8_t start[2] = {first, wire->to == WEFT_SERVER ? second | 0x80 : second};
    put_bytes(wire, start, 2);
    for (size_t i = width; i > 0; i--)
        put_bytes(wire, &(uint8_t){(uint8_t)(length >> 8 * (i - 1))}, 1);
    const uint8_t key[4] = {(uint8_t)wire->length, 0xFA, first, 0x3D};
    if (wire->to == WEFT_SERVER) put_bytes(wire, key, sizeof key);
}

static void put_payload(wire *wire, const void *payload, size_t length)
{
    size_t start = wire->length;
    put_bytes(wire, payload, length);
    if (wire->to != WEFT_SERVER) return;
    for (size_t i = 0; i < length; i++)
        wire->bytes[start + i] ^= wire->bytes[start - 4 + i % 4];
}

static void put_frame(wire *wire, uint8_t first, const void *payload, size_t length)
{
    put_header(wire, first, length);
    put_payload(wire, payload, length);
}

/* What came out, one line an event. */
typedef struct transcript {
    size_t length;
    char text[4096];
} transcript;

static const char *name_of(weft_status status)
{
    switch (status) {
    case WEFT_EPROTOCOL: return "EPROTOCOL";
    case WEFT_ECONTINUATION: return "ECONTINUATION";
    case WEFT_ECONTROL: return "ECONTROL";
    case WEFT_EPAYLOAD: return "EPAYLOAD";
    case WEFT_ETOOBIG: return "ETOOBIG";
    case WEFT_ENOMEM: return "ENOMEM";
    default: return "another status";
    }
}

static void note(transcript *to, const weft_event *event)
{
    static const char *const kinds[] = {"", "text", "binary", "ping", "pong", "close", "failure"};
    if (event->type == WEFT_EVENT_NONE) return;
    char *end = to->text + to->length;
    size_t room = sizeof to->text - to->length;
    int length = (int)event->length, added;
    if (event->type == WEFT_EVENT_FAILURE) {
        added = snprintf(end, room, "failure %u %s\n", event->close_code, name_of(event->status));
        assert_true(event->detail[0] != '\0' && strlen(event->detail) <= WEFT_CLOSE_REASON_MAX);
    } else if (event->type == WEFT_EVENT_CLOSE) {
        added = snprintf(end, room, "close %u %.*s\n", event->close_code, length, event->bytes);
    } else {
        added = snprintf(end, room, "%s %.*s\n", kinds[event->type], length, event->bytes);
    }
    to->length += (size_t)added;
    assert_true(to->length < sizeof to->text);
}

/* Hands in one read, from a block of just its size, and takes all events of it. */
static void feed(weft__session *session, transcript *to, const uint8_t *bytes, size_t length)
{
    uint8_t *read = malloc(length ? length : 1);
    assert_non_null(read);
    if (length) memcpy(read, bytes, length);
    weft_event event;
    size_t at = 0;
    do {
        size_t used;
        weft__session_next(session, &event, read + at, length - at, &used);
        at += used;
        assert_non_null(event.bytes);
        note(to, &event);
    } while (event.type != WEFT_EVENT_NONE);
    assert_int_equal(at, length);
    free(read);
}

static bool is_idle(const weft__session *session)
{
    bool is_between_frames = !session->is_inside_frame && session->pending_length == 0;
    bool is_between_messages = is_between_frames && !weft__message_is_under_way(&session->message);
    return is_between_messages || !weft__session_can_receive(session);
}

/* One session reads the input in two pieces, or in pieces of as many bytes as `cut` is beyond the end. */
static void read_cut(transcript *to, const weft_session_config *config, const wire *wire, size_t cut)
{
    counting_allocator counter;
    allocator_count(&counter);
    weft__session session;
    weft__deflate_pool pool;
    weft__deflate deflate;
    weft__deflate_pool_init(&pool);
    weft__session_init(&session, config);
    weft__session_use_pool(&session, &deflate, &pool);
    memset(to, 0, sizeof *to);
    if (cut <= wire->length) {
        feed(&session, to, wire->bytes, cut);
        feed(&session, to, wire->bytes + cut, wire->length - cut);
    } else {
        for (size_t at = 0, step = cut - wire->length, left; (left = wire->length - at) > 0; at += step) {
            if (step > left) step = left;
            feed(&session, to, wire->bytes + at, step);
        }
    }
    bool keeps_contexts = config->compression != NULL;
    if (is_idle(&session) && !keeps_contexts) assert_int_equal(counter.blocks, 0);
    weft__session_clear(&session);
    weft__deflate_pool_clear(&pool);
    allocator_restore(&counter);
}

static void expect_wire(const weft_session_config *config, const wire *wire, const char *expected)
{
    for (size_t cut = 0; cut <= wire->length + 9; cut++) {
        transcript found;
        read_cut(&found, config, wire, cut);
        if (strcmp(found.text, expected) != 0) {
            fail_msg("role %d, cut at %zu: %s instead of %s", (int)wire->to, cut, found.text, expected);
        }
    }
}

typedef struct frame {
    uint8_t first;       /* FIN, reserved bits and opcode */
    const char *payload; /* up to its NUL; NULL ends a list of frames */
} frame;

static weft_session_config config_for(weft_role role)
{
    weft_session_config config;
    weft_session_config_init(&config);
    config.role = role;
    return config;
}

/* Both roles read the frames within the limits and report what is expected. */
static void expect_within(weft_session_config limits, const frame *frames, const char *expected)
{
    for (int role = WEFT_CLIENT; role <= WEFT_SERVER; role++) {
        limits.role = (weft_role)role;
        wire wire = {.to = limits.role};
        for (const frame *frame = frames; frame->payload; frame++) {
            put_frame(&wire, frame->first, frame->payload, strlen(frame->payload));
        }
        expect_wire(&limits, &wire, expected);
    }
}

static void expect(const frame *frames, const char *expected)
{
    expect_within(config_for(WEFT_SERVER), frames, expected);
}

#endif
