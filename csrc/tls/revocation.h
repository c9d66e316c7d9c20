#ifndef WEFT_TLS_REVOCATION_H
#define WEFT_TLS_REVOCATION_H

#include "base/buffer.h"
#include "tls/problem.h"

#include <openssl/x509.h>

/** What is known of a certificate. */
typedef enum weft__revocation {
    WEFT__REVOCATION_UNKNOWN, /**< Nothing that could be relied on; the problem says why. */
    WEFT__REVOCATION_GOOD,
    WEFT__REVOCATION_REVOKED,
} weft__revocation;

enum {
    WEFT__REVOCATION_LEEWAY_S = 300,           /**< How far the clocks may be apart. */
    WEFT__REVOCATION_AGE_MAX_S = 24 * 60 * 60, /**< Of an answer that does not say how long it holds. */
    WEFT__REVOCATION_URL_MAX = 512,
};

/** Copies the first `http` address at which the certificate's OCSP responder (RFC 5280 section 4.2.2.1) or
 * list of revoked ones (4.2.1.13) is, closed by a NUL. False without one. */
bool weft__revocation_ocsp_url(X509 *certificate, char url[WEFT__REVOCATION_URL_MAX]);
bool weft__revocation_crl_url(X509 *certificate, char url[WEFT__REVOCATION_URL_MAX]);

/** Appends the question for a responder (RFC 6960 section 4.1). WEFT_ENOMEM. */
weft_status weft__revocation_ask(weft__buffer *out, X509 *certificate, X509 *issuer);

/**
 * What a responder's answer says of the certificate (RFC 6960 section 3.2): signed by the issuer, or by
 * somebody whom it has allowed to, and about this time. `*until` is when it ends, in seconds since 1970, or
 * 0.
 */
weft__revocation weft__revocation_of_answer(const uint8_t *der, size_t length, X509 *certificate,
                                            X509 *issuer, int64_t *until, weft__tls_problem *problem);

/** What the issuer's own list says (RFC 5280 section 6.3), as DER or PEM. */
weft__revocation weft__revocation_of_list(const uint8_t *bytes, size_t length, X509 *certificate,
                                          X509 *issuer, int64_t *until, weft__tls_problem *problem);

#endif
