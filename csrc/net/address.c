#include "net/address.h"

#include "net/stream_internal.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>

weft_status weft__address_format(weft__endpoint_address *out, const struct sockaddr *address)
{
    *out = (weft__endpoint_address){0};
    if (address->sa_family == AF_UNIX) return WEFT_OK;
    if (address->sa_family == AF_INET) {
        struct sockaddr_in ipv4;
        memcpy(&ipv4, address, sizeof ipv4);
        out->port = ntohs(ipv4.sin_port);
        return uv_ip4_name(&ipv4, out->host, sizeof out->host) == 0 ? WEFT_OK : WEFT_EINVAL;
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 ipv6;
        memcpy(&ipv6, address, sizeof ipv6);
        out->port = ntohs(ipv6.sin6_port);
        return uv_ip6_name(&ipv6, out->host, sizeof out->host) == 0 ? WEFT_OK : WEFT_EINVAL;
    }
    return WEFT_EINVAL;
}

void weft__address_write(char *out, size_t size, const weft__address *address)
{
    weft__endpoint_address numeric;
    weft__address_format(&numeric, &address->any);
    bool is_ipv6 = address->any.sa_family == AF_INET6;
    snprintf(out, size, is_ipv6 ? "[%s]:%u" : "%s:%u", numeric.host, (unsigned)numeric.port);
}

bool weft__address_parse(weft__address *out, const char *host, uint16_t port)
{
    memset(out, 0, sizeof *out);
    return uv_ip4_addr(host, port, &out->ipv4) == 0 || uv_ip6_addr(host, port, &out->ipv6) == 0;
}

/* The next answer of that family at `*at` or behind it, or NULL; `*at` moves behind it. */
static const struct addrinfo *next_of(const struct addrinfo **at, int family)
{
    const struct addrinfo *found = *at;
    while (found && found->ai_family != family)
        found = found->ai_next;
    *at = found ? found->ai_next : NULL;
    return found;
}

size_t weft__address_interleave(weft__address *out, size_t most, const struct addrinfo *answers)
{
    if (!answers) return 0;
    int families[] = {answers->ai_family, answers->ai_family == AF_INET6 ? AF_INET : AF_INET6};
    const struct addrinfo *at[] = {answers, answers};
    size_t count = 0;
    for (int turn = 0; count < most && (at[0] || at[1]); turn = !turn) {
        const struct addrinfo *next = next_of(&at[turn], families[turn]);
        if (!next || next->ai_addrlen > sizeof *out) continue;
        memset(&out[count], 0, sizeof *out);
        memcpy(&out[count++], next->ai_addr, next->ai_addrlen);
    }
    return count;
}

static weft_status named(const weft__stream *stream, weft__endpoint_address *out,
                         int (*get)(const uv_tcp_t *, struct sockaddr *, int *))
{
    struct sockaddr_storage address = {0}; /* an unnamed end may have no bytes at all */
    int length = sizeof address;
    *out = (weft__endpoint_address){0};
    if (stream->is_closed || get(&stream->uv.tcp, (struct sockaddr *)&address, &length) != 0)
        return WEFT_ESYSTEM;
    return weft__address_format(out, (const struct sockaddr *)&address);
}

weft_status weft__stream_remote_address(const weft__stream *stream, weft__endpoint_address *out)
{
    return named(stream, out, uv_tcp_getpeername);
}

weft_status weft__stream_local_address(const weft__stream *stream, weft__endpoint_address *out)
{
    return named(stream, out, uv_tcp_getsockname);
}
