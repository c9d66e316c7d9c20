#include "endpoint/destination.h"

#include "base/allocator.h"
#include "net/unix_socket.h"

#include <string.h>

static weft_status take_host(weft__destination *destination, weft__problem *problem)
{
    weft_string host = destination->url.host;
    weft__problem_set(problem, 0, "the host name is longer than %d characters", WEFT__MAX_HOST);
    if (host.length > WEFT__MAX_HOST) return WEFT_EURL;
    memcpy(destination->host, host.bytes, host.length);
    return WEFT_OK;
}

static weft_status take_path(weft__destination *destination, weft__problem *problem)
{
    size_t most = weft__unix_path_max();
    weft__problem_set(problem, 0, "the path of the unix socket has a NUL, or more than %zu bytes", most);
    return weft__url_decode(destination->host, most + 1, destination->url.host) ? WEFT_OK : WEFT_EURL;
}

static weft_status take_url(weft__destination *destination, weft_string text, weft__url_parser parse,
                            weft__problem *problem)
{
    weft__problem_set(problem, 0, "%s", weft_status_text(WEFT_ENOMEM));
    destination->url_text = weft__alloc(text.length + 1);
    if (!destination->url_text) return WEFT_ENOMEM;
    if (text.length) memcpy(destination->url_text, text.bytes, text.length);
    destination->url_text[text.length] = '\0';
    text.bytes = destination->url_text;
    weft_status status = parse(&destination->url, text, problem);
    if (status != WEFT_OK) return status;

    return destination->url.unix_socket ? take_path(destination, problem) : take_host(destination, problem);
}

static weft_status take_tls(weft__destination *destination, weft_tls *given, weft__problem *problem)
{
    if (given && given->is_server) {
        weft__problem_set(problem, 0, "tls is a server's");
        return WEFT_EINVAL;
    }
    if (!destination->url.secure) return WEFT_OK;
    if (given) {
        destination->tls = weft_tls_retain(given);
        return WEFT_OK;
    }
    weft_tls_config config;
    weft_tls_config_init(&config);
    return weft_tls_open_client(&destination->tls, &config, problem->text, sizeof problem->text);
}

weft_status weft__destination_init(weft__destination *destination, weft_string url, weft__url_parser parse,
                                   weft_tls *tls, weft__problem *problem)
{
    *destination = (weft__destination){0};
    weft_status status = take_url(destination, url, parse, problem);
    return status == WEFT_OK ? take_tls(destination, tls, problem) : status;
}

void weft__destination_clear(weft__destination *destination)
{
    weft_tls_release(destination->tls);
    weft__free(destination->url_text);
}

weft_status weft__destination_dial(const weft__destination *destination, weft__dialer **out, weft_loop *loop,
                                   weft__on_dialled on_dialled, void *owner)
{
    const char *host = destination->host;
    if (destination->url.unix_socket) return weft__dialer_start_unix(out, loop, host, on_dialled, owner);
    return weft__dialer_start(out, loop, host, destination->url.port, on_dialled, owner);
}
