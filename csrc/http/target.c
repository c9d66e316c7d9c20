#include "http/target.h"

#include "http/bytes.h"
#include "http/fields.h"

static weft_string from(weft_string text, size_t at)
{
    return (weft_string){text.bytes + at, text.length - at};
}

static void split_path(weft__target *target, weft_string text)
{
    size_t end = 0;
    while (end < text.length && text.bytes[end] != '?')
        end++;
    target->path = (weft_string){text.bytes, end};
    if (end < text.length) target->query = from(text, end + 1);
}

static bool begins_with(weft_string text, const char *prefix)
{
    size_t length = strlen(prefix);
    return text.length >= length &&
           weft__string_equals_ignoring_case((weft_string){text.bytes, length}, prefix);
}

/* Bytes of "scheme://", 0 when it is none of ours. */
static size_t scheme_length(weft_string text, bool *is_secure)
{
    *is_secure = begins_with(text, "https://") || begins_with(text, "wss://");
    if (begins_with(text, "https://")) return 8;
    if (begins_with(text, "http://")) return 7;
    if (begins_with(text, "wss://")) return 6;
    return begins_with(text, "ws://") ? 5 : 0;
}

static const char *parse_absolute(weft__target *target, weft_string text)
{
    size_t scheme = scheme_length(text, &target->is_secure);
    if (scheme == 0) return "request target is neither a path nor an http or ws URL";
    weft_string rest = from(text, scheme);
    size_t end = 0;
    while (end < rest.length && rest.bytes[end] != '/' && rest.bytes[end] != '?')
        end++;
    target->is_absolute = true;
    split_path(target, from(rest, end));
    /* RFC 9110 section 4.2.3: no path is the path "/"; the last slash of the scheme serves as one. */
    if (target->path.length == 0) target->path = (weft_string){rest.bytes - 1, 1};
    return weft__authority_parse(&target->authority, (weft_string){rest.bytes, end});
}

const char *weft__target_parse(weft__target *target, weft_string text, bool allows_asterisk)
{
    *target = (weft__target){0};
    if (weft__string_equals(text, "*")) {
        target->path = text;
        return allows_asterisk ? NULL : "request target * is for OPTIONS only";
    }
    if (text.length == 0) return "request target is missing";
    if (text.bytes[0] != '/') return parse_absolute(target, text);
    split_path(target, text);
    return NULL;
}
