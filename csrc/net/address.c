#include "net/address.h"

#include "net/stream_internal.h"

#include <string.h>

weft_status weft__address_format(weft__endpoint_address *out, const struct sockaddr *address)
{
    *out = (weft__endpoint_address){0};
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

static weft_status named(const weft__stream *stream, weft__endpoint_address *out,
                         int (*get)(const uv_tcp_t *, struct sockaddr *, int *))
{
    struct sockaddr_storage address;
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
