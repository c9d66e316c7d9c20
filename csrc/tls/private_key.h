#ifndef WEFT_TLS_PRIVATE_KEY_H
#define WEFT_TLS_PRIVATE_KEY_H

#include "tls/problem.h"

#include <openssl/evp.h>

/* Reading private keys. `*out` is NULL on failure: WEFT_ETLS with a problem that names the file, never the
 * password, or WEFT_ENOMEM. */

/** From a PEM file: PKCS#8 or the traditional forms, encrypted or not. `password` may be NULL. */
weft_status weft__tls_private_key_from_pem(EVP_PKEY **out, const char *path, const char *password,
                                           weft__tls_problem *problem);

/** From a PKCS#12 key store: the key of that alias (its friendly name; the case of ASCII letters does not
 *  matter), or the only one where `alias` is NULL. `password` may be NULL. */
weft_status weft__tls_private_key_from_store(EVP_PKEY **out, const char *path, const char *password,
                                             const char *alias, weft__tls_problem *problem);

#endif
