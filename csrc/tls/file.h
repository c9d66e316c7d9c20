#ifndef WEFT_TLS_FILE_H
#define WEFT_TLS_FILE_H

#include "base/buffer.h"
#include "tls/problem.h"

#include <openssl/bio.h>

enum {
    WEFT__TLS_FILE_MAX = 16 * 1024 * 1024, /**< No file of certificates is longer. */
};

/** Reads a whole file; `what` names its kind in the problem. WEFT_ETLS when it is not there, not readable,
 *  empty, or too long; WEFT_ENOMEM. */
weft_status weft__tls_read_file(weft__buffer *out, const char *path, const char *what,
                                weft__tls_problem *problem);

/** The same as a BIO over a copy of its own, which is erased when the BIO is freed; NULL on failure. */
weft_status weft__tls_open_file(BIO **out, const char *path, const char *what, weft__tls_problem *problem);

/** For OpenSSL's readers of PEM that is not to be encrypted. Without it, PEM that says that it is would have
 *  OpenSSL ask at the terminal, or at the standard input, and wait for somebody to type. */
int weft__tls_no_password(char *out, int size, int is_for_writing, void *context);

#endif
