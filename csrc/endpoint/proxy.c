#include "endpoint/proxy.h"

#include "base/base64.h"
#include "base/config.h"
#include "http/authority.h"
#include "http/response.h"
#include "http/writer.h"

#include <stdio.h>
#include <string.h>

void weft_proxy_init_sized(weft_proxy *proxy, size_t size)
{
    const weft_proxy defaults = {0};
    weft__config_init(proxy, size, &defaults, sizeof defaults);
}

/* -- settings ---------------------------------------------------------------------------------- */

static bool has_control(weft_string text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.bytes[i];
        if (byte < 0x20 || byte == 0x7f) return true;
    }
    return false;
}

/* A name or number as in a URL, IPv6 without its brackets. NULL, or what is wrong. */
static const char *check_host(weft_string host)
{
    char text[264];
    bool is_ipv6 = host.length && memchr(host.bytes, ':', host.length);
    if (has_control(host)) return "it has control characters";
    if (host.length > 255) return "it is longer than 255 characters";
    int length = snprintf(text, sizeof text, is_ipv6 ? "[%.*s]" : "%.*s", (int)host.length,
                          host.length ? host.bytes : "");
    weft__authority authority;
    return weft__authority_parse(&authority, (weft_string){text, (size_t)length});
}

/* RFC 7617 section 2: neither has control characters, and the first colon ends the user. */
static const char *check_credentials(const weft_proxy *given)
{
    if (has_control(given->username)) return "proxy.username has control characters";
    if (has_control(given->password)) return "proxy.password has control characters";
    if (!given->username.length) return given->password.length ? "proxy.username is empty" : NULL;
    bool has_colon = memchr(given->username.bytes, ':', given->username.length);
    return has_colon ? "proxy.username has a colon" : NULL;
}

static weft_status check(const weft_proxy *given, const weft__url *target, weft__problem *problem)
{
    const char *wrong_host = check_host(given->host), *wrong = check_credentials(given);
    if (!given->port) wrong = "proxy.port is 0";
    if (target->unix_socket) wrong = "proxy: no proxy leads to a unix domain socket";
    if (wrong) weft__problem_set(problem, 0, "%s", wrong);
    if (wrong_host) weft__problem_set(problem, 0, "proxy.host: %s", wrong_host);
    return wrong || wrong_host ? WEFT_EINVAL : WEFT_OK;
}

/* -- the request ------------------------------------------------------------------------------- */

static void write_target(weft__writer *writer, const weft__url *target)
{
    char port[8];
    snprintf(port, sizeof port, ":%u", (unsigned)target->port);
    if (target->host_is_ipv6) weft__writer_text(writer, "[");
    weft__writer_string(writer, target->host);
    weft__writer_text(writer, target->host_is_ipv6 ? "]" : "");
    weft__writer_text(writer, port);
}

/* "user:password" in base64, closed by a NUL. */
static weft_status encode(weft__buffer *out, const weft_proxy *given)
{
    weft__buffer plain = {0};
    size_t plain_length = given->username.length + 1 + given->password.length;
    weft_status status = weft__buffer_reserve(&plain, plain_length, SIZE_MAX) ? WEFT_OK : WEFT_ENOMEM;
    if (status == WEFT_OK)
        status = weft__buffer_append(&plain, given->username.bytes, given->username.length, SIZE_MAX);
    if (status == WEFT_OK) status = weft__buffer_append(&plain, ":", 1, SIZE_MAX);
    if (status == WEFT_OK)
        status = weft__buffer_append(&plain, given->password.bytes, given->password.length, SIZE_MAX);
    size_t length = weft__base64_length(weft__buffer_length(&plain));
    uint8_t *room = status == WEFT_OK ? weft__buffer_reserve(out, length + 1, SIZE_MAX) : NULL;
    if (room) {
        weft__base64_encode((char *)room, weft__buffer_front(&plain), weft__buffer_length(&plain));
        weft__buffer_commit(out, length);
    }
    weft__buffer_wipe(&plain);
    return room ? WEFT_OK : WEFT_ENOMEM;
}

static weft_status write_request(weft__proxy *proxy, const weft_proxy *given, const weft__url *target)
{
    weft__buffer credentials = {0};
    if (given->username.length && encode(&credentials, given) != WEFT_OK) return WEFT_ENOMEM;
    weft__writer writer = weft__writer_begin(&proxy->request);
    weft__writer_text(&writer, "CONNECT ");
    write_target(&writer, target);
    weft__writer_text(&writer, " HTTP/1.1\r\nHost: ");
    write_target(&writer, target);
    if (given->username.length) {
        weft__writer_text(&writer, "\r\nProxy-Authorization: Basic ");
        weft__writer_string(&writer, (weft_string){(const char *)weft__buffer_front(&credentials),
                                                   weft__buffer_length(&credentials)});
    }
    weft__writer_text(&writer, "\r\n\r\n");
    weft__buffer_wipe(&credentials);
    return weft__writer_end(&writer);
}

weft_status weft__proxy_init(weft__proxy *proxy, const weft_proxy *given, const weft__url *target,
                             weft__problem *problem)
{
    *proxy = (weft__proxy){0};
    if (!given) return WEFT_OK;
    weft_proxy taken;
    weft_proxy_init(&taken);
    weft__problem_set(problem, 0, "proxy is not initialised");
    if (weft__config_take(&taken, given, sizeof taken) != WEFT_OK) return WEFT_EINVAL;
    weft_status status = check(&taken, target, problem);
    if (status != WEFT_OK) return status;
    weft__problem_set(problem, 0, "%s", weft_status_text(WEFT_ENOMEM));
    memcpy(proxy->host, taken.host.bytes, taken.host.length);
    proxy->port = taken.port;
    proxy->is_wanted = true;
    return write_request(proxy, &taken, target);
}

void weft__proxy_clear(weft__proxy *proxy)
{
    weft__buffer_wipe(&proxy->request);
}

/* -- the answer -------------------------------------------------------------------------------- */

weft_status weft__proxy_check_answer(const weft__head *answer, weft__problem *problem)
{
    if (answer->status >= 200 && answer->status < 300) return WEFT_OK;
    const char *phrase = weft__reason_phrase(answer->status);
    weft__problem_set(problem, 0, "the proxy answered %u%s%s and opened no tunnel", (unsigned)answer->status,
                      *phrase ? " " : "", phrase);
    return WEFT_EHANDSHAKE;
}
