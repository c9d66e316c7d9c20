#include "world.h"

#include "endpoint/compression.h"
#include "endpoint/connection.h"

#define OFFER "permessage-deflate; client_max_window_bits"

enum {
    RSV1 = 0x40,
    LONG = 5000
};

static char long_text[LONG];

/* A peer on a raw socket that speaks permessage-deflate, if the server does. */
typedef struct speaker {
    int socket;
    weft_session *session;
    uint8_t first_byte; /* of the last frame */
} speaker;

static void write_long_text(void)
{
    for (size_t i = 0; i < LONG; i++)
        long_text[i] = (char)('a' + (i * i / 7 + i) % 13);
}

/* The request with `offer` as its extensions; the value of the answer's field goes to `answer`. */
static int open_with_offer(uint16_t port, const char *offer, char answer[256])
{
    char request[1024], head[2048];
    size_t without_end = strlen(peer_upgrade_request) - 2;
    snprintf(request, sizeof request, "%.*sSec-WebSocket-Extensions: %s\r\n\r\n", (int)without_end,
             peer_upgrade_request, offer);
    int peer = peer_connect(port);
    peer_say(peer, request);
    assert_int_equal(peer_read_answer(peer, head, sizeof head, false), 101);
    const char *field = strstr(head, "Sec-WebSocket-Extensions: ");
    snprintf(answer, 256, "%.*s", field ? (int)strcspn(field + 26, "\r") : 0, field ? field + 26 : "");
    return peer;
}

static void speaker_init(speaker *speaker, uint16_t port, bool takes_over)
{
    char answer[256];
    weft_session_config config;
    weft_compression agreed;
    weft_session_config_init(&config);
    weft_compression_init(&agreed, WEFT_CLIENT);
    config.role = WEFT_CLIENT;
    config.compression = &agreed;
    config.max_frame_size = 1 << 24;
    config.max_message_size = 1 << 24;
    agreed.server_no_context_takeover = agreed.client_no_context_takeover = !takes_over;
    *speaker = (struct speaker){.socket = open_with_offer(port, OFFER, answer)};
    assert_int_equal(weft_session_new(&speaker->session, &config), WEFT_OK);
}

static void speaker_clear(speaker *speaker)
{
    weft_session_free(speaker->session);
    close(speaker->socket);
}

static bool speaker_try_say(speaker *speaker, const void *bytes, size_t length)
{
    const uint8_t *output;
    size_t output_length;
    assert_int_equal(weft_session_send(speaker->session, WEFT_BINARY, bytes, length), WEFT_OK);
    weft_session_output(speaker->session, &output, &output_length);
    bool is_sent = peer_try_send(speaker->socket, output, output_length);
    weft_session_consume_output(speaker->session, output_length);
    return is_sent;
}

/* Reads up to the next message or the end. */
static bool speaker_hears(speaker *speaker, const void *expected, size_t length)
{
    bool is_first = true;
    uint8_t bytes[4096];
    weft_event event = {.type = WEFT_EVENT_NONE};
    while (event.type == WEFT_EVENT_NONE) {
        ssize_t count = peer_receive(speaker->socket, bytes, sizeof bytes);
        if (count <= 0) return false;
        if (is_first) speaker->first_byte = bytes[0];
        is_first = false;
        for (size_t at = 0, used; event.type == WEFT_EVENT_NONE && at < (size_t)count; at += used)
            weft_session_next(speaker->session, &event, bytes + at, (size_t)count - at, &used);
    }
    return event.type == WEFT_EVENT_BINARY && event.length == length &&
           memcmp(event.bytes, expected, length) == 0;
}

static void expect_echo(speaker *speaker, const void *bytes, size_t length)
{
    assert_true(speaker_try_say(speaker, bytes, length));
    assert_true(speaker_hears(speaker, bytes, length));
}

static void world_compressing(world *world, weft_compression *compression, bool takes_over)
{
    world_init(world);
    weft_compression_init(compression, WEFT_SERVER);
    if (takes_over) compression->memory = WEFT_COMPRESSION_DEDICATED;
    world->listening.compression = compression;
}

/* -- negotiation --------------------------------------------------------------------------------- */

static void test_a_listener_takes_offers_by_default(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world_listen(&world);
    char answer[256];
    int peer = open_with_offer(world.port, OFFER, answer);
    assert_string_equal(answer, "permessage-deflate; server_no_context_takeover; client_no_context_takeover");
    world_await(&world, OPEN, 1);
    assert_true(weft_connection_is_compressed(world.connection));
    close(peer);
    peer = open_with_offer(world.port, "x-other; a=b", answer);
    assert_string_equal(answer, "");
    world_await(&world, OPEN, 2);
    assert_false(weft_connection_is_compressed(world.connection));
    close(peer);
    world_end(&world);
}

static void test_a_listener_takes_none_where_compression_is_off(void **state)
{
    (void)state;
    world world;
    weft_compression compression;
    world_compressing(&world, &compression, false);
    compression.enabled = false;
    world_listen(&world);
    char answer[256];
    int peer = open_with_offer(world.port, OFFER, answer);
    assert_string_equal(answer, "");
    peer_send_frame(peer, FIN | RSV1 | TEXT, "\xf2\x48\xcd\xc9\xc9\x07", 7);
    peer_expect_close(peer, 1002);
    close(peer);
    world_end(&world);
}

static void accept_without_compression(world *world, weft_connection *connection, weft_request *request)
{
    (void)connection;
    weft_acceptance acceptance;
    weft_compression compression;
    char detail[128];
    weft_acceptance_init(&acceptance);
    weft_compression_init(&compression, WEFT_SERVER);
    acceptance.service = &world->service;
    acceptance.context = world;
    acceptance.compression = &compression;
    compression.level = 0;
    assert_int_equal(weft_request_accept(request, &acceptance, detail, sizeof detail), WEFT_EINVAL);
    assert_string_equal(detail, "compression: level is not in 1 to 9");
    compression.level = 9;
    compression.enabled = false;
    assert_int_equal(weft_request_accept(request, &acceptance, detail, sizeof detail), WEFT_OK);
}

static void test_an_acceptance_may_differ_from_its_listener(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world.deeds[UPGRADE] = accept_without_compression;
    world_listen(&world);
    char answer[256];
    int peer = open_with_offer(world.port, OFFER, answer);
    assert_string_equal(answer, "");
    close(peer);
    world_end(&world);
}

static void test_settings_out_of_range_are_refused(void **state)
{
    (void)state;
    world world;
    weft_compression compression;
    char detail[128];
    world_compressing(&world, &compression, false);
    compression.server_max_window_bits = 8;
    assert_int_equal(weft_listener_open(&world.listener, &world.listening, detail, sizeof detail),
                     WEFT_EINVAL);
    assert_string_equal(detail, "compression: server_max_window_bits is not in 9 to 15");
    assert_int_equal(weft_loop_open(&world.loop), WEFT_OK);
    weft_client_config calling = world_calling(&world, world.loop, "ws://127.0.0.1:1/");
    weft_client *client;
    calling.compression = &compression;
    assert_int_equal(weft_client_connect(&client, &calling, detail, sizeof detail), WEFT_EINVAL);
    assert_string_equal(detail, "compression: server_max_window_bits is not in 9 to 15");
    world_clear(&world);
}

/* -- messages ------------------------------------------------------------------------------------ */

static void test_long_messages_are_compressed_both_ways(void **state)
{
    (void)state;
    for (int takes_over = 0; takes_over <= 1; takes_over++) {
        world world;
        weft_compression compression;
        world_compressing(&world, &compression, takes_over);
        world_listen(&world);
        speaker speaker;
        speaker_init(&speaker, world.port, takes_over);
        for (int i = 0; i < 5; i++) {
            expect_echo(&speaker, long_text, LONG);
            assert_int_equal(speaker.first_byte, FIN | RSV1 | BINARY);
            expect_echo(&speaker, "short", 5);
            assert_int_equal(speaker.first_byte, FIN | BINARY);
        }
        speaker_clear(&speaker);
        world_end(&world);
    }
}

static void test_large_messages_are_gathered_compressed(void **state)
{
    (void)state;
    enum {
        LARGE = 600000
    };
    uint8_t *bytes = malloc(LARGE);
    assert_non_null(bytes);
    uint32_t noise = 1;
    for (size_t i = 0; i < LARGE; i++) {
        noise = noise * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(noise >> 28); /* 4 bits of a byte are noise */
    }
    world world;
    weft_compression compression;
    world_compressing(&world, &compression, true);
    world.settings.max_frame_size = 1 << 20;
    world_listen(&world);
    speaker speaker;
    speaker_init(&speaker, world.port, true);
    for (int i = 0; i < 3; i++) {
        expect_echo(&speaker, bytes, LARGE);
        assert_true(speaker.first_byte & RSV1);
    }
    speaker_clear(&speaker);
    world_end(&world);
    free(bytes);
}

static void test_connections_take_turns_with_the_shared_contexts(void **state)
{
    (void)state;
    enum {
        PEERS = 5
    };
    world world;
    world_init(&world);
    world_listen(&world);
    speaker speakers[PEERS];
    for (int i = 0; i < PEERS; i++)
        speaker_init(&speakers[i], world.port, false);
    /* All are inside a message at once, then all get their echo. */
    const uint8_t *output[PEERS];
    size_t length[PEERS];
    for (int i = 0; i < PEERS; i++) {
        assert_int_equal(weft_session_send(speakers[i].session, WEFT_BINARY, (uint8_t *)long_text + i, 4000),
                         WEFT_OK);
        weft_session_output(speakers[i].session, &output[i], &length[i]);
        peer_send(speakers[i].socket, output[i], length[i] / 2);
    }
    for (int i = 0; i < PEERS; i++) {
        peer_send(speakers[i].socket, output[i] + length[i] / 2, length[i] - length[i] / 2);
        weft_session_consume_output(speakers[i].session, length[i]);
    }
    for (int i = 0; i < PEERS; i++) {
        assert_true(speaker_hears(&speakers[i], long_text + i, 4000));
        speaker_clear(&speakers[i]);
    }
    world_end(&world);
}

static void test_client_and_listener_agree_and_talk(void **state)
{
    (void)state;
    for (int takes_over = 0; takes_over <= 1; takes_over++) {
        world served, calling;
        weft_compression compression;
        world_compressing(&served, &compression, takes_over);
        world_listen(&served);
        world_init(&calling);
        calling.is_quiet = true;
        assert_int_equal(weft_loop_open(&calling.loop), WEFT_OK);
        char url[64], detail[128];
        snprintf(url, sizeof url, "ws://127.0.0.1:%u/", (unsigned)served.port);
        weft_client_config config = world_calling(&calling, calling.loop, url);
        weft_client *client;
        assert_int_equal(weft_client_connect(&client, &config, detail, sizeof detail), WEFT_OK);
        weft_client_release(client);
        world_await(&calling, OPEN, 1);
        weft_connection *connection = world_hold(&calling);
        assert_true(weft_connection_is_compressed(connection));
        for (int i = 1; i <= 5; i++) { /* from this thread, by the loop's mailbox */
            assert_int_equal(weft_connection_send(connection, WEFT_TEXT, (uint8_t *)long_text, LONG),
                             WEFT_OK);
            world_await(&calling, MESSAGE, i);
            calling.received_length = 0;
        }
        assert_memory_equal(calling.received, long_text, sizeof calling.received);
        assert_int_equal(weft_connection_buffered_amount(connection), 0);
        weft_connection_close(connection, 1000, "", 0, 0);
        world_await(&calling, RELEASE, 1);
        assert_int_equal(calling.close_code, 1000);
        weft_connection_release(connection);
        world_clear(&calling);
        world_end(&served);
    }
}

static bool comes_to_nothing_waiting(const weft_connection *connection)
{
    for (int waited = 0; weft_connection_buffered_amount(connection) && waited < PEER_DEADLINE_MS; waited++)
        poll(NULL, 0, 1);
    return weft_connection_buffered_amount(connection) == 0;
}

/* What waits is counted compressed, so the peer's slowness is felt late; the limit looks at the message as it
 * was given. */
static void test_the_send_queue_counts_what_waits(void **state)
{
    (void)state;
    enum {
        TIMES = 60
    };
    world world;
    world_init(&world);
    world.settings.send_queue_limit = LONG;
    world_listen(&world);
    speaker speaker;
    speaker_init(&speaker, world.port, false);
    world_await(&world, OPEN, 1);
    weft_connection *connection = world_hold(&world);
    for (int i = 0; i < TIMES; i++) { /* far more than the limit, to a peer that does not read yet */
        assert_int_equal(weft_connection_send(connection, WEFT_BINARY, (uint8_t *)long_text, LONG), WEFT_OK);
        assert_true(comes_to_nothing_waiting(connection));
    }
    for (int i = 0; i < TIMES; i++) {
        uint8_t frame[LONG];
        int first_byte;
        assert_true(peer_read_frame(speaker.socket, &first_byte, frame, sizeof frame) < LONG / 2);
        assert_int_equal(first_byte, FIN | RSV1 | BINARY);
    }
    weft_connection_release(connection);
    speaker_clear(&speaker);
    world_end(&world);
}

static void test_a_bomb_is_refused_at_the_limit(void **state)
{
    (void)state;
    enum {
        BOMB = 12 << 20
    };
    uint8_t *zeros = calloc(1, BOMB);
    assert_non_null(zeros);
    world world;
    world_init(&world);
    world_listen(&world);
    speaker speaker;
    speaker_init(&speaker, world.port, false);
    assert_int_equal(weft_session_send(speaker.session, WEFT_BINARY, zeros, BOMB), WEFT_OK);
    const uint8_t *output;
    size_t length;
    weft_session_output(speaker.session, &output, &length);
    assert_true(length < 65536); /* no frame limit stands before the message's */
    peer_send(speaker.socket, output, length);
    uint8_t bytes[200];
    int first_byte;
    size_t reason_length = peer_read_frame(speaker.socket, &first_byte, bytes, sizeof bytes);
    assert_int_equal(first_byte, FIN | CLOSE);
    assert_int_equal(bytes[0] << 8 | bytes[1], 1009);
    static const char reason[] = "a compressed message inflates to more than maxMessageSize 1048576";
    assert_int_equal(reason_length, 2 + sizeof reason - 1);
    assert_memory_equal(bytes + 2, reason, sizeof reason - 1);
    speaker_clear(&speaker);
    world_end(&world);
    free(zeros);
}

static void test_damaged_data_ends_with_1007(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world_listen(&world);
    char answer[256];
    int peer = open_with_offer(world.port, OFFER, answer);
    peer_send_frame(peer, FIN | RSV1 | TEXT, "\xf2\x48", 2);
    peer_expect_close(peer, 1007);
    world_await(&world, CLOSED, 1);
    assert_int_equal(world.error, WEFT_EPAYLOAD);
    assert_string_equal(world.detail, "a compressed message is damaged");
    close(peer);
    world_end(&world);
}

/* -- memory -------------------------------------------------------------------------------------- */

enum {
    PEERS = 30
};

static bool comes_down_to(const counting_allocator *counter, size_t bytes)
{
    for (int waited = 0; counter->bytes > bytes && waited < PEER_DEADLINE_MS; waited += 10)
        poll(NULL, 0, 10);
    return counter->bytes <= bytes;
}

/* What PEERS connections hold after a message each way, and when their contexts have rested. */
static void measure_idle(bool takes_over, size_t *busy, size_t *idle, size_t expected_idle)
{
    counting_allocator counter;
    speaker speakers[PEERS];
    world world;
    weft_compression compression;
    allocator_count(&counter);
    world_compressing(&world, &compression, takes_over);
    world_listen(&world);
    size_t alone = counter.bytes;
    for (int i = 0; i < PEERS; i++) {
        speaker_init(&speakers[i], world.port, takes_over);
        expect_echo(&speakers[i], long_text, 1000);
        weft_session_free(speakers[i].session); /* which lives in the same process */
        speakers[i].session = NULL;
    }
    *busy = counter.bytes - alone;
    comes_down_to(&counter, alone + expected_idle);
    *idle = counter.bytes - alone;
    for (int i = 0; i < PEERS; i++)
        speaker_clear(&speakers[i]);
    world_end(&world);
    allocator_restore(&counter);
}

static void test_idle_connections_hold_no_context(void **state)
{
    (void)state;
    enum {
        EACH = 700,         /* a connection without compression */
        COMMON = 100 * 1024 /* of a loop: its own buffers and spare blocks */
    };
    size_t busy, idle;
    measure_idle(false, &busy, &idle, PEERS * EACH + COMMON);
    assert_true(idle <= PEERS * EACH + COMMON);
    assert_true(busy <= idle + 1024 * 1024); /* one pair of contexts for all */
    measure_idle(true, &busy, &idle, PEERS * (EACH + 1000) + COMMON);
    assert_true(busy >= (size_t)PEERS * 180 * 1024);     /* a pair each, while they talk */
    assert_true(idle <= PEERS * (EACH + 1000) + COMMON); /* then just the window: what they sent */
}

static void echo(void *context, weft_connection *connection, weft_message_type type, const uint8_t *bytes,
                 size_t length)
{
    (void)context;
    weft_connection_send(connection, type, bytes, length);
}

static void test_compressed_echoes_allocate_nothing_in_the_steady_state(void **state)
{
    (void)state;
    /* "Hello" seven times over, compressed without takeover. */
    static const uint8_t message[] = {0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0xf7, 0xc0, 0x4b, 0x00, 0x00};
    for (int takes_over = 0; takes_over <= 1; takes_over++) {
        counting_allocator counter;
        world world;
        weft_compression compression;
        allocator_count(&counter);
        world_compressing(&world, &compression, takes_over);
        compression.threshold = 1;
        world.service.on_message = echo;
        world_listen(&world);
        char answer[256];
        int peer = open_with_offer(world.port, OFFER, answer);
        size_t before = 0;
        for (int i = 0; i < 300; i++) {
            uint8_t echoed[64];
            int first_byte;
            if (i == 100) before = counter.requests;
            peer_send_frame(peer, FIN | RSV1 | TEXT, message, sizeof message);
            assert_true(peer_read_frame(peer, &first_byte, echoed, sizeof echoed) > 0);
            assert_int_equal(first_byte, FIN | RSV1 | TEXT);
        }
        assert_int_equal(counter.requests, before);
        close(peer);
        world_end(&world);
        allocator_restore(&counter);
    }
}

static void echo_or_abort(void *context, weft_connection *connection, weft_message_type type,
                          const uint8_t *bytes, size_t length)
{
    (void)context;
    if (weft_connection_send(connection, type, bytes, length) != WEFT_OK) weft_connection_abort(connection);
}

/* One echo with the n-th allocation failing, wherever that is; true when it failed nowhere. */
static bool live_through(counting_allocator *counter, size_t n)
{
    char answer[256];
    world world;
    weft_compression compression;
    world_compressing(&world, &compression, true);
    compression.threshold = 1;
    world.service.on_message = echo_or_abort;
    world_listen(&world);
    int peer = open_with_offer(world.port, OFFER, answer);
    world_await(&world, OPEN, 1);
    size_t before = counter->requests;
    counter->fails_once = true;
    counter->fail_at = before + n;
    uint8_t frames[64], header[2], payload[126];
    size_t length = peer_write_frame(frames, RSV1 | TEXT, "\xf2\x48\xcd\xc9\xc9", 5);
    length += peer_write_frame(frames + length, FIN, "\xf7\xc0\x4b\x00\x00", 5);
    bool is_answered = peer_try_send(peer, frames, length) && peer_try_read(peer, header, 2) &&
                       peer_try_read(peer, payload, header[1]);
    bool is_closed = is_answered && header[0] == (FIN | CLOSE);
    if (is_closed) assert_int_equal(payload[0] << 8 | payload[1], 1011);
    bool has_failed = counter->requests >= before + n;
    counter->fail_at = 0;
    close(peer);
    world_end(&world);
    return !has_failed;
}

static void test_each_allocation_may_fail(void **state)
{
    (void)state;
    bool is_done = false;
    for (size_t n = 1; !is_done; n++) {
        assert_true(n < 100);
        counting_allocator counter;
        allocator_count(&counter);
        is_done = live_through(&counter, n);
        allocator_restore(&counter);
    }
}

static void test_agreements_are_compared_by_what_they_say(void **state)
{
    (void)state;
    weft_compression one, other;
    weft_compression_init(&one, WEFT_SERVER);
    other = one;
    assert_true(weft__compression_is_same(NULL, NULL));
    assert_false(weft__compression_is_same(&one, NULL));
    assert_false(weft__compression_is_same(NULL, &one));
    assert_true(weft__compression_is_same(&one, &other));
    weft_compression different[] = {one, one, one, one, one, one};
    different[0].server_no_context_takeover = true;
    different[1].client_no_context_takeover = true;
    different[2].level = 9;
    different[3].server_max_window_bits = 9;
    different[4].client_max_window_bits = 9;
    different[5].threshold = 1;
    for (size_t i = 0; i < 6; i++)
        assert_false(weft__compression_is_same(&one, &different[i]));
}

static int begin(void **state)
{
    (void)state;
    write_long_text();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_listener_takes_offers_by_default),
        cmocka_unit_test(test_a_listener_takes_none_where_compression_is_off),
        cmocka_unit_test(test_an_acceptance_may_differ_from_its_listener),
        cmocka_unit_test(test_settings_out_of_range_are_refused),
        cmocka_unit_test(test_long_messages_are_compressed_both_ways),
        cmocka_unit_test(test_large_messages_are_gathered_compressed),
        cmocka_unit_test(test_connections_take_turns_with_the_shared_contexts),
        cmocka_unit_test(test_client_and_listener_agree_and_talk),
        cmocka_unit_test(test_the_send_queue_counts_what_waits),
        cmocka_unit_test(test_a_bomb_is_refused_at_the_limit),
        cmocka_unit_test(test_damaged_data_ends_with_1007),
        cmocka_unit_test(test_idle_connections_hold_no_context),
        cmocka_unit_test(test_compressed_echoes_allocate_nothing_in_the_steady_state),
        cmocka_unit_test(test_each_allocation_may_fail),
        cmocka_unit_test(test_agreements_are_compared_by_what_they_say),
    };
    return cmocka_run_group_tests(tests, begin, NULL);
}
