/* The classes of bytes that HTTP and URLs are made of; the C library's own depend on the locale. */
#ifndef WEFT_HTTP_BYTES_H
#define WEFT_HTTP_BYTES_H

#include "weft/api.h"

#include <string.h>

static inline bool weft__byte_is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static inline bool weft__byte_is_alphanumeric(char byte)
{
    char lower = (char)(byte | 0x20);
    return weft__byte_is_digit(byte) || (lower >= 'a' && lower <= 'z');
}

static inline bool weft__byte_is_hex(char byte)
{
    char lower = (char)(byte | 0x20);
    return weft__byte_is_digit(byte) || (lower >= 'a' && lower <= 'f');
}

/** ASCII without controls and without the space. */
static inline bool weft__byte_is_visible(char byte)
{
    return byte > 0x20 && byte < 0x7f;
}

/** tchar of RFC 9110 section 5.6.2. */
static inline bool weft__byte_is_token(char byte)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";
    return weft__byte_is_alphanumeric(byte) || memchr(marks, byte, sizeof marks - 1);
}

/** What a field value may hold (RFC 9110 section 5.5), white space and obs-text included. */
static inline bool weft__byte_is_in_value(char byte)
{
    return byte == '\t' || ((unsigned char)byte >= 0x20 && byte != 0x7f);
}

static inline char weft__byte_lower(char byte)
{
    return byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte;
}

#endif
