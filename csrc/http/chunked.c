#include "http/chunked.h"

#include "http/bytes.h"

/* What is awaited. */
enum {
    SIZE,
    EXTENSION,
    SIZE_END,
    DATA,
    DATA_RETURN,
    DATA_END,
    TRAILER_OR_RETURN,
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_END,
    BODY_END,
    DONE,
};

enum {
    TAKEN = 1,
    MOST_DIGITS = 16
};

void weft__chunked_init(weft__chunked *decoder, const weft__chunked_limits *limits)
{
    *decoder = (weft__chunked){.left = *limits, .state = SIZE};
}

bool weft__chunked_is_done(const weft__chunked *decoder)
{
    return decoder->state == DONE;
}

static int refuse(weft__problem *problem, const char *sentence)
{
    return weft__problem_set(problem, 400, "%s", sentence);
}

/* The one byte that may stand here leads to `next`. */
static int expect(weft__chunked *decoder, char byte, char expected, uint8_t next, weft__problem *problem)
{
    if (byte != expected) return refuse(problem, "line of a chunked body does not end with CR LF");
    decoder->state = next;
    return TAKEN;
}

static uint64_t digit_value(char byte)
{
    if (weft__byte_is_digit(byte)) return (uint64_t)(byte - '0');
    return 10 + (uint64_t)((byte | 0x20) - 'a');
}

/* At most 16 digits, so nothing is shifted out. */
static int take_size(weft__chunked *decoder, char byte, weft__problem *problem)
{
    if (weft__byte_is_hex(byte)) {
        if (decoder->size_digits == MOST_DIGITS) return refuse(problem, "chunk size is over 16 digits");
        decoder->size_digits++;
        decoder->chunk_left = decoder->chunk_left << 4 | digit_value(byte);
        if (decoder->chunk_left <= decoder->left.max_body) return TAKEN;
        return weft__problem_set(problem, 413, "the body is too large");
    }
    if (decoder->size_digits == 0) return refuse(problem, "chunk does not begin with its size");
    if (byte != ';' && byte != '\r') return refuse(problem, "chunk size is not a hexadecimal number");
    decoder->left.max_body -= decoder->chunk_left;
    decoder->size_digits = 0;
    decoder->state = byte == ';' ? EXTENSION : SIZE_END;
    return TAKEN;
}

static int take_extension(weft__chunked *decoder, char byte, weft__problem *problem)
{
    if (byte == '\r') {
        decoder->state = SIZE_END;
        return TAKEN;
    }
    if (!weft__byte_is_in_value(byte)) return refuse(problem, "chunk extension has a control character");
    if (decoder->left.max_extensions-- == 0) return refuse(problem, "chunk extensions are too long");
    return TAKEN;
}

/* RFC 9110 section 6.5: what comes behind the data is read by the rules of header fields, and dropped. */
static int take_trailer(weft__chunked *decoder, char byte, weft__problem *problem)
{
    if (decoder->left.max_trailers-- == 0) return refuse(problem, "trailer fields are too long");
    if (decoder->state == TRAILER_VALUE) {
        if (byte == '\r')
            decoder->state = TRAILER_END;
        else if (!weft__byte_is_in_value(byte))
            return refuse(problem, "trailer field has a control character");
        return TAKEN;
    }
    if (weft__byte_is_token(byte))
        decoder->state = TRAILER_NAME;
    else if (byte == ':' && decoder->state == TRAILER_NAME)
        decoder->state = TRAILER_VALUE;
    else
        return refuse(problem, "trailer field is ill-formed");
    return TAKEN;
}

static int take_byte(weft__chunked *decoder, char byte, weft__problem *problem)
{
    switch (decoder->state) {
    case SIZE: return take_size(decoder, byte, problem);
    case EXTENSION: return take_extension(decoder, byte, problem);
    case SIZE_END:
        return expect(decoder, byte, '\n', decoder->chunk_left ? DATA : TRAILER_OR_RETURN, problem);
    case DATA_RETURN: return expect(decoder, byte, '\r', DATA_END, problem);
    case DATA_END: return expect(decoder, byte, '\n', SIZE, problem);
    case TRAILER_OR_RETURN:
        if (byte == '\r') return expect(decoder, byte, '\r', BODY_END, problem);
        return take_trailer(decoder, byte, problem);
    case TRAILER_END: return expect(decoder, byte, '\n', TRAILER_OR_RETURN, problem);
    case BODY_END: return expect(decoder, byte, '\n', DONE, problem);
    default: return take_trailer(decoder, byte, problem); /* TRAILER_NAME, TRAILER_VALUE */
    }
}

static weft_string take_data(weft__chunked *decoder, const char *bytes, size_t length)
{
    size_t taken = decoder->chunk_left < length ? (size_t)decoder->chunk_left : length;
    decoder->chunk_left -= taken;
    if (decoder->chunk_left == 0) decoder->state = DATA_RETURN;
    return (weft_string){bytes, taken};
}

int64_t weft__chunked_take(weft__chunked *decoder, const char *bytes, size_t length, weft_string *data,
                           weft__problem *problem)
{
    size_t used = 0;
    *data = (weft_string){0};
    while (used < length && decoder->state != DONE) {
        if (decoder->state == DATA) {
            *data = take_data(decoder, bytes + used, length - used);
            return (int64_t)(used + data->length);
        }
        int step = take_byte(decoder, bytes[used], problem);
        if (step != TAKEN) return step;
        used++;
    }
    return (int64_t)used;
}
