#ifndef WEFT_NET_ADDRESS_H
#define WEFT_NET_ADDRESS_H

#include "net/stream.h"

struct sockaddr;

/** The numeric form of an IPv4 or IPv6 address. WEFT_EINVAL for another family. */
weft_status weft__address_format(weft__endpoint_address *out, const struct sockaddr *address);

#endif
