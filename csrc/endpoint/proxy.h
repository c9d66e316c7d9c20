/* An HTTP proxy that opens a tunnel to the server (RFC 9110 section 9.3.6). */
#ifndef WEFT_ENDPOINT_PROXY_H
#define WEFT_ENDPOINT_PROXY_H

#include "base/buffer.h"
#include "http/head.h"
#include "http/url.h"
#include "weft/client.h"

/** Where the proxy is and what is asked of it. All zero: none. */
typedef struct weft__proxy {
    bool is_wanted;
    char host[256]; /**< Closed by a NUL. */
    uint16_t port;
    weft__buffer request; /**< CONNECT, with the credentials in it. */
} weft__proxy;

/**
 * Takes the settings for one target; NULL: no proxy. WEFT_EINVAL with `problem` naming the setting that is
 * out of range, and never quoting a credential; WEFT_ENOMEM. To be cleared in every case.
 */
weft_status weft__proxy_init(weft__proxy *proxy, const weft_proxy *given, const weft__url *target,
                             weft__problem *problem);
void weft__proxy_clear(weft__proxy *proxy);

/** WEFT_OK when the tunnel is open; else WEFT_EHANDSHAKE, and `problem` says that it was the proxy. */
weft_status weft__proxy_check_answer(const weft__head *answer, weft__problem *problem);

#endif
