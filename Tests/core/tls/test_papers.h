/* Certificates for all tests of a program: made before the first, discarded behind the last. */
#ifndef WEFT_TESTS_TLS_TEST_PAPERS_H
#define WEFT_TESTS_TLS_TEST_PAPERS_H

#include "tls/authority.h"

#include <signal.h>

static papers all;

static inline int set_up(void **state)
{
    signal(SIGPIPE, SIG_IGN); /* of the peer's OpenSSL, which writes without MSG_NOSIGNAL */
    if (open_folder(state) != 0) return -1;
    issue_all(&all);
    return 0;
}

static inline int tear_down(void **state)
{
    discard_all(&all);
    return remove_folder(state);
}

#endif
