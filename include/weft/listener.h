#ifndef WEFT_LISTENER_H
#define WEFT_LISTENER_H

#include "weft/connection.h"
#include "weft/tls.h"

#ifdef __cplusplus
extern "C" {
#endif

/** An address that is listened on, by one socket and one loop for each thread. */
typedef struct weft_listener weft_listener;

/**
 * One HTTP request that waits for its answer: weft_request_accept, weft_request_respond or weft_request_drop,
 * once, from any thread and as late as needed. The handle ends with its answer. Until then everything that it
 * tells may be read from any thread; views are borrowed until the answer. Several requests of one connection
 * may be waiting; whatever order they are answered in, the answers leave in the order of the requests.
 */
typedef struct weft_request weft_request;

/** Which requests that carry an Origin field may upgrade (RFC 6455 section 10.2). Those without one, as from
 *  programs, always may. Others get 403. */
typedef enum weft_origin_policy {
    WEFT_ORIGIN_SAME = 0, /**< Scheme, host and port are the request's own. */
    WEFT_ORIGIN_LIST = 1, /**< Listed, compared exactly. */
    WEFT_ORIGIN_ANY = 2,  /**< All of them. */
} weft_origin_policy;

/** What lives at one path. Start from weft_route_init(). A callback may do anything from inside: answer,
 * detach its own route, stop and release the listener, close the loop. */
typedef struct weft_route {
    size_t size;   /**< Set by init; lets the struct grow at its end. */
    void *context; /**< Handed to every callback. */
    /** A good upgrade request; NULL: the path takes no WebSocket. Until it is answered nothing is read behind
     * it, so a peer that leaves is noticed with the answer. Thread: the loop of the request. */
    void (*on_upgrade)(void *context, weft_request *request);
    /** Any other request, with its body; NULL: 426 for GET, 405 for other methods. Thread: the loop of the
     *  request. */
    void (*on_request)(void *context, weft_request *request);
    /** The route is detached, no callback of it is running and no request of it waits for its answer; may
     * come after the listener's on_closed. Any thread. */
    void (*on_release)(void *context);
    weft_origin_policy origins;     /**< Which pages may upgrade; WEFT_ORIGIN_SAME. */
    const weft_string *origin_list; /**< For WEFT_ORIGIN_LIST; see weft_origin_problem; copied. */
    size_t origin_count;            /**< Of `origin_list`. */
} weft_route;

/** weft_route_init for a struct of `size` bytes, as the program knows it. */
WEFT_API void weft_route_init_sized(weft_route *route, size_t size);

/** Writes a route without callbacks, for the same origin. Thread: any. */
static inline void weft_route_init(weft_route *route)
{
    weft_route_init_sized(route, sizeof *route);
}

/** A route and where it lives. */
typedef struct weft_path_route {
    const char *path;        /**< See weft_path_pattern_problem; copied. */
    const weft_route *route; /**< Copied. */
} weft_path_route;

/** Whether a TCP connection serves further requests after an answer. Those that the library refuses end it.
 */
typedef enum weft_keep_alive {
    WEFT_KEEP_ALIVE_AUTO = 0,   /**< As the client asks (RFC 9112 section 9.3). */
    WEFT_KEEP_ALIVE_ALWAYS = 1, /**< Even where the client asks to close. */
    WEFT_KEEP_ALIVE_NEVER = 2,  /**< One request for each connection. */
} weft_keep_alive;

/** Settings of a listener. Start from weft_listener_config_init(). */
typedef struct weft_listener_config {
    size_t size;             /**< Set by init; lets the struct grow at its end. */
    const char *host;        /**< Numeric address or name; "0.0.0.0". "::" takes IPv4 too. */
    uint16_t port;           /**< 0 (the default) lets the system choose. */
    uint32_t threads;        /**< Loops of the listener's own, where `loops` is NULL; 1. */
    weft_loop *const *loops; /**< Loops to run on instead; they outlive the listener. */
    size_t loop_count;
    uint32_t backlog;    /**< Connections that wait to be accepted; 4096. */
    uint32_t timeout_ms; /**< From accept, the end of the TLS handshake, or the last answer, until the request
                            is there, its body included; beyond: 408. Bytes do not extend it. A peer that does
                            not take an answer in that time is given up. 120 s; 0: no limit. */
    uint32_t max_uri_length;  /**< Bytes of the request target; 4096; beyond: 414. */
    uint32_t max_header_size; /**< Bytes of the header fields; 8192; beyond, or over 256 fields: 431. */
    uint64_t max_connections; /**< Open at a time, over all loops; beyond: 503. UINT64_MAX. */
    const char *server; /**< Value of the Server field on every answer, or NULL; no control characters. */
    const weft_path_route *routes; /**< Attached before the first connection is accepted; may be NULL. */
    size_t route_count;
    void *context; /**< Handed to on_closed. */
    /** The listener has ended and all its connections are gone; the last call. Thread: one of the loops. */
    void (*on_closed)(void *context);
    weft_keep_alive keep_alive;      /**< WEFT_KEEP_ALIVE_AUTO. */
    uint32_t max_pipelined_requests; /**< Of one connection under way at a time; at least 1; 10. The next ones
                                          are not read before an answer has left. */
    int64_t max_entity_body_size; /**< Bytes of a request's body; beyond: 413. -1 (the default): no limit. */
    /** The listener goes on, but not as it should: WEFT_ESYSTEM or WEFT_ENOMEM when no connection can be
     * accepted for want of descriptors or memory. They wait in the backlog meanwhile, those that are open are
     * served. Told once, then WEFT_OK when it is over; told too when the listener cannot begin and ends.
     * WEFT_ETLS: there is no OCSP answer to staple, and connections go on without.
     * `detail` is one sentence, valid during the call. May be NULL. Thread: one of the loops. */
    void (*on_warning)(void *context, weft_status status, const char *detail);
    /**
     * Path of a unix domain socket to listen on instead of `host` and `port`, of 1 to weft_unix_path_max()
     * bytes; NULL (the default): none. A socket file at which nobody listens is
     * replaced; a live one, and a file that is no socket, is WEFT_EADDRESS. The modes of the folder and the
     * umask decide who may connect. The file is removed when the listener stops. All loops accept from the
     * one socket. Peers have the address "" and port 0. For WEFT_ORIGIN_SAME the Host field and plain http
     * count, as everywhere: behind a proxy that speaks TLS, list the origins.
     */
    const char *unix_path;
    const weft_compression *compression; /**< permessage-deflate for clients that offer it; copied; NULL: the
                                              defaults, which take it. */
    weft_tls *tls; /**< Of weft_tls_open_server: every connection speaks TLS; held. NULL: none does. */
    /** A stream has ended before it was secure: WEFT_ETLS, WEFT_ETIMEDOUT or WEFT_ELOST, the peer's address
     * ("" where the system does not tell) and a sentence, valid during the call. Any stranger can bring this
     * about. May be NULL. Thread: one of the loops. */
    void (*on_tls_failure)(void *context, weft_status status, const char *host, uint16_t port,
                           const char *detail);
} weft_listener_config;

/** weft_listener_config_init for a struct of `size` bytes, as the program knows it. */
WEFT_API void weft_listener_config_init_sized(weft_listener_config *config, size_t size);

/** Writes the defaults named at the fields. Thread: any. */
static inline void weft_listener_config_init(weft_listener_config *config)
{
    weft_listener_config_init_sized(config, sizeof *config);
}

/**
 * Binds the address and starts to accept. Copies `config`. On failure `*out` is NULL, no callback is ever
 * made, and `detail` (cut at `detail_size`, closed by a NUL) says which address and why: WEFT_EADDRESS,
 * WEFT_ERESOLVE, WEFT_EINVAL, WEFT_ESYSTEM, WEFT_ENOMEM. May wait for a name to be resolved. Thread: any but
 * a loop's of the listener's.
 */
WEFT_API weft_status weft_listener_open(weft_listener **out, const weft_listener_config *config, char *detail,
                                        size_t detail_size);

/** The longest path that the system has for a unix domain socket, in bytes: 107 on Linux. Thread: any. */
WEFT_API size_t weft_unix_path_max(void);

/** The real port; 0 for a unix domain socket. Thread: any. */
WEFT_API uint16_t weft_listener_port(const weft_listener *listener);

/** The numeric address, or the path of a unix domain socket, closed by a NUL; borrowed for the listener's
 * life. Thread: any. */
WEFT_API const char *weft_listener_host(const weft_listener *listener);

/** Open connections, those in their HTTP phase included, which belong to the listener that owns the port.
 *  Thread: any. */
WEFT_API size_t weft_listener_connection_count(const weft_listener *listener);

/**
 * A second set of routes on the port of `owner`, or of the listener whose port that one shares. Of `config`
 * it takes `routes`, `context` and `on_closed`; everything else is the owner's. The routes of both live side
 * by side; a path that either has is WEFT_EDUPLICATE for the other. Stopping it takes its routes away and
 * ends its own connections and requests alone; stopping the owner stops it too, with the same timeout.
 * WEFT_ESTATE when the owner is being stopped, WEFT_EDUPLICATE, WEFT_EINVAL, WEFT_ENOMEM, WEFT_ECLOSED (the
 * loops are closed), as for weft_listener_open with `detail`. Thread: any.
 */
WEFT_API weft_status weft_listener_share(weft_listener **out, weft_listener *owner,
                                         const weft_listener_config *config, char *detail,
                                         size_t detail_size);

/**
 * What is wrong with a path that a route is to live at; NULL when nothing is. Static. A path is `/` and
 * segments between slashes. A segment is literal, `{name}` (a parameter: one segment that is not empty) or,
 * at the end,
 * `{name*}` (the rest, slashes included; may be empty); names differ. "*" takes every path that no other
 * does.
 *
 * Requests are matched segment by segment and percent-decoded, so `%2F` never separates and `/caf%C3%A9` is
 * `/café`; nothing else is normalised: letters, dot segments and empty segments, as behind a closing slash,
 * are compared as they are. In each segment a literal goes before a parameter and that before a rest; where
 * the better one leads nowhere, the next is tried. The path decides first, then whether the request asks for
 * an upgrade. Thread: any.
 */
WEFT_API const char *weft_path_pattern_problem(const char *pattern);

/**
 * What keeps an entry of `origin_list` from being equal to any Origin that a browser sends (RFC 6454 section
 * 6.2); NULL when nothing does. Static. A good one is `null`, or scheme, host and port in lower case, as in
 * `https://example.org` and `https://example.org:8443`: no slash at the end, no default port. Thread: any.
 */
WEFT_API const char *weft_origin_problem(weft_string origin);

/**
 * Writes what such a path has in common with those that are the same path with other names or escapes, closed
 * by a NUL: at most three bytes for each one of the pattern. WEFT_EINVAL for an ill-formed path or too small
 * a `size`, WEFT_ENOMEM. Thread: any.
 */
WEFT_API weft_status weft_path_pattern_shape(const char *pattern, char *out, size_t size);

/**
 * Puts a route at a path (see weft_path_pattern_problem). Copies `route` and `path`. A route with on_upgrade
 * alone and one with on_request alone may live at one path. WEFT_EDUPLICATE when the path is taken,
 * WEFT_EINVAL for an ill-formed path, route or origin, WEFT_ESTATE when the listener has ended, WEFT_ENOMEM;
 * then on_release is not called. Thread: any.
 */
WEFT_API weft_status weft_listener_attach(weft_listener *listener, const char *path, const weft_route *route);

/** Takes away what this listener has at the path: new requests get 404, open connections go on.
 *  WEFT_ENOTATTACHED. Thread: any. */
WEFT_API weft_status weft_listener_detach(weft_listener *listener, const char *path);

/** The same for the route with that `context` alone, where two live at the path. */
WEFT_API weft_status weft_listener_detach_context(weft_listener *listener, const char *path,
                                                  const void *context);

/**
 * Other settings of TLS for connections that are accepted from now on, as with renewed certificates; those
 * that are open keep theirs. `tls` is held. WEFT_EINVAL for a client's, WEFT_ESTATE for a listener without
 * TLS. A shared port has the owner's. Thread: any.
 */
WEFT_API weft_status weft_listener_set_tls(weft_listener *listener, weft_tls *tls);

/**
 * Ends the listener: accepts no more, lets requests that are being decided finish and answers leave, sends
 * close 1001 to every connection and waits for the closing handshakes; what is left after `timeout_ms` is
 * aborted (0: at once). on_closed tells when it is done. A second call may only shorten the wait. Thread:
 * any.
 */
WEFT_API void weft_listener_stop(weft_listener *listener, uint32_t timeout_ms);

/** Gives the handle back; the listener is stopped at once if it was not. Where nothing else holds it any more
 * this waits until the threads of its own loops have ended, unless it is called on one of them. NULL is fine.
 * Thread: any. */
WEFT_API void weft_listener_release(weft_listener *listener);

/** True for a request that on_upgrade got. */
WEFT_API bool weft_request_is_upgrade(const weft_request *request);

/** The method, as in `GET`. */
WEFT_API weft_string weft_request_method(const weft_request *request);

/** The target as sent, path and query. */
WEFT_API weft_string weft_request_target(const weft_request *request);

/** The path of the target, percent-encoded as sent. */
WEFT_API weft_string weft_request_path(const weft_request *request);

/** What is behind the `?` of the target, as sent; empty without one. */
WEFT_API weft_string weft_request_query(const weft_request *request);

/** The header fields, in order. */
WEFT_API const weft_field *weft_request_fields(const weft_request *request, size_t *count);

/** The first field of that name in any case; `bytes` NULL when absent. */
WEFT_API weft_string weft_request_field(const weft_request *request, const char *name);

/** What a parameter of the route's path stands for, percent-decoded; `bytes` NULL when it has none of that
 * name. May hold any byte, also a NUL and slashes. */
WEFT_API weft_string weft_request_path_parameter(const weft_request *request, const char *name);

/** All of them, in the order of the path. */
WEFT_API const weft_field *weft_request_path_parameters(const weft_request *request, size_t *count);

/** The body, whole and without its chunked coding; empty without one. */
WEFT_API weft_string weft_request_body(const weft_request *request);

/** The loop that the request arrived on. */
WEFT_API weft_loop *weft_request_loop(const weft_request *request);

/** True over TLS. */
WEFT_API bool weft_request_is_secure(const weft_request *request);

/** The certificate that the client has shown and that was found good, as DER (RFC 5280 section 4.1); `bytes`
 * NULL without one. */
WEFT_API weft_string weft_request_peer_certificate(const weft_request *request);

/** The peer's numeric address, closed by a NUL; "" and port 0 for a unix domain socket, and when the system
 * does not tell. */
WEFT_API const char *weft_request_remote_host(const weft_request *request, uint16_t *port);

/** The same for our own address. */
WEFT_API const char *weft_request_local_host(const weft_request *request, uint16_t *port);

/** How an upgrade is accepted. Start from weft_acceptance_init(). */
typedef struct weft_acceptance {
    size_t size;                          /**< Set by init; lets the struct grow at its end. */
    const weft_service *service;          /**< Copied; NULL: messages are dropped. */
    void *context;                        /**< The service's. */
    const weft_connection_config *config; /**< Copied; NULL: the defaults. */
    weft_string subprotocol;              /**< One of those offered, or empty. */
    const weft_field *fields;             /**< Further fields of the 101. */
    size_t field_count;
    const weft_compression *compression; /**< Copied; NULL: the listener's. */
} weft_acceptance;

/** weft_acceptance_init for a struct of `size` bytes, as the program knows it. */
WEFT_API void weft_acceptance_init_sized(weft_acceptance *acceptance, size_t size);

/** Writes an acceptance without service. Thread: any. */
static inline void weft_acceptance_init(weft_acceptance *acceptance)
{
    weft_acceptance_init_sized(acceptance, sizeof *acceptance);
}

/** The first subprotocol of the client's list that `supported` lists too ("*" there supports any), or empty.
 */
WEFT_API weft_string weft_request_choose_subprotocol(const weft_request *request,
                                                     const weft_string *supported, size_t count);

/**
 * Answers 101 and opens the connection. WEFT_EINVAL for a setting, field or subprotocol that cannot be, with
 * `detail` (may be NULL) naming it; WEFT_ESTATE when the request asks for no upgrade; WEFT_ENOMEM,
 * WEFT_ESYSTEM: the request is then still unanswered and `context` the caller's. On WEFT_OK either on_open
 * follows or, when the peer has gone meanwhile or memory runs out just then, only the service's on_release.
 * Thread: any.
 */
WEFT_API weft_status weft_request_accept(weft_request *request, const weft_acceptance *acceptance,
                                         char *detail, size_t detail_size);

/** A plain HTTP answer. Start from weft_response_init(). */
typedef struct weft_response {
    size_t size;              /**< Set by init; lets the struct grow at its end. */
    uint16_t status;          /**< 200 to 599; 200. */
    const weft_field *fields; /**< Content-Length and Connection are the library's. */
    size_t field_count;       /**< Of `fields`. */
    weft_string body;         /**< Empty for none. */
} weft_response;

/** weft_response_init for a struct of `size` bytes, as the program knows it. */
WEFT_API void weft_response_init_sized(weft_response *response, size_t size);

/** Writes an empty 200. Thread: any. */
static inline void weft_response_init(weft_response *response)
{
    weft_response_init_sized(response, sizeof *response);
}

/**
 * Answers a plain request, or refuses an upgrade (which ends TCP). Copies the response. WEFT_EINVAL for a
 * status or field that cannot be, with `detail` naming it, WEFT_ENOMEM: the request is then still unanswered.
 * Thread: any.
 */
WEFT_API weft_status weft_request_respond(weft_request *request, const weft_response *response, char *detail,
                                          size_t detail_size);

/** Lets go of a request without an answer: its TCP connection ends. For when even a refusal failed; cannot
 * fail itself. Thread: any. */
WEFT_API void weft_request_drop(weft_request *request);

#ifdef __cplusplus
}
#endif

#endif
