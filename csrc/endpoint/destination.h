/* The server that a client or an exchange is to reach. */
#ifndef WEFT_ENDPOINT_DESTINATION_H
#define WEFT_ENDPOINT_DESTINATION_H

#include "http/url.h"
#include "net/dialer.h"
#include "tls/settings.h"

enum {
    WEFT__MAX_HOST = 255
};

/** Where it is, and what TLS to it brings along. All zero: nowhere. */
typedef struct weft__destination {
    char *url_text;
    weft__url url;                 /**< Views into the text. */
    char host[WEFT__MAX_HOST + 1]; /**< Closed by a NUL; of a unix socket its path, decoded. */
    weft_tls *tls;                 /**< Held; NULL: plain. */
} weft__destination;

/** weft__url_parse or weft__url_parse_http. */
typedef weft_status (*weft__url_parser)(weft__url *url, weft_string text, weft__problem *problem);

/**
 * Copies the URL and holds the TLS that it needs: the one given, or one that trusts what the system trusts.
 * WEFT_EURL, WEFT_EINVAL (TLS of a server), WEFT_ETLS or WEFT_ENOMEM with a sentence. To be cleared in every
 * case.
 */
weft_status weft__destination_init(weft__destination *destination, weft_string url, weft__url_parser parse,
                                   weft_tls *tls, weft__problem *problem);
void weft__destination_clear(weft__destination *destination);

/** Dials it, as weft__dialer_start. */
weft_status weft__destination_dial(const weft__destination *destination, weft__dialer **out, weft_loop *loop,
                                   weft__on_dialled on_dialled, void *owner);

#endif
