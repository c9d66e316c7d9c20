#include "weft/frame.h"

#include "protocol/mask.h"

#include <string.h>

enum {
    FINAL_BIT = 0x80,
    RSV1_BIT = 0x40,
    RSV2_BIT = 0x20,
    RSV3_BIT = 0x10,
    OPCODE_BITS = 0x0F,
    MASK_BIT = 0x80,
    LENGTH_BITS = 0x7F,
    LENGTH_IS_16_BIT = 126,
    LENGTH_IS_64_BIT = 127,
};

static bool opcode_is_known(uint8_t opcode)
{
    return opcode <= WEFT_OPCODE_BINARY || (opcode >= WEFT_OPCODE_CLOSE && opcode <= WEFT_OPCODE_PONG);
}

static uint64_t read_big_endian(const uint8_t *bytes, size_t length)
{
    uint64_t value = 0;
    for (size_t i = 0; i < length; i++)
        value = value << 8 | bytes[i];
    return value;
}

static void write_big_endian(uint8_t *out, uint64_t value, size_t length)
{
    for (size_t i = 0; i < length; i++)
        out[i] = (uint8_t)(value >> 8 * (length - 1 - i));
}

/* The two first bytes, as soon as each is there. */
static weft_status check_start(const uint8_t *bytes, size_t length)
{
    uint8_t opcode = bytes[0] & OPCODE_BITS;
    bool is_control = opcode >= WEFT_OPCODE_CLOSE;
    if (!opcode_is_known(opcode)) return WEFT_EPROTOCOL;
    /* RFC 6455 section 5.5: control frames are short and never fragmented. */
    if (is_control && !(bytes[0] & FINAL_BIT)) return WEFT_EPROTOCOL;
    if (is_control && length > 1 && (bytes[1] & LENGTH_BITS) > WEFT_CONTROL_PAYLOAD_MAX) return WEFT_ECONTROL;
    return WEFT_OK;
}

/* A 64-bit length in the first `length` bytes of a header: its top bit is zero and it does not fit into
 * 16 bits (RFC 6455 section 5.2). Six bytes show both, the last two change neither. */
static bool long_length_is_wrong(const uint8_t *bytes, size_t length)
{
    static const uint8_t short_length[6];
    if (length > 2 && bytes[2] & 0x80) return true;
    return length >= 8 && memcmp(bytes + 2, short_length, sizeof short_length) == 0;
}

int weft_frame_header_read(weft_frame_header *out, const uint8_t *bytes, size_t length)
{
    if (length == 0) return 0;
    weft_status status = check_start(bytes, length);
    if (status != WEFT_OK) return status;
    if (length < 2) return 0;

    uint64_t payload_length = bytes[1] & LENGTH_BITS;
    size_t used = 2;
    if (payload_length >= LENGTH_IS_16_BIT) {
        size_t width = payload_length == LENGTH_IS_16_BIT ? 2 : 8;
        if (width == 8 && long_length_is_wrong(bytes, length)) return WEFT_EPROTOCOL;
        if (length < used + width) return 0;
        payload_length = read_big_endian(bytes + used, width);
        /* RFC 6455 section 5.2: the minimal number of bytes must be used. */
        if (payload_length < LENGTH_IS_16_BIT) return WEFT_EPROTOCOL;
        used += width;
    }
    bool is_masked = bytes[1] & MASK_BIT;
    if (length < used + (is_masked ? 4 : 0)) return 0;

    *out = (weft_frame_header){
        .payload_length = payload_length,
        .opcode = bytes[0] & OPCODE_BITS,
        .is_final = bytes[0] & FINAL_BIT,
        .is_masked = is_masked,
        .rsv1 = bytes[0] & RSV1_BIT,
        .rsv2 = bytes[0] & RSV2_BIT,
        .rsv3 = bytes[0] & RSV3_BIT,
    };
    if (is_masked) memcpy(out->mask, bytes + used, 4);
    return (int)(used + (is_masked ? 4 : 0));
}

size_t weft_frame_header_write(uint8_t out[WEFT_FRAME_HEADER_MAX], const weft_frame_header *header)
{
    uint64_t length = header->payload_length;
    uint8_t mask_bit = header->is_masked ? MASK_BIT : 0;
    size_t used = 2;
    out[0] = (uint8_t)((header->is_final ? FINAL_BIT : 0) | (header->rsv1 ? RSV1_BIT : 0) |
                       (header->rsv2 ? RSV2_BIT : 0) | (header->rsv3 ? RSV3_BIT : 0) | header->opcode);
    if (length < LENGTH_IS_16_BIT) {
        out[1] = (uint8_t)(mask_bit | length);
    } else if (length <= UINT16_MAX) {
        out[1] = mask_bit | LENGTH_IS_16_BIT;
        write_big_endian(out + 2, length, 2);
        used += 2;
    } else {
        out[1] = mask_bit | LENGTH_IS_64_BIT;
        write_big_endian(out + 2, length, 8);
        used += 8;
    }
    if (!header->is_masked) return used;
    memcpy(out + used, header->mask, 4);
    return used + 4;
}

void weft_mask(uint8_t *bytes, size_t length, const uint8_t key[4], uint64_t offset)
{
    weft__mask(bytes, length, key, offset);
}

bool weft_close_code_is_valid(uint16_t code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}
