#ifndef WEFT_TLS_TRUST_H
#define WEFT_TLS_TRUST_H

#include "tls/problem.h"

#include <openssl/ssl.h>

/**
 * Trusts the certificates of a file, PEM or PKCS#12; `password` (or NULL) is for the latter. A server names
 * them to its clients as the authorities that it accepts. WEFT_ETLS with the file and the cause, WEFT_ENOMEM.
 */
weft_status weft__tls_trust_file(SSL_CTX *context, const char *path, const char *password,
                                 weft__tls_problem *problem);

/** Trusts what the system trusts. */
weft_status weft__tls_trust_system(SSL_CTX *context, weft__tls_problem *problem);

#endif
