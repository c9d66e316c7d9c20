#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* accept4 */
#endif

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
    int socket;
    const weft__acceptor_events *events;
    void *owner;
    uv_poll_t poll;
    weft__stream *next; /* for the next peer: there is memory before one is taken from the system's queue */
    weft__timer retry;
    bool is_starved;
    bool is_stopped;
};

enum {
    RETRY_MS = 100,
    ACCEPT_AT_ONCE = 64, /* then other sockets of the loop have their turn */
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
    default: return uv_strerror(uv_translate_sys_error(error));
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

/* libuv's own way of accepting turns peers away when descriptors run out, and does so without end when even
 * the one that it keeps for this is lost. Here they wait in the system's queue. */

static void on_readable(uv_poll_t *poll, int status, int events);

static int accept_socket(int listening)
{
#ifdef __linux__
    return accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
#else
    int accepted = accept(listening, NULL, NULL);
    if (accepted >= 0) fcntl(accepted, F_SETFD, FD_CLOEXEC);
    return accepted;
#endif
}

/* True when the error tells of one peer, which is gone, and not of the next one: see accept(2). */
static bool is_of_one_peer(int error)
{
    switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENOPROTOOPT:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case EPERM: return true;
    default: return false;
    }
}

static void starve(weft__acceptor *acceptor, int error)
{
    char detail[128];
    uv_poll_stop(&acceptor->poll);
    weft__loop_start_timer(acceptor->loop, &acceptor->retry, RETRY_MS);
    if (acceptor->is_starved) return;
    acceptor->is_starved = true;
    snprintf(detail, sizeof detail, "connections wait to be accepted: %s",
             uv_strerror(uv_translate_sys_error(error)));
    acceptor->events->on_starved(acceptor->owner, error == ENOMEM ? WEFT_ENOMEM : WEFT_ESYSTEM, detail);
}

static void recover(weft__acceptor *acceptor)
{
    if (!acceptor->is_starved) return;
    acceptor->is_starved = false;
    acceptor->events->on_recovered(acceptor->owner);
}

static void take(weft__acceptor *acceptor, int accepted)
{
    weft__stream *stream = acceptor->next;
    acceptor->next = NULL;
    if (uv_tcp_open(&stream->uv.tcp, accepted) == 0) {
        acceptor->events->on_accept(acceptor->owner, stream);
    } else {
        close(accepted);
        weft__stream_close(stream);
    }
}

/* False when no peer waits, or none can be taken now. */
static bool accept_one(weft__acceptor *acceptor)
{
    if (!acceptor->next) acceptor->next = weft__stream_new(acceptor->loop);
    int accepted = acceptor->next ? accept_socket(acceptor->socket) : -1;
    int error = acceptor->next ? errno : ENOMEM;
    if (accepted >= 0) {
        take(acceptor, accepted);
        return !acceptor->is_stopped;
    }
    if (is_of_one_peer(error)) return true;
    if (error == EAGAIN || error == EWOULDBLOCK) {
        recover(acceptor); /* whoever had to wait has been served */
    } else {
        starve(acceptor, error);
    }
    return false;
}

static void accept_some(weft__acceptor *acceptor)
{
    bool goes_on = true;
    for (int i = 0; i < ACCEPT_AT_ONCE && goes_on; i++)
        goes_on = accept_one(acceptor);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    weft__acceptor *acceptor = poll->data;
    weft_loop *loop = acceptor->loop;
    (void)status;
    (void)events;
    weft__turn_begin(loop);
    accept_some(acceptor);
    weft__turn_end(loop);
}

static void on_retry(weft__timer *timer)
{
    weft__acceptor *acceptor = WEFT__CONTAINER(timer, weft__acceptor, retry);
    uv_poll_start(&acceptor->poll, UV_READABLE, on_readable);
    accept_some(acceptor);
}

static void on_closed(uv_handle_t *handle)
{
    weft__acceptor *acceptor = handle->data;
    weft_loop *loop = acceptor->loop;
    weft__free(acceptor);
    weft__loop_release(loop);
}

weft_status weft__acceptor_start(weft__acceptor **out, weft_loop *loop, int socket,
                                 const weft__acceptor_events *events, void *owner)
{
    *out = NULL;
    weft__acceptor *acceptor = weft__alloc_zeroed(sizeof *acceptor);
    int result = acceptor ? uv_poll_init(loop->uv, &acceptor->poll, socket) : UV_ENOMEM;
    if (result != 0) {
        weft__free(acceptor);
        close(socket);
        return result == UV_ENOMEM ? WEFT_ENOMEM : WEFT_ESYSTEM;
    }
    acceptor->loop = loop;
    acceptor->socket = socket;
    acceptor->events = events;
    acceptor->owner = owner;
    acceptor->poll.data = acceptor;
    weft__timer_init(&acceptor->retry, on_retry);
    weft__loop_retain(loop);
    uv_poll_start(&acceptor->poll, UV_READABLE, on_readable);
    *out = acceptor;
    return WEFT_OK;
}

void weft__acceptor_stop(weft__acceptor *acceptor)
{
    if (!acceptor) return;
    acceptor->is_stopped = true;
    weft__timer_stop(&acceptor->retry);
    weft__stream_close(acceptor->next);
    acceptor->next = NULL;
    uv_close((uv_handle_t *)&acceptor->poll, on_closed);
    close(acceptor->socket); /* libuv has let go of it by now */
}
