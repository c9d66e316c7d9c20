#include "check.h"

#include "weft/session.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static weft_session *session_with(weft_session_config config, weft_role role)
{
    config.role = role;
    weft_session *session;
    assert_int_equal(weft_session_new(&session, &config), WEFT_OK);
    return session;
}

static weft_session *session_of(weft_role role)
{
    weft_session_config config;
    weft_session_config_init(&config);
    return session_with(config, role);
}

/* Reads one event from bytes that stay the caller's. */
static weft_event_type next(weft_session *session, weft_event *event, uint8_t *bytes, size_t length,
                            size_t *used)
{
    assert_int_equal(weft_session_next(session, event, bytes, length, used), WEFT_OK);
    assert_true(*used <= length);
    return event->type;
}

/* Carries what `from` has to send to `to`, up to the next event. */
static weft_event_type carry(weft_session *from, weft_session *to, weft_event *event)
{
    const uint8_t *bytes;
    size_t length, used;
    weft_session_output(from, &bytes, &length);
    next(to, event, (uint8_t *)(uintptr_t)bytes, length, &used);
    weft_session_consume_output(from, used);
    return event->type;
}

static size_t output_length(const weft_session *session)
{
    const uint8_t *bytes;
    size_t length;
    weft_session_output(session, &bytes, &length);
    return length;
}

static void test_settings_out_of_range_are_refused(void **state)
{
    (void)state;
    weft_session_config defaults;
    weft_session_config_init(&defaults);
    weft_session_config wrong[] = {defaults, defaults, defaults, defaults, defaults, defaults, defaults};
    wrong[0].role = (weft_role)2;
    wrong[1].max_frame_size = 0;
    wrong[2].max_message_size = 0;
    wrong[3].max_fragments = 0;
    wrong[4].max_frame_size = (uint64_t)PTRDIFF_MAX + 1;
    wrong[5].max_message_size = UINT64_MAX;
    wrong[6].size = sizeof defaults + 1;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        weft_session *session = (weft_session *)&defaults;
        assert_int_equal(weft_session_new(&session, &wrong[i]), WEFT_EINVAL);
        assert_null(session);
    }
}

static weft_session *compressing_session(weft_role role, bool takes_over, weft_compression *agreed)
{
    weft_session_config config;
    weft_session_config_init(&config);
    weft_compression_init(agreed, WEFT_CLIENT);
    agreed->server_no_context_takeover = agreed->client_no_context_takeover = !takes_over;
    config.compression = agreed;
    weft_session *session = session_with(config, role);
    memset(agreed, 0, sizeof *agreed); /* it was copied */
    return session;
}

static void test_agreed_compression_out_of_range_is_refused(void **state)
{
    (void)state;
    weft_compression good, wrong[7];
    weft_compression_init(&good, WEFT_SERVER);
    for (size_t i = 0; i < COUNT(wrong); i++)
        wrong[i] = good;
    wrong[0].server_max_window_bits = 7;
    wrong[1].server_max_window_bits = 16;
    wrong[2].client_max_window_bits = 7;
    wrong[3].client_max_window_bits = 16;
    wrong[4].level = 0;
    wrong[5].level = 10;
    wrong[6].size = 0;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        weft_session *session;
        weft_session_config config;
        weft_session_config_init(&config);
        config.compression = &wrong[i];
        assert_int_equal(weft_session_new(&session, &config), WEFT_EINVAL);
        assert_null(session);
    }
}

static void test_compressing_sessions_understand_each_other(void **state)
{
    (void)state;
    enum {
        LENGTH = 3000
    };
    static uint8_t message[LENGTH];
    for (int takes_over = 0; takes_over <= 1; takes_over++) {
        counting_allocator counter;
        allocator_count(&counter);
        weft_compression agreed;
        weft_session *client = compressing_session(WEFT_CLIENT, takes_over, &agreed);
        weft_session *server = compressing_session(WEFT_SERVER, takes_over, &agreed);
        size_t idle_bytes = counter.bytes;
        for (int round = 0; round < 4; round++) {
            weft_event event;
            for (size_t i = 0; i < LENGTH; i++)
                message[i] = (uint8_t)('a' + i * i % 7);
            assert_int_equal(weft_session_send(client, WEFT_TEXT, message, LENGTH), WEFT_OK);
            assert_true(output_length(client) < LENGTH / 10);
            assert_int_equal(carry(client, server, &event), WEFT_EVENT_TEXT);
            assert_int_equal(event.length, LENGTH);
            assert_memory_equal(event.bytes, message, LENGTH);
            assert_int_equal(carry(client, server, &event), WEFT_EVENT_NONE);
            weft_session_trim(client);
            weft_session_trim(server);
            size_t window = takes_over ? 4 * LENGTH + 100 : 0;
            assert_true(counter.bytes <= idle_bytes + window);
        }
        weft_session_free(client);
        weft_session_free(server);
        allocator_restore(&counter);
    }
}

static void test_compression_that_is_off_is_none(void **state)
{
    (void)state;
    weft_compression agreed;
    weft_compression_init(&agreed, WEFT_SERVER);
    agreed.enabled = false;
    weft_session_config config;
    weft_session_config_init(&config);
    config.compression = &agreed;
    weft_session *server = session_with(config, WEFT_SERVER);
    uint8_t marked[] = {0xC1, 0x80, 0, 0, 0, 0};
    weft_event event;
    size_t used;
    assert_int_equal(next(server, &event, marked, sizeof marked, &used), WEFT_EVENT_FAILURE);
    assert_int_equal(event.close_code, WEFT_CLOSE_PROTOCOL_ERROR);
    weft_session_trim(server);
    weft_session_free(server);
}

static void test_a_shorter_config_of_old_has_the_new_defaults(void **state)
{
    (void)state;
    size_t old_size = offsetof(weft_session_config, max_message_size);
    weft_session_config config = {.size = old_size, .max_frame_size = 8};
    weft_session *session;
    assert_int_equal(weft_session_new(&session, &config), WEFT_OK);
    assert_int_equal(weft_session_send(session, WEFT_BINARY, (const uint8_t *)"nine bytes", 10), WEFT_OK);
    assert_int_equal(output_length(session), 10 + 2 * 6);
    weft_session_free(session);
}

static void test_a_session_without_memory_is_none(void **state)
{
    (void)state;
    weft_session_config config;
    weft_session_config_init(&config);
    counting_allocator counter;
    allocator_count(&counter);
    counter.fail_at = 1;
    weft_session *session = (weft_session *)&config;
    assert_int_equal(weft_session_new(&session, &config), WEFT_ENOMEM);
    assert_null(session);
    weft_session_free(session);
    allocator_restore(&counter);
}

static void check_conversation(weft_role role)
{
    weft_session *from = session_of(role), *to = session_of(role == WEFT_CLIENT ? WEFT_SERVER : WEFT_CLIENT);
    weft_event event;
    assert_int_equal(weft_session_send(from, WEFT_TEXT, (const uint8_t *)"caf\xC3\xA9", 5), WEFT_OK);
    assert_int_equal(weft_session_send(from, WEFT_BINARY, NULL, 0), WEFT_OK);
    assert_int_equal(weft_session_ping(from, (const uint8_t *)"p", 1), WEFT_OK);
    assert_int_equal(weft_session_pong(from, NULL, 0), WEFT_OK);
    assert_int_equal(carry(from, to, &event), WEFT_EVENT_TEXT);
    assert_int_equal(event.length, 5);
    assert_memory_equal(event.bytes, "caf\xC3\xA9", 5);
    assert_int_equal(carry(from, to, &event), WEFT_EVENT_BINARY);
    assert_int_equal(event.length, 0);
    assert_int_equal(carry(from, to, &event), WEFT_EVENT_PING);
    assert_memory_equal(event.bytes, "p", 1);
    assert_int_equal(weft_session_pong(to, event.bytes, event.length), WEFT_OK);
    assert_int_equal(carry(from, to, &event), WEFT_EVENT_PONG);
    assert_int_equal(carry(from, to, &event), WEFT_EVENT_NONE);
    assert_int_equal(output_length(from), 0);
    assert_int_equal(carry(to, from, &event), WEFT_EVENT_PONG);
    assert_memory_equal(event.bytes, "p", 1);
    weft_session_free(from);
    weft_session_free(to);
}

static void test_what_one_role_sends_the_other_reads(void **state)
{
    (void)state;
    check_conversation(WEFT_CLIENT);
    check_conversation(WEFT_SERVER);
}

static void test_the_closing_handshake_is_over_when_both_frames_went(void **state)
{
    (void)state;
    for (int role = WEFT_CLIENT; role <= WEFT_SERVER; role++) {
        weft_session *first = session_of((weft_role)role);
        weft_session *second = session_of(role == WEFT_CLIENT ? WEFT_SERVER : WEFT_CLIENT);
        weft_event event;
        assert_int_equal(weft_session_close(first, 3000, "enough", 6), WEFT_OK);
        assert_false(weft_session_is_over(first));
        assert_int_equal(carry(first, second, &event), WEFT_EVENT_CLOSE);
        assert_int_equal(event.close_code, 3000);
        assert_int_equal(event.length, 6);
        assert_memory_equal(event.bytes, "enough", 6);
        /* RFC 6455 section 5.5.1: what was on its way may still be sent before the answer. */
        assert_int_equal(weft_session_send(second, WEFT_BINARY, NULL, 0), WEFT_OK);
        assert_int_equal(carry(second, first, &event), WEFT_EVENT_BINARY);
        event.close_code = 3000;
        assert_false(weft_session_is_over(second));
        assert_int_equal(weft_session_close(second, event.close_code, NULL, 0), WEFT_OK);
        assert_true(weft_session_is_over(second));
        assert_int_equal(weft_session_send(second, WEFT_BINARY, NULL, 0), WEFT_ECLOSED);
        assert_int_equal(carry(second, first, &event), WEFT_EVENT_CLOSE);
        assert_true(weft_session_is_over(first));
        assert_int_equal(weft_session_close(first, 1000, NULL, 0), WEFT_ECLOSED);
        weft_session_free(first);
        weft_session_free(second);
    }
}

static void test_messages_still_count_until_the_peer_closes_too(void **state)
{
    (void)state;
    weft_session *client = session_of(WEFT_CLIENT), *server = session_of(WEFT_SERVER);
    weft_event event;
    assert_int_equal(weft_session_close(client, 0, NULL, 0), WEFT_OK);
    assert_int_equal(weft_session_send(server, WEFT_TEXT, (const uint8_t *)"crossing", 8), WEFT_OK);
    assert_int_equal(carry(server, client, &event), WEFT_EVENT_TEXT);
    assert_int_equal(carry(client, server, &event), WEFT_EVENT_CLOSE);
    assert_int_equal(event.close_code, WEFT_CLOSE_NO_STATUS);
    weft_session_free(client);
    weft_session_free(server);
}

static void test_a_failure_puts_one_close_frame_with_its_sentence_into_the_output(void **state)
{
    (void)state;
    weft_session *client = session_of(WEFT_CLIENT), *server = session_of(WEFT_SERVER);
    weft_event event, report;
    uint8_t unmasked[] = {0x81, 1, 'a', 0x81, 1, 'b'};
    size_t used;
    assert_int_equal(next(server, &event, unmasked, sizeof unmasked, &used), WEFT_EVENT_FAILURE);
    assert_int_equal(used, sizeof unmasked);
    assert_int_equal(event.status, WEFT_EPROTOCOL);
    assert_true(weft_session_is_over(server));
    assert_int_equal(next(server, &report, unmasked, sizeof unmasked, &used), WEFT_EVENT_NONE);
    assert_int_equal(used, sizeof unmasked);
    assert_int_equal(weft_session_ping(server, NULL, 0), WEFT_ECLOSED);
    assert_int_equal(weft_session_close(server, 1000, NULL, 0), WEFT_ECLOSED);
    assert_int_equal(carry(server, client, &report), WEFT_EVENT_CLOSE);
    assert_int_equal(report.close_code, WEFT_CLOSE_PROTOCOL_ERROR);
    assert_int_equal(report.length, strlen(event.detail));
    assert_memory_equal(report.bytes, event.detail, report.length);
    assert_int_equal(output_length(server), 0);
    weft_session_free(client);
    weft_session_free(server);
}

static void test_a_failure_after_our_close_sends_no_second_one(void **state)
{
    (void)state;
    weft_session *client = session_of(WEFT_CLIENT);
    assert_int_equal(weft_session_close(client, 1000, NULL, 0), WEFT_OK);
    size_t length = output_length(client), used;
    weft_event event;
    assert_int_equal(next(client, &event, (uint8_t[]){0xF1, 0}, 2, &used), WEFT_EVENT_FAILURE);
    assert_int_equal(event.close_code, WEFT_CLOSE_PROTOCOL_ERROR);
    assert_int_equal(output_length(client), length);
    assert_true(weft_session_is_over(client));
    weft_session_free(client);
}

static void test_a_failure_without_memory_for_its_close_frame_is_over_all_the_same(void **state)
{
    (void)state;
    counting_allocator counter;
    allocator_count(&counter);
    weft_session *client = session_of(WEFT_CLIENT);
    counter.fail_at = counter.requests + 1;
    weft_event event;
    size_t used;
    assert_int_equal(weft_session_next(client, &event, (uint8_t[]){0x81}, 1, &used), WEFT_ENOMEM);
    assert_int_equal(event.type, WEFT_EVENT_FAILURE);
    assert_int_equal(event.status, WEFT_ENOMEM);
    assert_int_equal(event.close_code, WEFT_CLOSE_INTERNAL_ERROR);
    assert_int_equal(output_length(client), 0);
    assert_true(weft_session_is_over(client));
    weft_session_free(client);
    allocator_restore(&counter);
}

static void test_each_broken_rule_has_its_close_code(void **state)
{
    (void)state;
    static const struct {
        uint8_t bytes[4];
        uint16_t code;
        weft_status status;
    } cases[] = {
        {{0xC1, 0}, WEFT_CLOSE_PROTOCOL_ERROR, WEFT_EPROTOCOL},
        {{0x80, 0}, WEFT_CLOSE_PROTOCOL_ERROR, WEFT_ECONTINUATION},
        {{0x89, 126}, WEFT_CLOSE_PROTOCOL_ERROR, WEFT_ECONTROL},
        {{0x81, 2, 'a', 0xFF}, WEFT_CLOSE_INVALID_PAYLOAD, WEFT_EPAYLOAD},
        {{0x82, 101}, WEFT_CLOSE_TOO_BIG, WEFT_ETOOBIG},
    };
    weft_session_config config;
    weft_session_config_init(&config);
    config.max_frame_size = 100;
    for (size_t i = 0; i < COUNT(cases); i++) {
        weft_session *client = session_with(config, WEFT_CLIENT), *server = session_of(WEFT_SERVER);
        uint8_t bytes[4];
        memcpy(bytes, cases[i].bytes, sizeof bytes);
        weft_event event;
        size_t used;
        assert_int_equal(next(client, &event, bytes, sizeof bytes, &used), WEFT_EVENT_FAILURE);
        assert_int_equal(event.status, cases[i].status);
        assert_int_equal(event.close_code, cases[i].code);
        assert_int_equal(carry(client, server, &event), WEFT_EVENT_CLOSE);
        assert_int_equal(event.close_code, cases[i].code);
        weft_session_free(client);
        weft_session_free(server);
    }
}

static void test_close_codes_that_may_not_be_sent_are_refused(void **state)
{
    (void)state;
    for (unsigned code = 0; code <= UINT16_MAX; code++) {
        weft_session *client = session_of(WEFT_CLIENT);
        uint8_t bytes[] = {0x88, 2, (uint8_t)(code >> 8), (uint8_t)code};
        size_t used;
        weft_event event;
        next(client, &event, bytes, sizeof bytes, &used);
        bool is_valid = weft_close_code_is_valid((uint16_t)code);
        assert_int_equal(event.type, is_valid ? WEFT_EVENT_CLOSE : WEFT_EVENT_FAILURE);
        assert_int_equal(event.close_code, is_valid ? code : WEFT_CLOSE_PROTOCOL_ERROR);
        weft_session_free(client);
    }
}

static void test_no_event_has_every_field_set(void **state)
{
    (void)state;
    weft_session *server = session_of(WEFT_SERVER);
    weft_event event;
    memset(&event, 0xEE, sizeof event);
    size_t used = 7;
    assert_int_equal(next(server, &event, NULL, 0, &used), WEFT_EVENT_NONE);
    assert_non_null(event.bytes);
    assert_int_equal(event.length, 0);
    assert_int_equal(event.close_code, 0);
    assert_int_equal(event.status, WEFT_OK);
    assert_string_equal(event.detail, "");
    weft_session_free(server);
}

static void test_arguments_that_no_peer_would_accept_are_refused(void **state)
{
    (void)state;
    weft_session *client = session_of(WEFT_CLIENT);
    const uint8_t bytes[126] = {0xFF};
    assert_int_equal(weft_session_send(client, WEFT_TEXT, bytes, 1), WEFT_EPAYLOAD);
    assert_int_equal(weft_session_send(client, (weft_message_type)0, bytes, 1), WEFT_EINVAL);
    assert_int_equal(weft_session_send(client, (weft_message_type)8, bytes, 1), WEFT_EINVAL);
    assert_int_equal(weft_session_ping(client, bytes, 126), WEFT_ECONTROL);
    assert_int_equal(weft_session_pong(client, bytes, 126), WEFT_ECONTROL);
    assert_int_equal(weft_session_close(client, 1005, "why", 3), WEFT_EINVAL);
    assert_int_equal(weft_session_close(client, 1006, NULL, 0), WEFT_EINVAL);
    assert_int_equal(weft_session_close(client, 1000, "\xFF", 1), WEFT_EPAYLOAD);
    assert_int_equal(output_length(client), 0);
    assert_int_equal(weft_session_send(client, WEFT_BINARY, bytes, 1), WEFT_OK);
    weft_session_free(client);
}

static void test_the_output_may_be_taken_in_pieces(void **state)
{
    (void)state;
    weft_session *server = session_of(WEFT_SERVER);
    static const uint8_t expected[] = {0x81, 3, 'a', 'b', 'c', 0x89, 0};
    assert_int_equal(weft_session_send(server, WEFT_TEXT, (const uint8_t *)"abc", 3), WEFT_OK);
    assert_int_equal(weft_session_ping(server, NULL, 0), WEFT_OK);
    for (size_t i = 0; i < sizeof expected; i++) {
        const uint8_t *bytes;
        size_t length;
        weft_session_output(server, &bytes, &length);
        assert_int_equal(length, sizeof expected - i);
        assert_memory_equal(bytes, expected + i, length);
        weft_session_consume_output(server, 1);
    }
    assert_int_equal(output_length(server), 0);
    weft_session_consume_output(server, 1);
    weft_session_free(server);
}

/* Empty ones too: 131,072 of them cost nothing, the next one is over the limit. */
static void test_fragments_without_end_hold_no_memory_of_their_own(void **state)
{
    (void)state;
    weft_session_config config;
    weft_session_config_init(&config);
    counting_allocator counter;
    allocator_count(&counter);
    weft_session *client = session_of(WEFT_CLIENT);
    size_t requests = counter.requests, used;
    weft_event event;
    for (uint32_t i = 0; i < config.max_fragments; i++) {
        uint8_t bytes[] = {i == 0 ? WEFT_OPCODE_BINARY : WEFT_OPCODE_CONTINUATION, 0};
        assert_int_equal(next(client, &event, bytes, 2, &used), WEFT_EVENT_NONE);
    }
    assert_int_equal(counter.requests, requests);
    assert_int_equal(next(client, &event, (uint8_t[]){0, 0}, 2, &used), WEFT_EVENT_FAILURE);
    assert_int_equal(event.close_code, WEFT_CLOSE_TOO_BIG);
    weft_session_free(client);
    allocator_restore(&counter);
}

/* Reads everything byte by byte, so that every header, message and control frame had to be kept. */
static void trickle(weft_session *session, const uint8_t *bytes, size_t length, size_t *events)
{
    weft_event event;
    for (size_t i = 0; i < length; i++) {
        uint8_t byte = bytes[i];
        size_t used;
        *events += next(session, &event, &byte, 1, &used) != WEFT_EVENT_NONE;
        assert_int_equal(used, 1);
        assert_int_equal(next(session, &event, NULL, 0, &used), WEFT_EVENT_NONE);
    }
}

/* The wire of a long text, a long ping, a binary message and a pong; the caller frees it. */
static uint8_t *long_wire(size_t *length)
{
    enum {
        LENGTH = 200000
    };
    uint8_t *message = calloc(1, LENGTH);
    assert_non_null(message);
    weft_session *sender = session_of(WEFT_CLIENT);
    assert_int_equal(weft_session_send(sender, WEFT_TEXT, message, LENGTH), WEFT_OK);
    assert_int_equal(weft_session_ping(sender, message, 125), WEFT_OK);
    assert_int_equal(weft_session_send(sender, WEFT_BINARY, message, 300), WEFT_OK);
    assert_int_equal(weft_session_pong(sender, message, 1), WEFT_OK);
    const uint8_t *bytes;
    weft_session_output(sender, &bytes, length);
    uint8_t *wire = malloc(*length);
    assert_non_null(wire);
    memcpy(wire, bytes, *length);
    weft_session_free(sender);
    free(message);
    return wire;
}

static void test_an_idle_session_holds_nothing_but_its_struct(void **state)
{
    (void)state;
    size_t length, events = 0;
    uint8_t *wire = long_wire(&length);
    counting_allocator counter;
    allocator_count(&counter);
    weft_session *idle = session_of(WEFT_SERVER);
    size_t bytes_of_the_struct = counter.bytes;
    assert_true(bytes_of_the_struct <= 256);
    trickle(idle, wire, length, &events);
    assert_int_equal(events, 4);
    assert_int_equal(counter.blocks, 1);
    assert_int_equal(counter.bytes, bytes_of_the_struct);
    weft_session_free(idle);
    allocator_restore(&counter);
    free(wire);
}

static void test_an_echo_with_a_warm_output_allocates_nothing(void **state)
{
    (void)state;
    counting_allocator counter;
    allocator_count(&counter);
    weft_session *server = session_of(WEFT_SERVER);
    size_t requests = 0;
    for (int round = 0; round < 3; round++) {
        requests = counter.requests;
        uint8_t bytes[] = {0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58};
        weft_event event;
        size_t used;
        assert_int_equal(next(server, &event, bytes, sizeof bytes, &used), WEFT_EVENT_TEXT);
        assert_int_equal(weft_session_send(server, WEFT_TEXT, event.bytes, event.length), WEFT_OK);
        assert_int_equal(output_length(server), 7);
        weft_session_consume_output(server, 7);
    }
    assert_int_equal(counter.requests, requests);
    weft_session_free(server);
    allocator_restore(&counter);
}

static weft_status answer(weft_session *session, const weft_event *event)
{
    switch (event->type) {
    case WEFT_EVENT_PING: return weft_session_pong(session, event->bytes, event->length);
    case WEFT_EVENT_TEXT: return weft_session_send(session, WEFT_TEXT, event->bytes, event->length);
    case WEFT_EVENT_CLOSE: return weft_session_close(session, event->close_code, NULL, 0);
    default: return WEFT_OK;
    }
}

/* A conversation in which each call may fail for want of memory; true when none did. */
static bool converse(counting_allocator *counter, size_t fail_at)
{
    allocator_count(counter);
    counter->fail_at = fail_at;
    weft_session_config config;
    weft_session_config_init(&config);
    weft_session *server = NULL;
    uint8_t bytes[] = {0x01, 0x81, 0, 0, 0, 0,   'a',  0x89, 0x81, 0, 0, 0, 0,    'p', 0x80,
                       0x81, 0,    0, 0, 0, 'b', 0x88, 0x82, 0,    0, 0, 0, 0x03, 0xE8};
    weft_status worst = weft_session_new(&server, &config);
    for (size_t i = 0; server && i < sizeof bytes; i++) {
        weft_event event;
        size_t used;
        weft_status status = weft_session_next(server, &event, bytes + i, 1, &used);
        if (event.type == WEFT_EVENT_FAILURE) {
            assert_int_equal(event.close_code, WEFT_CLOSE_INTERNAL_ERROR);
            assert_true(weft_session_is_over(server));
            status = event.status;
        }
        if (status == WEFT_OK) status = answer(server, &event);
        if (status != WEFT_OK) worst = status;
    }
    bool was_enough = counter->requests < fail_at;
    assert_int_equal(worst, was_enough ? WEFT_OK : WEFT_ENOMEM);
    if (was_enough) assert_true(weft_session_is_over(server));
    weft_session_free(server);
    allocator_restore(counter);
    return was_enough;
}

static void test_running_out_of_memory_anywhere_is_reported_and_leaks_nothing(void **state)
{
    (void)state;
    counting_allocator counter;
    size_t fail_at = 1;
    while (!converse(&counter, fail_at))
        fail_at++;
    assert_true(fail_at > 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings_out_of_range_are_refused),
        cmocka_unit_test(test_agreed_compression_out_of_range_is_refused),
        cmocka_unit_test(test_compressing_sessions_understand_each_other),
        cmocka_unit_test(test_compression_that_is_off_is_none),
        cmocka_unit_test(test_a_shorter_config_of_old_has_the_new_defaults),
        cmocka_unit_test(test_a_session_without_memory_is_none),
        cmocka_unit_test(test_what_one_role_sends_the_other_reads),
        cmocka_unit_test(test_the_closing_handshake_is_over_when_both_frames_went),
        cmocka_unit_test(test_messages_still_count_until_the_peer_closes_too),
        cmocka_unit_test(test_a_failure_puts_one_close_frame_with_its_sentence_into_the_output),
        cmocka_unit_test(test_a_failure_after_our_close_sends_no_second_one),
        cmocka_unit_test(test_a_failure_without_memory_for_its_close_frame_is_over_all_the_same),
        cmocka_unit_test(test_each_broken_rule_has_its_close_code),
        cmocka_unit_test(test_close_codes_that_may_not_be_sent_are_refused),
        cmocka_unit_test(test_no_event_has_every_field_set),
        cmocka_unit_test(test_arguments_that_no_peer_would_accept_are_refused),
        cmocka_unit_test(test_the_output_may_be_taken_in_pieces),
        cmocka_unit_test(test_fragments_without_end_hold_no_memory_of_their_own),
        cmocka_unit_test(test_an_idle_session_holds_nothing_but_its_struct),
        cmocka_unit_test(test_an_echo_with_a_warm_output_allocates_nothing),
        cmocka_unit_test(test_running_out_of_memory_anywhere_is_reported_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
