#ifndef WEFT_HTTP_HEAD_H
#define WEFT_HTTP_HEAD_H

#include "http/fields.h"
#include "http/problem.h"

enum {
    WEFT__NO_CONTENT_LENGTH = -1,
    WEFT__MOST_FIELDS = 256 /**< Of a head, where nobody sets another limit. */
};

/** Ceilings of one head. */
typedef struct weft__head_limits {
    size_t max_uri_length;  /**< Bytes of the request target; beyond: 414. */
    size_t max_header_size; /**< Bytes from the start of the first field to the empty line; beyond: 431. */
    size_t max_fields;      /**< Number of fields; beyond: 431. */
} weft__head_limits;

/** Of the head of an answer: no user sets its limits. */
extern const weft__head_limits weft__answer_limits;

/** A request or response head. Every view points into the bytes that were parsed. */
typedef struct weft__head {
    weft_string method;     /**< Request only: a token, case-sensitive. */
    weft_string target;     /**< Request only, as sent. */
    weft_string path;       /**< Request only: the target's path, still percent-encoded; "*" for OPTIONS. */
    weft_string query;      /**< Request only: behind the '?', which is left out. */
    weft_string reason;     /**< Response only. */
    uint16_t status;        /**< Response only, 100 to 999. */
    uint8_t minor_version;  /**< HTTP/1.x: 0 or 1. */
    bool chunked;           /**< The body is chunked (RFC 9112 section 7.1). */
    bool keep_alive;        /**< RFC 9112 section 9.3. */
    int64_t content_length; /**< WEFT__NO_CONTENT_LENGTH without the field. */
    weft__fields fields;
} weft__head;

/**
 * Reads one request head from the start of `bytes`, as strictly as RFC 9112 allows: lines end
 * with CR LF, no folded fields, no white space before the colon, no NUL or other control
 * character, exactly one Host (may be absent in HTTP/1.0), no repeated or conflicting
 * Content-Length, never together with Transfer-Encoding, no other coding than chunked,
 * origin-form, absolute-form (http, https, ws, wss) or `*` for OPTIONS as target.
 * One empty line before the request line is passed over (RFC 9112 section 2.2).
 *
 * Host is `host[:port]` and, where the target names an authority too, the same one.
 *
 * A limit is refused as soon as the bytes at hand pass it, whole or not. So is a byte that no head can have
 * in its place; what only a whole element or head shows is refused with its last byte. The verdict is the
 * same however the bytes were cut, so a caller may parse again from the start with every new piece.
 *
 * Returns the bytes of the head, 0 when its end has not arrived, WEFT_EHTTP with `problem`
 * filled (400, 414, 431, 501 for another coding, CONNECT or a method over 32 characters, 505 for another HTTP
 * version), or WEFT_ENOMEM. `head` is cleared unless the result is positive; then weft__head_clear is due.
 */
int64_t weft__head_parse_request(weft__head *head, const char *bytes, size_t length,
                                 const weft__head_limits *limits, weft__problem *problem);

/**
 * The same for a response, without an empty line before it; `problem->http_status` stays 0.
 * Limits: max_uri_length bounds the status line.
 */
int64_t weft__head_parse_response(weft__head *head, const char *bytes, size_t length,
                                  const weft__head_limits *limits, weft__problem *problem);

/**
 * False while it is not worth parsing again, `parsed` bytes being known to hold no whole head. A head is
 * parsed from its start each time; so that a peer that drips bytes does not make that costly, it is done
 * again when a line has ended, there is twice as much, or a limit may have been passed.
 */
bool weft__head_is_worth_parsing(const char *bytes, size_t length, size_t parsed,
                                 const weft__head_limits *limits);

/** The bytes that were parsed have moved `from` one place `to` another: so do the views. */
void weft__head_move(weft__head *head, const char *from, const char *to);

/** Gives the memory of the field list back. */
void weft__head_clear(weft__head *head);

#endif
