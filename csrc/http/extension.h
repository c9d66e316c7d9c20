/* Sec-WebSocket-Extensions and the one extension that Weft speaks: permessage-deflate (RFC 7692). */
#ifndef WEFT_HTTP_EXTENSION_H
#define WEFT_HTTP_EXTENSION_H

#include "http/fields.h"
#include "http/problem.h"
#include "weft/compression.h"

enum {
    WEFT__EXTENSION_MAX = 160 /**< Room for the longest offer or answer. */
};

/**
 * Checks settings and copies them into `out`, another struct than `given`; NULL means the defaults of `role`.
 * Shared memory sets both no_context_takeover flags. WEFT_EINVAL with `problem` naming field and range.
 */
weft_status weft__compression_take(weft_compression *out, const weft_compression *given, weft_role role,
                                   weft__problem *problem);

/** True when every Sec-WebSocket-Extensions field, if there is any, keeps the grammar of RFC 6455
 * section 9.1.
 */
bool weft__extensions_are_well_formed(const weft__fields *fields);

/** Writes what a client with these (taken) settings offers; a view of `text`, empty when not enabled. */
weft_string weft__compression_write_offer(char text[WEFT__EXTENSION_MAX], const weft_compression *settings);

/**
 * A server's choice: the first offer of permessage-deflate that can be taken with these (taken) settings.
 * `agreed` says what then holds (not enabled: nothing); returns the value of the answer's field, a view of
 * `text`, empty when no offer is taken (RFC 7692 section 5.1).
 */
weft_string weft__compression_accept(char text[WEFT__EXTENSION_MAX], weft_compression *agreed,
                                     const weft__fields *request, const weft_compression *settings);

/**
 * A client's judgement of the answer to what weft__compression_write_offer wrote for `settings` (RFC 7692
 * section 7.1); without the field `agreed` is not enabled. WEFT_EHANDSHAKE with `problem->text`.
 */
weft_status weft__compression_read_answer(weft_compression *agreed, const weft__fields *answer,
                                          const weft_compression *settings, weft__problem *problem);

#endif
