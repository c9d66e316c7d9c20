#include "net/dialer.h"

#include "base/allocator.h"
#include "net/address.h"
#include "net/stream_internal.h"

#include <stdio.h>
#include <string.h>

struct weft__dialer {
    weft_loop *loop;
    weft__on_dialled on_dialled;
    void *owner;
    bool is_cancelled;
    bool is_resolving;
    uint16_t port;
    uv_getaddrinfo_t resolution;
    struct addrinfo *addresses;     /* of the name, freed with the dialer */
    const struct addrinfo *current; /* the one that is tried */
    uv_connect_t request;
    weft__stream *stream; /* not yet connected */
    int last_error;
    char host[256];
};

static void free_dialer(weft__dialer *dialer)
{
    uv_freeaddrinfo(dialer->addresses);
    weft__loop_release(dialer->loop);
    weft__free(dialer);
}

static void finish(weft__dialer *dialer, weft__stream *stream, weft_status status, const char *detail)
{
    dialer->on_dialled(dialer->owner, stream, status, detail);
    free_dialer(dialer);
}

static void fail_to_connect(weft__dialer *dialer)
{
    char detail[384];
    bool is_refused = dialer->last_error == UV_ECONNREFUSED;
    snprintf(detail, sizeof detail, "cannot connect to %s port %u: %s", dialer->host, (unsigned)dialer->port,
             uv_strerror(dialer->last_error));
    finish(dialer, NULL, is_refused ? WEFT_EREFUSED : WEFT_ESYSTEM, detail);
}

static void try_next(weft__dialer *dialer);

static void on_connected(uv_connect_t *request, int status)
{
    weft__dialer *dialer = request->data;
    weft_loop *loop = dialer->loop;
    weft__turn_begin(loop);
    if (dialer->is_cancelled) {
        free_dialer(dialer);
    } else if (status == 0) {
        weft__stream *stream = dialer->stream;
        dialer->stream = NULL;
        uv_tcp_nodelay(&stream->uv.tcp, 1);
        finish(dialer, stream, WEFT_OK, "");
    } else {
        weft__stream_close(dialer->stream);
        dialer->stream = NULL;
        dialer->last_error = status;
        dialer->current = dialer->current->ai_next;
        try_next(dialer);
    }
    weft__turn_end(loop);
}

static void try_next(weft__dialer *dialer)
{
    for (; dialer->current; dialer->current = dialer->current->ai_next) {
        dialer->stream = weft__stream_new(dialer->loop);
        if (!dialer->stream) {
            finish(dialer, NULL, WEFT_ENOMEM, weft_status_text(WEFT_ENOMEM));
            return;
        }
        dialer->request.data = dialer;
        int result =
            uv_tcp_connect(&dialer->request, &dialer->stream->uv.tcp, dialer->current->ai_addr, on_connected);
        if (result == 0) return;
        weft__stream_close(dialer->stream);
        dialer->stream = NULL;
        dialer->last_error = result;
    }
    fail_to_connect(dialer);
}

static void on_resolved(uv_getaddrinfo_t *resolution, int status, struct addrinfo *addresses)
{
    weft__dialer *dialer = resolution->data;
    weft_loop *loop = dialer->loop;
    weft__turn_begin(loop);
    dialer->is_resolving = false;
    dialer->addresses = addresses;
    dialer->current = addresses;
    if (dialer->is_cancelled) {
        free_dialer(dialer);
    } else if (status != 0) {
        char detail[384];
        snprintf(detail, sizeof detail, "cannot resolve %s: %s", dialer->host, uv_strerror(status));
        finish(dialer, NULL, WEFT_ERESOLVE, detail);
    } else {
        try_next(dialer);
    }
    weft__turn_end(loop);
}

weft_status weft__dialer_start(weft__dialer **out, weft_loop *loop, const char *host, uint16_t port,
                               weft__on_dialled on_dialled, void *owner)
{
    *out = NULL;
    weft__dialer *dialer = weft__alloc_zeroed(sizeof *dialer);
    if (!dialer) return WEFT_ENOMEM;
    dialer->loop = loop;
    dialer->port = port;
    dialer->on_dialled = on_dialled;
    dialer->owner = owner;
    dialer->last_error = UV_EADDRNOTAVAIL;
    dialer->is_resolving = true;
    dialer->resolution.data = dialer;
    char service[8];
    snprintf(service, sizeof service, "%u", (unsigned)port);
    snprintf(dialer->host, sizeof dialer->host, "%s", host);
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    weft__loop_retain(loop);
    if (uv_getaddrinfo(loop->uv, &dialer->resolution, on_resolved, dialer->host, service, &hints) != 0) {
        free_dialer(dialer);
        return WEFT_ESYSTEM;
    }
    *out = dialer;
    return WEFT_OK;
}

void weft__dialer_cancel(weft__dialer *dialer)
{
    if (!dialer) return;
    dialer->is_cancelled = true;
    if (dialer->is_resolving) {
        uv_cancel((uv_req_t *)&dialer->resolution); /* too late is fine: the result is dropped */
    } else {
        weft__stream_close(dialer->stream); /* ends the connect request, which frees the dialer */
    }
}
