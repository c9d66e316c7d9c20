/* However an answer is cut it has one verdict and the same body, which never passes its bound. */
#include "http/response_reader.h"

#include <stdlib.h>
#include <string.h>

enum {
    MAX_BODY = 100
};

typedef struct outcome {
    weft_status status;
    bool is_whole; /* before the end of the connection was told */
    weft__problem problem;
    weft__response_reader reader;
} outcome;

static outcome read_answer(const uint8_t *bytes, size_t length, size_t piece, bool is_to_head)
{
    outcome outcome = {0};
    weft__response_reader_init(&outcome.reader, is_to_head, MAX_BODY);
    for (size_t at = 0; at < length && outcome.status == WEFT_OK; at += piece) {
        size_t count = length - at < piece ? length - at : piece;
        outcome.status = weft__response_reader_take(&outcome.reader, bytes + at, count, &outcome.problem);
        if (weft__buffer_length(&outcome.reader.body) > MAX_BODY) abort();
    }
    outcome.is_whole = outcome.status == WEFT_OK && outcome.reader.part == WEFT__RESPONSE_WHOLE;
    if (outcome.status == WEFT_OK)
        outcome.status = weft__response_reader_end(&outcome.reader, &outcome.problem);
    if (outcome.status == WEFT_OK && outcome.reader.part != WEFT__RESPONSE_WHOLE) abort();
    if (outcome.status == WEFT_ENOMEM) abort();
    return outcome;
}

static bool is_same_field(const weft_field *one, const weft_field *other)
{
    return weft__string_is_same(one->name, other->name) && weft__string_is_same(one->value, other->value);
}

static void compare(const outcome *whole, const outcome *cut)
{
    const weft__head *one = &whole->reader.head, *other = &cut->reader.head;
    const weft__buffer *body = &whole->reader.body;
    if (cut->status != whole->status || cut->is_whole != whole->is_whole) abort();
    if (whole->status != WEFT_OK) {
        if (strcmp(cut->problem.text, whole->problem.text) != 0) abort();
        return;
    }
    if (one->status != other->status || one->fields.count != other->fields.count) abort();
    for (size_t i = 0; i < one->fields.count; i++) {
        if (!is_same_field(&one->fields.items[i], &other->fields.items[i])) abort();
    }
    size_t length = weft__buffer_length(body);
    if (length != weft__buffer_length(&cut->reader.body)) abort();
    if (length && memcmp(weft__buffer_front(body), weft__buffer_front(&cut->reader.body), length) != 0)
        abort();
}

/* The first byte says whether the request was HEAD. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    const bool is_to_head = data[0] == 'H';
    outcome whole = read_answer(data + 1, size - 1, size, is_to_head);
    for (size_t piece = 1; piece < 20 && piece < size; piece++) {
        outcome cut = read_answer(data + 1, size - 1, piece, is_to_head);
        compare(&whole, &cut);
        weft__response_reader_clear(&cut.reader);
    }
    weft__response_reader_clear(&whole.reader);
    return 0;
}
