#ifndef WEFT_ENDPOINT_CLIENT_H
#define WEFT_ENDPOINT_CLIENT_H

#include "endpoint/connection.h"
#include "endpoint/destination.h"
#include "endpoint/proxy.h"
#include "endpoint/retry.h"
#include "endpoint/revocation_check.h"
#include "http/chunked.h"
#include "http/key.h"
#include "http/offer.h"
#include "net/dialer.h"

enum {
    WEFT__REFUSAL_BODY = 8192, /**< Of a refusal's body this much is kept. */
};

/** How far an attempt is. */
typedef enum weft__client_state {
    WEFT__CLIENT_POSTED,      /**< On its way to the loop. */
    WEFT__CLIENT_AUTHORIZING, /**< The user is asked who the client is. */
    WEFT__CLIENT_DIALLING,    /**< The name, then TCP. */
    WEFT__CLIENT_TUNNELLING,  /**< The proxy's answer to CONNECT is awaited. */
    WEFT__CLIENT_SECURING,    /**< The TLS handshake. */
    WEFT__CLIENT_AWAITING,    /**< The request is out, the head of the answer is awaited. */
    WEFT__CLIENT_REFUSED,     /**< The head is there and refuses; its body is awaited. */
    WEFT__CLIENT_WAITING,     /**< For the next attempt. */
    WEFT__CLIENT_DONE,
} weft__client_state;

struct weft_client {
    /* fixed after connect */
    weft_loop *loop;
    weft__destination server;
    char *subprotocols;
    weft_compression compression;
    weft__proxy proxy;
    weft__plan *plan;
    void *context;
    void (*on_answer)(void *context, const weft_answer *answer);
    void (*on_failure)(void *context, weft_status status, const char *detail);
    void (*on_retry)(void *context, uint32_t attempt, weft_status status, const char *detail,
                     uint32_t wait_ms);
    void (*on_authorize)(void *context, weft_client *client, uint32_t attempt);
    uint32_t handshake_timeout_ms;

    _Atomic size_t holders; /* the user and the loop */

    /* loop thread only */
    uint8_t state; /* a weft__client_state */
    bool holds_loop;
    char key[WEFT__KEY_LENGTH + 1];  /* of this attempt */
    weft__buffer request;            /* with the key in it */
    weft__buffer authorized_request; /* the same with this attempt's authorization, where one is asked for */
    weft__retry retry;
    uint32_t retry_after_ms; /* the shortest wait behind an attempt that was declined */
    weft__dialer *dialer;
    weft__stream *stream;
    weft__revocation_check *revocation_check; /* of the server's certificates; NULL: none under way */
    weft__buffer input;
    size_t length_parsed; /* of the input: no whole head, as far as is known */
    weft__head head;      /* of a refusal, as the three below */
    size_t head_length;   /* of the answer; a refusal's body stands behind it */
    weft__chunked chunks; /* of a chunked body */
    bool body_is_whole;
    unsigned interim_answers;
    weft__problem refusal;
    weft__timer timer;       /* of the attempt or its TLS handshake, or of the wait for the next */
    uint64_t attempt_due_ms; /* while the timer is the TLS handshake's; UINT64_MAX: no limit */
    weft__loop_member member;
    weft__mail start;

    /* any thread */
    atomic_bool is_cancel_posted;
    weft__mail cancel; /* a part of the handle, so that giving up needs no memory */
};

/** Copies what the attempts need; the sentence of a failure goes to `problem`. */
weft_status weft__client_take_config(weft_client *client, const weft_client_config *config,
                                     weft__problem *problem);

/** What was offered to the server, its fields apart. */
weft__upgrade_offer weft__client_offer(const weft_client *client);

/** Puts a new key into the request: each attempt has its own (RFC 6455 section 4.1). */
weft_status weft__client_renew_key(weft_client *client);

/** Begins to connect to the server or its proxy. */
weft_status weft__client_dial(weft_client *client);

/** client_authorization.c: asks the user who the client is. */
void weft__client_ask_authorization(weft_client *client);

/** Asks the server for the upgrade on the client's stream. Inside a turn. */
weft_status weft__client_send_request(weft_client *client);

/** client_tls.c: talks to the server on the client's stream, first TLS where it is wanted. Inside a turn. */
weft_status weft__client_reach_server(weft_client *client);

/** The TLS handshake is done. */
void weft__client_secured(weft_client *client);

/** True while the client's timer is the TLS handshake's own limit. */
bool weft__client_times_tls(const weft_client *client);

/** Reads answers on the client's stream, as its state has it; a request is on its way. */
void weft__client_read_answers(weft_client *client);

/** Tells the refusal with what came of its body. */
void weft__client_finish_refusal(weft_client *client);

/** Ends the attempt: another one follows, or none. `detail` lives until return. */
void weft__client_fail(weft_client *client, weft_status status, const char *detail);

/** The same for an answer that is no 101, or a bad one. */
void weft__client_fail_with_answer(weft_client *client, const weft_answer *answer);

/** Takes the client off its loop once its connection is open. */
void weft__client_leave_loop(weft_client *client);

#endif
