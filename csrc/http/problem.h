#ifndef WEFT_HTTP_PROBLEM_H
#define WEFT_HTTP_PROBLEM_H

#include "weft/status.h"

/** Why an HTTP message or an opening handshake was refused. */
typedef struct weft__problem {
    uint16_t http_status; /**< What a server answers; 0 where nobody is answered. */
    char text[160];       /**< One sentence of printable ASCII without a full stop, closed by a NUL. */
} weft__problem;

/**
 * Fills `problem`; the text is cut at its size and bytes that are not printable ASCII become '?', so that
 * a sentence can quote the peer and still be logged. Always returns WEFT_EHTTP.
 */
weft_status weft__problem_set(weft__problem *problem, uint16_t http_status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
