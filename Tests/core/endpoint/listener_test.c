#include "endpoint/world.h"

#include <uv.h>

/* Two sockets share the port, so which loop serves is the system's choice; all of them work. */
static void test_several_loops_serve(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world.has_listeners_loops = true;
    world.listening.threads = 3;
    world_listen(&world);
    int peers[30];
    for (int i = 0; i < 30; i++)
        peers[i] = peer_open(world.port);
    for (int i = 0; i < 30; i++)
        peer_expect_echo(peers[i], "hello");
    assert_int_equal(weft_listener_connection_count(world.listener), 30);
    for (int i = 0; i < 30; i++)
        close(peers[i]);
    world_await(&world, RELEASE, 30);
    world_end(&world);
}

static void test_routes_come_and_go_while_running(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world_listen(&world);
    int early = peer_open(world.port);
    assert_int_equal(weft_listener_attach(world.listener, "/", &world.route), WEFT_EDUPLICATE);
    assert_int_equal(weft_listener_detach(world.listener, "/"), WEFT_OK);
    assert_int_equal(weft_listener_detach(world.listener, "/"), WEFT_ENOTATTACHED);
    world_await(&world, ROUTE_RELEASE, 1);
    int late = peer_connect(world.port);
    peer_say(late, peer_upgrade_request);
    assert_int_equal(peer_status(late), 404);
    close(late);
    peer_expect_echo(early, "still here");
    world.counts[ROUTE_RELEASE] = 0;
    assert_int_equal(weft_listener_attach(world.listener, "*", &world.route), WEFT_OK);
    int again = peer_open(world.port);
    peer_expect_echo(again, "back");
    close(again);
    close(early);
    world_end(&world);
}

/* -- stopping -------------------------------------------------------------------------------------- */

static void test_a_graceful_stop_waits_for_the_close(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world.has_listeners_loops = true;
    world.listening.threads = 2;
    world_listen(&world);
    int peers[6];
    for (int i = 0; i < 6; i++)
        peers[i] = peer_open(world.port);
    world_await(&world, OPEN, 6);
    weft_listener_stop(world.listener, 60000);
    weft_listener_release(world.listener); /* takes nothing back of the grace */
    for (int i = 0; i < 6; i++)
        peer_expect_close(peers[i], 1001);
    /* The loops stop one after the other, and one of them may have none of the peers. */
    for (int late = peer_try_connect(world.port, false); late >= 0;
         late = peer_try_connect(world.port, false))
        close(late);
    assert_int_equal(world_count(&world, STOPPED), 0);
    for (int i = 0; i < 6; i++) {
        peer_send_close(peers[i], 1001);
        peer_expect_end(peers[i]);
        close(peers[i]);
    }
    world_await(&world, STOPPED, 1);
    assert_int_equal(world.counts[RELEASE], 6);
    assert_int_equal(world.close_code, 1001);
    world_clear(&world);
}

static void test_a_stop_aborts_what_is_left_at_its_timeout(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world_listen(&world);
    int peers[3];
    for (int i = 0; i < 3; i++)
        peers[i] = peer_open(world.port);
    world_await(&world, OPEN, 3);
    weft_listener_stop(world.listener, 50);
    world_await(&world, STOPPED, 1);
    assert_int_equal(world.counts[RELEASE], 3);
    assert_int_equal(world.close_code, 1006);
    for (int i = 0; i < 3; i++)
        close(peers[i]);
    world_end(&world);
}

static void test_a_second_stop_only_shortens_the_wait(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world_listen(&world);
    int peer = peer_open(world.port);
    world_await(&world, OPEN, 1);
    weft_listener_stop(world.listener, 200);
    weft_listener_stop(world.listener, 60000);
    world_await(&world, STOPPED, 1);
    close(peer);
    world_end(&world);
}

static void test_a_release_without_stop_ends_at_once(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world.has_listeners_loops = true;
    world_listen(&world);
    int peer = peer_open(world.port);
    world_await(&world, OPEN, 1);
    weft_listener_release(world.listener);
    weft_listener_release(NULL);
    world_await(&world, STOPPED, 1);
    assert_int_equal(world.counts[RELEASE], 1);
    peer_expect_reset(peer);
    close(peer);
    world_clear(&world);
}

static void release_it(world *world, weft_connection *connection, weft_request *request)
{
    (void)connection;
    (void)request;
    weft_listener_release(world->listener);
}

static void await_no_blocks(const counting_allocator *counter)
{
    while (counter->blocks > 0)
        sched_yield();
}

/* The last holder may be a loop of the listener's own, which then ends itself and the others. */
static void test_a_listener_may_be_released_inside_on_closed(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        counting_allocator counter;
        allocator_count(&counter);
        world world;
        world_init(&world);
        world.has_listeners_loops = true;
        world.listening.threads = 3;
        world.deeds[STOPPED] = release_it;
        world_listen(&world);
        int peer = peer_open(world.port);
        world_await(&world, OPEN, 1);
        weft_listener_stop(world.listener, 0);
        world_await(&world, STOPPED, 1);
        close(peer);
        weft_connection_release(world.connection);
        world.connection = NULL;
        await_no_blocks(&counter);
        world_clear(&world);
        allocator_restore(&counter);
    }
}

static void end_it_all_and_answer(world *world, weft_connection *connection, weft_request *request)
{
    (void)connection;
    weft_listener_detach(world->listener, "/");
    weft_listener_stop(world->listener, 60000);
    weft_listener_release(world->listener);
    world_respond(request, 200, "the last");
}

static void test_a_callback_may_end_its_listener(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world.route.on_request = world_on_request;
    world.deeds[REQUEST] = end_it_all_and_answer;
    world_listen(&world);
    int peer = peer_connect(world.port);
    peer_say(peer, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(peer_status(peer), 200);
    peer_expect_end(peer);
    close(peer);
    world_await(&world, STOPPED, 1);
    world_await(&world, ROUTE_RELEASE, 1);
    world_clear(&world);
}

static void close_loop_and_answer(world *world, weft_connection *connection, weft_request *request)
{
    (void)connection;
    weft_loop_close(world->loop);
    world->loop = NULL;
    world_respond(request, 200, "too late");
}

/* A loop that ends takes what lives on it along; a request that is answered later finds nobody. */
static void test_a_callback_may_close_its_loop(void **state)
{
    (void)state;
    counting_allocator counter;
    allocator_count(&counter);
    world world;
    world_init(&world);
    world.route.on_request = world_on_request;
    world.deeds[REQUEST] = close_loop_and_answer;
    world.keeps_requests = false;
    world_listen(&world);
    int peer = peer_connect(world.port), open = peer_open(world.port);
    peer_say(peer, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    world_await(&world, STOPPED, 1);
    world_await(&world, RELEASE, 1);
    peer_drain(peer);
    peer_drain(open);
    close(peer);
    close(open);
    weft_listener_release(world.listener);
    world_await(&world, ROUTE_RELEASE, 1);
    assert_int_equal(world.close_code, 1006);
    weft_connection_release(world.connection);
    world.connection = NULL;
    await_no_blocks(&counter);
    world_clear(&world);
    allocator_restore(&counter);
}

static void test_a_request_outlives_its_loop(void **state)
{
    (void)state;
    counting_allocator counter;
    allocator_count(&counter);
    world world;
    world_init(&world);
    world.keeps_requests = true;
    world_listen(&world);
    int peer = peer_connect(world.port);
    peer_say(peer, peer_upgrade_request);
    world_await(&world, UPGRADE, 1);
    weft_loop_close(world.loop);
    world.loop = NULL;
    assert_int_equal(world.counts[STOPPED], 1);
    peer_expect_end(peer);
    close(peer);
    weft_listener_release(world.listener);
    assert_int_equal(world.counts[ROUTE_RELEASE], 0);
    assert_memory_equal(weft_request_path(world.request).bytes, "/", 1);
    assert_int_equal(world_accept(&world, world.request), WEFT_OK);
    assert_int_equal(world.counts[RELEASE], 1);
    assert_int_equal(world.counts[ROUTE_RELEASE], 1);
    world_clear(&world);
    allocator_restore(&counter);
}

/* -- loops of the user's --------------------------------------------------------------------------- */

static void test_user_loops_serve_several_listeners(void **state)
{
    (void)state;
    weft_loop *loop;
    assert_int_equal(weft_loop_open(&loop), WEFT_OK);
    world worlds[2];
    for (int i = 0; i < 2; i++) {
        world_init(&worlds[i]);
        worlds[i].listening.loops = &loop;
        worlds[i].listening.loop_count = 1;
        world_listen(&worlds[i]);
    }
    int peers[2];
    for (int i = 0; i < 2; i++)
        peers[i] = peer_open(worlds[i].port);
    world_end(&worlds[0]);
    peer_expect_echo(peers[1], "unmoved");
    world_end(&worlds[1]);
    for (int i = 0; i < 2; i++)
        close(peers[i]);
    weft_loop_close(loop);
}

typedef struct visitor {
    uint16_t port;
    bool was_served;
} visitor;

static void *visit(void *argument)
{
    visitor *visitor = argument;
    int peer = peer_try_connect(visitor->port, false);
    char head[1024], echo[7];
    uint8_t frame[64];
    size_t length = peer_write_frame(frame, FIN | TEXT, "hello", 5);
    visitor->was_served = peer_try_send(peer, peer_upgrade_request, strlen(peer_upgrade_request)) &&
                          peer_try_read_head(peer, head, sizeof head) && peer_try_send(peer, frame, length) &&
                          peer_try_read(peer, echo, 7) && memcmp(echo, "\x81\x05hello", 7) == 0;
    close(peer);
    return NULL;
}

static void stop_with_it(world *world, weft_connection *connection, weft_request *request)
{
    (void)connection;
    (void)request;
    weft_listener_stop(world->listener, 0);
}

/* The loop is the program's own; it runs as long as there is something to wait for, and no longer. */
static void test_an_attached_loop_serves_inside_uv_run(void **state)
{
    (void)state;
    uv_loop_t uv;
    uv_loop_init(&uv);
    weft_loop *loop;
    assert_int_equal(weft_loop_attach(&loop, &uv), WEFT_OK);
    world world;
    world_init(&world);
    world.listening.loops = &loop;
    world.listening.loop_count = 1;
    world.deeds[RELEASE] = stop_with_it;
    world_listen(&world);
    visitor visitor = {.port = world.port};
    pthread_t thread;
    pthread_create(&thread, NULL, visit, &visitor);
    uv_run(&uv, UV_RUN_DEFAULT);
    pthread_join(thread, NULL);
    assert_true(visitor.was_served);
    assert_int_equal(world.counts[STOPPED], 1);
    weft_listener_release(world.listener);
    weft_loop_close(loop);
    uv_run(&uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&uv), 0);
    world_clear(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* first those that count blocks: no other listener's threads are left */
        cmocka_unit_test(test_a_listener_may_be_released_inside_on_closed),
        cmocka_unit_test(test_a_callback_may_close_its_loop),
        cmocka_unit_test(test_a_request_outlives_its_loop),
        cmocka_unit_test(test_several_loops_serve),
        cmocka_unit_test(test_routes_come_and_go_while_running),
        cmocka_unit_test(test_a_graceful_stop_waits_for_the_close),
        cmocka_unit_test(test_a_stop_aborts_what_is_left_at_its_timeout),
        cmocka_unit_test(test_a_second_stop_only_shortens_the_wait),
        cmocka_unit_test(test_a_release_without_stop_ends_at_once),
        cmocka_unit_test(test_a_callback_may_end_its_listener),
        cmocka_unit_test(test_user_loops_serve_several_listeners),
        cmocka_unit_test(test_an_attached_loop_serves_inside_uv_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
