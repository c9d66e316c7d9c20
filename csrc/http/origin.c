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

/* Bytes before "://"; 0 for none, or for what is no scheme in lower case (RFC 3986 section 3.1). */
static size_t scheme_length(weft_string origin)
{
    size_t length = 0;
    while (length < origin.length && origin.bytes[length] != ':') {
        char c = origin.bytes[length];
        bool is_letter = c >= 'a' && c <= 'z';
        bool is_other = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
        if (!is_letter && (length == 0 || !is_other)) return 0;
        length++;
    }
    bool is_whole = origin.length - length >= 3 && memcmp(origin.bytes + length, "://", 3) == 0;
    return is_whole ? length : 0;
}

static bool has_upper_case(weft_string text)
{
    for (size_t i = 0; i < text.length; i++) {
        if (text.bytes[i] >= 'A' && text.bytes[i] <= 'Z') return true;
    }
    return false;
}

/* `authority` has a port, so digits are behind the last colon. */
static bool has_padded_port(weft_string authority)
{
    size_t digits = authority.length;
    while (authority.bytes[digits - 1] != ':')
        digits--;
    return authority.bytes[digits] == '0';
}

const char *weft__origin_problem(weft_string origin)
{
    if (origin.length == 4 && memcmp(origin.bytes, "null", 4) == 0) return NULL;
    if (has_upper_case(origin)) return "browsers send it in lower case";
    size_t length = scheme_length(origin);
    if (length == 0) return "it is not of the form https://example.org or https://example.org:8443";

    weft_string scheme = {origin.bytes, length};
    weft_string rest = {origin.bytes + length + 3, origin.length - length - 3};
    bool is_http = weft__string_equals_ignoring_case(scheme, "http");
    bool is_https = weft__string_equals_ignoring_case(scheme, "https");
    if (rest.length == 0 && !is_http && !is_https) return NULL; /* as file:// of some web views */
    if (memchr(origin.bytes + length + 3, '/', rest.length)) return "it has a path, be it only a slash";
    weft__authority authority;
    const char *problem = weft__authority_parse(&authority, rest);
    if (problem) return problem;
    if (authority.port && has_padded_port(rest)) return "browsers write ports without a zero in front";
    bool is_default_port = (is_http && authority.port == 80) || (is_https && authority.port == 443);
    return is_default_port ? "browsers leave the default port out" : NULL;
}
