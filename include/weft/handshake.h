#ifndef WEFT_HANDSHAKE_H
#define WEFT_HANDSHAKE_H

#include "weft/compression.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * One opening handshake of RFC 6455 section 4 without I/O, for programs with an event loop of
 * their own: bytes that arrive go in, bytes to send come out. When it is done, a weft_session goes on
 * with the bytes behind the head.
 *
 * Thread: a handshake may be used by one thread at a time.
 */
typedef struct weft_handshake weft_handshake;

/** Where a handshake stands. */
typedef enum weft_handshake_state {
    WEFT_HANDSHAKE_READING = 0,  /**< The peer's head has not arrived whole. */
    WEFT_HANDSHAKE_DECIDING = 1, /**< Server: a good request waits for accept or reject. */
    WEFT_HANDSHAKE_OPEN = 2,     /**< Done: what follows is WebSocket. */
    WEFT_HANDSHAKE_FAILED = 3,   /**< Refused by either side; send what is in the output, then close. */
} weft_handshake_state;

/** Settings of a client's handshake. Start from weft_handshake_client_config_init(). */
typedef struct weft_handshake_client_config {
    size_t size;              /**< Set by init; lets the struct grow at its end. */
    weft_string url;          /**< `ws://…` or `wss://…`; required. */
    weft_string subprotocols; /**< Comma-separated, in order of preference; empty: none. */
    const weft_field *fields; /**< Further fields of the request; may be NULL. */
    size_t field_count;
    const weft_compression *compression; /**< What to offer of permessage-deflate; copied; NULL: nothing. */
} weft_handshake_client_config;

/** weft_handshake_client_config_init for a struct of `size` bytes, as the program knows it. */
WEFT_API void weft_handshake_client_config_init_sized(weft_handshake_client_config *config, size_t size);

/** Writes the defaults: nothing beside what RFC 6455 asks for. Thread: any. */
static inline void weft_handshake_client_config_init(weft_handshake_client_config *config)
{
    weft_handshake_client_config_init_sized(config, sizeof *config);
}

/**
 * A client's handshake; its request is in the output at once. Copies what `config` points to.
 * Returns WEFT_EURL, WEFT_EINVAL (a field or subprotocol that cannot be sent, a setting of compression that
 * is out of range), WEFT_ESYSTEM (no random bytes) or WEFT_ENOMEM, with `*out` NULL. Free with
 * weft_handshake_free. Thread: any.
 */
WEFT_API weft_status weft_handshake_new_client(weft_handshake **out,
                                               const weft_handshake_client_config *config);

/**
 * A server's handshake with the limits of the listener's defaults: 4096 bytes of target, 8192 bytes of
 * fields, 256 fields. Returns WEFT_ENOMEM with `*out` NULL. Free with weft_handshake_free. Thread: any.
 */
WEFT_API weft_status weft_handshake_new_server(weft_handshake **out);

/** Ends a handshake; NULL is fine. Every view of it becomes invalid. */
WEFT_API void weft_handshake_free(weft_handshake *handshake);

/**
 * Takes bytes of the peer. `*used` says how many belong to the head; the rest is for the session.
 * Call it until the state leaves READING. A client passes over up to 16 interim answers (RFC 9110
 * section 15.2), which belong to the head here. A server that refuses has put its answer (400, 405, 414,
 * 426, 431, …) into the output.
 * Returns WEFT_OK also while the head is incomplete; WEFT_EHTTP or WEFT_EHANDSHAKE when the handshake
 * failed (weft_handshake_detail says why); WEFT_ENOMEM; WEFT_ESTATE when not READING.
 */
WEFT_API weft_status weft_handshake_receive(weft_handshake *handshake, const uint8_t *bytes, size_t length,
                                            size_t *used);

/** Where the handshake stands. */
WEFT_API weft_handshake_state weft_handshake_get_state(const weft_handshake *handshake);

/**
 * Server, before weft_handshake_accept: takes the first offer of permessage-deflate that fits these settings,
 * of a client that makes one. Copies `compression`, NULL means the defaults; without this call every offer is
 * declined. Returns WEFT_EINVAL for a setting out of range, WEFT_ESTATE for a client or after the answer.
 */
WEFT_API weft_status weft_handshake_set_compression(weft_handshake *handshake,
                                                    const weft_compression *compression);

/**
 * Server, DECIDING: answers 101. `subprotocol` must be among those offered, or empty.
 * Copies what it needs. Returns WEFT_EINVAL for a bad field or subprotocol (nothing is written),
 * WEFT_ESTATE, WEFT_ENOMEM.
 */
WEFT_API weft_status weft_handshake_accept(weft_handshake *handshake, weft_string subprotocol,
                                           const weft_field *fields, size_t field_count);

/**
 * Server, DECIDING: answers `status` (400 to 599) with `body` as plain text, and `Connection: close`. Copies
 * `body`. Returns WEFT_EINVAL for another status, WEFT_ESTATE, WEFT_ENOMEM.
 */
WEFT_API weft_status weft_handshake_reject(weft_handshake *handshake, uint16_t status, weft_string body);

/** Bytes to send, valid until the next call that changes the handshake; `*length` 0: none. */
WEFT_API void weft_handshake_output(const weft_handshake *handshake, const uint8_t **bytes, size_t *length);

/** Takes `length` sent bytes off the output. */
WEFT_API void weft_handshake_consume_output(weft_handshake *handshake, size_t length);

/** The request target (server), as sent; empty before DECIDING. Valid until weft_handshake_free. */
WEFT_API weft_string weft_handshake_target(const weft_handshake *handshake);

/** The first field of that name in the peer's head, any case; `bytes` NULL when absent. */
WEFT_API weft_string weft_handshake_field(const weft_handshake *handshake, const char *name);

/** The subprotocol of the open connection; empty: none. */
WEFT_API weft_string weft_handshake_subprotocol(const weft_handshake *handshake);

/** What was agreed of permessage-deflate, for weft_session_config; NULL: nothing. Known once OPEN; valid
 * until weft_handshake_free. */
WEFT_API const weft_compression *weft_handshake_compression(const weft_handshake *handshake);

/** Status of the answer: the server's own or the one received; 0 before there is one. */
WEFT_API uint16_t weft_handshake_http_status(const weft_handshake *handshake);

/** Why the handshake failed, one sentence closed by a NUL; "" otherwise. */
WEFT_API const char *weft_handshake_detail(const weft_handshake *handshake);

#ifdef __cplusplus
}
#endif

#endif
