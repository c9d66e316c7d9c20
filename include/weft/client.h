#ifndef WEFT_CLIENT_H
#define WEFT_CLIENT_H

#include "weft/connection.h"
#include "weft/tls.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The way to one open connection to a server, in one attempt or several. */
typedef struct weft_client weft_client;

/** An HTTP answer: of the server, or of a proxy that refuses, to the opening handshake, or to a
 * weft_exchange. Views are borrowed until the callback returns. */
typedef struct weft_answer {
    uint16_t status;          /**< 101, or the refusal's; of an exchange any other than 1xx. */
    const weft_field *fields; /**< In order. */
    size_t field_count;       /**< Of `fields`. */
    /** Without its chunked coding. Of a refusal: what came of it, at most 8 KiB. Of an exchange: all of it.
     */
    weft_string body;
} weft_answer;

/**
 * When an attempt that failed is followed by another: where the name had no address, nobody listened, the
 * network was out of reach, the connection was lost or handshake_timeout_ms passed, and after HTTP answers
 * 408, 425, 429 and 503. A Retry-After in seconds is the shortest wait then, up to max_wait_interval_ms.
 * Other answers, and what weft_client_connect refuses, are final. Start from weft_retry_config_init().
 */
typedef struct weft_retry_config {
    size_t size;        /**< Set by init; lets the struct grow at its end. */
    uint32_t max_count; /**< Attempts after the first; 0 (the default): no limit. */
    /** Longest wait before the second attempt, at least 1; 1000. The wait is any time up to that, at random,
     * so that the clients of a server that was away do not all come at once. */
    uint32_t interval_ms;
    double back_off_factor;        /**< The longest wait grows by it each time; 1 to 1000; 2. */
    uint32_t max_wait_interval_ms; /**< No wait is longer; at least 1; 30000. */
} weft_retry_config;

/** weft_retry_config_init for a struct of `size` bytes, as the program knows it. */
WEFT_API void weft_retry_config_init_sized(weft_retry_config *config, size_t size);

/** Writes the defaults named at the fields. Thread: any. */
static inline void weft_retry_config_init(weft_retry_config *config)
{
    weft_retry_config_init_sized(config, sizeof *config);
}

/**
 * An HTTP proxy that opens a tunnel to the server with CONNECT (RFC 9110 section 9.3.6). Its name, not the
 * server's, is resolved here. An answer other than 2xx fails the attempt with WEFT_EHANDSHAKE and is told as
 * weft_answer; 407 means that it wants other credentials. Start from weft_proxy_init().
 */
typedef struct weft_proxy {
    size_t size;          /**< Set by init; lets the struct grow at its end. */
    weft_string host;     /**< A name or a numeric address, IPv6 without brackets; required. */
    uint16_t port;        /**< 1 to 65535; required. */
    weft_string username; /**< For Basic authentication (RFC 7617), without a colon; empty: none. */
    weft_string password; /**< Neither may have control characters; never part of a sentence. */
} weft_proxy;

/** weft_proxy_init for a struct of `size` bytes, as the program knows it. */
WEFT_API void weft_proxy_init_sized(weft_proxy *proxy, size_t size);

/** Writes a proxy without host, port and credentials. Thread: any. */
static inline void weft_proxy_init(weft_proxy *proxy)
{
    weft_proxy_init_sized(proxy, sizeof *proxy);
}

/** What to connect to. Start from weft_client_config_init(). */
typedef struct weft_client_config {
    size_t size;     /**< Set by init; lets the struct grow at its end. */
    weft_loop *loop; /**< Where the connection will live; required. */
    /** `ws://host[:port]/path?query`, the same with `wss`, or `ws+unix:/socket/path[:/path?query]` for a unix
     * domain socket, whose path is percent-decoded and at most as long as the system allows (107 bytes on
     * Linux); required. */
    weft_string url;
    weft_string subprotocols; /**< Comma-separated, in order of preference; empty: none. */
    const weft_field *fields; /**< Further fields of the request; Host and Origin may be among them. */
    size_t field_count;
    uint32_t handshake_timeout_ms; /**< For name, TCP, proxy, TLS and upgrade of one attempt; 300 s; 0: no
                                      limit. */
    const weft_service *service;   /**< Copied; NULL: messages are dropped. */
    const weft_connection_config *connection; /**< Copied; NULL: the defaults. */
    void *context;                            /**< The service's, and of the callbacks below. */
    /** The server's answer, before on_open or on_failure; not when another attempt follows. Thread: the
     * loop's. May be NULL. */
    void (*on_answer)(void *context, const weft_answer *answer);
    /** No connection: WEFT_ERESOLVE, WEFT_EREFUSED, WEFT_EHANDSHAKE, WEFT_ETIMEDOUT, WEFT_ELOST, WEFT_ETLS,
     * WEFT_ECLOSED (cancelled, or the loop is closing), WEFT_ESYSTEM, WEFT_ENOMEM, with a sentence. The
     * service's on_release follows, nothing else. Thread: the loop's. May be NULL. */
    void (*on_failure)(void *context, weft_status status, const char *detail);
    const weft_retry_config *retry; /**< Copied; NULL: one attempt. */
    /** Attempt number `attempt` (from 1) has failed, as on_failure would tell, and another one follows in
     * `wait_ms`. Thread: the loop's. May be NULL. */
    void (*on_retry)(void *context, uint32_t attempt, weft_status status, const char *detail,
                     uint32_t wait_ms);
    const weft_compression *compression; /**< The permessage-deflate to offer; copied; NULL: the defaults,
                                            which offer it. */
    const weft_proxy *proxy;             /**< Copied; NULL: none. Not for ws+unix URLs. */
    /** Of weft_tls_open_client, for `wss` URLs; held. NULL: the defaults of weft_tls_config, which trust what
     * the system trusts; the system's store is read anew each time then. */
    weft_tls *tls;
    /**
     * Asks who the client is, before anything else of attempt number `attempt` (from 1), so that each has an
     * authorization that holds: answer with weft_client_authorize() or weft_client_decline(), now or later.
     * handshake_timeout_ms runs meanwhile. `client` lives until the attempt ends; retain it to answer from
     * another thread. NULL: nobody is asked; an Authorization among `fields` is the same for all attempts,
     * and WEFT_EINVAL beside this. Thread: the loop's.
     */
    void (*on_authorize)(void *context, weft_client *client, uint32_t attempt);
} weft_client_config;

/** weft_client_config_init for a struct of `size` bytes, as the program knows it. */
WEFT_API void weft_client_config_init_sized(weft_client_config *config, size_t size);

/** Writes the defaults named at the fields. Thread: any. */
static inline void weft_client_config_init(weft_client_config *config)
{
    weft_client_config_init_sized(config, sizeof *config);
}

/**
 * Starts to connect; on_open of the service tells that it worked, on_failure that it did not. Copies
 * `config`. Returns WEFT_EURL, WEFT_EINVAL, WEFT_ETLS, WEFT_ENOMEM, WEFT_ESYSTEM or WEFT_ECLOSED, with `*out`
 * NULL, a sentence in `detail` (cut at `detail_size`) and no callback ever made, on_release neither. Thread:
 * any.
 */
WEFT_API weft_status weft_client_connect(weft_client **out, const weft_client_config *config, char *detail,
                                         size_t detail_size);

/**
 * Answers on_authorize: the attempt goes on, with `authorization` as the value of its Authorization field
 * (RFC 9110 section 11.6.2). Copied, and told to nobody else. WEFT_EINVAL unless it is printable ASCII
 * without a blank at its ends, and the question stands; WEFT_ENOMEM; WEFT_ECLOSED when the loop is closed. An
 * answer that comes too late, or twice, is passed over. Thread: any.
 */
WEFT_API weft_status weft_client_authorize(weft_client *client, uint32_t attempt, weft_string authorization);

/**
 * Answers on_authorize with a failure: the attempt ends as if with `status` (an error; WEFT_EINVAL for
 * another) and `detail` (copied; NULL: the status's sentence) of its own, so that another one may follow,
 * see weft_retry_is_worthwhile(). That one waits for `retry_after_ms` at least, up to max_wait_interval_ms of
 * the retry configuration: what a token server's Retry-After says, or 0. The rest as above.
 */
WEFT_API weft_status weft_client_decline(weft_client *client, uint32_t attempt, weft_status status,
                                         const char *detail, uint32_t retry_after_ms);

/**
 * Whether another attempt may overcome a failure, as weft_retry_config has it. `http_status` is that of the
 * answer that refused, with WEFT_EHANDSHAKE; 0: there was none. Thread: any.
 */
WEFT_API bool weft_retry_is_worthwhile(weft_status failure, uint16_t http_status);

/** Gives the attempt, or the wait for the next, up: on_failure with WEFT_ECLOSED follows unless it has ended
 * already. Thread: any. */
WEFT_API void weft_client_cancel(weft_client *client);

/** Takes one more reference, to be given back with weft_client_release(). Thread: any. */
WEFT_API void weft_client_retain(weft_client *client);

/** Gives the handle back; the attempt, or the connection, goes on. NULL is fine. Thread: any. */
WEFT_API void weft_client_release(weft_client *client);

#ifdef __cplusplus
}
#endif

#endif
