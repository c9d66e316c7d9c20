#include "base/sha1.h"

#include <openssl/evp.h>

weft_status weft__sha1(uint8_t out[WEFT__SHA1_LENGTH], const void *bytes, size_t length)
{
    return EVP_Digest(bytes, length, out, NULL, EVP_sha1(), NULL) == 1 ? WEFT_OK : WEFT_ESYSTEM;
}
