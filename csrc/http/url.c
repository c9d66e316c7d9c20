#include "http/url.h"

#include "http/authority.h"
#include "http/bytes.h"

static weft_string before(weft_string text, size_t at)
{
    return (weft_string){text.bytes, at};
}

static weft_string from(weft_string text, size_t at)
{
    return (weft_string){text.bytes + at, text.length - at};
}

/* Where the first of two bytes stands, or the end. */
static size_t find_either(weft_string text, char one, char other)
{
    size_t at = 0;
    while (at < text.length && text.bytes[at] != one && text.bytes[at] != other)
        at++;
    return at;
}

/* What must not stand anywhere in a URL (RFC 3986 section 2); RFC 6455 section 3 forbids fragments. */
static const char *check_bytes(weft_string text)
{
    for (size_t i = 0; i < text.length; i++) {
        char byte = text.bytes[i];
        if (byte == '#') return "URL has a fragment; write # as %23";
        if (byte == ' ') return "URL contains a space; percent-encode it as %20";
        if ((unsigned char)byte > 0x7f) return "URL contains a character beyond ASCII; percent-encode it";
        if (!weft__byte_is_visible(byte)) return "URL contains a control character";
        if (byte != '%') continue;
        if (text.length - i < 3 || !weft__byte_is_hex(text.bytes[i + 1]) ||
            !weft__byte_is_hex(text.bytes[i + 2])) {
            return "URL contains a % without two hexadecimal digits";
        }
    }
    return NULL;
}

static void split_query(weft__url *url, weft_string text)
{
    size_t end = find_either(text, '?', '?');
    url->path = before(text, end);
    url->has_query = end < text.length;
    if (url->has_query) url->query = from(text, end + 1);
}

/* "/socket/path", then perhaps ":" and the request path; a '?' ends either path. */
static const char *parse_unix(weft__url *url, weft_string text)
{
    if (text.length == 0 || text.bytes[0] != '/') return "ws+unix: is not followed by an absolute path";
    size_t end = find_either(text, ':', '?');
    url->unix_socket = true;
    url->port_is_default = true;
    url->host = before(text, end);
    if (end == text.length || text.bytes[end] == '?') {
        split_query(url, from(text, end));
        return NULL;
    }
    split_query(url, from(text, end + 1));
    bool is_path = url->path.length == 0 || url->path.bytes[0] == '/';
    return is_path ? NULL : "the request path behind the socket path does not begin with /";
}

static const char *parse_internet(weft__url *url, weft_string text)
{
    weft__authority authority;
    uint16_t default_port = url->secure ? 443 : 80;
    if (text.length < 2 || text.bytes[0] != '/' || text.bytes[1] != '/') {
        return "URL scheme is not followed by //";
    }
    weft_string rest = from(text, 2);
    size_t end = find_either(rest, '/', '?');
    const char *fault = weft__authority_parse(&authority, before(rest, end));
    if (fault) return fault;
    url->host = authority.host;
    url->host_is_ipv6 = authority.host_is_ipv6;
    url->port = authority.port ? authority.port : default_port;
    url->port_is_default = url->port == default_port;
    split_query(url, from(rest, end));
    return NULL;
}

/* What may stand in front of the colon. */
typedef struct schemes {
    const char *plain, *secure;
    const char *unix_socket; /* NULL: none */
    const char *missing, *wrong;
} schemes;

static const schemes web_socket_schemes = {
    .plain = "ws",
    .secure = "wss",
    .unix_socket = "ws+unix",
    .missing = "URL does not begin with ws:// or wss://",
    .wrong = "URL scheme is not ws, wss or ws+unix",
};

static const schemes http_schemes = {
    .plain = "http",
    .secure = "https",
    .missing = "URL does not begin with http:// or https://",
    .wrong = "URL scheme is not http or https",
};

static const char *parse_text(weft__url *url, weft_string text, const schemes *schemes)
{
    const char *fault = check_bytes(text);
    if (fault) return fault;
    size_t end = find_either(text, ':', '/');
    if (end == text.length || text.bytes[end] != ':') return schemes->missing;
    weft_string scheme = before(text, end);
    bool is_unix = schemes->unix_socket && weft__string_equals_ignoring_case(scheme, schemes->unix_socket);
    if (is_unix) return parse_unix(url, from(text, end + 1));
    url->secure = weft__string_equals_ignoring_case(scheme, schemes->secure);
    if (!url->secure && !weft__string_equals_ignoring_case(scheme, schemes->plain)) return schemes->wrong;
    return parse_internet(url, from(text, end + 1));
}

static weft_status parse(weft__url *url, weft_string text, const schemes *schemes, weft__problem *problem)
{
    *url = (weft__url){0};
    const char *fault = parse_text(url, text, schemes);
    if (!fault) return WEFT_OK;
    *url = (weft__url){0};
    weft__problem_set(problem, 0, "%s", fault);
    return WEFT_EURL;
}

weft_status weft__url_parse(weft__url *url, weft_string text, weft__problem *problem)
{
    return parse(url, text, &web_socket_schemes, problem);
}

weft_status weft__url_parse_http(weft__url *url, weft_string text, weft__problem *problem)
{
    return parse(url, text, &http_schemes, problem);
}

static char hex_value(char digit)
{
    return (char)(weft__byte_is_digit(digit) ? digit - '0' : weft__byte_lower(digit) - 'a' + 10);
}

bool weft__url_decode(char *out, size_t size, weft_string part)
{
    size_t length = 0;
    for (size_t i = 0; i < part.length; i++) {
        char byte = part.bytes[i];
        if (byte == '%') {
            byte = (char)(hex_value(part.bytes[i + 1]) << 4 | hex_value(part.bytes[i + 2]));
            i += 2;
        }
        if (byte == '\0' || length + 1 >= size) return false;
        out[length++] = byte;
    }
    out[length] = '\0';
    return true;
}
