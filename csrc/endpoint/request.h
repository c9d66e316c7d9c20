#ifndef WEFT_ENDPOINT_REQUEST_H
#define WEFT_ENDPOINT_REQUEST_H

#include "endpoint/listener.h"

/** How far an accepted stream is before it becomes a connection. */
typedef enum weft__request_state {
    WEFT__REQUEST_READING,   /**< The head has not arrived whole. */
    WEFT__REQUEST_DECIDING,  /**< The application has it. */
    WEFT__REQUEST_LINGERING, /**< Answered for the last time; the end of TCP is awaited. */
    WEFT__REQUEST_GONE,      /**< The stream is closed or has become a connection's. */
} weft__request_state;

struct weft_request {
    /* fixed while the application has it */
    weft__site *site;
    weft_listener *listener;
    weft_loop *loop;
    weft__buffer input; /* the head, then what came behind it */
    size_t head_length;
    weft__head head;
    bool is_upgrade;
    weft__endpoint_address remote_address;
    weft__endpoint_address local_address;

    _Atomic size_t holders; /* the loop, and the application while it decides */
    weft__mail drop_mail;   /* a part of the handle, so that letting go needs no memory */

    /* loop thread only */
    uint8_t state;   /* a weft__request_state */
    bool is_refused; /* over max_connections, and not counted there */
    bool peer_ended; /* while the last answer was still on its way */
    weft__stream *stream;
    weft__attached_route *route; /* of the current request */
    weft__timer timer;
    weft__link link;
    weft__loop_member member;
};

/** One holder less. */
void weft__request_release(weft_request *request);

/** Sends a whole answer; goes on with the next request, or ends TCP. Clears `answer`. */
void weft__request_send_answer(weft_request *request, weft__buffer *answer, bool keep_alive);

/** The stream has become a connection's; the rest of the request is forgotten. */
void weft__request_hand_over(weft_request *request);

#endif
