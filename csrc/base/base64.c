#include "base/base64.h"

#include <openssl/evp.h>
#include <string.h>

enum {
    LONGEST_CHECKED = 64
};

void weft__base64_encode(char *out, const void *bytes, size_t length)
{
    /* In pieces that fit OpenSSL's int and end on a whole group. */
    const size_t piece = (size_t)3 * 1024;
    const uint8_t *from = bytes;
    while (length > piece) {
        EVP_EncodeBlock((unsigned char *)out, from, (int)piece);
        out += weft__base64_length(piece);
        from += piece;
        length -= piece;
    }
    EVP_EncodeBlock((unsigned char *)out, from, (int)length);
}

bool weft__base64_is_of(weft_string text, size_t length)
{
    unsigned char bytes[LONGEST_CHECKED + 3];
    char again[(LONGEST_CHECKED + 2) / 3 * 4 + 1];
    if (length > LONGEST_CHECKED || text.length != weft__base64_length(length)) return false;
    if (EVP_DecodeBlock(bytes, (const unsigned char *)text.bytes, (int)text.length) < 0) return false;
    /* Decoding is lenient about white space and padding; encoding again is not. */
    weft__base64_encode(again, bytes, length);
    return memcmp(again, text.bytes, text.length) == 0;
}
