#ifndef WEFT_TLS_IDENTITY_H
#define WEFT_TLS_IDENTITY_H

#include "tls/problem.h"
#include "weft/tls.h"

#include <openssl/ssl.h>

/** An OCSP answer about a certificate, to be sent along with it; under the lock of the settings. */
typedef struct weft__tls_staple {
    unsigned char *bytes; /**< OpenSSL's memory; NULL: none. */
    size_t length;
    int64_t until;   /**< It holds so long, in seconds since 1970. */
    int64_t due;     /**< When the next one is to be fetched. */
    bool is_claimed; /**< Somebody fetches it. */
} weft__tls_staple;

/** A certificate with its key and the certificates above it. All zero is none. */
typedef struct weft__tls_identity {
    X509 *certificate;
    EVP_PKEY *key;
    STACK_OF(X509) * chain; /**< Without the certificate itself; may be NULL. */
    weft__tls_staple staple;
} weft__tls_identity;

/** Reads and checks it. WEFT_ETLS names the file, never a password; WEFT_EINVAL for settings that do not go
 *  together; WEFT_ENOMEM. On failure `*out` is all zero. */
weft_status weft__tls_identity_load(weft__tls_identity *out, const weft_tls_identity *given,
                                    weft__tls_problem *problem);

/** Gives it back, and all zero again. */
void weft__tls_identity_clear(weft__tls_identity *identity);

/** True when the certificate is for that host name. */
bool weft__tls_identity_fits(const weft__tls_identity *identity, const char *name);

#endif
