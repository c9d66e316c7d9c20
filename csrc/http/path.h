/* Paths of requests, still percent-encoded, and the patterns that routes are found by. */
#ifndef WEFT_HTTP_PATH_H
#define WEFT_HTTP_PATH_H

#include "base/buffer.h"

/** False where a '%' is not followed by two hexadecimal digits (RFC 3986 section 2.1). */
bool weft__path_is_well_formed(weft_string path);

/**
 * Takes '/' and the segment behind it off `rest`; false at the end. "/" is one empty segment, "/a/" an `a`
 * and an empty one: nothing is normalised, dot segments and empty ones are segments like others.
 */
bool weft__path_next(weft_string *rest, weft_string *segment);

/** The order of a well-formed segment, decoded, against plain bytes: negative, 0 or positive. An encoded
 * slash does not separate. */
int weft__path_compare(weft_string segment, weft_string plain);

/** Writes the decoded bytes of well-formed text, at most as many as it has; returns how many. */
size_t weft__path_decode(char *out, weft_string text);

/** What a segment of a pattern takes. */
typedef enum weft__pattern_kind {
    WEFT__PATTERN_LITERAL,   /**< The same bytes, decoded. */
    WEFT__PATTERN_PARAMETER, /**< `{name}`: one segment that is not empty. */
    WEFT__PATTERN_REST,      /**< `{name*}`: all that is left, slashes included; may be empty. */
} weft__pattern_kind;

/** The kind of a pattern's segment; `*name` is the parameter's. */
weft__pattern_kind weft__pattern_segment(weft_string segment, weft_string *name);

/** NULL for a pattern that can be, else a static sentence that says what is wrong. */
const char *weft__pattern_problem(weft_string pattern);

/** Appends what two patterns have in common that take the same paths: the names of parameters are left out
 * and literals encoded in one way. WEFT_ENOMEM. */
weft_status weft__pattern_shape(weft__buffer *out, weft_string pattern);

#endif
