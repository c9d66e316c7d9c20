#ifndef WEFT_STATUS_H
#define WEFT_STATUS_H

#include "weft/api.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Outcome of a fallible call: WEFT_OK or one negative reason. Values never change;
 * new ones are added at the end, so a `switch` over them needs a `default`.
 */
typedef enum weft_status {
    WEFT_OK = 0,
    WEFT_ENOMEM = -1,        /**< Memory ran out; the call changed nothing. */
    WEFT_EINVAL = -2,        /**< An argument or a setting is out of range. */
    WEFT_ECLOSED = -3,       /**< The handle is closed or closing; nothing was sent. */
    WEFT_EPROTOCOL = -4,     /**< The peer broke RFC 6455: close code 1002. */
    WEFT_ECONTINUATION = -5, /**< A continuation without a start, or a start inside a message: 1002. */
    WEFT_ECONTROL = -6,      /**< A control frame over 125 bytes: 1002 when received, refused when sent. */
    WEFT_EPAYLOAD = -7,      /**< Text is not UTF-8, or compressed data is damaged: close code 1007. */
    WEFT_ETOOBIG = -8,       /**< Over a limit: a frame or a message (close code 1009), or a body. */
    WEFT_EBACKPRESSURE = -9, /**< The send queue is full; nothing of the message was queued. */
    WEFT_EURL = -10,         /**< Not a usable URL of a WebSocket or, for an exchange, of HTTP. */
    WEFT_EHANDSHAKE = -11,   /**< The upgrade was refused, or its answer breaks RFC 6455 section 4. */
    WEFT_ETIMEDOUT = -12,    /**< A deadline passed. */
    WEFT_EREFUSED = -13,     /**< Nobody listens at the address. */
    WEFT_ELOST = -14,        /**< The connection ended without a close frame. */
    WEFT_ERESOLVE = -15,     /**< The host name has no address. */
    WEFT_EADDRESS = -16,     /**< The address to listen on is taken, forbidden or not ours. */
    WEFT_EDUPLICATE = -17,   /**< The path has a service already. */
    WEFT_ENOTATTACHED = -18, /**< No service is attached there. */
    WEFT_EHTTP = -19,        /**< An HTTP head breaks RFC 9112 or a limit. */
    WEFT_ECALLBACK = -20,    /**< A service callback failed: close code 1011. */
    WEFT_ESYSTEM = -21,      /**< The operating system refused; the detail says what. */
    WEFT_ESTATE = -22,       /**< The call does not fit the state of the handle. */
    WEFT_ETLS = -23,         /**< TLS failed: a certificate, a key, the handshake or a record. */
} weft_status;

/** The sentence for a status, in English, static, closed by a NUL. Thread: any. */
WEFT_API const char *weft_status_text(weft_status status);

#ifdef __cplusplus
}
#endif

#endif
