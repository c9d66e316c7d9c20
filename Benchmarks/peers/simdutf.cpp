// simdutf's validation of UTF-8 as a function of C, for kernel-rates.

#include "simdutf.h"

extern "C" bool simdutf_validates(const char *bytes, size_t length)
{
    return simdutf::validate_utf8(bytes, length);
}
