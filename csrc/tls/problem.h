#ifndef WEFT_TLS_PROBLEM_H
#define WEFT_TLS_PROBLEM_H

#include "weft/status.h"

/** What was wrong, in one sentence of printable ASCII without a full stop, closed by a NUL. */
typedef struct weft__tls_problem {
    char text[480];
} weft__tls_problem;

/** Fills `problem`, cut at its size; bytes that are not printable ASCII become '?', for a sentence may quote
 *  the peer. Always returns WEFT_ETLS; NULL is fine. */
weft_status weft__tls_problem_set(weft__tls_problem *problem, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Copies the sentence, cut at `size`. */
void weft__tls_problem_tell(const weft__tls_problem *problem, char *detail, size_t size);

/** The first cause that OpenSSL gave on this thread since the last call; 0 for none. Forgets the others. */
unsigned long weft__tls_take_error(void);

/** The words for such a cause; never NULL. */
const char *weft__tls_error_text(unsigned long error);

#endif
