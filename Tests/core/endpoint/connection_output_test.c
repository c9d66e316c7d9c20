#include "endpoint/world.h"

#include "endpoint/connection.h"

enum {
    PIECE = 100000, /* gathered, not copied */
};

static uint8_t piece[PIECE];

/* -- a slow reader --------------------------------------------------------------------------------- */

static void listen_for_slow_readers(world *world)
{
    world_init(world);
    world->settings.send_queue_limit = 1 << 20;
    world->settings.max_frame_size = 1 << 20;
    world_listen(world);
}

static int open_slow_peer(world *world)
{
    int peer = peer_try_connect(world->port, true);
    peer_say(peer, peer_upgrade_request);
    assert_int_equal(peer_status(peer), 101);
    world_await(world, OPEN, 1);
    return peer;
}

/* Messages of different sizes until the queue is full; returns how many were taken. */
static int fill(weft_connection *connection)
{
    for (int sent = 0;; sent++) {
        size_t length = sent % 3 == 0 ? PIECE : sent % 3 == 1 ? 5000 : 20;
        piece[0] = (uint8_t)sent;
        weft_status status = weft_connection_send(connection, WEFT_BINARY, piece, length);
        if (status == WEFT_EBACKPRESSURE) return sent;
        assert_int_equal(status, WEFT_OK);
        assert_true(sent < 100000);
    }
}

static void expect_filling(int peer, int count)
{
    static uint8_t got[PIECE];
    for (int i = 0; i < count; i++) {
        int first_byte;
        size_t length = peer_read_frame(peer, &first_byte, got, sizeof got);
        assert_int_equal(first_byte, FIN | BINARY);
        assert_int_equal(length, i % 3 == 0 ? PIECE : i % 3 == 1 ? 5000 : 20);
        assert_int_equal(got[0], (uint8_t)i);
    }
}

static _Atomic int filled; /* -1: not yet */

static void fill_inside(world *world, weft_connection *connection, weft_request *request)
{
    (void)request;
    filled = fill(connection);
    assert_true(weft_connection_buffered_amount(connection) <= world->settings.send_queue_limit);
}

/* From within one callback, where nothing is sent before the turn ends. */
static void test_the_queue_is_bounded_inside_a_callback(void **state)
{
    (void)state;
    counting_allocator counter;
    allocator_count(&counter);
    world world;
    world_init(&world);
    world.settings.send_queue_limit = 1 << 20;
    world.settings.max_frame_size = 1 << 20;
    world.deeds[OPEN] = fill_inside;
    filled = -1;
    world_listen(&world);
    int peer = peer_try_connect(world.port, true);
    peer_say(peer, peer_upgrade_request);
    world_await(&world, OPEN, 1);
    while (filled < 0)
        sched_yield();
    assert_true(counter.bytes < 4 << 20);
    assert_int_equal(peer_status(peer), 101);
    expect_filling(peer, filled);
    world_await(&world, WRITABLE, 1);
    assert_int_equal(weft_connection_buffered_amount(world.connection), 0);
    peer_send_text(peer, "and on");
    peer_expect_text(peer, "and on");
    close(peer);
    world_end(&world);
    allocator_restore(&counter);
}

static void test_the_queue_is_bounded_from_another_thread(void **state)
{
    (void)state;
    world world;
    listen_for_slow_readers(&world);
    int peer = open_slow_peer(&world);
    int total = fill(world.connection);
    while (atomic_load(&world.connection->posted) > 0)
        sched_yield(); /* counted twice on their way */
    assert_true(weft_connection_buffered_amount(world.connection) <= world.settings.send_queue_limit);
    expect_filling(peer, total);
    peer_send_text(peer, "and on");
    peer_expect_text(peer, "and on");
    close(peer);
    world_end(&world);
}

static void fill_until_refused(world *world)
{
    while (atomic_load(&world->connection->unsent) <= world->settings.high_water) {
        weft_connection_send(world->connection, WEFT_BINARY, piece, PIECE);
    }
}

static void test_who_does_not_read_is_not_read_from(void **state)
{
    (void)state;
    world world;
    listen_for_slow_readers(&world);
    int peer = open_slow_peer(&world);
    fill_until_refused(&world);
    peer_send_text(peer, "ignored for now");
    poll(NULL, 0, 50);
    assert_int_equal(world_count(&world, MESSAGE), 0);
    static uint8_t got[PIECE];
    int first_byte = 0;
    while (first_byte != (FIN | TEXT))
        peer_read_frame(peer, &first_byte, got, sizeof got);
    assert_memory_equal(got, "ignored for now", 15);
    assert_true(world_count(&world, WRITABLE) >= 1);
    close(peer);
    world_end(&world);
}

/* What a lone message is cut into goes out whole, however large it is. */
static void test_a_lone_message_may_pass_the_limit(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world.settings.send_queue_limit = 1;
    world.settings.max_frame_size = 20000;
    world_listen(&world);
    int peer = open_slow_peer(&world);
    assert_int_equal(weft_connection_send(world.connection, WEFT_BINARY, piece, PIECE), WEFT_OK);
    static uint8_t got[PIECE];
    int first_byte;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(peer_read_frame(peer, &first_byte, got, sizeof got), 20000);
        assert_int_equal(first_byte, (i == 0 ? BINARY : 0) | (i == 4 ? FIN : 0));
    }
    close(peer);
    world_end(&world);
}

static void test_a_flood_of_pings_keeps_one_pong(void **state)
{
    (void)state;
    counting_allocator counter;
    allocator_count(&counter);
    world world;
    world_init(&world);
    world.settings.high_water = 64 << 20; /* so that it goes on reading from us */
    world_listen(&world);
    int peer = open_slow_peer(&world);
    while (atomic_load(&world.connection->unsent) < PIECE) {
        weft_connection_send(world.connection, WEFT_BINARY, piece, PIECE);
    }
    while (atomic_load(&world.connection->posted) > 0)
        sched_yield();
    poll(NULL, 0, 10);
    size_t before = counter.bytes;
    for (int i = 0; i < 5000; i++) {
        char text[8];
        snprintf(text, sizeof text, "%04d", i);
        peer_send_frame(peer, FIN | PING, text, 4);
    }
    peer_send_frame(peer, FIN | PONG, "done", 4);
    world_await(&world, GOT_PONG, 1);
    assert_true(counter.bytes <= before + 1024);
    static uint8_t got[PIECE];
    int first_byte = 0, pongs = 0;
    do {
        peer_read_frame(peer, &first_byte, got, sizeof got);
        pongs += first_byte == (FIN | PONG);
    } while (memcmp(got, "4999", 4) != 0);
    assert_int_equal(pongs, 1);
    close(peer);
    world_end(&world);
    allocator_restore(&counter);
}

/* -- several threads ------------------------------------------------------------------------------- */

enum {
    THREADS = 4,
    EACH = 300
};

typedef struct writer {
    weft_connection *connection;
    uint8_t name;
    bool has_failed;
} writer;

static void *write_numbered(void *argument)
{
    writer *writer = argument;
    uint8_t bytes[3000];
    for (int i = 0; i < EACH; i++) {
        size_t length = 3 + (size_t)(i * 37 % 2900);
        memset(bytes, writer->name, length);
        bytes[1] = (uint8_t)(i >> 8);
        bytes[2] = (uint8_t)i;
        if (weft_connection_send(writer->connection, WEFT_BINARY, bytes, length) != WEFT_OK) {
            writer->has_failed = true;
        }
    }
    return NULL;
}

static void test_writers_on_four_threads_never_interleave(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world_listen(&world);
    int peer = peer_open(world.port);
    world_await(&world, OPEN, 1);
    pthread_t threads[THREADS];
    writer writers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        writers[i] = (writer){.connection = world.connection, .name = (uint8_t)('a' + i)};
        pthread_create(&threads[i], NULL, write_numbered, &writers[i]);
    }
    int next[THREADS] = {0};
    for (int i = 0; i < THREADS * EACH; i++) {
        uint8_t got[3000];
        int first_byte;
        size_t length = peer_read_frame(peer, &first_byte, got, sizeof got);
        int who = got[0] - 'a', number = got[1] << 8 | got[2];
        assert_in_range(who, 0, THREADS - 1);
        assert_int_equal(number, next[who]++);
        assert_int_equal(length, 3 + number * 37 % 2900);
        for (size_t k = 3; k < length; k++)
            assert_int_equal(got[k], got[0]);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_false(writers[i].has_failed);
    }
    close(peer);
    world_end(&world);
}

/* -- what may not be sent -------------------------------------------------------------------------- */

static void test_what_may_not_be_sent_is_refused(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world_listen(&world);
    int peer = peer_open(world.port);
    world_await(&world, OPEN, 1);
    weft_connection *connection = world.connection;
    const uint8_t bad[] = {0xff};
    assert_int_equal(weft_connection_send(connection, WEFT_TEXT, bad, 1), WEFT_EPAYLOAD);
    assert_int_equal(weft_connection_send(connection, (weft_message_type)9, bad, 1), WEFT_EINVAL);
    assert_int_equal(weft_connection_ping(connection, piece, 126), WEFT_ECONTROL);
    assert_int_equal(weft_connection_pong(connection, piece, 126), WEFT_ECONTROL);
    assert_int_equal(weft_connection_ping(connection, (const uint8_t *)"hi", 2), WEFT_OK);
    peer_expect_frame(peer, FIN | PING, "hi", 2);
    assert_int_equal(weft_connection_pong(connection, NULL, 0), WEFT_OK);
    peer_expect_frame(peer, FIN | PONG, NULL, 0);
    assert_int_equal(weft_connection_send(connection, WEFT_TEXT, NULL, 0), WEFT_OK);
    peer_expect_text(peer, "");
    assert_int_equal(weft_connection_send_valid_text(connection, (const uint8_t *)"ok", 2), WEFT_OK);
    peer_expect_text(peer, "ok");
    close(peer);
    world_await(&world, RELEASE, 1);
    assert_int_equal(weft_connection_send(connection, WEFT_TEXT, NULL, 0), WEFT_ECLOSED);
    assert_int_equal(weft_connection_ping(connection, NULL, 0), WEFT_ECLOSED);
    world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_queue_is_bounded_inside_a_callback),
        cmocka_unit_test(test_the_queue_is_bounded_from_another_thread),
        cmocka_unit_test(test_who_does_not_read_is_not_read_from),
        cmocka_unit_test(test_a_lone_message_may_pass_the_limit),
        cmocka_unit_test(test_a_flood_of_pings_keeps_one_pong),
        cmocka_unit_test(test_writers_on_four_threads_never_interleave),
        cmocka_unit_test(test_what_may_not_be_sent_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
