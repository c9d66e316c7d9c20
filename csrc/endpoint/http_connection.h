#ifndef WEFT_ENDPOINT_HTTP_CONNECTION_H
#define WEFT_ENDPOINT_HTTP_CONNECTION_H

#include "endpoint/listener.h"
#include "endpoint/revocation_check.h"
#include "http/chunked.h"

/** What an accepted stream is to bring, until it is closed or becomes a WebSocket. */
typedef enum weft__http_state {
    WEFT__HTTP_SECURING, /**< The TLS handshake comes first. */
    WEFT__HTTP_AWAITING_HEAD,
    WEFT__HTTP_AWAITING_BODY,
    WEFT__HTTP_ANSWERING, /**< Nothing more is read as HTTP; answers are due. */
    WEFT__HTTP_LINGERING, /**< Answered for the last time; the end of TCP is awaited. */
    WEFT__HTTP_GONE,      /**< The stream is closed or has become a connection's. */
} weft__http_state;

/** The HTTP life of an accepted stream. Loop thread only. */
typedef struct weft__http_connection {
    weft__site *site;
    weft_listener *listener;
    weft_loop *loop;
    size_t holders;  /* its site, and who is about to call back */
    uint8_t state;   /* a weft__http_state */
    bool is_refused; /* over max_connections, and not counted there */
    bool is_taking;  /* requests off the input: no second time on the stack */
    bool peer_ended; /* its own direction of TCP */
    weft__stream *stream;
    weft__revocation_check *revocation_check; /* of the client's certificates; NULL: none under way */
    weft__buffer input;                       /* what arrived and was not taken */
    size_t length_parsed;                     /* of the input: no whole head, as far as is known */
    weft__link requests;                      /* weft_request.link, in their order */
    size_t request_count;                     /* of the list */
    uint64_t body_left;                       /* of a body with Content-Length */
    weft__chunked chunked_body;               /* of one that is chunked */
    weft__timer timer;
    weft__link link; /* of the site */
    weft__loop_member member;
} weft__http_connection;

/** Takes an accepted stream; `is_refused` answers its first request with 503. WEFT_ENOMEM takes nothing. */
weft_status weft__http_connection_open(weft__site *site, weft__stream *stream, bool is_refused);

/** Ends it where it asks for nothing; else it ends by itself after the answers that are due. */
void weft__http_connection_stop(weft__http_connection *connection);

/** Ends it at once; requests that the application has are over. */
void weft__http_connection_abort(weft__http_connection *connection);

/** The stream has become a WebSocket's; the input stays until the connection is freed. */
void weft__http_connection_hand_over(weft__http_connection *connection);

/** Sends what is answered up to the first request that is not, and reads on. Inside a turn. */
void weft__http_connection_send_answers(weft__http_connection *connection);

/** Asks for the body of the first request where it waits for that: not before the answers to earlier
 * requests, not when the body is coming anyway (RFC 9110 section 10.1.1). */
void weft__http_connection_send_continue(weft__http_connection *connection);

/** The library's own answer to the last request, NULL where its head was bad. It ends TCP: after an error
 * nobody knows where the next request would begin. */
void weft__http_connection_refuse(weft__http_connection *connection, weft_request *request,
                                  const weft__problem *problem);

/** http_connection_input.c: takes requests off the input, then reads, unless answers have to leave before.
 *  Answers from inside a callback are sent at once, and the taking goes on below it on the stack. */
void weft__http_connection_read_on(weft__http_connection *connection);

/** The timer of a request, or of the end, has fired. */
void weft__http_connection_time_out(weft__http_connection *connection);

/** http_connection_tls.c: speaks TLS on the stream first; false without memory. */
bool weft__http_connection_secure(weft__http_connection *connection, weft_tls *tls);

/** The TLS handshake is done. */
void weft__http_connection_secured(weft__http_connection *connection);

/** It will not be; tells the listener's owner and ends the stream. */
void weft__http_connection_fail_to_secure(weft__http_connection *connection, weft_status status,
                                          const char *detail);

/** The peer has ended its own direction; answers may still go to it. */
void weft__http_connection_end_input(weft__http_connection *connection);

#endif
