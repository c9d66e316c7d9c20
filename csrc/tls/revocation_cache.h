#ifndef WEFT_TLS_REVOCATION_CACHE_H
#define WEFT_TLS_REVOCATION_CACHE_H

#include "base/list.h"
#include "weft/status.h"

#include <openssl/x509.h>

/** Certificates that were found good, until when. Thread: any. */
typedef struct weft__revocation_cache {
    CRYPTO_RWLOCK *lock;
    weft__link entries; /* the oldest first */
    size_t count;
    size_t most;        /* fixed after init */
    int64_t validity_s; /* no verdict is kept longer */
} weft__revocation_cache;

/** `most` and `validity_s` are at least 1. WEFT_ENOMEM leaves nothing to clear. */
weft_status weft__revocation_cache_init(weft__revocation_cache *cache, size_t most, int64_t validity_s);
void weft__revocation_cache_clear(weft__revocation_cache *cache);

/** Remembers that a certificate is good until `until`, in seconds since 1970; 0: nobody has said. Without
 * memory it is asked about again. */
void weft__revocation_cache_add(weft__revocation_cache *cache, X509 *certificate, int64_t now, int64_t until);

/** True when it is known to be good. */
bool weft__revocation_cache_has(weft__revocation_cache *cache, X509 *certificate, int64_t now);

#endif
