#include "endpoint/world.h"

static void test_messages_cut_anywhere_arrive_whole(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world_listen(&world);
    uint8_t bytes[256];
    size_t length = peer_write_frame(bytes, TEXT, "one ", 4);
    length += peer_write_frame(bytes + length, FIN | PING, "in between", 10);
    length += peer_write_frame(bytes + length, FIN, "two", 3);
    for (size_t cut = 1; cut < length; cut++) {
        int peer = peer_open(world.port);
        peer_send(peer, bytes, cut);
        if (cut % 3 == 0) poll(NULL, 0, 1);
        peer_send(peer, bytes + cut, length - cut);
        peer_expect_frame(peer, FIN | PONG, "in between", 10);
        peer_expect_text(peer, "one two");
        close(peer);
    }
    world_await(&world, RELEASE, (int)length - 1);
    world_end(&world);
}

static void test_pings_go_to_the_callback_that_wants_them(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world.service.on_ping = world_on_ping;
    world_listen(&world);
    int peer = peer_open(world.port);
    peer_send_frame(peer, FIN | PING, "x", 1);
    peer_expect_frame(peer, FIN | PONG, "x", 1); /* once: the callback's */
    peer_send_frame(peer, FIN | PONG, "y", 1);
    peer_send_text(peer, "end");
    peer_expect_text(peer, "end");
    close(peer);
    world_expect_life(&world, "uopPmcr");
    world_end(&world);
}

/* -- pausing --------------------------------------------------------------------------------------- */

static void resume_task(weft_loop *loop, void *context)
{
    (void)loop;
    weft_connection_resume(context);
    weft_connection_release(context);
}

static void pause_for_a_while(world *world, weft_connection *connection, weft_request *request)
{
    (void)world;
    (void)request;
    weft_connection_pause(connection);
    weft_loop_post(weft_connection_loop(connection), resume_task, weft_connection_retain(connection));
}

static void pause_now(world *world, weft_connection *connection, weft_request *request)
{
    (void)world;
    (void)request;
    weft_connection_pause(connection);
}

enum {
    MESSAGES = 200
};

/* All in one packet, so that each pause falls into a received buffer. */
static void send_numbers(int peer)
{
    static uint8_t bytes[MESSAGES * 16];
    size_t length = 0;
    for (int i = 0; i < MESSAGES; i++) {
        char text[8];
        snprintf(text, sizeof text, "%04d", i);
        length += peer_write_frame(bytes + length, FIN | TEXT, text, 4);
    }
    peer_send(peer, bytes, length);
}

static void test_pausing_loses_and_reorders_nothing(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world.deeds[OPEN] = pause_for_a_while;
    world.deeds[MESSAGE] = pause_for_a_while;
    world_listen(&world);
    int peer = peer_open(world.port);
    send_numbers(peer);
    for (int i = 0; i < MESSAGES; i++) {
        char text[8];
        snprintf(text, sizeof text, "%04d", i);
        peer_expect_text(peer, text);
    }
    close(peer);
    world_end(&world);
}

static void test_nothing_is_delivered_while_paused(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world.deeds[MESSAGE] = pause_now;
    world_listen(&world);
    int peer = peer_open(world.port);
    send_numbers(peer);
    for (int i = 1; i <= 20; i++) {
        world_await(&world, MESSAGE, i);
        assert_false(i == 10 && (poll(NULL, 0, 50), world_count(&world, MESSAGE) > 10));
        weft_connection *connection = weft_connection_retain(world.connection);
        weft_loop_post(weft_connection_loop(connection), resume_task, connection);
    }
    close(peer);
    world_end(&world);
}

static void abort_at_third(world *world, weft_connection *connection, weft_request *request)
{
    (void)request;
    if (world_count(world, MESSAGE) == 3) weft_connection_abort(connection);
}

static void test_what_is_behind_an_end_is_dropped(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world.is_quiet = true;
    world.deeds[MESSAGE] = abort_at_third;
    world_listen(&world);
    int peer = peer_open(world.port);
    send_numbers(peer);
    world_expect_life(&world, "uommmcr");
    close(peer);
    world_end(&world);
}

static void test_held_input_is_bounded_by_one_read(void **state)
{
    (void)state;
    counting_allocator counter;
    allocator_count(&counter);
    world world;
    world_init(&world);
    world.deeds[OPEN] = pause_now;
    world_listen(&world);
    int peer = peer_open(world.port);
    world_await(&world, OPEN, 1);
    size_t before = counter.bytes;
    static char flood[64 * 1024];
    struct timeval patience = {.tv_usec = 50000};
    setsockopt(peer, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    while (send(peer, flood, sizeof flood, MSG_NOSIGNAL) > 0) {
    }
    assert_true(counter.bytes - before <= 600 * 1024);
    close(peer);
    world_end(&world);
    allocator_restore(&counter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_cut_anywhere_arrive_whole),
        cmocka_unit_test(test_pings_go_to_the_callback_that_wants_them),
        cmocka_unit_test(test_pausing_loses_and_reorders_nothing),
        cmocka_unit_test(test_nothing_is_delivered_while_paused),
        cmocka_unit_test(test_what_is_behind_an_end_is_dropped),
        cmocka_unit_test(test_held_input_is_bounded_by_one_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
