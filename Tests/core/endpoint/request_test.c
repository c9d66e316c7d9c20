#include "endpoint/requests.h"

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
    const char *connection = strstr(head, "\r\nConnection: Upgrade, close\r\n");
    assert_non_null(connection);
    assert_null(strstr(connection + 1, "\r\nConnection: "));
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

/* -- plain requests where WebSockets live ---------------------------------------------------------- */

static void test_other_methods_are_405_with_what_is_allowed(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world_listen(&world);
    static const char *const lines[] = {
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx",
        "DELETE / HTTP/1.1\r\nHost: a\r\n\r\n",
        "OPTIONS / HTTP/1.1\r\nHost: a\r\n\r\n",
        "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char head[512];
        int peer = peer_connect(world.port);
        peer_say(peer, lines[i]);
        assert_int_equal(peer_read_answer(peer, head, sizeof head, lines[i][0] != 'H'), 405);
        assert_non_null(strstr(head, "\r\nAllow: GET\r\n"));
        peer_expect_end(peer);
        close(peer);
    }
    world_end(&world);
}

/* Its bytes would be frames to one side and a body to the other. */
static void test_an_upgrade_request_has_no_body(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world.route.on_request = world_on_request;
    world_listen(&world);
    char request[1024];
    static const char *const fields[] = {"Content-Length: 37\r\n", "Transfer-Encoding: chunked\r\n"};
    for (size_t i = 0; i < 2; i++) {
        upgrade_with(request, sizeof request, "GET / HTTP/1.1", fields[i]);
        strcat(request, "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
        int peer = peer_connect(world.port);
        peer_say(peer, request);
        assert_int_equal(peer_status(peer), 400);
        peer_expect_end(peer);
        close(peer);
    }
    assert_int_equal(world_count(&world, REQUEST) + world_count(&world, UPGRADE), 0);
    world_end(&world);
}

/* -- parameters of the path ------------------------------------------------------------------------ */

static void tell_parameters(world *world, weft_connection *connection, weft_request *request)
{
    (void)world;
    (void)connection;
    char told[256] = "";
    size_t count;
    const weft_field *parameters = weft_request_path_parameters(request, &count);
    for (size_t i = 0; i < count; i++) {
        weft_string name = parameters[i].name, value = parameters[i].value;
        size_t length = strlen(told);
        snprintf(told + length, sizeof told - length, "%.*s=%.*s;", (int)name.length, name.bytes,
                 (int)value.length, value.bytes);
    }
    weft_string room = weft_request_path_parameter(request, "room");
    if (count) assert_ptr_equal(room.bytes, parameters[0].value.bytes);
    assert_null(weft_request_path_parameter(request, "other").bytes);
    world_respond(request, 200, told);
}

static void expect_told(int peer, const char *path, const char *told)
{
    char request[256];
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);
    peer_say(peer, request);
    expect_answer(peer, 200, told);
}

static void test_parameters_of_the_path_are_decoded(void **state)
{
    (void)state;
    world world;
    listen_for_requests(&world);
    world.deeds[REQUEST] = tell_parameters;
    assert_int_equal(weft_listener_detach(world.listener, "/"), WEFT_OK);
    world_await(&world, ROUTE_RELEASE, 1);
    world.route.on_release = NULL;
    static const char *const patterns[] = {"/rooms/{room}/{id}", "/files/{room*}", "/plain"};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(weft_listener_attach(world.listener, patterns[i], &world.route), WEFT_OK);
    int peer = peer_connect(world.port);
    expect_told(peer, "/rooms/main%20hall/a%2Fb", "room=main hall;id=a/b;");
    expect_told(peer, "/rooms/x/%25?room=y", "room=x;id=%;");
    expect_told(peer, "/files/a/b%20c/", "room=a/b c/;");
    expect_told(peer, "/files/", "room=;");
    expect_told(peer, "/plain", "");
    expect_told(peer, "http://a/plain", "");
    close(peer);
    assert_int_equal(verdict(world.port, "GET /plain%2 HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
    assert_int_equal(verdict(world.port, "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
    assert_int_equal(verdict(world.port, "GET /files HTTP/1.1\r\nHost: a\r\n\r\n"), 404);
    assert_int_equal(verdict(world.port, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), 404);
    world_end(&world);
}

/* Whatever finds no memory, the request gets an answer or is dropped. */
static void accept_in_full(world *world, weft_connection *connection, weft_request *request)
{
    (void)connection;
    const weft_string chat = {"chat", 4};
    const weft_field field = {{"X-Room", 6}, weft_request_path_parameter(request, "room")};
    weft_compression compression;
    weft_compression_init(&compression, WEFT_SERVER);
    weft_acceptance acceptance;
    weft_acceptance_init(&acceptance);
    acceptance.service = &world->service;
    acceptance.context = world;
    acceptance.subprotocol = weft_request_choose_subprotocol(request, &chat, 1);
    acceptance.fields = &field;
    acceptance.field_count = 1;
    acceptance.compression = &compression;
    if (weft_request_accept(request, &acceptance, NULL, 0) == WEFT_OK) {
        world_happened(world, ANSWER, NULL, NULL);
    } else if (world_respond(request, 503, "no memory") != WEFT_OK) {
        weft_request_drop(request);
    }
}

static bool is_accepted_in_full(int peer)
{
    char request[512], head[1024];
    upgrade_with(request, sizeof request, "GET /rooms/x%20y HTTP/1.1",
                 "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: permessage-deflate\r\n");
    return peer_try_send(peer, request, strlen(request)) && peer_try_read_head(peer, head, sizeof head) &&
           strstr(head, " 101 ") && strstr(head, "\r\nX-Room: x y\r\n") &&
           strstr(head, "\r\nSec-WebSocket-Protocol: chat\r\n") &&
           strstr(head, "\r\nSec-WebSocket-Extensions: permessage-deflate");
}

static void fail_each_allocation(bool fails_once)
{
    bool is_accepted = false;
    for (size_t n = 1; !is_accepted; n++) {
        assert_true(n < 100);
        world world;
        counting_allocator counter;
        allocator_count(&counter);
        counter.fails_once = fails_once;
        world_init(&world);
        world.deeds[UPGRADE] = accept_in_full;
        world_listen(&world);
        world.route.on_release = NULL;
        assert_int_equal(weft_listener_attach(world.listener, "/rooms/{room}", &world.route), WEFT_OK);
        int peer = peer_connect(world.port);
        while (weft_listener_connection_count(world.listener) < 1)
            sched_yield();
        await_turn(&world); /* nothing of the accepting is left to be done */
        size_t before = counter.requests;
        counter.fail_at = before + n;
        is_accepted = is_accepted_in_full(peer) && counter.requests < before + n;
        counter.fail_at = 0;
        close(peer);
        world_await(&world, RELEASE, world_count(&world, ANSWER)); /* whether it was opened or not */
        world.counts[RELEASE] = world.counts[OPEN];
        world_end(&world);
        allocator_restore(&counter);
    }
}

static void test_each_allocation_may_fail(void **state)
{
    (void)state;
    fail_each_allocation(true);
    fail_each_allocation(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_allocation_may_fail), /* first: no other listener's threads are left */
        cmocka_unit_test(test_every_refusal_has_its_status),
        cmocka_unit_test(test_a_426_says_what_to_upgrade_to),
        cmocka_unit_test(test_listed_origins_may_upgrade),
        cmocka_unit_test(test_a_route_is_not_released_while_its_callback_runs),
        cmocka_unit_test(test_other_methods_are_405_with_what_is_allowed),
        cmocka_unit_test(test_an_upgrade_request_has_no_body),
        cmocka_unit_test(test_parameters_of_the_path_are_decoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
