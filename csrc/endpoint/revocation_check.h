/* Whether a peer's certificates have been revoked: asked of their issuers once the TLS handshake is done. */
#ifndef WEFT_ENDPOINT_REVOCATION_CHECK_H
#define WEFT_ENDPOINT_REVOCATION_CHECK_H

#include "net/loop.h"
#include "tls/engine.h"

/** A check under way. Loop thread only. */
typedef struct weft__revocation_check weft__revocation_check;

/** The verdict: WEFT_OK, WEFT_ETLS with a sentence that names the certificate and the cause, or WEFT_ENOMEM
 * or WEFT_ESYSTEM, where we could not find out. `detail` lives until return. The check is over. */
typedef void weft__revocation_verdict(void *owner, weft_status status, const char *detail);

/**
 * Asks about the peer's chain, up to below the certificate that is trusted, as the settings of `engine` want
 * it: the answer that came with the handshake, then whatever is known already, then the issuer's OCSP
 * responder, then its list. `engine` has to outlive the check. WEFT_OK with `*out` NULL: nothing is to be
 * asked, or all is known to be good; else `on_verdict` follows, never from within this call. WEFT_ENOMEM.
 * Inside a turn.
 */
weft_status weft__revocation_check_start(weft__revocation_check **out, weft_loop *loop,
                                         const weft__tls_engine *engine, weft__revocation_verdict *on_verdict,
                                         void *owner);

/** Ends it without a verdict. NULL is fine. */
void weft__revocation_check_cancel(weft__revocation_check *check);

#endif
