#ifndef WEFT_FRAME_H
#define WEFT_FRAME_H

#include "weft/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Which side of the connection an endpoint is: it decides who masks (RFC 6455 section 5.1). */
typedef enum weft_role {
    WEFT_CLIENT = 0,
    WEFT_SERVER = 1,
} weft_role;

/** What a frame carries (RFC 6455 section 5.2). */
typedef enum weft_opcode {
    WEFT_OPCODE_CONTINUATION = 0x0,
    WEFT_OPCODE_TEXT = 0x1,
    WEFT_OPCODE_BINARY = 0x2,
    WEFT_OPCODE_CLOSE = 0x8,
    WEFT_OPCODE_PING = 0x9,
    WEFT_OPCODE_PONG = 0xA,
} weft_opcode;

enum {
    WEFT_FRAME_HEADER_MAX = 14,     /**< Bytes of the longest frame header. */
    WEFT_CONTROL_PAYLOAD_MAX = 125, /**< Bytes that a control frame may carry (RFC 6455 section 5.5). */
    WEFT_CLOSE_REASON_MAX = 123,    /**< Bytes of UTF-8 that a close frame's reason may have. */
};

/** A close code of RFC 6455 section 7.4.1 or the IANA registry. */
typedef enum weft_close_code {
    WEFT_CLOSE_NORMAL = 1000,
    WEFT_CLOSE_GOING_AWAY = 1001,
    WEFT_CLOSE_PROTOCOL_ERROR = 1002,
    WEFT_CLOSE_UNSUPPORTED_DATA = 1003,
    WEFT_CLOSE_NO_STATUS = 1005, /**< Reported, never sent: the close frame had no code. */
    WEFT_CLOSE_ABNORMAL = 1006,  /**< Reported, never sent: there was no close frame. */
    WEFT_CLOSE_INVALID_PAYLOAD = 1007,
    WEFT_CLOSE_POLICY_VIOLATION = 1008,
    WEFT_CLOSE_TOO_BIG = 1009,
    WEFT_CLOSE_MANDATORY_EXTENSION = 1010,
    WEFT_CLOSE_INTERNAL_ERROR = 1011,
} weft_close_code;

/** The header of one frame. */
typedef struct weft_frame_header {
    uint64_t payload_length; /**< In bytes, at most 2^63 - 1. */
    uint8_t opcode;          /**< A weft_opcode. */
    uint8_t mask[4];         /**< The masking key where `is_masked`. */
    bool is_final;           /**< The last frame of its message. */
    bool is_masked;          /**< True for what clients send (section 5.1). */
    bool rsv1;               /**< The reserved bits: rsv1 marks a compressed message (RFC 7692 section 6), */
    bool rsv2;               /**< rsv2 */
    bool rsv3;               /**< and rsv3 have no meaning yet. */
} weft_frame_header;

/**
 * Reads a frame header from the start of `bytes`; `*out` is written only when it is whole.
 *
 * Returns the bytes of the header (2 to 14), 0 when it has not arrived whole, or a negative status:
 * WEFT_EPROTOCOL for a reserved opcode, a fragmented control frame, a length that is not in its
 * shortest form or has its top bit set; WEFT_ECONTROL for a control frame over 125 bytes. Whether the
 * reserved bits and the mask are right depends on the endpoint, so the caller checks them.
 * A wrong header is refused as soon as the wrong byte is there (RFC 6455 section 5.2). Thread: any.
 */
WEFT_API int weft_frame_header_read(weft_frame_header *out, const uint8_t *bytes, size_t length);

/**
 * Writes a frame header in its shortest form and returns its bytes, at most WEFT_FRAME_HEADER_MAX.
 * The fields are not checked. Thread: any.
 */
WEFT_API size_t weft_frame_header_write(uint8_t out[WEFT_FRAME_HEADER_MAX], const weft_frame_header *header);

/**
 * Masks or unmasks `length` bytes in place; `offset` says how many bytes of the payload came before
 * these (RFC 6455 section 5.3). Thread: any.
 */
WEFT_API void weft_mask(uint8_t *bytes, size_t length, const uint8_t key[4], uint64_t offset);

/** True for a code that a close frame may carry: 1000 to 1003, 1007 to 1014 and 3000 to 4999
 *  (RFC 6455 section 7.4). Thread: any. */
WEFT_API bool weft_close_code_is_valid(uint16_t code);

#ifdef __cplusplus
}
#endif

#endif
