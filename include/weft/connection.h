#ifndef WEFT_CONNECTION_H
#define WEFT_CONNECTION_H

#include "weft/loop.h"
#include "weft/session.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * One open WebSocket connection, of either role. It lives on one loop; the handle may be used from any
 * thread and stays valid while somebody holds it, also after the close: then calls answer WEFT_ECLOSED.
 */
typedef struct weft_connection weft_connection;

/**
 * What a connection calls. Start from weft_service_init(). Every member may be NULL. All callbacks run
 * on the connection's loop, one at a time, and may do anything to the connection: send, close, abort,
 * release. Payloads are borrowed until the callback returns.
 */
typedef struct weft_service {
    size_t size; /**< Set by init; lets the struct grow at its end. */
    /** First. The handle is borrowed until `on_close` returns: weft_connection_retain keeps it longer. */
    void (*on_open)(void *context, weft_connection *connection);
    /** A whole message; text is valid UTF-8. */
    void (*on_message)(void *context, weft_connection *connection, weft_message_type type,
                       const uint8_t *bytes, size_t length);
    /** NULL: pings are answered with a pong (RFC 6455 section 5.5.2). Otherwise the answer is the callback's.
     */
    void (*on_ping)(void *context, weft_connection *connection, const uint8_t *bytes, size_t length);
    /** A pong, asked for or not, but none that answers a ping of keep_alive_interval_ms. */
    void (*on_pong)(void *context, weft_connection *connection, const uint8_t *bytes, size_t length);
    /** Nothing was read or written for idle_timeout_ms; comes again after each further one. */
    void (*on_idle)(void *context, weft_connection *connection);
    /** Everything that waited for a slow reader has been taken by the system. */
    void (*on_writable)(void *context, weft_connection *connection);
    /** A violation, a timeout or an I/O error; `on_close` follows. The close frame that is due leaves behind
     * what was sent before, and nothing can be sent any more, but see weft_connection_hold_close. `detail` is
     * one sentence, closed by a NUL. */
    void (*on_error)(void *context, weft_connection *connection, weft_status reason, const char *detail);
    /** Exactly once after `on_open`, and last. `code` is the peer's, 1005 without one, 1006 without a close
     * frame, or, after a violation, the one that was sent. The peer's close frame is answered after this
     * callback has returned, or later: see weft_connection_hold_close. */
    void (*on_close)(void *context, weft_connection *connection, uint16_t code, const char *reason,
                     size_t length);
    /** `context` is used no more; called exactly once, also when `on_open` never was. Any loop's thread. */
    void (*on_release)(void *context);
    /** The listener stops gently: NULL, the connection is closed with 1001 at once. Otherwise that is up to
     * the service, once what it has begun is done; what is left after `timeout_ms` is dropped. Comes at most
     * once for each weft_listener_stop, and not after a close frame. */
    void (*on_stop)(void *context, weft_connection *connection, uint32_t timeout_ms);
} weft_service;

/** weft_service_init for a struct of `size` bytes, as the program knows it. */
WEFT_API void weft_service_init_sized(weft_service *service, size_t size);

/** Writes a service without callbacks. Thread: any. */
static inline void weft_service_init(weft_service *service)
{
    weft_service_init_sized(service, sizeof *service);
}

/** Settings of a connection. Start from weft_connection_config_init(). */
typedef struct weft_connection_config {
    size_t size;                     /**< Set by init; lets the struct grow at its end. */
    uint64_t max_frame_size;         /**< As in weft_session_config; 65536. */
    uint64_t max_message_size;       /**< As in weft_session_config; 1 MiB. */
    uint32_t max_fragments;          /**< As in weft_session_config; 131072. */
    uint32_t idle_timeout_ms;        /**< Until `on_idle`; 0 (the default): never. */
    uint32_t keep_alive_interval_ms; /**< Silence of the peer until a ping is sent; 60 s; 0: never. */
    uint32_t
        keep_alive_timeout_ms; /**< From that ping until the connection ends with 1006; 30 s; at least 1. */
    uint32_t close_timeout_ms; /**< From our close frame until TCP is dropped without the peer's, where
                                    weft_connection_close says 0; 60 s; at least 1. */
    uint64_t send_queue_limit; /**< Bytes that may wait for a slow reader; a message that finds nothing
                                    waiting may be larger; one that is going to be compressed counts as it
                                    is. 16 MiB; at least 1. */
    uint64_t high_water;       /**< Waiting bytes above which reading from the peer pauses; 64 KiB. */
} weft_connection_config;

/** weft_connection_config_init for a struct of `size` bytes, as the program knows it. */
WEFT_API void weft_connection_config_init_sized(weft_connection_config *config, size_t size);

/** Writes the defaults named at the fields. Thread: any. */
static inline void weft_connection_config_init(weft_connection_config *config)
{
    weft_connection_config_init_sized(config, sizeof *config);
}

/** One more holder of the handle; returns it. Thread: any. */
WEFT_API weft_connection *weft_connection_retain(weft_connection *connection);

/** One holder less; NULL is fine. The connection itself goes on. Thread: any. */
WEFT_API void weft_connection_release(weft_connection *connection);

/**
 * Sends a message, compressed where that was agreed and pays, cut into frames of max_frame_size. On the
 * loop's thread the bytes are handed to the system, or queued, before the turn ends; from elsewhere they are
 * copied and sent in order. All or nothing: WEFT_ECLOSED once our close frame is out, WEFT_EBACKPRESSURE over
 * send_queue_limit, WEFT_EPAYLOAD for text that is not UTF-8, WEFT_EINVAL for an unknown type, WEFT_ENOMEM.
 * Thread: any.
 */
WEFT_API weft_status weft_connection_send(weft_connection *connection, weft_message_type type,
                                          const uint8_t *bytes, size_t length);

/** The same for text that is known to be UTF-8, such as a message that was received: it is not checked again.
 */
WEFT_API weft_status weft_connection_send_valid_text(weft_connection *connection, const uint8_t *bytes,
                                                     size_t length);

/** Sends a ping. WEFT_ECONTROL over 125 bytes; else as weft_connection_send. Thread: any. */
WEFT_API weft_status weft_connection_ping(weft_connection *connection, const uint8_t *bytes, size_t length);

/** Sends a pong; of pongs that wait for a slow reader only the newest is kept (RFC 6455 section 5.5.3).
 *  Errors as weft_connection_ping. Thread: any. */
WEFT_API weft_status weft_connection_pong(weft_connection *connection, const uint8_t *bytes, size_t length);

/** As timeout of weft_connection_close: wait for ever. */
#define WEFT_NO_TIMEOUT UINT32_MAX

/**
 * Starts the closing handshake. `code` 0 sends an empty close frame. `on_close` tells when it is done;
 * without the peer's close frame after `timeout_ms` (0: close_timeout_ms of the settings) the connection ends
 * with WEFT_ETIMEDOUT and 1006. WEFT_EINVAL for a code that may not be sent, a reason over 123 bytes or
 * without code, WEFT_EPAYLOAD for a reason that is not UTF-8; WEFT_ECLOSED when a close frame was sent or
 * received already; WEFT_ENOMEM. Thread: any.
 */
WEFT_API weft_status weft_connection_close(weft_connection *connection, uint16_t code, const char *reason,
                                           size_t length, uint32_t timeout_ms);

/**
 * Drops the connection at once: `on_close` with 1006, then TCP is reset. Where the close frames have been
 * exchanged, only TCP is ended, without a reset. A closed one is fine. Thread: any.
 */
WEFT_API void weft_connection_abort(weft_connection *connection);

/**
 * For services that answer asynchronously: inside `on_close` the answer to the peer's close frame, inside
 * `on_error` the close frame that tells the peer of its violation, waits for weft_connection_answer_close, at
 * most 5 s. Until then what came before can still be answered. No effect elsewhere, nor where the end of TCP
 * is all that is due. Thread: the loop's.
 */
WEFT_API void weft_connection_hold_close(weft_connection *connection);

/** Lets the held close frame go, behind what was sent before this call; later sends are refused. From
 *  `on_close` on; no effect when none is held. Thread: any. */
WEFT_API void weft_connection_answer_close(weft_connection *connection);

/**
 * Ends the connection because the application failed: close 1011 with `detail` as the reason that the peer
 * reads, `on_error` with WEFT_ECALLBACK and `detail`, then `on_close` with 1011. Thread: the loop's.
 */
WEFT_API void weft_connection_fail(weft_connection *connection, const char *detail);

/** Delivers nothing more until weft_connection_resume, the peer's close frame neither; the peer is held back
 *  by TCP. Thread: the loop's. */
WEFT_API void weft_connection_pause(weft_connection *connection);

/** Goes on delivering, from a later turn. Thread: the loop's. */
WEFT_API void weft_connection_resume(weft_connection *connection);

/** True until a close frame was sent or received or the connection was lost. Thread: any. */
WEFT_API bool weft_connection_is_open(const weft_connection *connection);

/** Bytes handed over to be sent that the system has not taken yet. Thread: any. */
WEFT_API size_t weft_connection_buffered_amount(const weft_connection *connection);

/** Unique in the process. Thread: any. */
WEFT_API uint64_t weft_connection_id(const weft_connection *connection);

/** The loop that runs the callbacks. Thread: any. */
WEFT_API weft_loop *weft_connection_loop(const weft_connection *connection);

/** The negotiated subprotocol, empty without one; borrowed for the handle's life. Thread: any. */
WEFT_API weft_string weft_connection_subprotocol(const weft_connection *connection);

/** True over TLS. Thread: any. */
WEFT_API bool weft_connection_is_secure(const weft_connection *connection);

/** True when the handshake agreed on permessage-deflate. Thread: any. */
WEFT_API bool weft_connection_is_compressed(const weft_connection *connection);

/**
 * The numeric address of an end, closed by a NUL, with its port. WEFT_ECLOSED after the end of TCP,
 * WEFT_EINVAL when `size` is too small (64 is enough). Thread: the loop's.
 */
WEFT_API weft_status weft_connection_remote_address(const weft_connection *connection, char *host,
                                                    size_t size, uint16_t *port);

/** The same for our own end. */
WEFT_API weft_status weft_connection_local_address(const weft_connection *connection, char *host, size_t size,
                                                   uint16_t *port);

#ifdef __cplusplus
}
#endif

#endif
