/* Events of a session as one row of bytes, so that two rows can be compared, and a session fed in pieces. */
#ifndef WEFT_FUZZ_FEED_H
#define WEFT_FUZZ_FEED_H

#include "base/buffer.h"
#include "weft/session.h"

#include <stdlib.h>
#include <string.h>

static inline void add(weft__buffer *out, const void *bytes, size_t length)
{
    if (weft__buffer_append(out, bytes, length, SIZE_MAX) != WEFT_OK) abort();
}

static inline void note(weft__buffer *log, weft_event_type type, uint16_t code, const void *bytes,
                        size_t length)
{
    uint64_t numbers[] = {type, code, length};
    add(log, numbers, sizeof numbers);
    add(log, bytes, length);
}

static inline void note_event(weft__buffer *log, const weft_event *event)
{
    note(log, event->type, event->close_code, event->bytes, event->length);
}

enum {
    WHOLE = 0,
    BYTE_BY_BYTE = 1
};

/* Length of the next piece: everything, one byte, or what a small generator says. */
static inline size_t next_piece(uint32_t *cuts, size_t left)
{
    if (*cuts == WHOLE) return left;
    if (*cuts == BYTE_BY_BYTE) return 1;
    *cuts = (*cuts * 1664525 + 1013904223) | 2; /* never one of the two names above */
    size_t length = 1 + (*cuts >> 24) % (*cuts >> 16 & 1 ? 4 : 64);
    return length < left ? length : left;
}

/* Feeds bytes in a block of just their size, and hands each event on. */
static inline void feed(weft_session *session, const uint8_t *bytes, size_t length,
                        void (*take)(void *context, const weft_event *event), void *context)
{
    uint8_t *read = malloc(length ? length : 1);
    if (!read) abort();
    if (length) memcpy(read, bytes, length);
    weft_event event = {.type = WEFT_EVENT_PING};
    for (size_t done = 0, used; event.type != WEFT_EVENT_NONE; done += used) {
        if (weft_session_next(session, &event, read + done, length - done, &used) != WEFT_OK) abort();
        if (used > length - done || (event.type == WEFT_EVENT_NONE && used != length - done)) abort();
        if (event.type != WEFT_EVENT_NONE) take(context, &event);
    }
    free(read);
}

static inline void note_into(void *log, const weft_event *event)
{
    note_event(log, event);
}

/* Feeds bytes in pieces and notes the events. */
static inline void feed_and_note(weft__buffer *log, weft_session *session, const uint8_t *bytes,
                                 size_t length, uint32_t cuts)
{
    for (size_t at = 0, piece; at < length; at += piece) {
        piece = next_piece(&cuts, length - at);
        feed(session, bytes + at, piece, note_into, log);
    }
}

static inline void require_same(const weft__buffer *one, const weft__buffer *other)
{
    size_t length = weft__buffer_length(one);
    if (length != weft__buffer_length(other)) abort();
    if (length && memcmp(weft__buffer_front(one), weft__buffer_front(other), length) != 0) abort();
}

/* Appends one frame as a peer of `role` reads it: masked for a server. */
static inline void add_frame(weft__buffer *wire, weft_role role, weft_frame_header header,
                             const uint8_t *payload)
{
    uint8_t bytes[WEFT_FRAME_HEADER_MAX];
    header.is_masked = role == WEFT_SERVER;
    memcpy(header.mask, "\x1f\x2e\x3d\x4c", 4);
    add(wire, bytes, weft_frame_header_write(bytes, &header));
    add(wire, payload, (size_t)header.payload_length);
    if (header.is_masked)
        weft_mask(wire->bytes + wire->end - header.payload_length, (size_t)header.payload_length, header.mask,
                  0);
}

#endif
