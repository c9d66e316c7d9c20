#include "endpoint/world.h"

#include "endpoint/connection.h"

#include <sched.h>
#include <stdatomic.h>
#include <sys/resource.h>

/* -- settings -------------------------------------------------------------------------------------- */

static void test_settings_out_of_range_are_refused(void **state)
{
    (void)state;
    weft_connection_config defaults;
    weft_connection_config_init(&defaults);
    weft_connection_config wrong[] = {defaults, defaults, defaults, defaults, defaults, defaults, defaults};
    wrong[0].max_frame_size = 0;
    wrong[1].max_message_size = 0;
    wrong[2].max_fragments = 0;
    wrong[3].keep_alive_timeout_ms = 0;
    wrong[4].close_timeout_ms = 0;
    wrong[5].send_queue_limit = 0;
    wrong[6].size++;
    const char *names[] = {"max_frame_size",   "max_message_size", "max_fragments",  "keep_alive_timeout_ms",
                           "close_timeout_ms", "send_queue_limit", "not initialised"};
    weft_service service;
    weft_service_init(&service);
    assert_null(weft__plan_problem(&service, &defaults));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        weft__plan *plan;
        assert_int_equal(weft__plan_new(&plan, WEFT_SERVER, &service, &wrong[i]), WEFT_EINVAL);
        assert_non_null(strstr(weft__plan_problem(&service, &wrong[i]), names[i]));
    }
}

static void test_plans_that_say_the_same_are_one(void **state)
{
    (void)state;
    counting_allocator counter;
    allocator_count(&counter);
    _Atomic(weft__plan *) kept = NULL;
    weft_service service;
    weft_service_init(&service);
    weft_connection_config config;
    weft_connection_config_init(&config);
    const weft_compression none = {0};
    weft__plan *plans[6];
    assert_int_equal(weft__plan_share(&plans[0], &kept, WEFT_SERVER, &service, NULL, &none), WEFT_OK);
    assert_int_equal(weft__plan_share(&plans[1], &kept, WEFT_SERVER, &service, &config, &none), WEFT_OK);
    assert_ptr_equal(plans[0], plans[1]);
    config.idle_timeout_ms = 5;
    assert_int_equal(weft__plan_share(&plans[2], &kept, WEFT_SERVER, &service, &config, &none), WEFT_OK);
    assert_ptr_not_equal(plans[1], plans[2]);
    service.on_open = world_on_open;
    assert_int_equal(weft__plan_share(&plans[3], &kept, WEFT_SERVER, &service, &config, &none), WEFT_OK);
    assert_ptr_not_equal(plans[2], plans[3]);
    weft_compression agreed;
    weft_compression_init(&agreed, WEFT_SERVER);
    assert_int_equal(weft__plan_share(&plans[5], &kept, WEFT_SERVER, &service, &config, &agreed), WEFT_OK);
    assert_ptr_not_equal(plans[3], plans[5]);
    assert_ptr_equal(plans[5]->session.compression, &plans[5]->compression);
    weft__plan_release(plans[5]);
    counter.fail_at = counter.requests + 1;
    config.idle_timeout_ms = 6;
    assert_int_equal(weft__plan_share(&plans[4], &kept, WEFT_SERVER, &service, &config, &none), WEFT_ENOMEM);
    assert_null(plans[4]);
    for (int i = 0; i < 4; i++)
        weft__plan_release(plans[i]);
    weft__plan_release(kept);
    allocator_restore(&counter);
}

static void test_a_handle_tells_about_its_connection(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world_listen(&world);
    int one = peer_open(world.port);
    world_await(&world, OPEN, 1);
    weft_connection *first = weft_connection_retain(world.connection);
    int two = peer_open(world.port);
    world_await(&world, OPEN, 2);
    assert_true(weft_connection_is_open(first));
    assert_int_not_equal(weft_connection_id(first), weft_connection_id(world.connection));
    assert_int_equal(weft_connection_subprotocol(first).length, 0);
    assert_non_null(weft_connection_loop(first));
    close(one);
    world_await(&world, RELEASE, 1);
    assert_false(weft_connection_is_open(first));
    assert_int_equal(weft_connection_buffered_amount(first), 0);
    weft_connection_release(first);
    weft_connection_release(NULL);
    close(two);
    world_end(&world);
}

/* -- time ------------------------------------------------------------------------------------------ */

static void test_on_idle_comes_again(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world.settings.idle_timeout_ms = 20;
    world.settings.keep_alive_interval_ms = 8; /* its pings and pongs are no activity */
    world_listen(&world);
    int peer = peer_open(world.port);
    while (world_count(&world, IDLE) < 3) {
        int first_byte;
        uint8_t payload[125];
        if (!peer_is_readable(peer, 5)) continue;
        size_t length = peer_read_frame(peer, &first_byte, payload, sizeof payload);
        assert_int_equal(first_byte, FIN | PING);
        peer_send_frame(peer, FIN | PONG, payload, length);
    }
    close(peer);
    world_await(&world, RELEASE, 1);
    assert_int_equal(world.counts[GOT_PONG], 0);
    world_end(&world);
}

/* Each returns when the connection has seen it. */
static void let_it_read(world *world, int peer)
{
    int before = world_count(world, MESSAGE);
    peer_send_text(peer, "busy");
    world_await(world, MESSAGE, before + 1);
}

static void let_it_write(world *world, int peer)
{
    assert_int_equal(weft_connection_send(world->connection, WEFT_TEXT, (const uint8_t *)"busy", 4), WEFT_OK);
    peer_expect_text(peer, "busy");
}

static uint64_t monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Is active for a while, as it was since `last`; returns the longest time between two activities, at most. */
static uint64_t stay_active(world *world, int peer, void (*act)(struct world *world, int peer), uint64_t last)
{
    uint64_t longest = 0, end = last + 600;
    while (last < end) {
        uint64_t before = monotonic_ms();
        poll(NULL, 0, 5);
        act(world, peer);
        uint64_t now = monotonic_ms();
        if (now - last > longest) longest = now - last;
        last = before;
    }
    return longest;
}

/* A machine that is too busy to be active has more tries. */
static void expect_not_idle_while(void (*act)(world *world, int peer))
{
    enum {
        TIMEOUT_MS = 250,
        TRIES = 40
    };
    world world;
    world_init(&world);
    world.settings.idle_timeout_ms = TIMEOUT_MS;
    world.is_quiet = true;
    world_listen(&world);
    int peer = peer_open(world.port), idle = 0;
    world_await(&world, OPEN, 1);
    uint64_t longest = TIMEOUT_MS;
    for (int i = 0; i < TRIES && longest >= TIMEOUT_MS; i++) {
        uint64_t now = monotonic_ms();
        act(&world, peer);
        idle = world_count(&world, IDLE);
        longest = stay_active(&world, peer, act, now);
    }
    assert_int_equal(world_count(&world, IDLE), idle);
    close(peer);
    world_end(&world);
}

static void test_reading_and_writing_postpone_on_idle(void **state)
{
    (void)state;
    expect_not_idle_while(let_it_read);
    expect_not_idle_while(let_it_write);
}

static void test_a_silent_peer_is_lost_after_its_ping(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world.settings.keep_alive_interval_ms = 30;
    world.settings.keep_alive_timeout_ms = 50;
    world_listen(&world);
    int peer = peer_open(world.port);
    uint8_t payload[125];
    int first_byte;
    peer_read_frame(peer, &first_byte, payload, sizeof payload);
    assert_int_equal(first_byte, FIN | PING);
    world_expect_life(&world, "uoecr");
    assert_int_equal(world.error, WEFT_ETIMEDOUT);
    assert_string_equal(world.detail, "no pong in 0.05 s");
    assert_int_equal(world.close_code, 1006);
    close(peer);
    world_end(&world);
}

static void hold_loop(world *world, weft_connection *connection, weft_request *request)
{
    (void)world;
    (void)connection;
    (void)request;
    poll(NULL, 0, 1200);
}

/* Interval and timeout pass while nothing of the loop can run. */
static void test_a_late_ping_is_waited_for_as_long_as_any(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world.settings.keep_alive_interval_ms = 50;
    world.settings.keep_alive_timeout_ms = 1000;
    world.deeds[MESSAGE] = hold_loop;
    world.is_quiet = true;
    world_listen(&world);
    int peer = peer_open(world.port);
    peer_send_text(peer, "hold");
    uint8_t payload[125];
    int first_byte;
    for (int pings = 0; pings < 3; pings++) {
        size_t length = peer_read_frame(peer, &first_byte, payload, sizeof payload);
        assert_int_equal(first_byte, FIN | PING);
        poll(NULL, 0, 100); /* as far away as that */
        peer_send_frame(peer, FIN | PONG, payload, length);
    }
    assert_int_equal(world_count(&world, CLOSED), 0);
    close(peer);
    world_end(&world);
}

typedef struct held_loop {
    atomic_bool is_held, may_wait;
} held_loop;

static void hold_until_told(weft_loop *loop, void *context)
{
    (void)loop;
    held_loop *held = context;
    atomic_store(&held->is_held, true);
    while (!atomic_load(&held->may_wait))
        sched_yield();
    poll(NULL, 0, 1200);
}

/* The pong is there in time, and the loop could not look. */
static void test_a_pong_that_was_not_read_yet_counts(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world.settings.keep_alive_interval_ms = 50;
    world.settings.keep_alive_timeout_ms = 1000;
    world_listen(&world);
    int peer = peer_open(world.port);
    uint8_t payload[125];
    int first_byte;
    size_t length = peer_read_frame(peer, &first_byte, payload, sizeof payload);
    assert_int_equal(first_byte, FIN | PING);

    held_loop held = {0};
    weft_loop_post(weft_connection_loop(world.connection), hold_until_told, &held);
    while (!atomic_load(&held.is_held))
        sched_yield();
    peer_send_frame(peer, FIN | PONG, payload, length);
    atomic_store(&held.may_wait, true);
    peer_read_frame(peer, &first_byte, payload, sizeof payload);
    assert_int_equal(first_byte, FIN | PING);
    assert_int_equal(world_count(&world, CLOSED), 0);
    close(peer);
    world_end(&world);
}

static void pause_now(world *world, weft_connection *connection, weft_request *request)
{
    (void)world;
    (void)request;
    weft_connection_pause(connection);
}

static void resume_task(weft_loop *loop, void *context)
{
    (void)loop;
    weft_connection_resume(context);
}

/* A connection that does not read cannot hear pongs. */
static void test_a_pause_is_not_the_peers_silence(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world.settings.keep_alive_interval_ms = 20;
    world.settings.keep_alive_timeout_ms = 20;
    world.deeds[OPEN] = pause_now;
    world_listen(&world);
    int peer = peer_open(world.port);
    world_await(&world, OPEN, 1);
    poll(NULL, 0, 200);
    assert_int_equal(world_count(&world, CLOSED), 0);
    peer_send_text(peer, "kept");
    weft_loop_post(weft_connection_loop(world.connection), resume_task, world.connection);
    world_await(&world, MESSAGE, 1);
    close(peer);
    world_end(&world);
}

/* -- from inside every callback ------------------------------------------------------------------- */

static void abort_now(world *world, weft_connection *connection, weft_request *request)
{
    (void)world;
    (void)request;
    weft_connection_abort(connection);
}

static void close_now(world *world, weft_connection *connection, weft_request *request)
{
    (void)world;
    (void)request;
    weft_connection_close(connection, 1000, "", 0, 20);
}

static void fail_now(world *world, weft_connection *connection, weft_request *request)
{
    (void)world;
    (void)request;
    weft_connection_fail(connection, "enough");
}

static void stop_now(world *world, weft_connection *connection, weft_request *request)
{
    (void)connection;
    (void)request;
    weft_listener_stop(world->listener, 0);
}

static void stop_gently_now(world *world, weft_connection *connection, weft_request *request)
{
    (void)connection;
    (void)request;
    weft_listener_stop(world->listener, 20);
}

/* Lets go of the handle that the world holds, then ends: the callback's own is borrowed. */
static void release_and_abort_now(world *world, weft_connection *connection, weft_request *request)
{
    (void)request;
    pthread_mutex_lock(&world->mutex);
    weft_connection *held = world->connection;
    world->connection = NULL;
    pthread_mutex_unlock(&world->mutex);
    weft_connection_release(held);
    weft_connection_abort(connection);
}

static void pause_and_abort_now(world *world, weft_connection *connection, weft_request *request)
{
    (void)world;
    (void)request;
    weft_connection_pause(connection);
    weft_connection_resume(connection);
    weft_connection_abort(connection);
    weft_connection_resume(connection);
}

/* Brings each callback about; what follows may or may not get through. */
static void provoke(world *world, int peer, happening what)
{
    static char large[100000];
    uint8_t bytes[256];
    size_t length = peer_write_frame(bytes, FIN | TEXT, "one", 3);
    switch (what) {
    case MESSAGE: length += peer_write_frame(bytes + length, FIN | TEXT, "two", 3); break;
    case GOT_PING: length = peer_write_frame(bytes, FIN | PING, "p", 1); break;
    case GOT_PONG: length = peer_write_frame(bytes, FIN | PONG, "p", 1); break;
    case CLOSED: length = peer_write_frame(bytes, FIN | CLOSE, "\x03\xe8", 2); break;
    case ERROR: length = peer_write_frame(bytes, FIN | 3, "", 0); break;
    default: break;
    }
    peer_try_send(peer, bytes, length);
    if (what != WRITABLE) return;
    world_await(world, OPEN, 1);
    weft_connection *connection = world_hold(world);
    /* More than the output of a turn, unless it was all sent once already, and the deed done. */
    while (atomic_load(&connection->unsent) < sizeof large) {
        if (weft_connection_send(connection, WEFT_BINARY, (const uint8_t *)large, sizeof large) ==
            WEFT_ECLOSED)
            break;
    }
    weft_connection_release(connection);
}

static void end_inside(happening what, deed deed)
{
    world world;
    world_init(&world);
    world.service.on_ping = world_on_ping;
    world.deeds[what] = deed;
    world.settings.idle_timeout_ms = what == IDLE ? 1 : 0;
    world_listen(&world);
    int peer = peer_try_connect(world.port, what == WRITABLE);
    char head[1024];
    peer_say(peer, peer_upgrade_request);
    peer_try_read_head(peer, head, sizeof head); /* an abort in on_open takes the answer along */
    provoke(&world, peer, what);
    if (what == WRITABLE) peer_drain(peer);
    world_await(&world, what, 1);
    close(peer);
    world_await(&world, RELEASE, 1);
    assert_int_equal(world_count(&world, CLOSED), 1);
    world_end(&world);
}

static void test_every_end_works_inside_every_callback(void **state)
{
    (void)state;
    const happening places[] = {OPEN, MESSAGE, GOT_PING, GOT_PONG, IDLE, WRITABLE, ERROR, CLOSED};
    const deed deeds[] = {abort_now,          close_now,       fail_now,
                          stop_now,           stop_gently_now, release_and_abort_now,
                          pause_and_abort_now};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        for (size_t k = 0; k < sizeof deeds / sizeof *deeds; k++)
            end_inside(places[i], deeds[k]);
    }
}

static void refuse_upgrade(world *world, weft_connection *connection, weft_request *request)
{
    (void)world;
    (void)connection;
    world_respond(request, 401, "who are you?");
}

static void refuse_and_stop(world *world, weft_connection *connection, weft_request *request)
{
    refuse_upgrade(world, connection, request);
    weft_listener_stop(world->listener, 0);
}

static void detach_and_refuse(world *world, weft_connection *connection, weft_request *request)
{
    weft_listener_detach(world->listener, "/");
    refuse_upgrade(world, connection, request);
}

static void accept_and_abort(world *world, weft_connection *connection, weft_request *request)
{
    (void)connection;
    world_accept(world, request);
    weft_connection_abort(world->connection);
}

static void test_every_end_works_inside_on_upgrade(void **state)
{
    (void)state;
    const deed deeds[] = {refuse_upgrade, refuse_and_stop, detach_and_refuse, accept_and_abort};
    for (size_t k = 0; k < sizeof deeds / sizeof *deeds; k++) {
        world world;
        world_init(&world);
        world.deeds[UPGRADE] = deeds[k];
        world_listen(&world);
        int peer = peer_connect(world.port);
        peer_say(peer, peer_upgrade_request);
        peer_drain(peer);
        close(peer);
        world_end(&world);
    }
}

/* -- memory ---------------------------------------------------------------------------------------- */

static void echo(void *context, weft_connection *connection, weft_message_type type, const uint8_t *bytes,
                 size_t length)
{
    (void)context;
    weft_connection_send(connection, type, bytes, length);
}

static void exchange(int peer, const uint8_t *frame, size_t length, int times)
{
    uint8_t answer[22];
    for (int i = 0; i < times; i++) {
        peer_send(peer, frame, length);
        peer_read(peer, answer, sizeof answer);
    }
}

static void test_an_echo_allocates_nothing_in_the_steady_state(void **state)
{
    (void)state;
    counting_allocator counter;
    allocator_count(&counter);
    world world;
    world_init(&world);
    world.service.on_message = echo;
    world_listen(&world);
    int peer = peer_open(world.port);
    uint8_t frame[64];
    size_t length = peer_write_frame(frame, FIN | TEXT, "twenty bytes of text", 20);
    exchange(peer, frame, length, 100);
    size_t before = counter.requests;
    exchange(peer, frame, length, 10000);
    assert_int_equal(counter.requests, before);
    close(peer);
    world_end(&world);
    allocator_restore(&counter);
}

enum {
    IDLE_CONNECTIONS = 400,
    IDLE_BYTES = 640 /* what an open connection may hold that does nothing */
};

/* What the listener alone holds, when nothing is left of former connections. */
static size_t settled_bytes(const counting_allocator *counter)
{
    size_t last = 0;
    for (int quiet = 0; quiet < 20; quiet++) {
        poll(NULL, 0, 2);
        if (counter->bytes != last) quiet = 0;
        last = counter->bytes;
    }
    return last;
}

static void test_an_idle_connection_holds_little(void **state)
{
    (void)state;
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_cur < 2 * IDLE_CONNECTIONS + 50) skip();
    counting_allocator counter;
    allocator_count(&counter);
    world world;
    world_init(&world);
    world.service.on_open = NULL;
    world.service.on_close = NULL;
    world.service.on_message = echo;
    world_listen(&world);
    close(peer_open(world.port)); /* what a loop and a route get with their first connection is theirs */
    world_await(&world, RELEASE, 1);
    size_t alone = settled_bytes(&counter);
    int peers[IDLE_CONNECTIONS];
    for (int i = 0; i < IDLE_CONNECTIONS; i++) {
        peers[i] = peer_open(world.port);
        peer_send_text(peers[i], "hello");
        peer_expect_text(peers[i], "hello");
    }
    size_t together = settled_bytes(&counter) - alone;
    print_message("an idle connection holds %.1f bytes\n", (double)together / (double)IDLE_CONNECTIONS);
    assert_true(together <= (size_t)IDLE_BYTES * IDLE_CONNECTIONS);
    for (int i = 0; i < IDLE_CONNECTIONS; i++)
        close(peers[i]);
    world_await(&world, RELEASE, IDLE_CONNECTIONS + 1);
    world.counts[OPEN] = world.counts[CLOSED] = world.counts[RELEASE]; /* not counted here */
    world_end(&world);
    allocator_restore(&counter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings_out_of_range_are_refused),
        cmocka_unit_test(test_plans_that_say_the_same_are_one),
        cmocka_unit_test(test_a_handle_tells_about_its_connection),
        cmocka_unit_test(test_on_idle_comes_again),
        cmocka_unit_test(test_reading_and_writing_postpone_on_idle),
        cmocka_unit_test(test_a_silent_peer_is_lost_after_its_ping),
        cmocka_unit_test(test_a_late_ping_is_waited_for_as_long_as_any),
        cmocka_unit_test(test_a_pong_that_was_not_read_yet_counts),
        cmocka_unit_test(test_a_pause_is_not_the_peers_silence),
        cmocka_unit_test(test_every_end_works_inside_every_callback),
        cmocka_unit_test(test_every_end_works_inside_on_upgrade),
        cmocka_unit_test(test_an_echo_allocates_nothing_in_the_steady_state),
        cmocka_unit_test(test_an_idle_connection_holds_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
