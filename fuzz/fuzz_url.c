/* A URL written back from its parts has the same parts. */
#include "http/url.h"
#include "http/writer.h"

#include <stdio.h>
#include <stdlib.h>

typedef weft_status (*parser)(weft__url *url, weft_string text, weft__problem *problem);

static weft__buffer write_back(const weft__url *url, const char *plain, const char *secure)
{
    char port[16];
    weft__buffer out = {0};
    weft__writer writer = weft__writer_begin(&out);
    snprintf(port, sizeof port, ":%u", url->port);
    weft__writer_text(&writer, url->unix_socket ? "ws+unix:" : url->secure ? secure : plain);
    weft__writer_text(&writer, url->host_is_ipv6 ? "[" : "");
    weft__writer_string(&writer, url->host);
    weft__writer_text(&writer, url->host_is_ipv6 ? "]" : "");
    weft__writer_text(&writer, url->unix_socket ? ":" : port);
    weft__writer_string(&writer, url->path);
    weft__writer_text(&writer, url->has_query ? "?" : "");
    weft__writer_string(&writer, url->query);
    if (weft__writer_end(&writer) != WEFT_OK) abort();
    return out;
}

static void check(weft_string given, parser parse, const char *plain, const char *secure)
{
    weft__url url, again;
    weft__problem problem;
    if (parse(&url, given, &problem) != WEFT_OK) return;
    weft__buffer out = write_back(&url, plain, secure);
    weft_string text = {(const char *)weft__buffer_front(&out), weft__buffer_length(&out)};
    if (parse(&again, text, &problem) != WEFT_OK) abort();
    if (again.secure != url.secure || again.unix_socket != url.unix_socket || again.port != url.port) abort();
    if (again.port_is_default != url.port_is_default || again.host_is_ipv6 != url.host_is_ipv6) abort();
    if (!weft__string_is_same(again.host, url.host) || !weft__string_is_same(again.path, url.path)) abort();
    if (again.has_query != url.has_query || !weft__string_is_same(again.query, url.query)) abort();
    weft__buffer_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const weft_string given = {(const char *)data, size};
    check(given, weft__url_parse, "ws://", "wss://");
    check(given, weft__url_parse_http, "http://", "https://");
    return 0;
}
