#ifndef WEFT_NET_ADDRESS_H
#define WEFT_NET_ADDRESS_H

#include "net/stream.h"

#include <netinet/in.h>
#include <sys/socket.h>

struct addrinfo;

/** An IPv4 or IPv6 address with its port. */
typedef union weft__address {
    struct sockaddr any;
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
} weft__address;

/** The numeric form of an IPv4 or IPv6 address; nothing ("", 0) for a unix socket's. WEFT_EINVAL for another
 *  family. */
weft_status weft__address_format(weft__endpoint_address *out, const struct sockaddr *address);

/** As in a URL, `127.0.0.1:80` or `[::1]:80`, in at least 72 bytes. */
void weft__address_write(char *out, size_t size, const weft__address *address);

/** The address that `host` spells out; false when it is a name. */
bool weft__address_parse(weft__address *out, const char *host, uint16_t port);

/**
 * Copies the first `most` addresses of a name in the order in which they are to be tried: one family and the
 * other by turns, beginning with that of the first answer (RFC 8305 section 4). Returns how many.
 */
size_t weft__address_interleave(weft__address *out, size_t most, const struct addrinfo *answers);

#endif
