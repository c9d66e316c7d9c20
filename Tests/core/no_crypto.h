#ifndef WEFT_TESTS_NO_CRYPTO_H
#define WEFT_TESTS_NO_CRYPTO_H

#define OPENSSL_SUPPRESS_DEPRECATED /* a generator that fails is set in the manner of OpenSSL 1.1 */

#include "check.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

static inline int draw_nothing(unsigned char *out, int length)
{
    (void)out;
    (void)length;
    return 0;
}

/* From here on OpenSSL has no digest, as where a policy takes SHA-1 away, and no random bytes. */
static inline void crypto_take_away(void)
{
    static const RAND_METHOD broken = {.bytes = draw_nothing};
    assert_int_equal(EVP_set_default_properties(NULL, "provider=none"), 1);
    assert_int_equal(RAND_set_rand_method(&broken), 1);
}

static inline void crypto_give_back(void)
{
    assert_int_equal(EVP_set_default_properties(NULL, NULL), 1);
    assert_int_equal(RAND_set_rand_method(NULL), 1);
}

#endif
