/* One answer to a request of ours, read whole as its bytes arrive. */
#ifndef WEFT_HTTP_RESPONSE_READER_H
#define WEFT_HTTP_RESPONSE_READER_H

#include "base/buffer.h"
#include "http/chunked.h"
#include "http/head.h"

/** What is awaited. */
typedef enum weft__response_part {
    WEFT__RESPONSE_HEAD,           /**< Of an interim answer, or of the final one. */
    WEFT__RESPONSE_BODY,           /**< `left` more bytes. */
    WEFT__RESPONSE_BODY_CHUNKED,   /**< Up to the last chunk. */
    WEFT__RESPONSE_BODY_UNTIL_END, /**< Whatever comes before the end of the connection. */
    WEFT__RESPONSE_WHOLE,          /**< Nothing: head and body are there. */
} weft__response_part;

/** Reads one answer. All zero, and after weft__response_reader_init, it holds no memory. */
typedef struct weft__response_reader {
    weft__response_part part;
    bool is_to_head;        /**< The request was HEAD. */
    uint64_t max_body_size; /**< Bytes. */
    unsigned interim_answers;
    weft__buffer input;   /**< The head; its views point in here. */
    size_t length_parsed; /**< Of the input: no whole head, as far as is known. */
    weft__head head;      /**< Valid behind WEFT__RESPONSE_HEAD. */
    uint64_t left;
    weft__chunked chunks;
    weft__buffer body; /**< Without its chunked coding; never over `max_body_size`. */
} weft__response_reader;

/** A reader of an answer to HEAD or to another method. To be cleared in the end. */
void weft__response_reader_init(weft__response_reader *reader, bool is_to_head, uint64_t max_body_size);

/**
 * Takes the next bytes; those behind a whole answer are dropped. Heads are read as strictly as
 * weft__head_parse_response does, the length of the body by RFC 9112 section 6.3; up to 16 interim answers
 * are passed over. Memory follows the bytes that have come. The verdict is the same however they are cut.
 *
 * Returns WEFT_OK, WEFT_EHTTP for an answer that breaks the rules, WEFT_ETOOBIG as soon as it is known that
 * the body passes its bound, or WEFT_ENOMEM, with a sentence in `problem`; the reader is only cleared then.
 */
weft_status weft__response_reader_take(weft__response_reader *reader, const uint8_t *bytes, size_t length,
                                       weft__problem *problem);

/** The connection has ended in an orderly way. WEFT_OK when the answer is whole now, else WEFT_ELOST or
 *  WEFT_EHTTP with a sentence. */
weft_status weft__response_reader_end(weft__response_reader *reader, weft__problem *problem);

/** Gives the memory back, overwritten: an answer may be a credential. */
void weft__response_reader_clear(weft__response_reader *reader);

#endif
