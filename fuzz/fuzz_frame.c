/* A header read is written as the same bytes; a header written is read back; a cut changes no verdict. */
#include "weft/frame.h"

#include <stdlib.h>
#include <string.h>

static void check_cuts(const uint8_t *bytes, size_t length, int verdict)
{
    weft_frame_header part;
    for (size_t cut = 0; cut < length; cut++) {
        int found = weft_frame_header_read(&part, bytes, cut);
        if (found != 0 && found != verdict) abort();
        if (verdict > 0 && (found == verdict) != (cut >= (size_t)verdict)) abort();
    }
}

/* A valid header chosen by the input: each width of length is as likely as the others. */
static weft_frame_header header_from(const uint8_t bytes[16])
{
    static const uint8_t opcodes[] = {0x0, 0x1, 0x2, 0x8, 0x9, 0xA};
    weft_frame_header header = {.opcode = opcodes[bytes[0] % sizeof opcodes]};
    bool is_control = header.opcode >= WEFT_OPCODE_CLOSE;
    memcpy(&header.payload_length, bytes + 1, 8);
    header.payload_length >>= 1 + bytes[9] % 63;
    if (is_control) header.payload_length %= WEFT_CONTROL_PAYLOAD_MAX + 1;
    header.is_final = is_control || bytes[10] & 1;
    header.is_masked = bytes[10] & 2;
    header.rsv1 = bytes[10] & 4;
    header.rsv2 = bytes[10] & 8;
    header.rsv3 = bytes[10] & 16;
    if (header.is_masked) memcpy(header.mask, bytes + 11, 4);
    return header;
}

static void check_round_trip(const weft_frame_header *header)
{
    uint8_t bytes[WEFT_FRAME_HEADER_MAX], again[WEFT_FRAME_HEADER_MAX];
    weft_frame_header read = {0};
    size_t length = weft_frame_header_write(bytes, header);
    if (weft_frame_header_read(&read, bytes, length) != (int)length) abort();
    if (weft_frame_header_write(again, &read) != length || memcmp(bytes, again, length) != 0) abort();
    if (read.payload_length != header->payload_length || read.opcode != header->opcode) abort();
    if (read.is_final != header->is_final || read.is_masked != header->is_masked) abort();
    if (read.rsv1 != header->rsv1 || read.rsv2 != header->rsv2 || read.rsv3 != header->rsv3) abort();
    if (memcmp(read.mask, header->mask, 4) != 0) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    weft_frame_header header;
    uint8_t written[WEFT_FRAME_HEADER_MAX], choice[16] = {0};
    int verdict = weft_frame_header_read(&header, data, size);
    check_cuts(data, size < WEFT_FRAME_HEADER_MAX + 1 ? size : WEFT_FRAME_HEADER_MAX + 1, verdict);
    if (verdict > 0) {
        size_t length = weft_frame_header_write(written, &header);
        if (length != (size_t)verdict || memcmp(written, data, length) != 0) abort();
    }
    if (size) memcpy(choice, data, size < sizeof choice ? size : sizeof choice);
    header = header_from(choice);
    check_round_trip(&header);
    return 0;
}
