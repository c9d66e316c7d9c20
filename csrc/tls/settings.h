#ifndef WEFT_TLS_SETTINGS_H
#define WEFT_TLS_SETTINGS_H

#include "tls/identity.h"
#include "tls/revocation_cache.h"
#include "tls/sessions.h"

#include <stdatomic.h>

enum {
    WEFT__TLS_NAME_MAX = 255 /**< Bytes of a server name (RFC 6066 section 3, RFC 1035 section 2.3.4). */
};

struct weft_tls {
    /* fixed after open */
    bool is_server;
    bool skips_host_name;
    bool verifies;
    uint32_t handshake_timeout_ms;
    char *server_name; /* closed by a NUL, or NULL */
    SSL_CTX *context;
    bool shares_sessions;
    bool checks_revocation; /* of the peer's certificates */
    bool staples;           /* a server, to its own */
    int64_t revocation_validity_s;
    CRYPTO_RWLOCK *staples_lock; /* where it staples */

    /* any thread */
    _Atomic size_t holders;
    weft__tls_sessions sessions; /* of a client */
    weft__revocation_cache known;

    size_t identity_count;
    weft__tls_identity identities[];
};

/** Chooses among a server's identities by the name that the client has sent; for SSL_CTX_set_cert_cb, with
 *  the weft_tls as its argument. */
int weft__tls_choose_identity(SSL *ssl, void *context);

#endif
