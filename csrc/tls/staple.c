#include "tls/staple.h"

#include "tls/revocation.h"

#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

enum {
    AGAIN_S = 60 /* after a failure, or an answer that is of no use for longer */
};

/* Of an answer that does not say. */
static int64_t end_of(const weft_tls *tls, int64_t now)
{
    int64_t holds_s = 2 * tls->revocation_validity_s;
    return now + (holds_s < WEFT__REVOCATION_AGE_MAX_S ? holds_s : WEFT__REVOCATION_AGE_MAX_S);
}

bool weft__tls_staple_claim(weft_tls *tls, int64_t now, size_t *identity)
{
    bool is_found = false;
    CRYPTO_THREAD_write_lock(tls->staples_lock);
    for (size_t i = 0; !is_found && i < tls->identity_count; i++) {
        weft__tls_staple *staple = &tls->identities[i].staple;
        if (staple->is_claimed || now < staple->due) continue;
        staple->is_claimed = is_found = true;
        *identity = i;
    }
    CRYPTO_THREAD_unlock(tls->staples_lock);
    return is_found;
}

void weft__tls_staple_keep(weft_tls *tls, size_t identity, const uint8_t *der, size_t length, int64_t now,
                           int64_t until)
{
    unsigned char *bytes = OPENSSL_memdup(der, length);
    if (!until) until = end_of(tls, now);
    int64_t lasts_s = until - now < AGAIN_S ? AGAIN_S : (until - now) / 2;
    if (lasts_s > tls->revocation_validity_s) lasts_s = tls->revocation_validity_s;
    if (!bytes) {
        weft__tls_staple_give_up(tls, identity, now, false);
        return;
    }
    CRYPTO_THREAD_write_lock(tls->staples_lock);
    weft__tls_staple *staple = &tls->identities[identity].staple;
    OPENSSL_free(staple->bytes);
    *staple = (weft__tls_staple){.bytes = bytes, .length = length, .until = until, .due = now + lasts_s};
    CRYPTO_THREAD_unlock(tls->staples_lock);
}

void weft__tls_staple_give_up(weft_tls *tls, size_t identity, int64_t now, bool is_for_good)
{
    CRYPTO_THREAD_write_lock(tls->staples_lock);
    weft__tls_staple *staple = &tls->identities[identity].staple;
    staple->is_claimed = false;
    staple->due = is_for_good ? INT64_MAX : now + AGAIN_S;
    CRYPTO_THREAD_unlock(tls->staples_lock);
}

X509 *weft__tls_staple_issuer(const weft_tls *tls, size_t identity)
{
    X509 *certificate = tls->identities[identity].certificate;
    STACK_OF(X509) *chain = tls->identities[identity].chain;
    for (int i = 0; i < sk_X509_num(chain); i++) {
        if (X509_check_issued(sk_X509_value(chain, i), certificate) == X509_V_OK)
            return sk_X509_value(chain, i);
    }
    return NULL;
}

static const weft__tls_staple *find(const weft_tls *tls, const X509 *certificate)
{
    for (size_t i = 0; i < tls->identity_count; i++) {
        if (tls->identities[i].certificate == certificate) return &tls->identities[i].staple;
    }
    return NULL;
}

int weft__tls_staple_send(SSL *ssl, void *context)
{
    weft_tls *tls = context;
    unsigned char *copy = NULL;
    long length = 0;
    CRYPTO_THREAD_read_lock(tls->staples_lock);
    const weft__tls_staple *staple = find(tls, SSL_get_certificate(ssl));
    if (staple && staple->bytes && time(NULL) < staple->until) {
        copy = OPENSSL_memdup(staple->bytes, staple->length);
        length = (long)staple->length;
    }
    CRYPTO_THREAD_unlock(tls->staples_lock);
    if (!copy) return SSL_TLSEXT_ERR_NOACK;
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, length); /* it is OpenSSL's now */
    return SSL_TLSEXT_ERR_OK;
}
