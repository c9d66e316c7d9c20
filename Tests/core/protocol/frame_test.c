#include "check.h"

#include "weft/frame.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Reads from a block of exactly `length` bytes, so that a read beyond it is seen. */
static int read_exactly(weft_frame_header *out, const uint8_t *bytes, size_t length)
{
    uint8_t *copy = malloc(length ? length : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, length);
    int verdict = weft_frame_header_read(out, copy, length);
    free(copy);
    return verdict;
}

static void assert_headers_equal(const weft_frame_header *a, const weft_frame_header *b)
{
    assert_true(a->payload_length == b->payload_length);
    assert_int_equal(a->opcode, b->opcode);
    assert_int_equal(a->is_final, b->is_final);
    assert_int_equal(a->is_masked, b->is_masked);
    assert_int_equal(a->rsv1, b->rsv1);
    assert_int_equal(a->rsv2, b->rsv2);
    assert_int_equal(a->rsv3, b->rsv3);
    assert_memory_equal(a->mask, b->mask, 4);
}

/* Reads the header whole and cut at every byte; `*decided_at` is the first length with a verdict. */
static int read_at_every_cut(weft_frame_header *out, size_t *decided_at, const uint8_t *bytes, size_t length)
{
    int verdict = read_exactly(out, bytes, length);
    *decided_at = SIZE_MAX;
    for (size_t cut = 0; cut <= length; cut++) {
        weft_frame_header part = {0};
        int found = read_exactly(&part, bytes, cut);
        if (found == 0) {
            assert_true(*decided_at == SIZE_MAX);
            continue;
        }
        assert_int_equal(found, verdict);
        if (found > 0) assert_headers_equal(&part, out);
        if (*decided_at == SIZE_MAX) *decided_at = cut;
    }
    if (verdict > 0) assert_int_equal(*decided_at, verdict);
    return verdict;
}

static void test_lengths_take_their_shortest_form(void **state)
{
    (void)state;
    static const struct {
        uint64_t length;
        size_t header_length;
        uint8_t bytes[10];
    } cases[] = {
        {0, 2, {0x82, 0}},
        {1, 2, {0x82, 1}},
        {125, 2, {0x82, 125}},
        {126, 4, {0x82, 126, 0, 126}},
        {127, 4, {0x82, 126, 0, 127}},
        {0x1234, 4, {0x82, 126, 0x12, 0x34}},
        {65535, 4, {0x82, 126, 0xFF, 0xFF}},
        {65536, 10, {0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0}},
        {UINT64_C(0x0102030405060708), 10, {0x82, 127, 1, 2, 3, 4, 5, 6, 7, 8}},
        {INT64_MAX, 10, {0x82, 127, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        weft_frame_header header = {
            .payload_length = cases[i].length, .opcode = WEFT_OPCODE_BINARY, .is_final = true};
        uint8_t written[WEFT_FRAME_HEADER_MAX];
        assert_int_equal(weft_frame_header_write(written, &header), cases[i].header_length);
        assert_memory_equal(written, cases[i].bytes, cases[i].header_length);
        weft_frame_header read;
        size_t decided_at;
        int used = read_at_every_cut(&read, &decided_at, written, cases[i].header_length);
        assert_int_equal(used, cases[i].header_length);
        assert_headers_equal(&read, &header);
    }
}

static void test_a_header_written_is_read_back(void **state)
{
    (void)state;
    static const uint64_t lengths[] = {0, 1, 125, 126, 127, 65535, 65536, INT64_MAX};
    for (size_t i = 0; i < COUNT(lengths) * 32; i++) {
        weft_frame_header header = {
            .payload_length = lengths[i / 32],
            .opcode = i & 16 ? WEFT_OPCODE_TEXT : WEFT_OPCODE_CONTINUATION,
            .is_masked = i & 8,
            .rsv1 = i & 4,
            .rsv2 = i & 2,
            .rsv3 = i & 1,
        };
        if (header.is_masked) memcpy(header.mask, "\xDE\xAD\x00\x0F", 4);
        uint8_t bytes[WEFT_FRAME_HEADER_MAX];
        size_t length = weft_frame_header_write(bytes, &header);
        weft_frame_header read;
        size_t decided_at;
        assert_int_equal(read_at_every_cut(&read, &decided_at, bytes, length), length);
        assert_headers_equal(&read, &header);
    }
}

typedef struct wrong_header {
    uint8_t bytes[WEFT_FRAME_HEADER_MAX];
    size_t decided_at; /* bytes that already show what is wrong */
    weft_status status;
} wrong_header;

static void assert_refused(const wrong_header *cases, size_t count)
{
    for (size_t i = 0; i < count * 2; i++) {
        wrong_header wrong = cases[i / 2];
        if (i & 1) wrong.bytes[1] |= 0x80;
        weft_frame_header read;
        size_t decided_at;
        int verdict = read_at_every_cut(&read, &decided_at, wrong.bytes, sizeof wrong.bytes);
        assert_int_equal(verdict, wrong.status);
        assert_int_equal(decided_at, wrong.decided_at);
    }
}

static void test_overlong_lengths_are_refused(void **state)
{
    (void)state;
    static const wrong_header cases[] = {
        {{0x82, 126, 0, 0}, 4, WEFT_EPROTOCOL},
        {{0x82, 126, 0, 1}, 4, WEFT_EPROTOCOL},
        {{0x82, 126, 0, 125}, 4, WEFT_EPROTOCOL},
        {{0x82, 127, 0, 0, 0, 0, 0, 0, 0, 0}, 8, WEFT_EPROTOCOL},
        {{0x82, 127, 0, 0, 0, 0, 0, 0, 0, 125}, 8, WEFT_EPROTOCOL},
        {{0x82, 127, 0, 0, 0, 0, 0, 0, 0, 126}, 8, WEFT_EPROTOCOL},
        {{0x82, 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF}, 8, WEFT_EPROTOCOL},
    };
    assert_refused(cases, COUNT(cases));
}

static void test_a_length_with_its_top_bit_set_is_refused(void **state)
{
    (void)state;
    static const wrong_header cases[] = {
        {{0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0}, 3, WEFT_EPROTOCOL},
        {{0x82, 127, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, 3, WEFT_EPROTOCOL},
        {{0x00, 127, 0x80, 0, 0, 0, 0, 0, 0, 1}, 3, WEFT_EPROTOCOL},
    };
    assert_refused(cases, COUNT(cases));
}

static void test_reserved_opcodes_are_refused(void **state)
{
    (void)state;
    static const uint8_t reserved[] = {3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF};
    for (size_t i = 0; i < COUNT(reserved); i++) {
        const wrong_header cases[] = {
            {{0x80 | reserved[i], 0}, 1, WEFT_EPROTOCOL},
            {{reserved[i], 5}, 1, WEFT_EPROTOCOL},
        };
        assert_refused(cases, COUNT(cases));
    }
}

static void test_control_frames_are_never_fragmented(void **state)
{
    (void)state;
    static const wrong_header cases[] = {
        {{WEFT_OPCODE_CLOSE, 0}, 1, WEFT_EPROTOCOL},
        {{WEFT_OPCODE_PING, 0}, 1, WEFT_EPROTOCOL},
        {{WEFT_OPCODE_PONG, 126}, 1, WEFT_EPROTOCOL},
    };
    assert_refused(cases, COUNT(cases));
}

static void test_control_frames_over_125_bytes_are_refused(void **state)
{
    (void)state;
    static const wrong_header cases[] = {
        {{0x80 | WEFT_OPCODE_CLOSE, 126, 0, 126}, 2, WEFT_ECONTROL},
        {{0x80 | WEFT_OPCODE_PING, 126, 0, 10}, 2, WEFT_ECONTROL},
        {{0x80 | WEFT_OPCODE_PONG, 127, 0, 0, 0, 0, 0, 1}, 2, WEFT_ECONTROL},
    };
    assert_refused(cases, COUNT(cases));
    for (uint8_t opcode = WEFT_OPCODE_CLOSE; opcode <= WEFT_OPCODE_PONG; opcode++) {
        const uint8_t longest[] = {0x80 | opcode, 125};
        weft_frame_header read;
        assert_int_equal(read_exactly(&read, longest, 2), 2);
        assert_int_equal(read.payload_length, 125);
    }
}

/* The rules about the two first bytes, in the words of RFC 6455 section 5.2 and 5.5. */
static int verdict_on_start(uint8_t first, uint8_t second)
{
    uint8_t opcode = first % 16, length = second % 128;
    bool is_final = first >= 128, is_masked = second >= 128;
    if ((opcode > 2 && opcode < 8) || opcode > 10) return WEFT_EPROTOCOL;
    if (opcode >= 8 && !is_final) return WEFT_EPROTOCOL;
    if (opcode >= 8 && length > 125) return WEFT_ECONTROL;
    if (length > 125) return 0;
    return is_masked ? 0 : 2;
}

static void test_every_pair_of_first_bytes_gets_the_verdict_of_the_rfc(void **state)
{
    (void)state;
    for (unsigned pair = 0; pair < 65536; pair++) {
        const uint8_t bytes[2] = {(uint8_t)(pair >> 8), (uint8_t)pair};
        weft_frame_header read;
        int verdict = weft_frame_header_read(&read, bytes, 2);
        assert_int_equal(verdict, verdict_on_start(bytes[0], bytes[1]));
        if (verdict <= 0) continue;
        assert_int_equal(read.is_final, pair >> 15 & 1);
        assert_int_equal(read.rsv1, pair >> 14 & 1);
        assert_int_equal(read.rsv2, pair >> 13 & 1);
        assert_int_equal(read.rsv3, pair >> 12 & 1);
        assert_int_equal(read.opcode, pair >> 8 & 15);
        assert_int_equal(read.payload_length, pair & 127);
        assert_false(read.is_masked);
    }
}

static void test_the_masking_key_follows_the_length(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {0x81, 0xFE, 0x01, 0x00, 0x37, 0xFA, 0x21, 0x3D};
    weft_frame_header read;
    size_t decided_at;
    assert_int_equal(read_at_every_cut(&read, &decided_at, bytes, sizeof bytes), 8);
    assert_true(read.is_masked);
    assert_int_equal(read.payload_length, 256);
    assert_memory_equal(read.mask, bytes + 4, 4);
}

static void test_masking_goes_on_at_any_offset(void **state)
{
    (void)state;
    static const uint8_t key[] = {0x37, 0xFA, 0x21, 0x3D};
    static const uint8_t masked[] = {0x7F, 0x9F, 0x4D, 0x51, 0x58}; /* RFC 6455 section 5.7 */
    for (size_t cut = 0; cut <= 5; cut++) {
        uint8_t bytes[] = {'H', 'e', 'l', 'l', 'o'};
        weft_mask(bytes, cut, key, 0);
        weft_mask(bytes + cut, 5 - cut, key, cut);
        assert_memory_equal(bytes, masked, 5);
    }
}

static void test_close_codes_are_those_that_may_be_sent(void **state)
{
    (void)state;
    static const struct {
        unsigned first, last;
        bool is_valid;
    } classes[] = {
        {0, 999, false},      /* not used */
        {1000, 1003, true},   /* RFC 6455 section 7.4.1 */
        {1004, 1006, false},  /* reserved, or never sent */
        {1007, 1014, true},   /* section 7.4.1 and the IANA registry */
        {1015, 2999, false},  /* never sent, or not registered */
        {3000, 4999, true},   /* section 7.4.2: libraries and programs */
        {5000, 65535, false}, /* not defined */
    };
    for (size_t i = 0; i < COUNT(classes); i++) {
        for (unsigned code = classes[i].first; code <= classes[i].last; code++) {
            assert_int_equal(weft_close_code_is_valid((uint16_t)code), classes[i].is_valid);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths_take_their_shortest_form),
        cmocka_unit_test(test_a_header_written_is_read_back),
        cmocka_unit_test(test_overlong_lengths_are_refused),
        cmocka_unit_test(test_a_length_with_its_top_bit_set_is_refused),
        cmocka_unit_test(test_reserved_opcodes_are_refused),
        cmocka_unit_test(test_control_frames_are_never_fragmented),
        cmocka_unit_test(test_control_frames_over_125_bytes_are_refused),
        cmocka_unit_test(test_every_pair_of_first_bytes_gets_the_verdict_of_the_rfc),
        cmocka_unit_test(test_the_masking_key_follows_the_length),
        cmocka_unit_test(test_masking_goes_on_at_any_offset),
        cmocka_unit_test(test_close_codes_are_those_that_may_be_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
