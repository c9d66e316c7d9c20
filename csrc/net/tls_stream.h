#ifndef WEFT_NET_TLS_STREAM_H
#define WEFT_NET_TLS_STREAM_H

#include "net/stream.h"
#include "tls/engine.h"

/**
 * Speaks TLS on a plain stream from now on, and reads: on_secure tells that the handshake is done, on_end
 * that it failed (WEFT_ETLS with a sentence, or WEFT_ELOST). What is written before on_secure is dropped. A
 * client names the host that it has dialled; a server gives NULL. WEFT_ENOMEM leaves the stream as it was.
 * Inside a turn; of the stream's own events from on_read at most. Bytes that the owner has read are lost to
 * TLS.
 */
weft_status weft__stream_secure(weft__stream *stream, weft_tls *tls, const char *host, uint16_t port);

/** The TLS that the stream speaks, or NULL for none; valid until the stream is closed. */
const weft__tls_engine *weft__stream_tls(const weft__stream *stream);

#endif
