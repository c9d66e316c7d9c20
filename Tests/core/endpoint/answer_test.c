#include "endpoint/requests.h"

static void listen_and_keep(world *world)
{
    world_init(world);
    world->route.on_request = world_on_request;
    world->keeps_requests = true;
    world_listen(world);
}

static void *accept_elsewhere(void *context)
{
    world *world = context;
    world_accept(world, world->request);
    return NULL;
}

static void *respond_elsewhere(void *context)
{
    world *world = context;
    world_respond(world->request, 418, "short and stout");
    return NULL;
}

static void on_a_thread(world *world, void *(*what)(void *))
{
    pthread_t thread;
    pthread_create(&thread, NULL, what, world);
    pthread_join(thread, NULL);
}

static void test_a_request_tells_what_was_sent(void **state)
{
    (void)state;
    world world;
    listen_and_keep(&world);
    int peer = peer_connect(world.port);
    peer_say(peer, "GET /?a=b%20c HTTP/1.1\r\nHost: here\r\nX-Tea: green\r\nx-tea: black\r\n\r\n");
    world_await(&world, REQUEST, 1);
    weft_request *request = world.request;
    size_t count;
    uint16_t port;
    assert_false(weft_request_is_upgrade(request));
    assert_memory_equal(weft_request_method(request).bytes, "GET", 3);
    assert_memory_equal(weft_request_target(request).bytes, "/?a=b%20c", 9);
    assert_int_equal(weft_request_path(request).length, 1);
    assert_memory_equal(weft_request_query(request).bytes, "a=b%20c", 7);
    const weft_field *fields = weft_request_fields(request, &count);
    assert_int_equal(count, 3);
    assert_memory_equal(fields[1].name.bytes, "X-Tea", 5);
    assert_memory_equal(weft_request_field(request, "X-TEA").bytes, "green", 5);
    assert_null(weft_request_field(request, "X-Milk").bytes);
    assert_string_equal(weft_request_remote_host(request, &port), "127.0.0.1");
    assert_string_equal(weft_request_local_host(request, &port), "127.0.0.1");
    assert_int_equal(port, world.port);
    assert_non_null(weft_request_loop(request));
    weft_acceptance acceptance;
    weft_acceptance_init(&acceptance);
    assert_int_equal(weft_request_accept(request, &acceptance, NULL, 0), WEFT_ESTATE);
    on_a_thread(&world, respond_elsewhere);
    assert_int_equal(peer_status(peer), 418);
    close(peer);
    world_end(&world);
}

/* The frames behind the request came in the same packet, and the answer comes from another thread. */
static void test_frames_behind_the_request_are_the_first(void **state)
{
    (void)state;
    world world;
    listen_and_keep(&world);
    int peer = peer_connect(world.port);
    uint8_t bytes[1024];
    size_t length = strlen(peer_upgrade_request);
    memcpy(bytes, peer_upgrade_request, length);
    length += peer_write_frame(bytes + length, FIN | TEXT, "first", 5);
    length += peer_write_frame(bytes + length, FIN | TEXT, "second", 6);
    peer_send(peer, bytes, length - 3);
    world_await(&world, UPGRADE, 1);
    peer_send(peer, bytes + length - 3, 3);
    on_a_thread(&world, accept_elsewhere);
    assert_int_equal(peer_status(peer), 101);
    peer_expect_text(peer, "first");
    peer_expect_text(peer, "second");
    close(peer);
    world_expect_life(&world, "uommcr");
    world_end(&world);
}

/* While the application decides we do not read, so a peer's end shows with the first byte that is read or
 * sent. */
static void test_a_peer_that_left_before_the_answer_opens_or_releases(void **state)
{
    (void)state;
    world world;
    listen_and_keep(&world);
    int peer = peer_connect(world.port);
    peer_say(peer, peer_upgrade_request);
    world_await(&world, UPGRADE, 1);
    peer_reset(peer);
    on_a_thread(&world, accept_elsewhere);
    world_await(&world, RELEASE, 1);
    world_end(&world);
    assert_int_equal(world.counts[RELEASE], 1);
}

static void test_an_answer_after_the_stop_only_releases(void **state)
{
    (void)state;
    world world;
    listen_and_keep(&world);
    int one = peer_connect(world.port), two = peer_connect(world.port);
    peer_say(one, peer_upgrade_request);
    world_await(&world, UPGRADE, 1);
    weft_request *first = world.request;
    peer_say(two, peer_upgrade_request);
    world_await(&world, UPGRADE, 2);
    weft_listener_stop(world.listener, 0);
    world_await(&world, STOPPED, 1);
    assert_memory_equal(weft_request_method(first).bytes, "GET", 3);
    assert_int_equal(world_accept(&world, first), WEFT_OK);
    assert_int_equal(world_respond(world.request, 500, ""), WEFT_OK);
    world_await(&world, RELEASE, 1);
    assert_int_equal(world.counts[OPEN], 0);
    weft_listener_release(world.listener);
    world_await(&world, ROUTE_RELEASE, 1);
    close(one);
    close(two);
    world_clear(&world);
}

static void close_in_time(void *context, weft_connection *connection, uint32_t timeout_ms)
{
    (void)context;
    assert_in_range(timeout_ms, 30000, 60000);
    assert_int_equal(weft_connection_close(connection, 1001, "", 0, timeout_ms), WEFT_OK);
}

static void test_a_request_decided_during_a_stop_opens_and_has_the_rest_of_the_time(void **state)
{
    (void)state;
    world world;
    listen_and_keep(&world);
    world.service.on_stop = close_in_time;
    int peer = peer_connect(world.port);
    peer_say(peer, peer_upgrade_request);
    world_await(&world, UPGRADE, 1);
    weft_listener_stop(world.listener, 60000);
    on_a_thread(&world, accept_elsewhere);
    assert_int_equal(peer_status(peer), 101);
    peer_expect_close(peer, 1001);
    peer_send_close(peer, 1001);
    peer_expect_end(peer);
    close(peer);
    world_await(&world, STOPPED, 1);
    world_end(&world);
}

static void test_answers_that_cannot_be_leave_the_request_open(void **state)
{
    (void)state;
    world world;
    listen_and_keep(&world);
    int peer = peer_connect(world.port);
    peer_say(peer, peer_upgrade_request);
    world_await(&world, UPGRADE, 1);

    char detail[128];
    const weft_field injected = {{"X", 1}, {"a\r\nB: c", 7}}, owned = {{"Upgrade", 7}, {"x", 1}};
    weft_acceptance acceptance;
    weft_acceptance_init(&acceptance);
    acceptance.field_count = 1;
    acceptance.fields = &injected;
    assert_int_equal(weft_request_accept(world.request, &acceptance, detail, sizeof detail), WEFT_EINVAL);
    assert_non_null(strstr(detail, "X"));
    acceptance.fields = &owned;
    assert_int_equal(weft_request_accept(world.request, &acceptance, detail, sizeof detail), WEFT_EINVAL);
    acceptance.field_count = 0;
    acceptance.subprotocol = (weft_string){"chat", 4};
    assert_int_equal(weft_request_accept(world.request, &acceptance, detail, sizeof detail), WEFT_EINVAL);
    assert_string_equal(detail, "subprotocol: the client did not offer it");
    acceptance.subprotocol.length = 0;
    weft_connection_config settings;
    weft_connection_config_init(&settings);
    settings.max_frame_size = 0;
    acceptance.config = &settings;
    assert_int_equal(weft_request_accept(world.request, &acceptance, detail, sizeof detail), WEFT_EINVAL);

    weft_response response;
    weft_response_init(&response);
    response.status = 101;
    assert_int_equal(weft_request_respond(world.request, &response, detail, sizeof detail), WEFT_EINVAL);
    response.status = 200;
    response.fields = &injected;
    response.field_count = 1;
    assert_int_equal(weft_request_respond(world.request, &response, NULL, 0), WEFT_EINVAL);
    response.fields = NULL;
    assert_int_equal(weft_request_respond(world.request, &response, NULL, sizeof detail), WEFT_EINVAL);
    assert_int_equal(world_accept(&world, world.request), WEFT_OK);
    assert_int_equal(peer_status(peer), 101);
    close(peer);
    world_end(&world);
}

static void choose_subprotocol(world *world, weft_connection *connection, weft_request *request)
{
    (void)connection;
    const weft_string supported[] = {{"two", 3}, {"one", 3}};
    world->subprotocol = weft_request_choose_subprotocol(request, supported, 2);
    world_accept(world, request);
}

static void test_the_clients_first_subprotocol_that_is_known_is_chosen(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world.deeds[UPGRADE] = choose_subprotocol;
    world_listen(&world);
    int peer = peer_connect(world.port);
    char request[512], head[512];
    snprintf(request, sizeof request, "%.*sSec-WebSocket-Protocol: zero, one, two\r\n\r\n",
             (int)(strlen(peer_upgrade_request) - 2), peer_upgrade_request);
    peer_say(peer, request);
    assert_int_equal(peer_read_answer(peer, head, sizeof head, false), 101);
    assert_non_null(strstr(head, "Sec-WebSocket-Protocol: one\r\n"));
    world_await(&world, OPEN, 1);
    weft_string chosen = weft_connection_subprotocol(world.connection);
    assert_int_equal(chosen.length, 3);
    assert_memory_equal(chosen.bytes, "one", 3);
    close(peer);
    world_end(&world);
}

static void *drop_elsewhere(void *context)
{
    world *world = context;
    weft_request_drop(world->request);
    return NULL;
}

static void test_a_dropped_request_ends_tcp_without_an_answer(void **state)
{
    (void)state;
    world world;
    listen_and_keep(&world);
    int peer = peer_connect(world.port);
    peer_say(peer, "GET / HTTP/1.1\r\nHost: here\r\n\r\n");
    world_await(&world, REQUEST, 1);
    on_a_thread(&world, drop_elsewhere);
    peer_expect_end(peer);
    close(peer);
    world_end(&world);
}

/* -- while everything ends ---------------------------------------------------------------------- */

enum {
    DESKS = 256 /* requests that wait, a power of two; more are dropped at once */
};

/* Requests on their way from the loops to threads that answer them. */
typedef struct office {
    world world;
    atomic_bool is_closing;
    _Atomic int accepted;
    size_t first, count; /* under the world's lock */
    weft_request *waiting[DESKS];
} office;

static void hand_in(void *context, weft_request *request)
{
    office *office = context;
    pthread_mutex_lock(&office->world.mutex);
    bool has_room = office->count < DESKS;
    if (has_room) office->waiting[(office->first + office->count++) % DESKS] = request;
    pthread_mutex_unlock(&office->world.mutex);
    if (!has_room) weft_request_drop(request);
}

static weft_request *take_out(office *office)
{
    pthread_mutex_lock(&office->world.mutex);
    weft_request *request = office->count ? office->waiting[office->first] : NULL;
    if (request) {
        office->first = (office->first + 1) % DESKS;
        office->count--;
    }
    pthread_mutex_unlock(&office->world.mutex);
    return request;
}

static void decide(office *office, weft_request *request, unsigned chance)
{
    if (chance % 8 == 0) {
        weft_request_drop(request);
    } else if (weft_request_is_upgrade(request) && chance % 2) {
        office->accepted++;
        assert_int_equal(world_accept(&office->world, request), WEFT_OK);
    } else {
        assert_int_equal(world_respond(request, chance % 3 ? 200 : 503, "hello"), WEFT_OK);
    }
}

static void *work(void *argument)
{
    office *office = argument;
    unsigned chance = 1;
    while (world_count(&office->world, ROUTE_RELEASE) == 0) { /* which comes behind the last answer */
        weft_request *request = take_out(office);
        if (request) decide(office, request, chance = chance * 1103515245 + 12345);
        if (!request) sched_yield();
    }
    return NULL;
}

static void *visit(void *argument)
{
    office *office = argument;
    char bytes[512];
    for (unsigned i = 0; !office->is_closing; i++) {
        int peer = peer_try_connect(office->world.port, false);
        if (i % 3) peer_try_send(peer, GET, strlen(GET));
        peer_try_send(peer, peer_upgrade_request, strlen(peer_upgrade_request));
        if (i % 2) recv(peer, bytes, sizeof bytes, 0);
        if (i % 5 == 0) peer_reset(peer);
        if (i % 5) close(peer);
    }
    return NULL;
}

static void open_office(office *office)
{
    memset(office, 0, sizeof *office);
    world_init(&office->world);
    office->world.has_listeners_loops = true;
    office->world.listening.threads = 2;
    weft_route route;
    weft_route_init(&route);
    route.context = office;
    route.on_upgrade = route.on_request = hand_in;
    route.on_release = world_on_route_release; /* the world is the office's first member */
    office->world.route = route;
    world_listen(&office->world);
}

/* Threads answer requests whose peers leave and whose listener is stopped and let go meanwhile. */
static void test_any_thread_may_answer_while_everything_ends(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        counting_allocator counter;
        allocator_count(&counter);
        office office;
        pthread_t visitors[2], workers[2];
        open_office(&office);
        for (int i = 0; i < 2; i++) {
            pthread_create(&visitors[i], NULL, visit, &office);
            pthread_create(&workers[i], NULL, work, &office);
        }
        while (office.accepted < 20)
            sched_yield();
        weft_listener_stop(office.world.listener, round % 2 ? 0 : 20);
        weft_listener_release(office.world.listener);
        office.is_closing = true;
        for (int i = 0; i < 2; i++) {
            pthread_join(visitors[i], NULL);
            pthread_join(workers[i], NULL);
        }
        world_await(&office.world, STOPPED, 1);
        world_await(&office.world, RELEASE, office.accepted);
        assert_int_equal(office.world.counts[OPEN], office.world.counts[CLOSED]);
        weft_connection_release(office.world.connection);
        office.world.connection = NULL;
        world_clear(&office.world);
        while (counter.blocks > 0)
            sched_yield();
        allocator_restore(&counter);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_thread_may_answer_while_everything_ends), /* first: no threads are left */
        cmocka_unit_test(test_a_request_tells_what_was_sent),
        cmocka_unit_test(test_frames_behind_the_request_are_the_first),
        cmocka_unit_test(test_a_peer_that_left_before_the_answer_opens_or_releases),
        cmocka_unit_test(test_an_answer_after_the_stop_only_releases),
        cmocka_unit_test(test_a_request_decided_during_a_stop_opens_and_has_the_rest_of_the_time),
        cmocka_unit_test(test_answers_that_cannot_be_leave_the_request_open),
        cmocka_unit_test(test_the_clients_first_subprotocol_that_is_known_is_chosen),
        cmocka_unit_test(test_a_dropped_request_ends_tcp_without_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
