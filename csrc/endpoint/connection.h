#ifndef WEFT_ENDPOINT_CONNECTION_H
#define WEFT_ENDPOINT_CONNECTION_H

#include "net/tls_stream.h"
#include "protocol/session.h"
#include "weft/connection.h"

/** A service and settings that many connections share. */
typedef struct weft__plan {
    _Atomic size_t holders;
    weft_service service;
    weft_connection_config config;
    weft_session_config session;
    weft_compression compression; /**< Where `session` has it. */
} weft__plan;

/** Checks and copies both; without compression. WEFT_EINVAL or WEFT_ENOMEM with `*out` NULL. */
weft_status weft__plan_new(weft__plan **out, weft_role role, const weft_service *service,
                           const weft_connection_config *config);

/** The same with what was agreed of compression, or one more hold on the plan in `kept` when that one says
 * the same. Thread: any. */
weft_status weft__plan_share(weft__plan **out, _Atomic(weft__plan *) *kept, weft_role role,
                             const weft_service *service, const weft_connection_config *config,
                             const weft_compression *agreed);

/** The sentence for WEFT_EINVAL of these two, static; NULL where nothing is wrong. */
const char *weft__plan_problem(const weft_service *service, const weft_connection_config *given);

/** Takes up what a handshake agreed; nobody else holds the plan yet. */
void weft__plan_agree(weft__plan *plan, const weft_compression *agreed);
void weft__plan_release(weft__plan *plan);

/** How far a connection is. */
typedef enum weft__connection_state {
    WEFT__CONNECTION_OPEN,
    WEFT__CONNECTION_CLOSING,   /**< Our close frame is out; the peer's is awaited. */
    WEFT__CONNECTION_ANSWERING, /**< The end was told; our close frame is held back. */
    WEFT__CONNECTION_FAILING,   /**< `on_error` is told of a failure; our close frame is due. */
    WEFT__CONNECTION_LINGERING, /**< Nothing is due but the end of TCP; input is dropped. */
    WEFT__CONNECTION_GONE,      /**< The stream is closed. */
} weft__connection_state;

/** Keeps the connections of one listener on one loop. */
typedef struct weft__connection_host {
    weft__link connections; /**< weft_connection.host_link */
    /** A connection is gone; it has left the list. On its loop. */
    void (*on_gone)(struct weft__connection_host *host);
} weft__connection_host;

struct weft_connection {
    /* fixed after open */
    const weft__plan *plan;
    void *context; /* the service's */
    weft_loop *loop;
    uint64_t id;

    /* any thread */
    _Atomic size_t holders;
    _Atomic size_t posted; /* bytes under way from other threads */
    _Atomic size_t unsent; /* bytes that the system has refused so far */
    weft__mail abort_mail; /* a part of the handle, so that giving up needs no memory */
    atomic_bool abort_is_posted;
    atomic_bool is_open;  /* no close frame either way */
    atomic_bool may_send; /* no close frame of ours */
    bool is_secure;       /* fixed after open, as the next two */
    bool has_host;        /* it was accepted */
    bool has_subprotocol; /* behind `deflate`, closed by a NUL */

    /* loop thread only */
    uint8_t state; /* a weft__connection_state */
    bool is_paused : 1;
    bool is_delivering : 1;  /* inside deliver(): no second one on the stack */
    bool is_told_closed : 1; /* on_close was called */
    bool holds_close : 1;    /* the answer to the peer's close frame waits */
    bool holds_failure : 1;  /* the close frame of a failure waits */
    bool awaits_pong : 1;    /* of keep-alive */
    bool pong_is_late : 1;   /* it may have come unread all the same */
    bool peer_ended : 1;     /* the peer's direction of TCP is over */
    bool resets : 1;         /* TCP ends with a reset */
    union {
        uint16_t sent_code;   /* of our close frame, while CLOSING */
        uint16_t answer_code; /* of the close frame that is due, while ANSWERING or FAILING */
    };
    uint32_t last_unsent; /* low bits; a change shows that the peer still takes bytes */
    weft__stream *stream;
    weft__session session;
    weft__buffer *held_input; /* what arrived and was not delivered, or NULL */
    uint8_t *newest_pong;     /* length, then payload, while the peer does not read; or NULL */
    union {
        weft__timer timer;            /* keep-alive and idle, closing, answering or lingering, by state */
        weft__turn_end_hook farewell; /* once gone: after the last callback has returned */
    };
    union {
        uint64_t last_read_ms; /* while OPEN or CLOSING */
        char *held_reason;     /* while a failure is held: closed by a NUL; NULL without memory */
    };
    uint64_t last_activity_ms; /* read or written, keep-alive's own apart */
    union {
        weft__loop_member member; /* of the loop, where it has no host */
        struct {
            weft__link host_link;
            weft__connection_host *host;
        };
    };
    weft__deflate deflate[]; /* one where compression was agreed, else none */
};

/** What an opening handshake hands over. */
typedef struct weft__connection_start {
    weft__plan *plan;            /**< One hold passes to the connection. */
    void *context;               /**< The service's; given back through on_release. */
    weft__stream *stream;        /**< Passes to the connection. */
    weft_string subprotocol;     /**< Copied. */
    weft__connection_host *host; /**< Of an accepted connection: keeps it, outlives it. */
} weft__connection_start;

/**
 * A connection with one holder, the caller; the loop holds it too until it is gone. No callback is called
 * before weft__connection_run. On WEFT_ENOMEM nothing was taken over.
 */
weft_status weft__connection_new(weft_connection **out, const weft__connection_start *start);

/** Calls on_open, delivers `bytes` that came behind the handshake, and reads on. Inside a turn. */
void weft__connection_run(weft_connection *connection, uint8_t *bytes, size_t length);

/** The parts of a connection that have files of their own. */

/** connection_input.c: events of the stream. */
extern const weft__stream_events weft__connection_stream_events;

/** Delivers what is held, then reads on, unless something still forbids it. */
void weft__connection_read_on(weft_connection *connection);

/** connection_closing.c: the closing handshake, and close frames that a service holds back. */

/** Puts a close frame behind what is to be sent. */
weft_status weft__connection_write_close(weft_connection *connection, uint16_t code, const char *reason,
                                         size_t length);

/** The peer's close frame. */
void weft__connection_take_close(weft_connection *connection, uint16_t code, const char *reason,
                                 size_t length);

/** Sends the close frame that was held back. */
void weft__connection_answer(weft_connection *connection);

/** Keeps a copy of what the peer will read as the reason of the failure that is held. */
void weft__connection_keep_reason(weft_connection *connection, const char *reason, size_t length);

/** Frees it. */
void weft__connection_forget_failure(weft_connection *connection);

/** The listener stops: 1001, by the service where it wants to. On the loop. */
void weft__connection_stop(weft_connection *connection, uint32_t timeout_ms);

/** The loop of the connection is closed. */
void weft__connection_end_with_loop(weft_connection *connection);

/** connection_end.c: the ways out. */

/** The peer broke a rule, or the application failed: close frame, on_error, on_close, lingering. */
void weft__connection_fail_with(weft_connection *connection, weft_status reason, uint16_t code,
                                const char *detail);

/** TCP is lost or given up: on_error where `reason` is not WEFT_OK, on_close 1006, gone. */
void weft__connection_lose(weft_connection *connection, weft_status reason, const char *detail);

/** Calls on_close, unless that was done. */
void weft__connection_tell_close(weft_connection *connection, uint16_t code, const char *reason,
                                 size_t length);

/** Both close frames went their way: ends our direction and waits for the peer's end. */
void weft__connection_linger(weft_connection *connection);

/** Closes the stream; the loop's hold ends. */
void weft__connection_vanish(weft_connection *connection);

/** Starts the timer of an open connection: keep-alive and idleness. */
void weft__connection_watch(weft_connection *connection);

/** True for the payload of our own keep-alive pings, which services do not hear of. */
bool weft__connection_is_keep_alive(const uint8_t *bytes, size_t length);

/** Aborts for another thread. */
void weft__connection_open_abort_mail(weft_loop *loop, weft__mail *mail);

/** Frees the connection's hold on its service after the last callback has returned. */
void weft__connection_say_farewell(weft__turn_end_hook *hook);

/** A close frame was sent or received, or is due. */
void weft__connection_set_not_open(weft_connection *connection);

/** Nothing more can be sent: other threads see it at once. */
void weft__connection_stop_sending(weft_connection *connection);

/** connection_output.c: sends a control frame now, whatever waits. */
weft_status weft__connection_write_control(weft_connection *connection, weft_opcode opcode,
                                           const uint8_t *bytes, size_t length);

/** What waited has been sent: the newest pong, on_writable, reading. */
void weft__connection_drained(weft_connection *connection);

/** True when so much waits for the peer that it is not read from. */
static inline bool weft__connection_is_choked(const weft_connection *connection)
{
    return atomic_load_explicit(&connection->unsent, memory_order_relaxed) > 0 &&
           weft__stream_unsent(connection->stream) > connection->plan->config.high_water;
}

#endif
