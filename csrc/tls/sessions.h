#ifndef WEFT_TLS_SESSIONS_H
#define WEFT_TLS_SESSIONS_H

#include "base/list.h"
#include "weft/status.h"

#include <openssl/ssl.h>

enum {
    WEFT__TLS_SESSIONS = 256,       /**< As many are kept; the oldest one goes. */
    WEFT__TLS_SESSIONS_OF_PEER = 4, /**< As many of one server. */
};

/** A client's sessions by the server that they are with. Thread: any. */
typedef struct weft__tls_sessions {
    CRYPTO_RWLOCK *lock;
    weft__link entries; /* the oldest first */
    size_t count;
} weft__tls_sessions;

/** WEFT_ENOMEM leaves nothing to clear. */
weft_status weft__tls_sessions_init(weft__tls_sessions *sessions);
void weft__tls_sessions_clear(weft__tls_sessions *sessions);

/** Keeps a session, which is the list's from now on; without memory it is let go. */
void weft__tls_sessions_add(weft__tls_sessions *sessions, const char *server, SSL_SESSION *session);

/** False once the certificate that the peer has shown is over: when a session is resumed, OpenSSL does not
 * look at it again. */
bool weft__tls_session_has_good_peer(SSL_SESSION *session);

/** The newest session with a server that is not over, the caller's to free, or NULL. One of TLS 1.3 is out of
 * the list: using it twice would let an observer see that both are the same client (RFC 8446 appendix C.4).
 */
SSL_SESSION *weft__tls_sessions_take(weft__tls_sessions *sessions, const char *server);

#endif
