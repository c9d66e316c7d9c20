#include "http/response.h"

#include "http/fields.h"
#include "http/writer.h"

#include <stdio.h>
#include <string.h>

static void write_status_line(weft__writer *writer, uint16_t status)
{
    char line[64];
    /* The space behind the status stays where there is no phrase (RFC 9112 section 4). */
    snprintf(line, sizeof line, "HTTP/1.1 %u %s\r\n", (unsigned)status, weft__reason_phrase(status));
    weft__writer_text(writer, line);
}

static void write_content_length(weft__writer *writer, size_t length)
{
    char line[64];
    snprintf(line, sizeof line, "Content-Length: %zu\r\n", length);
    weft__writer_text(writer, line);
}

weft_status weft__response_write(weft__buffer *out, const weft__response *response)
{
    uint16_t status = response->status;
    if (status < 100 || status > 999) return WEFT_EINVAL;
    bool has_body = weft__response_has_body(status);

    weft__writer writer = weft__writer_begin(out);
    write_status_line(&writer, status);
    weft__writer_optional(&writer, "Server", response->server);
    weft__writer_optional(&writer, "Connection", response->connection);
    if (has_body) write_content_length(&writer, response->body.length);
    weft__writer_fields(&writer, response->fields, response->field_count);
    weft__writer_text(&writer, "\r\n");
    if (has_body && !response->head_request) weft__writer_string(&writer, response->body);
    return weft__writer_end(&writer);
}

const char *weft__response_connection(bool keep_alive, uint8_t minor_version)
{
    if (!keep_alive) return "close";
    return minor_version == 0 ? "keep-alive" : "";
}

weft_status weft__response_append(weft__buffer *out, const weft__buffer *response, const char *connection)
{
    const char *bytes = (const char *)weft__buffer_front(response);
    size_t length = weft__buffer_length(response);
    size_t line = (size_t)((const char *)memchr(bytes, '\n', length) - bytes) + 1;
    weft__writer writer = weft__writer_begin(out);
    weft__writer_string(&writer, (weft_string){bytes, line});
    weft__writer_optional(&writer, "Connection", weft__string(connection));
    weft__writer_string(&writer, (weft_string){bytes + line, length - line});
    return weft__writer_end(&writer);
}

bool weft__response_has_body(uint16_t status)
{
    return status >= 200 && status != 204 && status != 304;
}

const char *weft__reason_phrase(uint16_t status)
{
    switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 103: return "Early Hints";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 203: return "Non-Authoritative Information";
    case 204: return "No Content";
    case 205: return "Reset Content";
    case 206: return "Partial Content";
    case 300: return "Multiple Choices";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 402: return "Payment Required";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 407: return "Proxy Authentication Required";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 416: return "Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 426: return "Upgrade Required";
    case 428: return "Precondition Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 451: return "Unavailable For Legal Reasons";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return "";
    }
}
