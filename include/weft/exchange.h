#ifndef WEFT_EXCHANGE_H
#define WEFT_EXCHANGE_H

#include "weft/client.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * One HTTP/1.1 request and its answer on a connection of its own: what asks for a token, or about a
 * certificate. Redirects are not followed but told as the answers that they are.
 */
typedef struct weft_exchange weft_exchange;

/** What to ask and whom. Start from weft_exchange_config_init(). */
typedef struct weft_exchange_config {
    size_t size;        /**< Set by init; lets the struct grow at its end. */
    weft_loop *loop;    /**< Where the exchange lives; required. */
    weft_string method; /**< A token of at most 32 characters, as it is sent; not CONNECT; "GET". */
    /** `http://host[:port]/path?query` or the same with `https`; required. User information is refused. */
    weft_string url;
    /** Further fields of the request. A Host or an Accept-Encoding among them replaces our own, which is the
     * URL's host, and `identity`; Content-Length and Connection are always our own. */
    const weft_field *fields;
    size_t field_count;
    weft_string body; /**< May be empty; copied. */
    /** Of weft_tls_open_client, for `https` URLs; held. NULL: the defaults of weft_tls_config, which trust
     * what the system trusts; the system's store is read anew each time then. */
    weft_tls *tls;
    uint64_t max_body_size; /**< Bytes of the answer's body, without its chunked coding; 1 MiB. */
    uint32_t timeout_ms;    /**< For name, TCP, TLS, request and whole answer; 30 s; 0: no limit. */
    void *context;          /**< Of the callbacks, the last of which is the last use of it. */
    /** The whole answer, whatever its status; views are borrowed until return. Thread: the loop's. May be
     * NULL. */
    void (*on_answer)(void *context, const weft_answer *answer);
    /**
     * There is none: WEFT_ERESOLVE, WEFT_EREFUSED, WEFT_ETLS, WEFT_EHTTP (it breaks RFC 9112 or a limit of
     * heads), WEFT_ETOOBIG (its body is over max_body_size), WEFT_ELOST (the connection ended before its end;
     * with TLS also where only the end of TCP says that it is whole, RFC 9112 section 9.8), WEFT_ETIMEDOUT,
     * WEFT_ECLOSED (cancelled, or the loop is closing), WEFT_ESYSTEM, WEFT_ENOMEM. `detail` names the server
     * and the cause, never path, query, fields or body; it lives until return. Thread: the loop's. May be
     * NULL.
     */
    void (*on_failure)(void *context, weft_status status, const char *detail);
} weft_exchange_config;

/** weft_exchange_config_init for a struct of `size` bytes, as the program knows it. */
WEFT_API void weft_exchange_config_init_sized(weft_exchange_config *config, size_t size);

/** Writes the defaults named at the fields. Thread: any. */
static inline void weft_exchange_config_init(weft_exchange_config *config)
{
    weft_exchange_config_init_sized(config, sizeof *config);
}

/**
 * Says at once what weft_exchange_start would find wrong with `config`, whose `loop` may be NULL here: for a
 * program that asks later. Returns what weft_exchange_start would, with a sentence in `detail`. Thread: any.
 */
WEFT_API weft_status weft_exchange_check(const weft_exchange_config *config, char *detail,
                                         size_t detail_size);

/**
 * Starts; on_answer or on_failure ends it, exactly one of them and exactly once. Copies `config`. Returns
 * WEFT_EURL, WEFT_EINVAL, WEFT_ETLS, WEFT_ENOMEM or WEFT_ECLOSED, with `*out` NULL, a sentence in `detail`
 * (cut at `detail_size`) and no callback ever made. Thread: any.
 */
WEFT_API weft_status weft_exchange_start(weft_exchange **out, const weft_exchange_config *config,
                                         char *detail, size_t detail_size);

/** Gives up: on_failure with WEFT_ECLOSED follows unless the exchange has ended already. Thread: any. */
WEFT_API void weft_exchange_cancel(weft_exchange *exchange);

/** Gives the handle back; the exchange goes on. NULL is fine. Thread: any. */
WEFT_API void weft_exchange_release(weft_exchange *exchange);

#ifdef __cplusplus
}
#endif

#endif
