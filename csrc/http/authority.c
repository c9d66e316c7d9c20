#include "http/authority.h"

#include "http/bytes.h"
#include "http/fields.h"

enum {
    LONGEST_NAME = 253,
    LONGEST_LABEL = 63,
    IPV6_GROUPS = 8
};

/* dec-octet "." dec-octet "." dec-octet "." dec-octet, none with a leading zero. */
static bool is_ipv4(weft_string text)
{
    size_t at = 0;
    for (int part = 0; part < 4; part++) {
        unsigned value = 0;
        if (part > 0 && (at == text.length || text.bytes[at++] != '.')) return false;
        size_t start = at;
        while (at < text.length && at - start < 3 && weft__byte_is_digit(text.bytes[at])) {
            value = value * 10 + (unsigned)(text.bytes[at++] - '0');
        }
        if (at == start || value > 255 || (at - start > 1 && text.bytes[start] == '0')) return false;
    }
    return at == text.length;
}

static size_t group_length(weft_string text, size_t at)
{
    size_t length = 0;
    while (at + length < text.length && weft__byte_is_hex(text.bytes[at + length]))
        length++;
    return length;
}

static bool is_colon(weft_string text, size_t at)
{
    return at < text.length && text.bytes[at] == ':';
}

/* RFC 3986 section 3.2.2: eight groups, or fewer and one "::", the last two perhaps as an IPv4 address. */
static bool is_ipv6(weft_string text)
{
    int groups = 0;
    bool has_gap = is_colon(text, 0) && is_colon(text, 1);
    size_t at = has_gap ? 2 : 0;
    while (at < text.length) {
        size_t length = group_length(text, at);
        if (at + length < text.length && text.bytes[at + length] == '.') {
            if (!is_ipv4((weft_string){text.bytes + at, text.length - at})) return false;
            groups += 2;
            break;
        }
        if (length < 1 || length > 4 || ++groups > IPV6_GROUPS) return false;
        at += length;
        if (at == text.length) break;
        if (!is_colon(text, at++) || at == text.length) return false;
        if (!is_colon(text, at)) continue;
        if (has_gap) return false;
        has_gap = true;
        at++;
    }
    return has_gap ? groups < IPV6_GROUPS : groups == IPV6_GROUPS;
}

static const char *check_name(weft_string name)
{
    size_t label = 0;
    if (name.length > LONGEST_NAME) return "host name is over 253 characters";
    for (size_t i = 0; i < name.length; i++) {
        char byte = name.bytes[i];
        if (byte == '.' && label == 0) return "host name has an empty label";
        if (byte != '.' && byte != '-' && byte != '_' && !weft__byte_is_alphanumeric(byte)) {
            return "host name contains a character that is not allowed";
        }
        label = byte == '.' ? 0 : label + 1;
        if (label > LONGEST_LABEL) return "host name has a label over 63 characters";
    }
    return name.length > 0 ? NULL : "host is missing";
}

static const char *parse_port(uint16_t *port, weft_string digits)
{
    static const char fault[] = "port is not a number from 1 to 65535";
    uint32_t value = 0;
    if (digits.length > 5) return fault;
    for (size_t i = 0; i < digits.length; i++) {
        if (!weft__byte_is_digit(digits.bytes[i])) return fault;
        value = value * 10 + (uint32_t)(digits.bytes[i] - '0');
    }
    if (value < 1 || value > UINT16_MAX) return fault;
    *port = (uint16_t)value;
    return NULL;
}

static size_t find(weft_string text, char byte)
{
    size_t at = 0;
    while (at < text.length && text.bytes[at] != byte)
        at++;
    return at;
}

static const char *parse_literal(weft__authority *authority, weft_string text, size_t *used)
{
    size_t end = find(text, ']');
    if (end == text.length) return "IPv6 address has no closing bracket";
    authority->host = (weft_string){text.bytes + 1, end - 1};
    authority->host_is_ipv6 = true;
    *used = end + 1;
    return is_ipv6(authority->host) ? NULL : "IPv6 address is ill-formed";
}

static const char *parse_name(weft__authority *authority, weft_string text, size_t *used)
{
    *used = find(text, ':');
    if (find(text, '@') < text.length) return "user information stands before the host";
    authority->host = (weft_string){text.bytes, *used};
    return check_name(authority->host);
}

const char *weft__authority_parse(weft__authority *authority, weft_string text)
{
    size_t used = 0;
    *authority = (weft__authority){0};
    bool is_literal = text.length > 0 && text.bytes[0] == '[';
    const char *fault =
        is_literal ? parse_literal(authority, text, &used) : parse_name(authority, text, &used);
    if (fault) return fault;
    if (used == text.length) return NULL;
    if (text.bytes[used] != ':') return "something other than a port follows the IPv6 address";
    return parse_port(&authority->port, (weft_string){text.bytes + used + 1, text.length - used - 1});
}

bool weft__authority_is_same(const weft__authority *one, const weft__authority *other, uint16_t default_port)
{
    uint16_t one_port = one->port ? one->port : default_port;
    uint16_t other_port = other->port ? other->port : default_port;
    return one_port == other_port && weft__string_is_same_ignoring_case(one->host, other->host);
}
