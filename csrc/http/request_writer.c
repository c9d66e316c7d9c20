#include "http/request_writer.h"

#include <stdio.h>
#include <string.h>

static void write_line(weft__writer *writer, weft_string method, const weft__url *url)
{
    weft__writer_string(writer, method);
    weft__writer_text(writer, url->path.length ? " " : " /");
    weft__writer_string(writer, url->path);
    if (url->has_query) weft__writer_text(writer, "?");
    weft__writer_string(writer, url->query);
    weft__writer_text(writer, " HTTP/1.1\r\n");
}

static void write_own_host(weft__writer *writer, const weft__url *url)
{
    char port[16];
    weft__writer_text(writer, url->host_is_ipv6 ? "Host: [" : "Host: ");
    /* A socket's path is no host; servers behind one expect a name all the same. */
    weft__writer_string(writer, url->unix_socket ? weft__string("localhost") : url->host);
    if (url->host_is_ipv6) weft__writer_text(writer, "]");
    snprintf(port, sizeof port, ":%u", (unsigned)url->port);
    if (!url->port_is_default) weft__writer_text(writer, port);
    weft__writer_text(writer, "\r\n");
}

static const weft_field *find(const weft_field *fields, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (weft__string_equals_ignoring_case(fields[i].name, name)) return &fields[i];
    }
    return NULL;
}

void weft__request_write_start(weft__writer *writer, weft_string method, const weft__url *url,
                               const weft_field *fields, size_t count)
{
    const weft_field *host = find(fields, count, "Host");
    write_line(writer, method, url);
    if (host) {
        weft__writer_fields(writer, host, 1);
    } else {
        write_own_host(writer, url);
    }
}

void weft__request_write_fields(weft__writer *writer, const weft_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!find(&fields[i], 1, "Host")) weft__writer_fields(writer, &fields[i], 1);
    }
}

bool weft__request_is_method(weft_string method)
{
    /* What a success answered to CONNECT would make a tunnel of what follows (RFC 9110 section 9.3.6). */
    return weft__is_token(method) && method.length <= 32 && !weft__string_equals(method, "CONNECT");
}

/* RFC 9110 section 8.6: said for other methods even when there is none. */
static bool tells_length(const weft__plain_request *request)
{
    if (request->body.length) return true;
    return !weft__string_equals(request->method, "GET") && !weft__string_equals(request->method, "HEAD");
}

/* Room for the whole of it, so that no outgrown block keeps a part. */
static weft_status reserve(weft__buffer *out, const weft__plain_request *request)
{
    enum {
        OWN_FIELDS = 256 /* and the blanks of the first line */
    };
    const weft__url *url = request->url;
    size_t length = OWN_FIELDS + request->method.length + url->host.length + url->path.length +
                    url->query.length + request->body.length;
    for (size_t i = 0; i < request->field_count; i++)
        length += request->fields[i].name.length + request->fields[i].value.length + strlen(": \r\n");
    return weft__buffer_reserve(out, length, SIZE_MAX) ? WEFT_OK : WEFT_ENOMEM;
}

weft_status weft__request_write(weft__buffer *out, const weft__plain_request *request)
{
    char length[48];
    const weft_field *fields = request->fields;
    size_t count = request->field_count;
    weft__writer writer = weft__writer_begin(out);
    writer.status = reserve(out, request);
    weft__request_write_start(&writer, request->method, request->url, fields, count);
    snprintf(length, sizeof length, "Content-Length: %zu\r\n", request->body.length);
    if (tells_length(request)) weft__writer_text(&writer, length);
    weft__writer_text(&writer, "Connection: close\r\n");
    if (!find(fields, count, "Accept-Encoding")) weft__writer_text(&writer, "Accept-Encoding: identity\r\n");
    weft__request_write_fields(&writer, fields, count);
    weft__writer_text(&writer, "\r\n");
    if (request->body.length) weft__writer_string(&writer, request->body);
    return weft__writer_end(&writer);
}
