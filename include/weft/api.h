#ifndef WEFT_API_H
#define WEFT_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Marks a symbol that users of the library may link to. */
#if defined(_WIN32)
#define WEFT_API
#else
#define WEFT_API __attribute__((visibility("default")))
#endif

/** The version of these headers, as in `MAJOR.MINOR.PATCH`. */
#define WEFT_VERSION "0.1.0"

/** A view of bytes that somebody else owns. Not closed by a NUL. */
typedef struct weft_string {
    const char *bytes; /**< NULL only where `length` is 0. */
    size_t length;     /**< In bytes. */
} weft_string;

/** One header field of an HTTP message (RFC 9110 section 5). */
typedef struct weft_field {
    weft_string name;  /**< A token, in the spelling of its sender. */
    weft_string value; /**< Without the white space around it. */
} weft_field;

#endif
