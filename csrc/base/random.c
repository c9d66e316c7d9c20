#include "base/random.h"

#include <limits.h>
#include <openssl/rand.h>

weft_status weft__random_fill(void *out, size_t length)
{
    if (length > INT_MAX) return WEFT_EINVAL;
    return RAND_bytes(out, (int)length) == 1 ? WEFT_OK : WEFT_ESYSTEM;
}
