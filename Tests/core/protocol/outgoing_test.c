#include "check.h"

#include "protocol/incoming.h"
#include "protocol/mask.h"
#include "protocol/outgoing.h"

#include <string.h>

#define OPENSSL_SUPPRESS_DEPRECATED /* RAND_METHOD: the one way to make the generator fail */
#include <openssl/rand.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* A session with its settings and the bytes that it wants to send. */
typedef struct endpoint {
    weft_session_config config;
    weft__session session;
    weft__buffer out;
} endpoint;

static void endpoint_init(endpoint *endpoint, weft_role role, uint64_t max_frame_size)
{
    *endpoint = (struct endpoint){0};
    weft_session_config_init(&endpoint->config);
    endpoint->config.role = role;
    endpoint->config.max_frame_size = max_frame_size;
    weft__session_init(&endpoint->session, &endpoint->config);
}

static void endpoint_clear(endpoint *endpoint)
{
    weft__session_clear(&endpoint->session);
    weft__buffer_clear(&endpoint->out);
}

static weft_status write_text(endpoint *from, const char *text)
{
    const uint8_t *bytes = (const uint8_t *)text;
    return weft__session_write_message(&from->session, &from->out, WEFT_TEXT, bytes, strlen(text));
}

static weft_status write_control(endpoint *from, weft_opcode opcode, const uint8_t *bytes, size_t length)
{
    return weft__session_write_control(&from->session, &from->out, opcode, bytes, length);
}

/* What the peer of `from` makes of its next bytes; `event` lends bytes of `reader` or of the output. */
static void read_back(endpoint *reader, endpoint *from, weft_event *event)
{
    size_t used, length = weft__buffer_length(&from->out);
    weft__session_next(&reader->session, event, weft__buffer_front(&from->out), length, &used);
    weft__buffer_consume(&from->out, used);
}

/* Takes one frame off the output as it lies on the wire; its payload is unmasked in place. */
static uint8_t *take_frame(endpoint *from, weft_frame_header *header)
{
    uint8_t *bytes = weft__buffer_front(&from->out);
    size_t length = weft__buffer_length(&from->out);
    int used = weft_frame_header_read(header, bytes, length);
    assert_true(used > 0);
    assert_true(header->payload_length <= length - (size_t)used);
    assert_int_equal(header->is_masked, from->config.role == WEFT_CLIENT);
    assert_false(header->rsv1 || header->rsv2 || header->rsv3);
    weft__mask(bytes + used, (size_t)header->payload_length, header->mask, 0);
    weft__buffer_consume(&from->out, (size_t)used + (size_t)header->payload_length);
    return bytes + used;
}

/* Sends `length` bytes through frames of `max_frame_size` and compares what the other role reads. */
static void check_message(weft_role role, uint64_t max_frame_size, size_t length)
{
    endpoint from, reader;
    endpoint_init(&from, role, max_frame_size);
    endpoint_init(&reader, role == WEFT_CLIENT ? WEFT_SERVER : WEFT_CLIENT, max_frame_size);
    uint8_t *message = malloc(length ? length : 1);
    assert_non_null(message);
    for (size_t i = 0; i < length; i++)
        message[i] = (uint8_t)(i * 13 + 1);

    size_t wire_length = weft__session_wire_length(&from.session, length);
    weft_status status = weft__session_write_message(&from.session, &from.out, WEFT_BINARY, message, length);
    assert_int_equal(status, WEFT_OK);
    assert_int_equal(weft__buffer_length(&from.out), wire_length);
    weft_event event;
    read_back(&reader, &from, &event);
    assert_int_equal(event.type, WEFT_EVENT_BINARY);
    assert_int_equal(event.length, length);
    assert_memory_equal(event.bytes, message, length);
    assert_int_equal(weft__buffer_length(&from.out), 0);
    free(message);
    endpoint_clear(&from);
    endpoint_clear(&reader);
}

static void test_messages_of_every_edge_are_read_back_by_the_other_role(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 2, 124, 125, 126, 127, 128, 65534, 65535, 65536, 65537, 131072};
    static const uint64_t limits[] = {125, 126, 65535, 65536, PTRDIFF_MAX};
    for (size_t i = 0; i < COUNT(lengths) * COUNT(limits); i++) {
        check_message(WEFT_CLIENT, limits[i % COUNT(limits)], lengths[i / COUNT(limits)]);
        check_message(WEFT_SERVER, limits[i % COUNT(limits)], lengths[i / COUNT(limits)]);
    }
}

static void test_messages_around_multiples_of_the_limit_are_read_back(void **state)
{
    (void)state;
    static const uint64_t limits[] = {1, 2, 3, 7, 125, 126, 127};
    for (size_t i = 0; i < COUNT(limits); i++) {
        for (size_t times = 1; times <= 4; times++) {
            for (size_t length = limits[i] * times - 1; length <= limits[i] * times + 1; length++) {
                check_message(WEFT_CLIENT, limits[i], length);
                check_message(WEFT_SERVER, limits[i], length);
            }
        }
    }
}

/* The frames of a message of `length` bytes: all full but the last, which is never empty behind another. */
static void check_frames(size_t length, size_t limit)
{
    static const uint8_t zeros[64];
    endpoint from;
    endpoint_init(&from, WEFT_SERVER, limit);
    weft_status status = weft__session_write_message(&from.session, &from.out, WEFT_BINARY, zeros, length);
    assert_int_equal(status, WEFT_OK);
    size_t frames = length ? (length + limit - 1) / limit : 1;
    for (size_t i = 0; i < frames; i++) {
        weft_frame_header header;
        take_frame(&from, &header);
        assert_int_equal(header.opcode, i == 0 ? WEFT_OPCODE_BINARY : WEFT_OPCODE_CONTINUATION);
        assert_int_equal(header.is_final, i == frames - 1);
        assert_int_equal(header.payload_length, i < frames - 1 ? limit : length - limit * i);
    }
    assert_int_equal(weft__buffer_length(&from.out), 0);
    endpoint_clear(&from);
}

static void test_only_the_last_frame_is_final_and_short(void **state)
{
    (void)state;
    for (size_t limit = 1; limit <= 20; limit++) {
        for (size_t length = 0; length <= 64; length++)
            check_frames(length, limit);
    }
}

static void test_the_wire_length_is_never_wrapped(void **state)
{
    (void)state;
    endpoint from;
    endpoint_init(&from, WEFT_CLIENT, 1);
    assert_true(weft__session_wire_length(&from.session, PTRDIFF_MAX) == SIZE_MAX);
    assert_true(weft__session_wire_length(&from.session, SIZE_MAX / 7 - 1) == (SIZE_MAX / 7 - 1) * 7);
    endpoint_clear(&from);
}

static void test_a_message_too_long_for_the_wire_is_refused(void **state)
{
    (void)state;
    endpoint from;
    endpoint_init(&from, WEFT_CLIENT, 1);
    weft_status status =
        weft__session_write_message(&from.session, &from.out, WEFT_BINARY, (const uint8_t *)"x", PTRDIFF_MAX);
    assert_int_equal(status, WEFT_ENOMEM);
    assert_int_equal(weft__buffer_length(&from.out), 0);
    endpoint_clear(&from);
}

static void test_a_client_masks_every_frame_with_a_new_key(void **state)
{
    (void)state;
    enum {
        FRAMES = 64
    };
    uint8_t keys[FRAMES][4];
    endpoint from;
    endpoint_init(&from, WEFT_CLIENT, 1);
    char text[FRAMES / 2 + 1];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_int_equal(write_text(&from, text), WEFT_OK);
    for (int i = 0; i < FRAMES / 2; i++) {
        assert_int_equal(write_control(&from, WEFT_OPCODE_PING, NULL, 0), WEFT_OK);
    }
    /* One equal pair among 64 random keys of 32 bits is rare, as in one run of two million; two are a bug. */
    size_t equal = 0;
    for (int i = 0; i < FRAMES; i++) {
        weft_frame_header header;
        take_frame(&from, &header);
        memcpy(keys[i], header.mask, 4);
        for (int j = 0; j < i; j++)
            equal += memcmp(keys[i], keys[j], 4) == 0;
    }
    assert_true(equal < 2);
    endpoint_clear(&from);
}

static int no_random_bytes(unsigned char *out, int length)
{
    (void)out;
    (void)length;
    return 0;
}

/* A key that could be guessed is worse than an error (RFC 6455 section 10.3). */
static void test_a_client_without_random_bytes_sends_nothing(void **state)
{
    (void)state;
    const RAND_METHOD method = {.bytes = no_random_bytes};
    endpoint client, server;
    endpoint_init(&client, WEFT_CLIENT, 4);
    endpoint_init(&server, WEFT_SERVER, 4);
    assert_int_equal(RAND_set_rand_method(&method), 1);
    weft_status message = write_text(&client, "longer than a frame");
    weft_status ping = write_control(&client, WEFT_OPCODE_PING, NULL, 0);
    weft_status close = weft__session_write_close(&client.session, &client.out, 1000, NULL, 0);
    weft_status unmasked = write_text(&server, "needs none");
    assert_int_equal(RAND_set_rand_method(NULL), 1);
    assert_int_equal(message, WEFT_ESYSTEM);
    assert_int_equal(ping, WEFT_ESYSTEM);
    assert_int_equal(close, WEFT_ESYSTEM);
    assert_int_equal(unmasked, WEFT_OK);
    assert_int_equal(weft__buffer_length(&client.out), 0);
    assert_int_equal(client.session.phase, WEFT__SESSION_OPEN);
    endpoint_clear(&client);
    endpoint_clear(&server);
}

static void test_frames_taken_one_by_one_are_those_written_at_once(void **state)
{
    (void)state;
    static const uint8_t text[] = "nine bytes";
    endpoint from;
    endpoint_init(&from, WEFT_SERVER, 4);
    assert_int_equal(write_text(&from, "nine bytes"), WEFT_OK);
    weft__outgoing message = weft__session_begin_message(&from.session, WEFT_TEXT, text, sizeof text - 1);
    const uint8_t *expected = weft__buffer_front(&from.out);
    size_t at = 0;
    while (!message.is_done) {
        weft__outgoing_frame frame;
        assert_int_equal(weft__session_next_frame(&from.session, &message, &frame), WEFT_OK);
        assert_memory_equal(expected + at, frame.header, frame.header_length);
        at += frame.header_length;
        assert_memory_equal(expected + at, frame.payload, frame.payload_length);
        at += frame.payload_length;
    }
    assert_int_equal(at, weft__buffer_length(&from.out));
    endpoint_clear(&from);
}

static void test_control_frames_carry_up_to_125_bytes(void **state)
{
    (void)state;
    uint8_t payload[126];
    memset(payload, 'p', sizeof payload);
    for (int role = WEFT_CLIENT; role <= WEFT_SERVER; role++) {
        endpoint from;
        endpoint_init(&from, (weft_role)role, 1);
        for (size_t length = 0; length <= 125; length++) {
            weft_opcode opcode = length & 1 ? WEFT_OPCODE_PING : WEFT_OPCODE_PONG;
            assert_int_equal(write_control(&from, opcode, payload, length), WEFT_OK);
            weft_frame_header header;
            const uint8_t *sent = take_frame(&from, &header);
            assert_int_equal(header.opcode, opcode);
            assert_true(header.is_final);
            assert_int_equal(header.payload_length, length);
            assert_memory_equal(sent, payload, length);
        }
        assert_int_equal(write_control(&from, WEFT_OPCODE_PING, payload, 126), WEFT_ECONTROL);
        assert_int_equal(weft__buffer_length(&from.out), 0);
        endpoint_clear(&from);
    }
}

/* Each length of reason: the bytes on the wire are the code, the reason and nothing else. */
static void test_close_frames_carry_code_and_reason_and_no_byte_more(void **state)
{
    (void)state;
    char reason[WEFT_CLOSE_REASON_MAX];
    for (size_t i = 0; i < sizeof reason; i++)
        reason[i] = (char)('a' + i % 26);
    for (size_t length = 0; length <= sizeof reason; length++) {
        endpoint from;
        endpoint_init(&from, length & 1 ? WEFT_CLIENT : WEFT_SERVER, 65536);
        assert_int_equal(weft__session_write_close(&from.session, &from.out, 4321, reason, length), WEFT_OK);
        weft_frame_header header;
        const uint8_t *payload = take_frame(&from, &header);
        assert_int_equal(header.opcode, WEFT_OPCODE_CLOSE);
        assert_int_equal(header.payload_length, 2 + length);
        assert_int_equal(payload[0] << 8 | payload[1], 4321);
        assert_memory_equal(payload + 2, reason, length);
        assert_int_equal(weft__buffer_length(&from.out), 0);
        endpoint_clear(&from);
    }
}

static void test_a_close_without_code_is_empty(void **state)
{
    (void)state;
    static const uint16_t none[] = {0, WEFT_CLOSE_NO_STATUS};
    for (size_t i = 0; i < COUNT(none); i++) {
        endpoint from;
        endpoint_init(&from, WEFT_SERVER, 65536);
        assert_int_equal(weft__session_write_close(&from.session, &from.out, none[i], NULL, 0), WEFT_OK);
        assert_int_equal(weft__buffer_length(&from.out), 2);
        assert_memory_equal(weft__buffer_front(&from.out), "\x88\x00", 2);
        endpoint_clear(&from);
    }
}

static void test_only_codes_that_may_be_sent_are_sent(void **state)
{
    (void)state;
    for (unsigned code = 0; code <= UINT16_MAX; code++) {
        bool is_none = code == 0 || code == WEFT_CLOSE_NO_STATUS;
        bool may_be_sent = is_none || weft_close_code_is_valid((uint16_t)code);
        weft_status alone = weft__session_check_close((uint16_t)code, NULL, 0);
        weft_status with_reason = weft__session_check_close((uint16_t)code, "why", 3);
        assert_int_equal(alone, may_be_sent ? WEFT_OK : WEFT_EINVAL);
        assert_int_equal(with_reason, may_be_sent && !is_none ? WEFT_OK : WEFT_EINVAL);
    }
}

static void test_a_close_reason_is_short_utf_8(void **state)
{
    (void)state;
    char reason[124];
    memset(reason, 'r', sizeof reason);
    assert_int_equal(weft__session_check_close(1000, reason, 123), WEFT_OK);
    assert_int_equal(weft__session_check_close(1000, reason, 124), WEFT_EINVAL);
    assert_int_equal(weft__session_check_close(1000, "\xFF", 1), WEFT_EPAYLOAD);
    assert_int_equal(weft__session_check_close(1000, "\xE2\x82", 2), WEFT_EPAYLOAD);
    assert_int_equal(weft__session_check_close(1000, "\xE2\x82\xAC", 3), WEFT_OK);
}

static void test_nothing_is_sent_after_the_close_frame(void **state)
{
    (void)state;
    endpoint from;
    endpoint_init(&from, WEFT_SERVER, 65536);
    assert_int_equal(weft__session_write_close(&from.session, &from.out, 77, NULL, 0), WEFT_EINVAL);
    assert_int_equal(write_text(&from, "still open"), WEFT_OK);
    assert_int_equal(weft__session_write_close(&from.session, &from.out, 1000, NULL, 0), WEFT_OK);
    size_t length = weft__buffer_length(&from.out);
    assert_int_equal(write_text(&from, "late"), WEFT_ECLOSED);
    assert_int_equal(write_control(&from, WEFT_OPCODE_PONG, NULL, 0), WEFT_ECLOSED);
    assert_int_equal(weft__session_write_close(&from.session, &from.out, 1000, NULL, 0), WEFT_ECLOSED);
    assert_int_equal(weft__buffer_length(&from.out), length);
    endpoint_clear(&from);
}

static void write_one_of_each(endpoint *from, weft_status *message, weft_status *ping, weft_status *close)
{
    uint8_t bytes[300] = {0};
    *message = weft__session_write_message(&from->session, &from->out, WEFT_BINARY, bytes, sizeof bytes);
    *ping = write_control(from, WEFT_OPCODE_PING, bytes, 125);
    *close = weft__session_write_close(&from->session, &from->out, 1000, "bye", 3);
}

/* Every allocation fails in turn: what says WEFT_OK is on the wire whole, what fails adds nothing. */
static void test_a_write_without_memory_writes_nothing(void **state)
{
    (void)state;
    for (size_t fail_at = 1; fail_at <= 4; fail_at++) {
        counting_allocator counter;
        allocator_count(&counter);
        counter.fail_at = fail_at;
        endpoint from;
        endpoint_init(&from, WEFT_SERVER, 100);
        weft_status message, ping, close;
        write_one_of_each(&from, &message, &ping, &close);
        size_t expected = message == WEFT_OK ? 300 + 3 * 2 : 0;
        expected += ping == WEFT_OK ? 127 : 0;
        expected += close == WEFT_OK ? 7 : 0;
        assert_int_equal(weft__buffer_length(&from.out), expected);
        if (fail_at == 1) assert_int_equal(message, WEFT_ENOMEM);
        if (close != WEFT_OK) assert_int_equal(from.session.phase, WEFT__SESSION_OPEN);
        endpoint_clear(&from);
        allocator_restore(&counter);
    }
}

static void test_writes_into_a_warm_buffer_allocate_nothing(void **state)
{
    (void)state;
    counting_allocator counter;
    allocator_count(&counter);
    for (int role = WEFT_CLIENT; role <= WEFT_SERVER; role++) {
        endpoint from;
        endpoint_init(&from, (weft_role)role, 100);
        assert_non_null(weft__buffer_reserve(&from.out, 1000, SIZE_MAX));
        counter.requests = 0;
        weft_status message, ping, close;
        write_one_of_each(&from, &message, &ping, &close);
        assert_true(message == WEFT_OK && ping == WEFT_OK && close == WEFT_OK);
        assert_int_equal(counter.requests, 0);
        endpoint_clear(&from);
    }
    allocator_restore(&counter);
}

/* -- permessage-deflate (RFC 7692) --------------------------------------------------------------- */

static const char long_text[] = "the shuttle carries the weft through the shed, and back, and again, "
                                "the shuttle carries the weft through the shed, and back, and again";

/* Two ends that have agreed on compression; must not move. */
typedef struct pair {
    weft_compression agreed;
    weft__deflate_pool pool;
    weft__deflate deflate[2];
    endpoint from, reader;
} pair;

static void pair_init(pair *pair, weft_role role, uint64_t max_frame_size, bool takes_over)
{
    weft_compression_init(&pair->agreed, WEFT_CLIENT);
    pair->agreed.server_no_context_takeover = pair->agreed.client_no_context_takeover = !takes_over;
    weft__deflate_pool_init(&pair->pool);
    endpoint *ends[] = {&pair->from, &pair->reader};
    for (size_t i = 0; i < 2; i++) {
        endpoint_init(ends[i],
                      i == 0                ? role
                      : role == WEFT_CLIENT ? WEFT_SERVER
                                            : WEFT_CLIENT,
                      max_frame_size);
        ends[i]->config.compression = &pair->agreed;
        weft__session_use_pool(&ends[i]->session, &pair->deflate[i], &pair->pool);
    }
}

static void pair_clear(pair *pair)
{
    endpoint_clear(&pair->from);
    endpoint_clear(&pair->reader);
    weft__deflate_pool_clear(&pair->pool);
}

static void expect_read_back(pair *pair, const char *text)
{
    weft_event event;
    read_back(&pair->reader, &pair->from, &event);
    assert_int_equal(event.type, WEFT_EVENT_TEXT);
    assert_int_equal(event.length, strlen(text));
    assert_memory_equal(event.bytes, text, event.length);
    assert_int_equal(weft__buffer_length(&pair->from.out), 0);
}

static void test_long_messages_are_compressed_and_short_ones_are_not(void **state)
{
    (void)state;
    enum {
        RSV1 = 0x40
    };
    for (int role = WEFT_CLIENT; role <= WEFT_SERVER; role++) {
        pair pair;
        pair_init(&pair, (weft_role)role, 65536, true);
        assert_int_equal(write_text(&pair.from, "short"), WEFT_OK);
        assert_int_equal(weft__buffer_front(&pair.from.out)[0] & RSV1, 0);
        expect_read_back(&pair, "short");
        for (int i = 0; i < 3; i++) {
            assert_int_equal(write_text(&pair.from, long_text), WEFT_OK);
            assert_int_equal(weft__buffer_front(&pair.from.out)[0] & RSV1, RSV1);
            assert_true(weft__buffer_length(&pair.from.out) < (i == 0 ? 100 : 20));
            expect_read_back(&pair, long_text);
        }
        pair_clear(&pair);
    }
}

static void test_compressed_bytes_are_cut_into_frames(void **state)
{
    (void)state;
    for (uint64_t most = 1; most <= 80; most += 13) {
        for (int role = WEFT_CLIENT; role <= WEFT_SERVER; role++) {
            pair pair;
            pair_init(&pair, (weft_role)role, most, false);
            assert_int_equal(write_text(&pair.from, long_text), WEFT_OK);
            size_t wire_length = weft__buffer_length(&pair.from.out);
            assert_true(wire_length < weft__session_wire_length(&pair.from.session, sizeof long_text - 1));
            /* The mark stands on the first frame only: the reader would refuse another. */
            expect_read_back(&pair, long_text);
            pair_clear(&pair);
        }
    }
}

static void test_what_was_not_sent_is_not_referred_to(void **state)
{
    (void)state;
    counting_allocator counter;
    allocator_count(&counter);
    pair pair;
    pair_init(&pair, WEFT_SERVER, 65536, true);
    assert_int_equal(write_text(&pair.from, long_text), WEFT_OK);
    expect_read_back(&pair, long_text);
    weft__buffer_clear(&pair.from.out);
    counter.fail_at = counter.requests + 1;
    assert_int_equal(write_text(&pair.from, "the peer will never see this sentence, since there is no "
                                            "room for the frame that it would be sent in"),
                     WEFT_ENOMEM);
    counter.fail_at = 0;
    assert_int_equal(weft__buffer_length(&pair.from.out), 0);
    assert_null(pair.from.session.deflate->compressor);
    assert_int_equal(write_text(&pair.from, long_text), WEFT_OK);
    expect_read_back(&pair, long_text);
    pair_clear(&pair);
    allocator_restore(&counter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_of_every_edge_are_read_back_by_the_other_role),
        cmocka_unit_test(test_messages_around_multiples_of_the_limit_are_read_back),
        cmocka_unit_test(test_only_the_last_frame_is_final_and_short),
        cmocka_unit_test(test_the_wire_length_is_never_wrapped),
        cmocka_unit_test(test_a_message_too_long_for_the_wire_is_refused),
        cmocka_unit_test(test_a_client_masks_every_frame_with_a_new_key),
        cmocka_unit_test(test_a_client_without_random_bytes_sends_nothing),
        cmocka_unit_test(test_frames_taken_one_by_one_are_those_written_at_once),
        cmocka_unit_test(test_control_frames_carry_up_to_125_bytes),
        cmocka_unit_test(test_close_frames_carry_code_and_reason_and_no_byte_more),
        cmocka_unit_test(test_a_close_without_code_is_empty),
        cmocka_unit_test(test_only_codes_that_may_be_sent_are_sent),
        cmocka_unit_test(test_a_close_reason_is_short_utf_8),
        cmocka_unit_test(test_nothing_is_sent_after_the_close_frame),
        cmocka_unit_test(test_a_write_without_memory_writes_nothing),
        cmocka_unit_test(test_writes_into_a_warm_buffer_allocate_nothing),
        cmocka_unit_test(test_long_messages_are_compressed_and_short_ones_are_not),
        cmocka_unit_test(test_compressed_bytes_are_cut_into_frames),
        cmocka_unit_test(test_what_was_not_sent_is_not_referred_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
