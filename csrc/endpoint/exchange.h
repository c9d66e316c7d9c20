#ifndef WEFT_ENDPOINT_EXCHANGE_H
#define WEFT_ENDPOINT_EXCHANGE_H

#include "endpoint/destination.h"
#include "endpoint/revocation_check.h"
#include "http/response_reader.h"
#include "weft/exchange.h"

#include <stdatomic.h>

/** How far it is. */
typedef enum weft__exchange_state {
    WEFT__EXCHANGE_POSTED,   /**< On its way to the loop. */
    WEFT__EXCHANGE_DIALLING, /**< The name, then TCP. */
    WEFT__EXCHANGE_SECURING, /**< The TLS handshake. */
    WEFT__EXCHANGE_AWAITING, /**< The request is out, the answer is awaited. */
    WEFT__EXCHANGE_DONE,
} weft__exchange_state;

struct weft_exchange {
    /* fixed after start */
    weft_loop *loop;
    weft__destination server;
    void *context;
    void (*on_answer)(void *context, const weft_answer *answer);
    void (*on_failure)(void *context, weft_status status, const char *detail);
    uint32_t timeout_ms;

    _Atomic size_t holders; /* the user and the loop */

    /* loop thread only */
    uint8_t state; /* a weft__exchange_state */
    bool holds_loop;
    weft__buffer request; /* with its body; until it is sent */
    weft__dialer *dialer;
    weft__stream *stream;
    weft__revocation_check *revocation_check; /* of the server's certificates; NULL: none under way */
    weft__response_reader answer;
    weft__timer timer;     /* of the whole exchange */
    weft__timer tls_timer; /* of the TLS handshake alone */
    weft__loop_member member;
    weft__mail start;

    /* any thread */
    atomic_bool is_cancel_posted;
    weft__mail cancel; /* a part of the handle, so that giving up needs no memory */
};

/** exchange_config.c: copies what the exchange needs; the sentence of a failure goes to `problem`. */
weft_status weft__exchange_take_config(weft_exchange *exchange, const weft_exchange_config *config,
                                       weft__problem *problem);

#endif
