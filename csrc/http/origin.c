#include "http/origin.h"

#include "http/authority.h"

#include <string.h>

/* The authority of an origin of that scheme (RFC 6454 section 6.2): no path, not even "/". */
static bool parse_origin(weft__authority *authority, weft_string origin, const char *scheme)
{
    size_t length = strlen(scheme);
    if (origin.length < length) return false;
    if (!weft__string_equals_ignoring_case((weft_string){origin.bytes, length}, scheme)) return false;
    weft_string rest = {origin.bytes + length, origin.length - length};
    return weft__authority_parse(authority, rest) == NULL;
}

bool weft__upgrade_is_same_origin(const weft__head *request, bool secure)
{
    weft__authority origin, host;
    size_t count = weft__fields_count(&request->fields, "Origin");
    if (count != 1) return count == 0;
    const weft_field *origin_field = weft__fields_find(&request->fields, "Origin");
    const weft_field *host_field = weft__fields_find(&request->fields, "Host");
    if (!host_field || weft__authority_parse(&host, host_field->value)) return false;
    if (!parse_origin(&origin, origin_field->value, secure ? "https://" : "http://")) return false;
    return weft__authority_is_same(&origin, &host, secure ? 443 : 80);
}
