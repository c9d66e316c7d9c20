#ifndef WEFT_TLS_STAPLE_H
#define WEFT_TLS_STAPLE_H

#include "tls/settings.h"

/**
 * What a server sends along about its own certificates, so that clients need not ask: an OCSP answer for each
 * (RFC 6066 section 8), kept by whoever fetches them. Thread: any.
 */

/** Finds a certificate whose answer is due and that nobody fetches; it is the caller's to fetch then. */
bool weft__tls_staple_claim(weft_tls *tls, int64_t now, size_t *identity);

/** Keeps a good answer until `until`, in seconds since 1970, 0: nobody has said, which holds for a day at
 * most; and ends the claim. A new one is due in half the time, or after a minute where it ends before, at the
 * latest when the settings want it. */
void weft__tls_staple_keep(weft_tls *tls, size_t identity, const uint8_t *der, size_t length, int64_t now,
                           int64_t until);

/** Ends the claim without an answer: due again a minute later, or never. */
void weft__tls_staple_give_up(weft_tls *tls, size_t identity, int64_t now, bool is_for_good);

/** Whoever has signed the certificate, as far as its file has told; NULL. */
X509 *weft__tls_staple_issuer(const weft_tls *tls, size_t identity);

/** Sends what is there and holds; for SSL_CTX_set_tlsext_status_cb, with the weft_tls as its argument. */
int weft__tls_staple_send(SSL *ssl, void *context);

#endif
