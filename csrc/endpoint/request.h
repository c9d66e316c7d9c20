#ifndef WEFT_ENDPOINT_REQUEST_H
#define WEFT_ENDPOINT_REQUEST_H

#include "endpoint/http_connection.h"

/** How far a request is. */
typedef enum weft__request_state {
    WEFT__REQUEST_ARRIVING, /**< Its body is on its way. */
    WEFT__REQUEST_DECIDING, /**< The application has it. */
    WEFT__REQUEST_ANSWERED, /**< The answer waits for those before it. */
    WEFT__REQUEST_OVER,     /**< Answered, or its stream is gone. */
} weft__request_state;

/** What is to be sent for a request, and done after it. */
typedef struct weft__answer weft__answer;

struct weft_request {
    /* fixed while the application has it */
    weft_listener *listener;
    weft_loop *loop;
    weft__head head; /* views into `text` */
    weft__buffer body;
    bool is_upgrade;
    bool keep_alive; /* as the request and http1Settings have it */
    bool is_secure;
    weft__buffer peer_certificate; /* as DER; empty without one */
    weft__endpoint_address remote_address;
    weft__endpoint_address local_address;
    weft__attached_route *route;
    weft__fields parameters; /* of the path, decoded into `parameter_text` */
    weft__buffer parameter_text;

    _Atomic size_t holders; /* the stream's list, and the application while it decides */
    weft__mail drop_mail;   /* a part of the handle, so that letting go needs no memory */

    /* loop thread only */
    uint8_t state;                     /* a weft__request_state */
    bool awaits_continue;              /* its body comes when 100 was sent (RFC 9110 section 10.1.1) */
    weft__http_connection *connection; /* NULL once over */
    weft__link link;                   /* of the connection's requests */
    weft__answer *answer;              /* while ANSWERED */
    weft__site *site;                  /* of the route's listener; NULL without a route */
    weft__link site_link;

    char text[]; /* the head as it arrived */
};

/**
 * A request at the end of its connection's list, with one holder, the list. `head` passes to it, and its
 * `length` bytes are copied; NULL is the empty head of a request that could not be read. NULL without memory:
 * `head` stays the caller's.
 */
weft_request *weft__request_new(weft__http_connection *connection, weft__head *head, const char *bytes,
                                size_t length);

/** One holder more or less. Thread: any. */
void weft__request_retain(weft_request *request);
void weft__request_release(weft_request *request);

/** Finds who answers. WEFT_EHTTP with `problem` filled when it is the library that refuses; WEFT_ENOMEM. */
weft_status weft__request_route(weft_request *request, weft__problem *problem);

/** Calls the route's callback; the application holds the request from then on. */
void weft__request_hand_over(weft_request *request);

/** Leaves its connection's list; the answer that was not sent is discarded. */
void weft__request_leave(weft_request *request);

/** answer.c: the library's own answer, which ends TCP; NULL without memory. */
weft__answer *weft__answer_refuse(weft_request *request, const weft__problem *problem);

/**
 * Sends the answer of a request, which leaves its list. A response says that it is the last one where
 * `is_last`; a 101 turns the stream into a connection's. False when no memory was left: the stream can only
 * be closed. Inside a turn.
 */
bool weft__answer_send(weft_request *request, bool is_last);

/** Frees an answer that cannot be sent any more, and gives the service its context back. */
void weft__answer_discard(weft__answer *answer);

#endif
