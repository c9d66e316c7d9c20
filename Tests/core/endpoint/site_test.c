#include "endpoint/requests.h"

/* Two listeners on one port. The second world has no listener of its own until it moves in with the first. */

static weft_status try_share(world *sharer, world *owner, const char *path, char *detail, size_t size)
{
    weft_path_route entry = {path, &sharer->route};
    sharer->listening.routes = &entry;
    sharer->listening.route_count = 1;
    sharer->port = owner->port;
    return weft_listener_share(&sharer->listener, owner->listener, &sharer->listening, detail, size);
}

static void move_in(world *sharer, world *owner)
{
    char detail[128];
    assert_int_equal(try_share(sharer, owner, "/shared", detail, sizeof detail), WEFT_OK);
}

static void share(world *owner, world *sharer)
{
    world_init(owner);
    owner->route.on_request = world_on_request;
    world_listen(owner);
    world_init(sharer);
    sharer->route.on_request = world_on_request;
    move_in(sharer, owner);
}

/* The second one answers later. */
static void share_and_keep(world *owner, world *sharer)
{
    world_init(owner);
    world_listen(owner);
    world_init(sharer);
    sharer->keeps_requests = true;
    move_in(sharer, owner);
}

static const char shared_upgrade[] = "GET /shared HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                                     "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

static int open_shared(world *sharer)
{
    int peer = peer_connect(sharer->port);
    peer_say(peer, shared_upgrade);
    assert_int_equal(peer_status(peer), 101);
    return peer;
}

#define SHARED_GET "GET /shared HTTP/1.1\r\nHost: a\r\n\r\n"

static void test_services_of_two_listeners_live_on_one_port(void **state)
{
    (void)state;
    world owner, sharer;
    share(&owner, &sharer);
    assert_int_equal(weft_listener_port(sharer.listener), owner.port);
    assert_string_equal(weft_listener_host(sharer.listener), "127.0.0.1");
    int plain = peer_connect(owner.port); /* whose requests go to both */
    peer_say(plain, GET SHARED_GET GET);
    for (int i = 0; i < 3; i++)
        expect_answer(plain, 200, "hello");
    assert_int_equal(world_count(&owner, REQUEST), 2);
    assert_int_equal(world_count(&sharer, REQUEST), 1);
    int ours = peer_open(owner.port), theirs = open_shared(&sharer);
    peer_expect_echo(ours, "ours");
    peer_expect_echo(theirs, "theirs");
    assert_int_equal(weft_listener_connection_count(owner.listener), 2);
    assert_int_equal(weft_listener_connection_count(sharer.listener), 1);
    close(theirs);
    world_await(&sharer, RELEASE, 1);
    await_connections(sharer.listener, 0);
    close(ours);
    close(plain);
    world_end(&sharer);
    world_end(&owner);
}

static void test_a_path_belongs_to_one_of_them(void **state)
{
    (void)state;
    world owner, sharer, third;
    char detail[128];
    share(&owner, &sharer);
    world_init(&third);
    assert_int_equal(try_share(&third, &owner, "/", detail, sizeof detail), WEFT_EDUPLICATE);
    assert_non_null(strstr(detail, "/: "));
    assert_null(third.listener);
    assert_int_equal(try_share(&third, &owner, "/{}", detail, sizeof detail), WEFT_EINVAL);
    assert_string_equal(detail, "/{}: a parameter has no name");
    assert_int_equal(weft_listener_attach(owner.listener, "/shared", &owner.route), WEFT_EDUPLICATE);
    assert_int_equal(weft_listener_detach(owner.listener, "/shared"), WEFT_ENOTATTACHED);
    assert_int_equal(weft_listener_detach(sharer.listener, "/"), WEFT_ENOTATTACHED);
    assert_int_equal(try_share(&third, &sharer, "/third", detail, sizeof detail), WEFT_OK); /* of a sharer */
    assert_int_equal(verdict(owner.port, "GET /third HTTP/1.1\r\nHost: a\r\n\r\n"), 426);
    world_end(&third);
    world_end(&sharer);
    world_end(&owner);
}

static void test_stopping_the_second_leaves_the_first_alone(void **state)
{
    (void)state;
    world owner, sharer;
    share(&owner, &sharer);
    int ours = peer_open(owner.port), theirs = open_shared(&sharer), plain = peer_connect(owner.port);
    peer_say(plain, SHARED_GET);
    expect_answer(plain, 200, "hello");
    weft_listener_stop(sharer.listener, 60000);
    peer_expect_close(theirs, 1001);
    peer_send_close(theirs, 1001);
    peer_expect_end(theirs);
    world_await(&sharer, STOPPED, 1);
    peer_expect_echo(ours, "still here");
    peer_say(plain, GET);
    expect_answer(plain, 200, "hello");
    peer_say(plain, SHARED_GET);
    assert_int_equal(peer_status(plain), 404);
    close(ours);
    close(theirs);
    close(plain);
    world_end(&sharer);
    world_end(&owner);
}

static void test_a_graceful_stop_of_the_second_waits_for_its_requests(void **state)
{
    (void)state;
    world owner, sharer;
    share_and_keep(&owner, &sharer);
    int peer = peer_connect(owner.port);
    peer_say(peer, shared_upgrade);
    world_await(&sharer, UPGRADE, 1);
    weft_listener_stop(sharer.listener, 60000);
    assert_int_equal(world_count(&sharer, STOPPED), 0);
    world_accept(&sharer, sharer.request);
    assert_int_equal(peer_status(peer), 101);
    peer_expect_close(peer, 1001);
    peer_send_close(peer, 1001);
    world_await(&sharer, STOPPED, 1);
    close(peer);
    world_end(&sharer);
    world_end(&owner);
}

static void test_an_immediate_stop_of_the_second_aborts_its_own(void **state)
{
    (void)state;
    world owner, sharer;
    share_and_keep(&owner, &sharer);
    int ours = peer_open(owner.port), pending = peer_connect(owner.port);
    peer_say(pending, shared_upgrade);
    world_await(&sharer, UPGRADE, 1);
    weft_listener_stop(sharer.listener, 0);
    world_await(&sharer, STOPPED, 1);
    peer_expect_end(pending);
    assert_int_equal(world_accept(&sharer, sharer.request), WEFT_OK); /* too late: only the release is left */
    world_await(&sharer, RELEASE, 1);
    peer_expect_echo(ours, "still here");
    close(ours);
    close(pending);
    weft_listener_release(sharer.listener);
    world_await(&sharer, ROUTE_RELEASE, 1);
    world_clear(&sharer);
    world_end(&owner);
}

static void test_stopping_the_first_stops_the_second(void **state)
{
    (void)state;
    world owner, sharer;
    share(&owner, &sharer);
    int theirs = open_shared(&sharer);
    world_await(&sharer, OPEN, 1);
    weft_listener_stop(owner.listener, 60000);
    peer_expect_close(theirs, 1001);
    char detail[128];
    weft_listener *late;
    assert_int_equal(weft_listener_share(&late, owner.listener, &sharer.listening, detail, sizeof detail),
                     WEFT_ESTATE);
    assert_string_equal(detail, "the listener that owns the port is stopping");
    peer_send_close(theirs, 1001);
    world_await(&sharer, STOPPED, 1);
    world_await(&owner, STOPPED, 1);
    assert_int_equal(weft_listener_attach(sharer.listener, "/late", &sharer.route), WEFT_ESTATE);
    close(theirs);
    world_end(&sharer);
    world_end(&owner);
}

/* The port and its loops live as long as somebody's connections are on them. */
static void test_the_first_may_be_released_before_the_second(void **state)
{
    (void)state;
    world owner, sharer;
    world_init(&owner);
    owner.has_listeners_loops = true;
    owner.listening.threads = 2;
    world_listen(&owner);
    world_init(&sharer);
    move_in(&sharer, &owner);
    int peers[8];
    for (int i = 0; i < 8; i++) {
        peers[i] = open_shared(&sharer);
        peer_expect_echo(peers[i], "hello");
    }
    weft_listener_release(owner.listener);
    world_await(&owner, STOPPED, 1);
    world_await(&sharer, STOPPED, 1);
    assert_int_equal(sharer.counts[RELEASE], 8);
    weft_listener_release(sharer.listener);
    world_clear(&sharer);
    world_clear(&owner);
    for (int i = 0; i < 8; i++)
        close(peers[i]);
}

static void await_read(world *world)
{
    int later = peer_connect(world->port); /* read from after those that came before */
    peer_say(later, "NONSENSE\r\n\r\n");
    assert_int_equal(peer_status(later), 400);
    close(later);
}

/* The last stream that the timeout ends takes the listener along. */
static void test_a_listener_may_be_released_before_its_stop_times_out(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world_listen(&world);
    int peer = peer_connect(world.port);
    peer_say(peer, "GET / HT");
    await_read(&world);
    weft_listener_stop(world.listener, 50);
    weft_listener_release(world.listener);
    world_await(&world, STOPPED, 1);
    peer_expect_end(peer);
    close(peer);
    world_clear(&world);
}

/* -- under load ------------------------------------------------------------------------------------ */

typedef struct visitor {
    uint16_t port;
    atomic_bool is_done;
    _Atomic int answers;
} visitor;

/* Requests for both listeners, one behind the other; the second one may end TCP at any time by an abort. */
static void visit_once(visitor *visitor)
{
    char head[1024], body[128];
    int peer = peer_try_connect(visitor->port, false);
    if (!peer_try_send(peer, SHARED_GET GET, strlen(SHARED_GET GET))) goto end;
    for (int i = 0; i < 2 && peer_try_read_head(peer, head, sizeof head); i++) {
        int status = atoi(head + strlen("HTTP/1.1 "));
        if (status != 200 && status != 404) break;
        visitor->answers++;
        size_t length = strtoul(strstr(head, "Content-Length: ") + strlen("Content-Length: "), NULL, 10);
        if (!peer_try_read(peer, body, length)) break;
    }
end:
    close(peer);
}

static void *visit(void *argument)
{
    visitor *visitor = argument;
    while (!visitor->is_done)
        visit_once(visitor);
    return NULL;
}

/* Shares, serves, changes its routes and stops, in turn at once and gently. */
static void move_in_and_out(world *owner, int round)
{
    world sharer;
    world_init(&sharer);
    sharer.route.on_request = world_on_request;
    move_in(&sharer, owner);
    assert_int_equal(weft_listener_detach(sharer.listener, "/shared"), WEFT_OK);
    assert_int_equal(weft_listener_attach(sharer.listener, "/shared", &sharer.route), WEFT_OK);
    weft_listener_stop(sharer.listener, round % 2 ? 0 : 1000);
    world_await(&sharer, STOPPED, 1);
    weft_listener_release(sharer.listener);
    world_await(&sharer, ROUTE_RELEASE, 2);
    world_clear(&sharer);
}

static void test_listeners_come_and_go_under_load(void **state)
{
    (void)state;
    world owner;
    world_init(&owner);
    owner.route.on_request = world_on_request;
    owner.has_listeners_loops = true;
    owner.listening.threads = 2;
    world_listen(&owner);
    visitor visitor = {.port = owner.port};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, visit, &visitor);
    for (int round = 0; round < 100 || visitor.answers < 100; round++)
        move_in_and_out(&owner, round);
    visitor.is_done = true;
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    world_end(&owner);
}

static void test_max_connections_counts_both(void **state)
{
    (void)state;
    world owner, sharer;
    world_init(&owner);
    owner.listening.max_connections = 2;
    world_listen(&owner);
    world_init(&sharer);
    move_in(&sharer, &owner);
    int ours = peer_open(owner.port), theirs = open_shared(&sharer);
    assert_int_equal(verdict(owner.port, shared_upgrade), 503);
    world_end(&sharer); /* gives its place back */
    int again = -1;
    for (int status = 503; status != 101;) {
        again = peer_connect(owner.port);
        peer_say(again, peer_upgrade_request);
        status = peer_status(again);
        if (status != 101) close(again);
    }
    close(again);
    close(ours);
    close(theirs);
    world_end(&owner);
}

static void test_sharing_may_run_out_of_memory(void **state)
{
    (void)state;
    weft_status status = WEFT_ENOMEM;
    for (size_t n = 1; status != WEFT_OK; n++) {
        assert_true(n < 20);
        counting_allocator counter;
        allocator_count(&counter);
        char detail[128];
        world owner, sharer;
        world_init(&owner);
        world_listen(&owner);
        await_turn(&owner); /* it accepts */
        world_init(&sharer);
        counter.fail_at = counter.requests + n;
        status = try_share(&sharer, &owner, "/shared/{x}", detail, sizeof detail);
        counter.fail_at = 0;
        if (status == WEFT_OK) {
            world_end(&sharer);
        } else {
            assert_int_equal(status, WEFT_ENOMEM);
            assert_int_equal(sharer.story_length, 0);
            world_clear(&sharer);
        }
        world_end(&owner);
        allocator_restore(&counter);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_sharing_may_run_out_of_memory), /* first: no other listener's threads are left */
        cmocka_unit_test(test_services_of_two_listeners_live_on_one_port),
        cmocka_unit_test(test_a_path_belongs_to_one_of_them),
        cmocka_unit_test(test_stopping_the_second_leaves_the_first_alone),
        cmocka_unit_test(test_a_graceful_stop_of_the_second_waits_for_its_requests),
        cmocka_unit_test(test_an_immediate_stop_of_the_second_aborts_its_own),
        cmocka_unit_test(test_stopping_the_first_stops_the_second),
        cmocka_unit_test(test_the_first_may_be_released_before_the_second),
        cmocka_unit_test(test_a_listener_may_be_released_before_its_stop_times_out),
        cmocka_unit_test(test_max_connections_counts_both),
        cmocka_unit_test(test_listeners_come_and_go_under_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
