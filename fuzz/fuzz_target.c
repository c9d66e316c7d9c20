/* An IPv6 literal is one to the system too; an authority, a target and a path are put together from their
 * parts as they were; a good Origin is the origin of its own host and of no other scheme's; lists have clean
 * elements. */
#include "http/authority.h"
#include "http/origin.h"
#include "http/path.h"
#include "http/target.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check_ipv6(weft_string text)
{
    char literal[64];
    struct in6_addr address;
    weft__authority authority;
    if (text.length < 2 || text.length > sizeof literal || text.bytes[0] != '[') return;
    if (memchr(text.bytes, ']', text.length) != text.bytes + text.length - 1) return;
    if (memchr(text.bytes, '\0', text.length)) return;
    snprintf(literal, sizeof literal, "%.*s", (int)text.length - 2, text.bytes + 1);
    bool is_good = weft__authority_parse(&authority, text) == NULL;
    if (is_good != (inet_pton(AF_INET6, literal, &address) == 1)) abort();
}

static void check_authority(weft_string text)
{
    char written[300];
    weft__authority authority, again;
    if (weft__authority_parse(&authority, text)) return;
    int length = snprintf(written, sizeof written, authority.host_is_ipv6 ? "[%.*s]" : "%.*s",
                          (int)authority.host.length, authority.host.bytes);
    if (authority.port)
        length += snprintf(written + length, sizeof written - (size_t)length, ":%u", authority.port);
    if (weft__authority_parse(&again, (weft_string){written, (size_t)length})) abort();
    if (!weft__authority_is_same(&authority, &again, 80) || again.host_is_ipv6 != authority.host_is_ipv6)
        abort();
    if (memchr(authority.host.bytes, '@', authority.host.length)) abort();
}

static void check_path(weft_string path)
{
    char *decoded = malloc(path.length + 1);
    if (!decoded) abort();
    size_t seen = 0;
    weft_string segment, rest = path;
    while (weft__path_next(&rest, &segment)) {
        seen += 1 + segment.length;
        size_t length = weft__path_decode(decoded, segment);
        if (length > segment.length || memchr(segment.bytes, '/', segment.length)) abort();
        if (weft__path_compare(segment, (weft_string){decoded, length}) != 0) abort();
        decoded[length] = '0';
        if (weft__path_compare(segment, (weft_string){decoded, length + 1}) >= 0) abort();
    }
    if (seen != path.length) abort();
    free(decoded);
}

static void check_target(weft_string text)
{
    weft__target target, again;
    if (weft__target_parse(&target, text, true)) return;
    bool is_slash_alone = target.is_absolute && target.path.length == 1;
    if (target.path.length == 0 || memchr(target.path.bytes, '?', target.path.length)) abort();
    if (target.query.length && target.query.bytes + target.query.length != text.bytes + text.length) abort();
    if (target.path.bytes[0] == '/' && !is_slash_alone) {
        weft_string rest = {target.path.bytes, text.length - (size_t)(target.path.bytes - text.bytes)};
        if (weft__target_parse(&again, rest, false) || again.is_absolute) abort();
        if (!weft__string_is_same(again.path, target.path)) abort();
        if (!weft__string_is_same(again.query, target.query)) abort();
        if (weft__path_is_well_formed(target.path)) check_path(target.path);
    }
}

static void check_origin(weft_string text)
{
    if (weft__origin_problem(text) || text.length < 8 || memcmp(text.bytes, "http", 4) != 0) return;
    bool is_secure = text.bytes[4] == 's';
    size_t scheme = is_secure ? 8 : 7;
    if (memcmp(text.bytes, is_secure ? "https://" : "http://", scheme) != 0) return;
    weft_field fields[] = {{weft__string("origin"), text},
                           {weft__string("HOST"), {text.bytes + scheme, text.length - scheme}}};
    weft__head head = {.fields = {.items = fields, .count = 2, .capacity = 2}};
    if (!weft__upgrade_is_same_origin(&head, is_secure)) abort();
    if (weft__upgrade_is_same_origin(&head, !is_secure)) abort();
    fields[1].value = weft__string("elsewhere.example:81");
    if (weft__string_is_same(fields[1].value, (weft_string){text.bytes + scheme, text.length - scheme}))
        return;
    if (weft__upgrade_is_same_origin(&head, is_secure)) abort();
}

/* Elements are neither empty nor padded, and lie in the text one behind the other. */
static void check_list(weft_string text)
{
    weft_string rest = text, element;
    const char *at = text.bytes;
    while (weft__list_next(&rest, &element)) {
        if (element.length == 0 || element.bytes < at) abort();
        if (weft__string_trim(element).length != element.length) abort();
        if (weft__is_token(element) && memchr(element.bytes, ',', element.length)) abort();
        at = element.bytes + element.length;
        if (at > text.bytes + text.length) abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const weft_string text = {(const char *)data, size};
    check_ipv6(text);
    check_authority(text);
    check_target(text);
    check_origin(text);
    check_list(text);
    return 0;
}
