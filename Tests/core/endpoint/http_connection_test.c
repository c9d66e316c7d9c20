#include "endpoint/requests.h"

static void test_over_max_connections_is_503(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world.listening.max_connections = 2;
    world_listen(&world);
    int one = peer_open(world.port), two = peer_open(world.port);
    int silent = peer_connect(world.port); /* one too many, and takes no place */
    for (int i = 0; i < 3; i++)
        assert_int_equal(verdict(world.port, peer_upgrade_request), 503);
    assert_int_equal(weft_listener_connection_count(world.listener), 2);
    close(two);
    world_await(&world, RELEASE, 1);
    await_connections(world.listener, 1);
    int three = peer_open(world.port);
    assert_int_equal(verdict(world.port, peer_upgrade_request), 503);
    close(one);
    close(three);
    close(silent);
    world_end(&world);
}

static void test_plain_requests_keep_the_connection(void **state)
{
    (void)state;
    world world;
    listen_for_requests(&world);
    int peer = peer_connect(world.port);
    char head[512], body[5];
    for (int i = 0; i < 3; i++) {
        peer_say(peer, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_int_equal(peer_read_answer(peer, head, sizeof head, false), 200);
        peer_read(peer, body, 5);
        assert_memory_equal(body, "hello", 5);
    }
    peer_say(peer, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_int_equal(peer_read_answer(peer, head, sizeof head, true), 200);
    assert_non_null(strstr(head, "Connection: close"));
    peer_expect_end(peer);
    close(peer);
    world_end(&world);
}

static void test_head_gets_no_body(void **state)
{
    (void)state;
    world world;
    listen_for_requests(&world);
    int peer = peer_connect(world.port);
    char head[512];
    peer_say(peer, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\nHEAD /nowhere HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(peer_read_answer(peer, head, sizeof head, false), 200);
    assert_non_null(strstr(head, "Content-Length: 5\r\n"));
    assert_int_equal(peer_read_answer(peer, head, sizeof head, false), 404);
    peer_expect_end(peer);
    close(peer);
    world_end(&world);
}

static void test_pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    world world;
    listen_for_requests(&world);
    int peer = peer_connect(world.port);
    static char requests[64 * 1024];
    char *end = requests;
    for (int i = 0; i < 500; i++)
        end = stpcpy(end, "GET /?x HTTP/1.1\r\nHost: a\r\n\r\n");
    end = stpcpy(end, peer_upgrade_request);
    end += peer_write_frame((uint8_t *)end, FIN | TEXT, "after all", 9);
    peer_send(peer, requests, (size_t)(end - requests));
    for (int i = 0; i < 500; i++)
        assert_int_equal(peer_status(peer), 200);
    assert_int_equal(peer_status(peer), 101);
    peer_expect_text(peer, "after all");
    close(peer);
    world_end(&world);
}

/* Pipelined requests whose answers nobody reads must not fill our memory. */
static void test_an_unread_answer_holds_the_next_request_back(void **state)
{
    (void)state;
    world world;
    listen_for_requests(&world);
    int peer = peer_try_connect(world.port, true);
    struct timeval patience = {.tv_usec = 100000};
    setsockopt(peer, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    static const char request[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    size_t sent = 0;
    static char many[1000 * (sizeof request - 1)];
    for (size_t i = 0; i < 1000; i++)
        memcpy(many + i * (sizeof request - 1), request, sizeof request - 1);
    for (ssize_t count; (count = send(peer, many, sizeof many, MSG_NOSIGNAL)) > 0;) {
        sent += (size_t)count;
        assert_true(sent < (size_t)64 << 20);
        if (sent % sizeof many) break; /* it must go on where it was cut, and does not */
    }
    size_t whole = sent / (sizeof request - 1);
    assert_true((size_t)world_count(&world, REQUEST) < whole);
    char answer[512];
    assert_int_equal(peer_read_answer(peer, answer, sizeof answer, false), 200);
    size_t length = strlen(answer) + strlen("hello");
    peer_read(peer, answer, strlen("hello"));
    for (size_t i = 1; i < whole; i++) {
        peer_read(peer, answer, length);
        assert_memory_equal(answer, "HTTP/1.1 200 OK\r\n", 17);
        assert_memory_equal(answer + length - 5, "hello", 5);
    }
    close(peer);
    world_end(&world);
}

/* More than the system takes for a peer that does not read. */
enum {
    LONG = 6 << 20
};

static char *long_body;

static void answer_at_length(world *world, weft_connection *connection, weft_request *request)
{
    (void)world;
    (void)connection;
    world_respond(request, 200, long_body);
}

static void listen_to_answer_at_length(world *world, uint32_t timeout_ms)
{
    long_body = malloc(LONG + 1);
    memset(long_body, 'b', LONG);
    long_body[LONG] = '\0';
    world_init(world);
    world->route.on_request = world_on_request;
    world->deeds[REQUEST] = answer_at_length;
    world->listening.timeout_ms = timeout_ms;
    world_listen(world);
}

static void expect_long_answer(int peer)
{
    char head[512];
    int bytes = 1 << 20; /* now it may be fast */
    setsockopt(peer, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    assert_true(peer_try_read_head(peer, head, sizeof head));
    char *body = malloc(LONG);
    peer_read(peer, body, LONG);
    assert_memory_equal(body, long_body, LONG);
    free(body);
}

static void end_with_long_answer(world *world)
{
    world_end(world);
    free(long_body);
}

/* A peer that has ended its own direction, as netcat does, gets the whole of a long last answer. */
static void test_a_half_closed_peer_gets_its_whole_answer(void **state)
{
    (void)state;
    world world;
    listen_to_answer_at_length(&world, 60000);
    int peer = peer_try_connect(world.port, true);
    peer_say(peer, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    shutdown(peer, SHUT_WR);
    world_await(&world, REQUEST, 1);
    int later = peer_connect(world.port); /* owes nothing but its end, and is waited for until then */
    peer_say(later, "NONSENSE\r\n\r\n");
    assert_int_equal(peer_status(later), 400);
    await_connections(world.listener, 1);
    expect_long_answer(peer);
    peer_expect_end(peer);
    close(peer);
    close(later);
    end_with_long_answer(&world);
}

static void test_a_peer_that_takes_no_answer_is_given_up(void **state)
{
    (void)state;
    world world;
    listen_to_answer_at_length(&world, 100);
    int kept_alive = peer_try_connect(world.port, true), last = peer_try_connect(world.port, true);
    peer_say(kept_alive, GET);
    peer_say(last, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    world_await(&world, REQUEST, 2);
    await_connections(world.listener, 0);
    close(kept_alive);
    close(last);
    end_with_long_answer(&world);
}

static void test_a_stop_sends_the_whole_of_a_long_answer(void **state)
{
    (void)state;
    world world;
    listen_to_answer_at_length(&world, 60000);
    int peer = peer_try_connect(world.port, true);
    peer_say(peer, GET);
    world_await(&world, REQUEST, 1);
    weft_listener_stop(world.listener, 60000);
    await_turn(&world);
    expect_long_answer(peer);
    peer_expect_end(peer);
    close(peer);
    world_await(&world, STOPPED, 1);
    end_with_long_answer(&world);
}

static void test_a_stop_ends_what_asks_for_nothing(void **state)
{
    (void)state;
    world world;
    listen_for_requests(&world);
    int idle = peer_connect(world.port), used = peer_connect(world.port);
    peer_say(used, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(peer_status(used), 200);
    while (weft_listener_connection_count(world.listener) < 2)
        sched_yield();
    weft_listener_stop(world.listener, 60000);
    peer_expect_end(idle);
    peer_expect_end(used);
    close(idle);
    close(used);
    world_await(&world, STOPPED, 1);
    world_end(&world);
}

static void test_answers_leave_in_the_order_of_the_requests(void **state)
{
    (void)state;
    world world;
    init_to_keep(&world);
    world_listen(&world);
    int peer = peer_connect(world.port);
    peer_say(peer, GET POST "Content-Length: 3\r\n\r\ntwo" GET);
    await_kept(&world, 3);
    assert_memory_equal(weft_request_body(kept[1]).bytes, "two", 3);
    world_respond(kept[2], 202, "c");
    world_respond(kept[1], 201, "b");
    await_turn(&world);
    assert_false(peer_is_readable(peer, 0));
    world_respond(kept[0], 200, "a");
    expect_answer(peer, 200, "a");
    expect_answer(peer, 201, "b");
    expect_answer(peer, 202, "c");
    close(peer);
    world_end(&world);
}

static void test_no_more_requests_are_read_than_may_be_under_way(void **state)
{
    (void)state;
    world world;
    init_to_keep(&world);
    world.listening.max_pipelined_requests = 2;
    world_listen(&world);
    int peer = peer_connect(world.port);
    peer_say(peer, GET GET GET GET);
    await_kept(&world, 2);
    await_turn(&world);
    assert_int_equal(world_count(&world, REQUEST), 2);
    world_respond(kept[1], 201, "b"); /* has to wait, so nothing has left */
    await_turn(&world);
    assert_int_equal(world_count(&world, REQUEST), 2);
    world_respond(kept[0], 200, "a");
    await_kept(&world, 4);
    expect_answer(peer, 200, "a");
    expect_answer(peer, 201, "b");
    world_respond(kept[2], 200, "c");
    world_respond(kept[3], 200, "d");
    expect_answer(peer, 200, "c");
    expect_answer(peer, 200, "d");
    close(peer);
    world_end(&world);
}

static void test_a_refusal_waits_for_the_answers_before_it(void **state)
{
    (void)state;
    world world;
    init_to_keep(&world);
    world_listen(&world);
    int peer = peer_connect(world.port);
    peer_say(peer, GET "NONSENSE\r\n" GET);
    await_kept(&world, 1);
    await_turn(&world);
    assert_false(peer_is_readable(peer, 0));
    world_respond(kept[0], 200, "a");
    expect_answer(peer, 200, "a");
    assert_int_equal(peer_status(peer), 400);
    peer_expect_end(peer);
    assert_int_equal(world_count(&world, REQUEST), 1);
    close(peer);
    world_end(&world);
}

/* It is decided when it comes, and its 101 leaves behind the answers before it. What is behind it is no HTTP,
 * even where it looks so: its first byte is a frame with reserved bits. */
static void test_an_upgrade_is_the_last_request(void **state)
{
    (void)state;
    world world;
    init_to_keep(&world);
    world_listen(&world);
    int peer = peer_connect(world.port);
    peer_say(peer, GET);
    peer_say(peer, peer_upgrade_request);
    peer_say(peer, GET);
    await_kept(&world, 2);
    world_accept(&world, kept[1]);
    await_turn(&world);
    assert_false(peer_is_readable(peer, 0));
    world_respond(kept[0], 200, "a");
    expect_answer(peer, 200, "a");
    assert_int_equal(peer_status(peer), 101);
    peer_expect_close(peer, 1002);
    assert_int_equal(world_count(&world, REQUEST), 1);
    close(peer);
    world_end(&world);
}

static void test_a_refused_upgrade_ends_the_connection(void **state)
{
    (void)state;
    world world;
    init_to_keep(&world);
    world_listen(&world);
    int peer = peer_connect(world.port);
    char head[512];
    peer_say(peer, peer_upgrade_request);
    peer_say(peer, GET);
    await_kept(&world, 1);
    world_respond(kept[0], 401, "who are you");
    assert_int_equal(peer_read_answer(peer, head, sizeof head, true), 401);
    assert_non_null(strstr(head, "\r\nConnection: close\r\n"));
    peer_expect_end(peer);
    assert_int_equal(world_count(&world, REQUEST), 0);
    close(peer);
    world_end(&world);
}

/* An accepted upgrade whose turn never came gives its context back. */
static size_t count_at_the_end;

static void count_connections(world *world, weft_connection *connection, weft_request *request)
{
    (void)connection;
    (void)request;
    count_at_the_end = weft_listener_connection_count(world->listener);
}

static void test_a_lost_connection_takes_what_waits_along(void **state)
{
    (void)state;
    world world;
    init_to_keep(&world);
    world.deeds[STOPPED] = count_connections;
    count_at_the_end = 1;
    world_listen(&world);
    int peer = peer_connect(world.port);
    peer_say(peer, GET GET);
    peer_say(peer, peer_upgrade_request);
    await_kept(&world, 3);
    world_accept(&world, kept[2]);
    world_respond(kept[1], 200, "b");
    weft_listener_stop(world.listener, 0);
    world_await(&world, STOPPED, 1);
    world_await(&world, RELEASE, 1);
    peer_expect_end(peer);
    assert_int_equal(world_respond(kept[0], 200, "a"), WEFT_OK);
    assert_int_equal(world.counts[OPEN], 0);
    weft_listener_release(world.listener);
    world_await(&world, ROUTE_RELEASE, 1);
    close(peer);
    world_clear(&world);
    assert_int_equal(count_at_the_end, 0);
}

static void test_a_half_closed_peer_gets_all_its_answers(void **state)
{
    (void)state;
    world world;
    init_to_keep(&world);
    world_listen(&world);
    int peer = peer_connect(world.port);
    peer_say(peer, GET GET "GET / HT");
    shutdown(peer, SHUT_WR);
    await_kept(&world, 2);
    await_turn(&world);
    world_respond(kept[0], 200, "a");
    world_respond(kept[1], 200, "b");
    expect_answer(peer, 200, "a");
    expect_answer(peer, 200, "b");
    peer_expect_end(peer);
    close(peer);
    world_end(&world);
}

static void listen_with(world *world, weft_keep_alive keep_alive)
{
    world_init(world);
    world->route.on_request = world_on_request;
    world->listening.keep_alive = keep_alive;
    world_listen(world);
}

static void expect_connection(int peer, const char *request, const char *value)
{
    char head[512];
    peer_say(peer, request);
    assert_int_equal(peer_read_answer(peer, head, sizeof head, true), 200);
    const char *field = strstr(head, "\r\nConnection: ");
    assert_int_equal(field != NULL, value != NULL);
    if (value) assert_memory_equal(field + strlen("\r\nConnection: "), value, strlen(value));
}

#define OLD_GET "GET / HTTP/1.0\r\n"

static void test_connections_are_kept_as_the_client_asks(void **state)
{
    (void)state;
    world world;
    listen_with(&world, WEFT_KEEP_ALIVE_AUTO);
    int peer = peer_connect(world.port);
    expect_connection(peer, GET, NULL);
    expect_connection(peer, OLD_GET "Connection: keep-alive\r\n\r\n", "keep-alive\r\n");
    expect_connection(peer, OLD_GET "\r\n", "close\r\n");
    peer_expect_end(peer);
    close(peer);
    world_end(&world);
}

static void test_connections_are_always_kept(void **state)
{
    (void)state;
    world world;
    listen_with(&world, WEFT_KEEP_ALIVE_ALWAYS);
    int peer = peer_connect(world.port);
    expect_connection(peer, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", NULL);
    expect_connection(peer, OLD_GET "\r\n", "keep-alive\r\n");
    expect_connection(peer, GET, NULL);
    close(peer);
    world_end(&world);
}

static void test_connections_are_never_kept(void **state)
{
    (void)state;
    world world;
    listen_with(&world, WEFT_KEEP_ALIVE_NEVER);
    int peer = peer_connect(world.port);
    expect_connection(peer, GET GET, "close\r\n");
    peer_expect_end(peer);
    assert_int_equal(world_count(&world, REQUEST), 1);
    close(peer);
    world_end(&world);
}

static void test_a_stop_lets_requests_under_way_be_answered(void **state)
{
    (void)state;
    world world;
    init_to_keep(&world);
    world_listen(&world);
    int peer = peer_connect(world.port);
    peer_say(peer, GET GET "GET /half");
    await_kept(&world, 2);
    weft_listener_stop(world.listener, 60000);
    await_turn(&world);
    char head[512];
    world_respond(kept[1], 200, "b");
    world_respond(kept[0], 200, "a");
    assert_int_equal(peer_read_answer(peer, head, sizeof head, true), 200);
    assert_null(strstr(head, "Connection: "));
    assert_int_equal(peer_read_answer(peer, head, sizeof head, true), 200);
    assert_non_null(strstr(head, "\r\nConnection: close\r\n"));
    peer_expect_end(peer);
    close(peer);
    world_await(&world, STOPPED, 1);
    world_end(&world);
}

/* The program answers on a thread of its own and then stops. */
static void test_a_stop_sends_the_answer_given_right_before_it(void **state)
{
    (void)state;
    world world;
    init_to_keep(&world);
    world_listen(&world);
    int peer = peer_connect(world.port);
    peer_say(peer, GET);
    await_kept(&world, 1);
    hold_loop(&world);
    world_respond(kept[0], 200, "a");
    weft_listener_stop(world.listener, 60000);
    let_loop_go();
    expect_answer(peer, 200, "a");
    peer_expect_end(peer);
    close(peer);
    world_await(&world, STOPPED, 1);
    world_end(&world);
}

static bool answers_come(int peer)
{
    static const char requests[] = GET POST "Content-Length: 3\r\n\r\nabc" POST CHUNKED "1\r\nx\r\n0\r\n\r\n"
                                            "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n";
    static const int statuses[] = {200, 200, 200, 404};
    char head[1024], body[128];
    if (!peer_try_send(peer, requests, sizeof requests - 1)) return false;
    for (size_t i = 0; i < 4; i++) {
        if (!peer_try_read_head(peer, head, sizeof head)) return false;
        if (atoi(head + strlen("HTTP/1.1 ")) != statuses[i]) return false;
        size_t length = strtoul(strstr(head, "Content-Length: ") + strlen("Content-Length: "), NULL, 10);
        if (!peer_try_read(peer, body, length)) return false;
    }
    return true;
}

/* A request whose answer found no memory is dropped. */
static void answer_or_drop(world *world, weft_connection *connection, weft_request *request)
{
    (void)world;
    (void)connection;
    if (world_respond(request, 200, "hello") != WEFT_OK) weft_request_drop(request);
}

static void test_each_allocation_may_fail(void **state)
{
    (void)state;
    bool is_served = false;
    for (size_t n = 1; !is_served; n++) {
        assert_true(n < 200);
        world world;
        counting_allocator counter;
        allocator_count(&counter);
        counter.fails_once = true;
        world_init(&world);
        world.route.on_request = world_on_request;
        world.deeds[REQUEST] = answer_or_drop;
        world_listen(&world);
        await_turn(&world); /* it accepts */
        size_t before = counter.requests;
        counter.fail_at = before + n;
        int peer = peer_connect(world.port);
        is_served = answers_come(peer) && counter.requests < before + n;
        counter.fail_at = 0;
        close(peer);
        world_end(&world);
        allocator_restore(&counter);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_over_max_connections_is_503),
        cmocka_unit_test(test_plain_requests_keep_the_connection),
        cmocka_unit_test(test_head_gets_no_body),
        cmocka_unit_test(test_pipelined_requests_are_answered_in_order),
        cmocka_unit_test(test_an_unread_answer_holds_the_next_request_back),
        cmocka_unit_test(test_a_half_closed_peer_gets_its_whole_answer),
        cmocka_unit_test(test_a_peer_that_takes_no_answer_is_given_up),
        cmocka_unit_test(test_a_stop_ends_what_asks_for_nothing),
        cmocka_unit_test(test_answers_leave_in_the_order_of_the_requests),
        cmocka_unit_test(test_no_more_requests_are_read_than_may_be_under_way),
        cmocka_unit_test(test_a_refusal_waits_for_the_answers_before_it),
        cmocka_unit_test(test_an_upgrade_is_the_last_request),
        cmocka_unit_test(test_a_refused_upgrade_ends_the_connection),
        cmocka_unit_test(test_a_lost_connection_takes_what_waits_along),
        cmocka_unit_test(test_a_half_closed_peer_gets_all_its_answers),
        cmocka_unit_test(test_connections_are_kept_as_the_client_asks),
        cmocka_unit_test(test_connections_are_always_kept),
        cmocka_unit_test(test_connections_are_never_kept),
        cmocka_unit_test(test_a_stop_lets_requests_under_way_be_answered),
        cmocka_unit_test(test_a_stop_sends_the_answer_given_right_before_it),
        cmocka_unit_test(test_a_stop_sends_the_whole_of_a_long_answer),
        cmocka_unit_test(test_each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
