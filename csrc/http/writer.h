#ifndef WEFT_HTTP_WRITER_H
#define WEFT_HTTP_WRITER_H

#include "base/buffer.h"

/** Appends one HTTP head to a buffer, whole or not at all. The buffer must not be used in between. */
typedef struct weft__writer {
    weft__buffer *out;
    size_t length_before; /**< Content of the buffer when the writer began. */
    weft_status status;   /**< The first failure; later calls then do nothing. */
} weft__writer;

/** A writer at the end of `out`. */
weft__writer weft__writer_begin(weft__buffer *out);

/** Appends bytes as they are; they must come from this library or have been checked. */
void weft__writer_string(weft__writer *writer, weft_string string);

/** The same with a text closed by a NUL. */
void weft__writer_text(weft__writer *writer, const char *text);

/**
 * Appends one field. A name that is no token or a value that is no field value would let its owner write
 * further fields, so it fails the whole message with WEFT_EINVAL (RFC 9110 section 5.5).
 */
void weft__writer_field(weft__writer *writer, weft_string name, weft_string value);

/** The same for a known name; an empty value appends nothing. */
void weft__writer_optional(weft__writer *writer, const char *name, weft_string value);

/** Appends several fields. */
void weft__writer_fields(weft__writer *writer, const weft_field *fields, size_t count);

/** The first failure, after which the buffer holds what it held before; or WEFT_OK. */
weft_status weft__writer_end(weft__writer *writer);

#endif
