#include "net/acceptor.h"

#include "base/allocator.h"
#include "net/address.h"
#include "net/stream_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct weft__acceptor {
    weft_loop *loop;
    uv_tcp_t handle;
    weft__on_accept on_accept;
    void *owner;
    weft__timer retry; /* libuv keeps a peer that could not be taken, and accepts no other until it is */
};

enum {
    RETRY_MS = 100
};

/* -- the socket -------------------------------------------------------------------------------- */

static weft_status fail(weft_status status, const weft__listen_address *address, const char *cause,
                        char *detail, size_t detail_size)
{
    bool is_ipv6 = strchr(address->host, ':') != NULL;
    snprintf(detail, detail_size, is_ipv6 ? "cannot listen on [%s]:%u: %s" : "cannot listen on %s:%u: %s",
             address->host, (unsigned)address->port, cause);
    return status;
}

static weft_status status_of(int error)
{
    switch (error) {
    case EADDRINUSE:
    case EADDRNOTAVAIL:
    case EACCES: return WEFT_EADDRESS;
    case ENOMEM: return WEFT_ENOMEM;
    default: return WEFT_ESYSTEM;
    }
}

static const char *cause_of(int error)
{
    switch (error) {
    case EADDRINUSE: return "address in use";
    case EADDRNOTAVAIL: return "not an address of this machine";
    case EACCES: return "permission denied";
    default: return strerror(error);
    }
}

static int set_option(int socket, int level, int option, int value)
{
    return setsockopt(socket, level, option, &value, sizeof value);
}

/* A bound socket, or -1 with errno set. */
static int bind_socket(const struct addrinfo *info, bool is_shared)
{
    int bound = socket(info->ai_family, SOCK_STREAM, 0);
    if (bound < 0) return -1;
    bool ok = fcntl(bound, F_SETFD, FD_CLOEXEC) == 0; /* not for programs that this one starts */
    ok = ok && set_option(bound, SOL_SOCKET, SO_REUSEADDR, 1) == 0;
    /* Accepted connections inherit it: small messages leave at once. */
    ok = ok && set_option(bound, IPPROTO_TCP, TCP_NODELAY, 1) == 0;
    if (is_shared) ok = ok && set_option(bound, SOL_SOCKET, SO_REUSEPORT, 1) == 0;
    if (info->ai_family == AF_INET6) ok = ok && set_option(bound, IPPROTO_IPV6, IPV6_V6ONLY, 0) == 0;
    if (ok && bind(bound, info->ai_addr, info->ai_addrlen) == 0) return bound;
    int error = errno;
    close(bound);
    errno = error;
    return -1;
}

/* SO_REUSEPORT would let us in beside another program of the same user; a socket without it is not let in. */
static bool is_free(const struct addrinfo *info)
{
    int probe = bind_socket(info, false);
    if (probe < 0) return false;
    close(probe);
    return true;
}

static int listening_socket(const struct addrinfo *info, const weft__listen_address *address,
                            weft__endpoint_address *bound)
{
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    int listening = bind_socket(info, address->is_shared);
    if (listening < 0) return -1;
    if (listen(listening, address->backlog) == 0 &&
        getsockname(listening, (struct sockaddr *)&name, &length) == 0 &&
        weft__address_format(bound, (const struct sockaddr *)&name) == WEFT_OK) {
        return listening;
    }
    int error = errno;
    close(listening);
    errno = error;
    return -1;
}

weft_status weft__listening_socket_open(int *out, weft__endpoint_address *bound,
                                        const weft__listen_address *address, char *detail, size_t detail_size)
{
    *out = -1;
    char service[8];
    snprintf(service, sizeof service, "%u", (unsigned)address->port);
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    int failure = getaddrinfo(address->host, service, &hints, &found);
    if (failure != 0) return fail(WEFT_ERESOLVE, address, gai_strerror(failure), detail, detail_size);

    int error = EADDRNOTAVAIL;
    for (const struct addrinfo *info = found; info && *out < 0; info = info->ai_next) {
        bool is_taken = address->is_shared && address->is_first && !is_free(info);
        *out = is_taken ? -1 : listening_socket(info, address, bound);
        if (*out < 0) error = errno;
    }
    freeaddrinfo(found);
    if (*out >= 0) return WEFT_OK;
    return fail(status_of(error), address, cause_of(error), detail, detail_size);
}

void weft__listening_socket_close(int socket)
{
    if (socket >= 0) close(socket);
}

/* -- accepting --------------------------------------------------------------------------------- */

static void accept_one(weft__acceptor *acceptor)
{
    weft__stream *stream = weft__stream_new(acceptor->loop);
    if (!stream) {
        weft__loop_start_timer(acceptor->loop, &acceptor->retry, RETRY_MS);
    } else if (uv_accept((uv_stream_t *)&acceptor->handle, &stream->uv.stream) == 0) {
        acceptor->on_accept(acceptor->owner, stream);
    } else {
        weft__stream_close(stream);
    }
}

static void on_connection(uv_stream_t *handle, int status)
{
    weft__acceptor *acceptor = handle->data;
    weft_loop *loop = acceptor->loop;
    if (status != 0) return; /* out of descriptors and the like: libuv has turned the peer away */
    weft__turn_begin(loop);
    accept_one(acceptor);
    weft__turn_end(loop);
}

static void on_retry(weft__timer *timer)
{
    accept_one(WEFT__CONTAINER(timer, weft__acceptor, retry));
}

static void on_closed(uv_handle_t *handle)
{
    weft__acceptor *acceptor = handle->data;
    weft_loop *loop = acceptor->loop;
    weft__free(acceptor);
    weft__loop_release(loop);
}

weft_status weft__acceptor_start(weft__acceptor **out, weft_loop *loop, int socket, int backlog,
                                 weft__on_accept on_accept, void *owner)
{
    *out = NULL;
    weft__acceptor *acceptor = weft__alloc_zeroed(sizeof *acceptor);
    if (!acceptor) {
        close(socket);
        return WEFT_ENOMEM;
    }
    acceptor->loop = loop;
    acceptor->on_accept = on_accept;
    acceptor->owner = owner;
    weft__timer_init(&acceptor->retry, on_retry);
    weft__loop_retain(loop);
    uv_tcp_init(loop->uv, &acceptor->handle);
    acceptor->handle.data = acceptor;
    if (uv_tcp_open(&acceptor->handle, socket) != 0) {
        close(socket);
        goto fail;
    }
    if (uv_listen((uv_stream_t *)&acceptor->handle, backlog, on_connection) != 0) goto fail;
    *out = acceptor;
    return WEFT_OK;

fail:
    uv_close((uv_handle_t *)&acceptor->handle, on_closed);
    return WEFT_ESYSTEM;
}

void weft__acceptor_stop(weft__acceptor *acceptor)
{
    if (!acceptor) return;
    weft__timer_stop(&acceptor->retry);
    uv_close((uv_handle_t *)&acceptor->handle, on_closed);
}
