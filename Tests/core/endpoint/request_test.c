#include "endpoint/world.h"

/* The status that bytes of a request get; the answers of the library end TCP. */
static int verdict(uint16_t port, const char *bytes)
{
    int peer = peer_connect(port);
    peer_say(peer, bytes);
    int status = peer_status(peer);
    close(peer);
    return status;
}

static void upgrade_with(char *out, size_t size, const char *line, const char *field)
{
    snprintf(out, size,
             "%s\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n",
             line, field);
}

static void test_every_refusal_has_its_status(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world_listen(&world);
    static const struct {
        const char *line, *field;
        int status;
    } cases[] = {
        {"GET / HTTP/1.1", "", 101},
        {"GET / HTTP/1.1", "Origin: http://localhost\r\n", 101},
        {"GET / HTTP/1.1", "Origin: http://elsewhere\r\n", 403},
        {"GET / HTTP/1.1", "Origin: https://localhost\r\n", 403},
        {"GET / HTTP/1.1", "Origin: null\r\n", 403},
        {"GET /nowhere HTTP/1.1", "", 404},
        {"POST / HTTP/1.1", "", 405},
        {"GET / HTTP/1.0", "", 400},
        {"GET / HTTP/1.1", "Content-Length: 5\r\n", 400},
        {"GET / HTTP/1.1", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", 400},
        {"GET / HTTP/1.1", "Sec-WebSocket-Version: 8\r\n", 426},
        {"GET / HTTP/1.1", "Bad Field: x\r\n", 400},
        {"GET / HTTP/2.0", "", 505},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char request[512];
        upgrade_with(request, sizeof request, cases[i].line, cases[i].field);
        int peer = peer_connect(world.port);
        peer_say(peer, request);
        assert_int_equal(peer_status(peer), cases[i].status);
        if (cases[i].status != 101) peer_expect_end(peer);
        close(peer);
    }
    assert_int_equal(verdict(world.port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 426);
    assert_int_equal(verdict(world.port, "\x16\x03\x01\x02\x05\x01"), 400); /* TLS to the wrong port */
    world_await(&world, RELEASE, 2);
    world_end(&world);
}

static void test_a_426_says_what_to_upgrade_to(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world.listening.server = "weft-test";
    world_listen(&world);
    int peer = peer_connect(world.port);
    char head[1024];
    peer_say(peer, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(peer_read_answer(peer, head, sizeof head, true), 426);
    assert_non_null(strstr(head, "\r\nUpgrade: websocket\r\n"));
    assert_non_null(strstr(head, "\r\nSec-WebSocket-Version: 13\r\n"));
    assert_non_null(strstr(head, "\r\nServer: weft-test\r\n"));
    assert_non_null(strstr(head, "\r\nConnection: "));
    peer_expect_end(peer);
    close(peer);
    world_end(&world);
}

static void test_listed_origins_may_upgrade(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    const weft_string origins[] = {{"https://one.example", 19}, {"https://two.example", 19}};
    world.route.origins = WEFT_ORIGIN_LIST;
    world.route.origin_list = origins;
    world.route.origin_count = 2;
    world_listen(&world);
    char request[512];
    upgrade_with(request, sizeof request, "GET / HTTP/1.1", "Origin: https://two.example\r\n");
    assert_int_equal(verdict(world.port, request), 101);
    upgrade_with(request, sizeof request, "GET / HTTP/1.1", "Origin: https://two.example.org\r\n");
    assert_int_equal(verdict(world.port, request), 403);
    upgrade_with(request, sizeof request, "GET / HTTP/1.1",
                 "Origin: https://one.example\r\nOrigin: https://evil.example\r\n");
    assert_int_equal(verdict(world.port, request), 403);
    upgrade_with(request, sizeof request, "GET / HTTP/1.1", "");
    assert_int_equal(verdict(world.port, request), 101);
    world_end(&world);
}

static void test_a_long_head_is_refused_before_its_end(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world.listening.max_uri_length = 100;
    world.listening.max_header_size = 300;
    world_listen(&world);
    char request[1024], filling[601];
    memset(filling, 'x', sizeof filling - 1);
    filling[sizeof filling - 1] = '\0';
    snprintf(request, sizeof request, "GET /%.101s", filling);
    assert_int_equal(verdict(world.port, request), 414);
    snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: a\r\nFilling: %s", filling);
    assert_int_equal(verdict(world.port, request), 431);
    world_end(&world);
}

static void test_half_a_request_times_out(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world.listening.timeout_ms = 60;
    world_listen(&world);
    assert_int_equal(verdict(world.port, "GET / HT"), 408);
    int silent = peer_connect(world.port);
    peer_expect_end(silent);
    close(silent);
    world_end(&world);
}

/* One absolute deadline: a byte now and then does not move it. */
static void test_dripping_bytes_do_not_postpone_the_timeout(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world.listening.timeout_ms = 150;
    world_listen(&world);
    int peer = peer_connect(world.port);
    struct timespec start, now;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (size_t i = 0; !peer_is_readable(peer, 20); i++) {
        assert_true(i < 100);
        peer_try_send(peer, i < 4 ? &"GET "[i] : "x", 1);
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    assert_true(now.tv_sec - start.tv_sec < 3);
    peer_drain(peer);
    close(peer);
    world_end(&world);
}

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
    while (weft_listener_connection_count(world.listener) > 1)
        sched_yield();
    int three = peer_open(world.port);
    assert_int_equal(verdict(world.port, peer_upgrade_request), 503);
    close(one);
    close(three);
    close(silent);
    world_end(&world);
}

/* -- plain requests -------------------------------------------------------------------------------- */

static void listen_for_requests(world *world)
{
    world_init(world);
    world->route.on_request = world_on_request;
    world_listen(world);
}

static void test_a_request_with_a_body_is_413(void **state)
{
    (void)state;
    world world;
    listen_for_requests(&world);
    assert_int_equal(verdict(world.port, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"), 413);
    assert_int_equal(verdict(world.port, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
                     413);
    assert_int_equal(verdict(world.port, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"), 200);
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

static char *long_body;

static void answer_at_length(world *world, weft_connection *connection, weft_request *request)
{
    (void)world;
    (void)connection;
    world_respond(request, 200, long_body);
}

/* A peer that has ended its own direction, as netcat does, gets the whole of a long last answer. */
static void test_a_half_closed_peer_gets_its_whole_answer(void **state)
{
    (void)state;
    const size_t length = 6 << 20;
    long_body = malloc(length + 1);
    memset(long_body, 'b', length);
    long_body[length] = '\0';
    world world;
    world_init(&world);
    world.route.on_request = world_on_request;
    world.deeds[REQUEST] = answer_at_length;
    world_listen(&world);
    int peer = peer_try_connect(world.port, true);
    peer_say(peer, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    shutdown(peer, SHUT_WR);
    world_await(&world, REQUEST, 1);
    poll(NULL, 0, 1300); /* longer than a peer that owes nothing but its end is waited for */
    char head[512];
    assert_true(peer_try_read_head(peer, head, sizeof head));
    char *body = malloc(length);
    peer_read(peer, body, length);
    peer_expect_end(peer);
    close(peer);
    free(body);
    free(long_body);
    world_end(&world);
}

static void detach_and_answer(world *world, weft_connection *connection, weft_request *request)
{
    (void)connection;
    weft_listener_detach(world->listener, "/");
    world_respond(request, 200, "last");
    assert_int_equal(world_count(world, ROUTE_RELEASE), 0);
}

static void test_a_route_is_not_released_while_its_callback_runs(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world.route.on_request = world_on_request;
    world.deeds[REQUEST] = detach_and_answer;
    world_listen(&world);
    int peer = peer_connect(world.port);
    peer_say(peer, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(peer_status(peer), 200);
    world_await(&world, ROUTE_RELEASE, 1);
    peer_say(peer, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(peer_status(peer), 404);
    close(peer);
    world_end(&world);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_refusal_has_its_status),
        cmocka_unit_test(test_a_426_says_what_to_upgrade_to),
        cmocka_unit_test(test_listed_origins_may_upgrade),
        cmocka_unit_test(test_a_long_head_is_refused_before_its_end),
        cmocka_unit_test(test_half_a_request_times_out),
        cmocka_unit_test(test_dripping_bytes_do_not_postpone_the_timeout),
        cmocka_unit_test(test_over_max_connections_is_503),
        cmocka_unit_test(test_a_request_with_a_body_is_413),
        cmocka_unit_test(test_plain_requests_keep_the_connection),
        cmocka_unit_test(test_head_gets_no_body),
        cmocka_unit_test(test_pipelined_requests_are_answered_in_order),
        cmocka_unit_test(test_an_unread_answer_holds_the_next_request_back),
        cmocka_unit_test(test_a_half_closed_peer_gets_its_whole_answer),
        cmocka_unit_test(test_a_route_is_not_released_while_its_callback_runs),
        cmocka_unit_test(test_a_stop_ends_what_asks_for_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
