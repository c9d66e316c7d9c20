#ifndef WEFT_WEFT_H
#define WEFT_WEFT_H

/** The whole of Weft's C API in one include. */

#include "weft/allocator.h"
#include "weft/client.h"
#include "weft/compression.h"
#include "weft/connection.h"
#include "weft/exchange.h"
#include "weft/frame.h"
#include "weft/handshake.h"
#include "weft/listener.h"
#include "weft/loop.h"
#include "weft/session.h"
#include "weft/signing.h"
#include "weft/status.h"
#include "weft/tls.h"

#endif
