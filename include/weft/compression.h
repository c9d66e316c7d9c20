#ifndef WEFT_COMPRESSION_H
#define WEFT_COMPRESSION_H

#include "weft/frame.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Whose the memory of permessage-deflate is: some 40 KiB to inflate, some 150 KiB to deflate; with windows
 * of 9 bits 8 KiB and 24 KiB. */
typedef enum weft_compression_memory {
    /** The loop's: all its connections use the same contexts in turn, each message stands alone (both
     *  no_context_takeover flags are implied), and an idle connection holds nothing. A connection inside a
     *  message in pieces has what inflates it to itself, up to its end. */
    WEFT_COMPRESSION_SHARED = 0,
    /** The connection's, while it sends or receives: messages may refer to earlier ones, which compresses
     *  small ones better. A connection that is idle for 2 to 4 s gives its contexts back and keeps only the
     *  window that the peer may refer to: as many bytes as came, at most 32 KiB. */
    WEFT_COMPRESSION_DEDICATED = 1,
} weft_compression_memory;

/**
 * permessage-deflate (RFC 7692): what an endpoint asks for, and, out of a handshake, what was agreed. Start
 * from weft_compression_init().
 */
typedef struct weft_compression {
    size_t size;                     /**< Set by init; lets the struct grow at its end. */
    bool enabled;                    /**< False: not offered, declined, or not agreed; true. */
    bool server_no_context_takeover; /**< The server's messages stand alone (section 7.1.1.1); false. */
    bool client_no_context_takeover; /**< The client's do (section 7.1.1.2); false. */
    uint8_t level;                   /**< Effort of compressing: 1 (fast) to 9 (small); 2. */
    uint8_t server_max_window_bits;  /**< Base-2 logarithm of the window that the server compresses with, in
                                          bytes: 9 to 15; 15. Section 7.1.2.1. What was agreed may be 8. */
    uint8_t client_max_window_bits;  /**< The same for the client. A server asks for it only of clients that
                                          offer the parameter (section 7.1.2.2); 9 to 15; 15. Agreed with a
                                          server that wants 8: our messages go uncompressed, as zlib has no
                                          such window. */
    weft_compression_memory memory;  /**< Servers: shared. Clients: dedicated. */
    uint64_t threshold;              /**< Messages of fewer bytes go uncompressed; 64. */
} weft_compression;

/** weft_compression_init for a struct of `size` bytes, as the program knows it. */
WEFT_API void weft_compression_init_sized(weft_compression *compression, weft_role role, size_t size);

/** Writes the defaults of that role, named at the fields. Thread: any. */
static inline void weft_compression_init(weft_compression *compression, weft_role role)
{
    weft_compression_init_sized(compression, role, sizeof *compression);
}

#ifdef __cplusplus
}
#endif

#endif
