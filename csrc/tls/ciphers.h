#ifndef WEFT_TLS_CIPHERS_H
#define WEFT_TLS_CIPHERS_H

#include "tls/problem.h"

#include <openssl/ssl.h>

/**
 * Allows the ciphers of `list` and no others. `*versions` (weft_tls_version bits) loses those that have none
 * in it. WEFT_ETLS names a cipher that is not known, or gives no encryption or authentication, or says that
 * no version is left.
 */
weft_status weft__tls_set_ciphers(SSL_CTX *context, const char *list, uint32_t *versions,
                                  weft__tls_problem *problem);

#endif
