#include "endpoint/requests.h"

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

/* The fields of a head that is read again are listed anew, which takes an allocation. */
static void test_dripping_bytes_are_not_read_again_and_again(void **state)
{
    (void)state;
    enum {
        BYTES = 1000
    };
    counting_allocator counter;
    allocator_count(&counter);
    world world;
    world_init(&world);
    world_listen(&world);
    int peer = peer_connect(world.port);
    peer_say(peer, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
    await_turn(&world);
    size_t before = counter.requests;
    for (int i = 0; i < BYTES; i++) {
        peer_say(peer, "x");
        await_turn(&world); /* takes one itself */
    }
    assert_true(counter.requests - before - BYTES < 100);
    peer_say(peer, "\r\n\r\n");
    assert_int_equal(peer_status(peer), 426);
    close(peer);
    world_end(&world);
    allocator_restore(&counter);
}

static void answer_with_its_body(world *world, weft_connection *connection, weft_request *request)
{
    (void)world;
    (void)connection;
    weft_response response;
    weft_response_init(&response);
    response.body = weft_request_body(request);
    weft_request_respond(request, &response, NULL, 0);
}

static void listen_for_bodies(world *world, int64_t most)
{
    world_init(world);
    world->route.on_request = world_on_request;
    world->deeds[REQUEST] = answer_with_its_body;
    world->listening.max_entity_body_size = most;
    world_listen(world);
}

static void test_a_body_is_collected_before_the_application_is_called(void **state)
{
    (void)state;
    world world;
    listen_for_bodies(&world, -1);
    int peer = peer_connect(world.port);
    static const char *const requests[] = {
        POST "Content-Length: 5\r\n\r\nhello",
        POST CHUNKED "2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nX-Sum: 1\r\n\r\n",
    };
    for (size_t i = 0; i < 4; i++) { /* in one packet, then byte by byte */
        const char *request = requests[i % 2];
        size_t piece = i < 2 ? strlen(request) : 1;
        for (size_t at = 0; at < strlen(request); at += piece)
            peer_send(peer, request + at, piece);
        expect_answer(peer, 200, "hello");
    }
    peer_say(peer, POST "Content-Length: 0\r\n\r\n" POST CHUNKED "0\r\n\r\n"
                        "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    for (int i = 0; i < 3; i++)
        expect_answer(peer, 200, "");
    close(peer);
    world_end(&world);
}

static void test_a_body_over_its_limit_is_413_as_soon_as_it_is_known(void **state)
{
    (void)state;
    world world;
    listen_for_bodies(&world, 5);
    assert_int_equal(verdict(world.port, POST "Content-Length: 5\r\n\r\nhello"), 200);
    assert_int_equal(verdict(world.port, POST "Content-Length: 6\r\n\r\n"), 413);
    assert_int_equal(verdict(world.port, POST "Content-Length: 9223372036854775807\r\n\r\n"), 413);
    assert_int_equal(verdict(world.port, POST CHUNKED "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"), 200);
    assert_int_equal(verdict(world.port, POST CHUNKED "3\r\nabc\r\n3\r\n"), 413);
    assert_int_equal(verdict(world.port, POST CHUNKED "7fffffffffffffff\r\n"), 413);
    assert_int_equal(verdict(world.port, POST CHUNKED "ffffffffffffffff\r\n"), 413);
    assert_int_equal(world_count(&world, REQUEST), 2);
    world_end(&world);
}

/* What one side takes for a body and another for a request would smuggle requests past a proxy. */
static void test_ambiguous_bodies_are_400_and_nothing_behind_them_is_read(void **state)
{
    (void)state;
    world world;
    listen_for_bodies(&world, -1);
#define BEHIND "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
    static const struct {
        const char *request;
        int status;
    } cases[] = {
        {POST "Content-Length: 4\r\n" CHUNKED "0\r\n\r\n" BEHIND, 400},
        {POST "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" BEHIND, 400},
        {POST "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx" BEHIND, 400},
        {POST "Content-Length: +1\r\n\r\nx" BEHIND, 400},
        {POST "Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n" BEHIND, 501},
        {POST CHUNKED "1\nx\r\n0\r\n\r\n" BEHIND, 400},
        {POST CHUNKED "1\r\nx\n0\r\n\r\n" BEHIND, 400},
        {POST CHUNKED "0x1\r\nx\r\n0\r\n\r\n" BEHIND, 400},
        {POST CHUNKED "10000000000000001\r\nx\r\n0\r\n\r\n" BEHIND, 400},
        {POST CHUNKED "1\r\nxGET\r\n0\r\n\r\n" BEHIND, 400},
        {"POST / HTTP/1.0\r\n" CHUNKED "0\r\n\r\n" BEHIND, 400},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int peer = peer_connect(world.port);
        char head[512];
        peer_say(peer, cases[i].request);
        assert_int_equal(peer_read_answer(peer, head, sizeof head, true), cases[i].status);
        assert_non_null(strstr(head, "\r\nConnection: close\r\n"));
        peer_expect_end(peer);
        close(peer);
    }
    assert_int_equal(world_count(&world, REQUEST), 0);
    world_end(&world);
}

static void test_endless_trailers_and_extensions_are_400(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world.route.on_request = world_on_request;
    world.listening.max_header_size = 200;
    world_listen(&world);
    char filling[301], request[1024];
    memset(filling, 'x', sizeof filling - 1);
    filling[sizeof filling - 1] = '\0';
    snprintf(request, sizeof request, POST CHUNKED "1\r\na\r\n0\r\nX: %s", filling);
    assert_int_equal(verdict(world.port, request), 400);
    snprintf(request, sizeof request, POST CHUNKED "1;%s", filling);
    assert_int_equal(verdict(world.port, request), 400);
    world_end(&world);
}

/* The refusal arrives although megabytes were still on their way: they are read and dropped. */
static void test_a_refused_body_is_drained_so_that_the_answer_arrives(void **state)
{
    (void)state;
    world world;
    listen_for_bodies(&world, 1000);
    int peer = peer_connect(world.port);
    peer_say(peer, POST "Content-Length: 8388608\r\n\r\n");
    static const char piece[65536];
    for (int i = 0; i < 128; i++)
        peer_send(peer, piece, sizeof piece);
    assert_int_equal(peer_status(peer), 413);
    peer_expect_end(peer);
    close(peer);
    world_end(&world);
}

static void test_a_body_that_ends_early_is_400(void **state)
{
    (void)state;
    world world;
    listen_for_bodies(&world, -1);
    int peer = peer_connect(world.port);
    peer_say(peer, POST "Content-Length: 10\r\n\r\nhalf");
    shutdown(peer, SHUT_WR);
    assert_int_equal(peer_status(peer), 400);
    peer_expect_end(peer);
    close(peer);
    world_end(&world);
}

static void test_half_a_body_times_out(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world.route.on_request = world_on_request;
    world.listening.timeout_ms = 150;
    world_listen(&world);
    int peer = peer_connect(world.port);
    peer_say(peer, POST "Content-Length: 1000\r\n\r\nhalf");
    for (size_t i = 0; !peer_is_readable(peer, 20); i++) {
        assert_true(i < 100);
        peer_try_send(peer, "x", 1); /* does not postpone it */
    }
    assert_int_equal(peer_status(peer), 408);
    close(peer);
    int second = peer_connect(world.port); /* the same for a request behind another in one packet */
    peer_say(second, "GET / HTTP/1.1\r\nHost: a\r\n\r\n" POST "Content-Length: 1000\r\n\r\nhalf");
    expect_answer(second, 200, "hello");
    assert_int_equal(peer_status(second), 408);
    close(second);
    world_end(&world);
}

/* What a peer sends while its request is decided stays with the system, whatever the peer can send. */
static void test_little_is_read_ahead_of_an_answer(void **state)
{
    (void)state;
    static const char junk[1 << 20];
    counting_allocator counter;
    allocator_count(&counter);
    world world;
    init_to_keep(&world);
    world_listen(&world);
    hold_loop(&world);
    int peer = peer_connect(world.port);
    peer_say(peer, peer_upgrade_request);
    ssize_t sent = send(peer, junk, sizeof junk, MSG_DONTWAIT | MSG_NOSIGNAL);
    assert_true(sent > 256 * 1024);
    size_t before = counter.bytes;
    let_loop_go();
    await_kept(&world, 1);
    await_turn(&world);
    assert_true(counter.bytes - before < 64 * 1024);
    world_respond(kept[0], 403, "");
    assert_int_equal(peer_status(peer), 403);
    close(peer);
    world_end(&world);
    allocator_restore(&counter);
}

static void test_a_body_that_is_taken_is_asked_for(void **state)
{
    (void)state;
    world world;
    listen_for_bodies(&world, 5);
    int peer = peer_connect(world.port);
    peer_say(peer, EXPECTING "Content-Length: 2\r\n\r\n");
    expect_continue(peer);
    peer_say(peer, "hi" EXPECTING CHUNKED);
    expect_answer(peer, 200, "hi");
    expect_continue(peer);
    peer_say(peer, "2\r\nho\r\n0\r\n\r\n" EXPECTING "Content-Length: 3\r\n\r\nall");
    expect_answer(peer, 200, "ho");
    expect_answer(peer, 200, "all"); /* it came already */
    peer_say(peer, EXPECTING "Content-Length: 0\r\n\r\n");
    expect_answer(peer, 200, "");
    close(peer);
    world_end(&world);
}

static void test_a_body_that_is_refused_is_not_asked_for(void **state)
{
    (void)state;
    world world;
    listen_for_bodies(&world, 5);
    assert_int_equal(verdict(world.port, EXPECTING "Content-Length: 6\r\n\r\n"), 413);
    assert_int_equal(verdict(world.port, "POST /nowhere HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                                         "Content-Length: 2\r\n\r\n"),
                     404);
    assert_int_equal(verdict(world.port, POST "Expect: a miracle\r\nContent-Length: 2\r\n\r\n"), 417);
    assert_int_equal(verdict(world.port, POST "Expect: 100-continue\r\nExpect: x\r\n\r\n"), 417);
    assert_int_equal(verdict(world.port, "POST / HTTP/1.0\r\nExpect: x\r\n\r\n"), 200);
    world_end(&world);
}

static void test_100_waits_for_the_answers_before_it(void **state)
{
    (void)state;
    world world;
    init_to_keep(&world);
    world_listen(&world);
    int peer = peer_connect(world.port);
    peer_say(peer, GET EXPECTING "Content-Length: 2\r\n\r\n");
    await_kept(&world, 1);
    await_turn(&world);
    assert_false(peer_is_readable(peer, 0));
    world_respond(kept[0], 200, "a");
    expect_answer(peer, 200, "a");
    expect_continue(peer);
    peer_say(peer, "hi");
    await_kept(&world, 2);
    world_respond(kept[1], 200, "b");
    expect_answer(peer, 200, "b");
    close(peer);
    world_end(&world);
}

/* The first one has no body to ask for. */
static void test_100_is_for_the_request_that_waits_for_it(void **state)
{
    (void)state;
    world world;
    init_to_keep(&world);
    world_listen(&world);
    int peer = peer_connect(world.port);
    peer_say(peer, "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n");
    peer_say(peer, POST "Content-Length: 2\r\n\r\n");
    await_kept(&world, 1);
    await_turn(&world);
    world_respond(kept[0], 200, "a");
    expect_answer(peer, 200, "a");
    peer_say(peer, "hi");
    await_kept(&world, 2);
    world_respond(kept[1], 200, "b");
    expect_answer(peer, 200, "b");
    close(peer);
    world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_long_head_is_refused_before_its_end),
        cmocka_unit_test(test_half_a_request_times_out),
        cmocka_unit_test(test_dripping_bytes_do_not_postpone_the_timeout),
        cmocka_unit_test(test_dripping_bytes_are_not_read_again_and_again),
        cmocka_unit_test(test_a_body_is_collected_before_the_application_is_called),
        cmocka_unit_test(test_a_body_over_its_limit_is_413_as_soon_as_it_is_known),
        cmocka_unit_test(test_ambiguous_bodies_are_400_and_nothing_behind_them_is_read),
        cmocka_unit_test(test_endless_trailers_and_extensions_are_400),
        cmocka_unit_test(test_a_refused_body_is_drained_so_that_the_answer_arrives),
        cmocka_unit_test(test_a_body_that_ends_early_is_400),
        cmocka_unit_test(test_half_a_body_times_out),
        cmocka_unit_test(test_little_is_read_ahead_of_an_answer),
        cmocka_unit_test(test_a_body_that_is_taken_is_asked_for),
        cmocka_unit_test(test_a_body_that_is_refused_is_not_asked_for),
        cmocka_unit_test(test_100_waits_for_the_answers_before_it),
        cmocka_unit_test(test_100_is_for_the_request_that_waits_for_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
