#include "endpoint/dialling.h"

#include <uv.h>

/* -- what works ------------------------------------------------------------------------------------ */

static void say_hello(world *world, weft_connection *connection, weft_request *request)
{
    (void)world;
    (void)request;
    weft_connection_send(connection, WEFT_TEXT, (const uint8_t *)"hello", 5);
}

static void close_normally(world *world, weft_connection *connection, weft_request *request)
{
    (void)world;
    (void)request;
    weft_connection_close(connection, 1000, "", 0, 5000);
}

static void abort_now(world *world, weft_connection *connection, weft_request *request)
{
    (void)world;
    (void)request;
    weft_connection_abort(connection);
}

static void test_both_sides_talk_and_close(void **state)
{
    (void)state;
    world server, caller;
    world_init(&server);
    server.route.on_upgrade = world_on_upgrade;
    world_listen(&server);
    weft_listener_detach(server.listener, "/");
    server.counts[ROUTE_RELEASE] = 0;
    assert_int_equal(weft_listener_attach(server.listener, "/path", &server.route), WEFT_OK);
    world_init_client(&caller);
    caller.is_quiet = true;
    caller.deeds[OPEN] = say_hello;
    caller.deeds[MESSAGE] = close_normally;
    weft_client *client = dial(&caller, "127.0.0.1", server.port, "", 0);
    world_expect_life(&caller, "aomcr");
    assert_int_equal(caller.answer_status, 101);
    assert_int_equal(caller.close_code, 1000);
    world_await(&server, RELEASE, 1);
    assert_int_equal(server.close_code, 1000);
    weft_client_cancel(client); /* long over */
    weft_client_release(client);
    weft_client_release(NULL);
    world_end(&server);
    world_clear(&caller);
}

static void test_a_unix_socket_is_dialled_by_its_decoded_path(void **state)
{
    (void)state;
    char folder[] = "/tmp/weft-client-XXXXXX", path[64], url[96], detail[256];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/a b:c", folder);
    snprintf(url, sizeof url, "ws+unix:%s/a%%20b%%3Ac:/path?query", folder);
    world server, caller;
    world_init(&server);
    server.listening.unix_path = path;
    world_listen(&server);
    weft_listener_detach(server.listener, "/");
    server.counts[ROUTE_RELEASE] = 0;
    assert_int_equal(weft_listener_attach(server.listener, "/path", &server.route), WEFT_OK);
    world_init_client(&caller);
    caller.is_quiet = true;
    caller.deeds[OPEN] = say_hello;
    caller.deeds[MESSAGE] = close_normally;
    weft_client_config config = world_calling(&caller, caller.loop, url);
    weft_client *client;
    assert_int_equal(weft_client_connect(&client, &config, detail, sizeof detail), WEFT_OK);
    weft_client_release(client);
    world_expect_life(&caller, "aomcr");
    world_await(&server, RELEASE, 1);
    world_end(&server);
    assert_int_equal(rmdir(folder), 0);
    world_clear(&caller);
}

static void test_every_address_of_a_name_is_tried(void **state)
{
    (void)state;
    const int families[] = {AF_INET, AF_INET6};
    for (int i = 0; i < 2; i++) {
        int listening = open_listening(families[i], 0);
        if (listening < 0) continue; /* a machine without IPv6 */
        script script = {
            .listening = listening, .port = port_of(listening), .answer = good_answer, .frames = ""};
        pthread_create(&script.thread, NULL, play, &script);
        world world;
        world_init_client(&world);
        world.deeds[OPEN] = abort_now;
        weft_client_release(dial(&world, "localhost", script.port, "", 0));
        world_await(&world, RELEASE, 1);
        if (families[i] == AF_INET) assert_int_equal(world.counts[OPEN], 1);
        shutdown(listening, SHUT_RDWR); /* where "localhost" has no IPv6 address nobody came */
        end_script(&script);
        world_clear(&world);
    }
}

/* -- what does not --------------------------------------------------------------------------------- */

static void test_nobody_listens(void **state)
{
    (void)state;
    int listening = open_listening(AF_INET, 0);
    uint16_t port = port_of(listening);
    close(listening);
    world world;
    world_init_client(&world);
    weft_client_release(dial(&world, "127.0.0.1", port, "", 0));
    expect_failure(&world, WEFT_EREFUSED, "fr");
    world_clear(&world);
}

static void test_a_name_without_address(void **state)
{
    (void)state;
    world world;
    world_init_client(&world);
    weft_client_release(dial(&world, "nobody.invalid", 80, "", 0));
    expect_failure(&world, WEFT_ERESOLVE, "fr");
    assert_non_null(strstr(world.detail, "nobody.invalid"));
    world_clear(&world);
}

static void test_a_silent_server_times_out(void **state)
{
    (void)state;
    script script;
    start_script(&script, NULL);
    world world;
    world_init_client(&world);
    weft_client_release(dial(&world, "127.0.0.1", script.port, "", 50));
    expect_failure(&world, WEFT_ETIMEDOUT, "fr");
    end_script(&script);
    world_clear(&world);
}

/* -- giving up ------------------------------------------------------------------------------------- */

static void test_cancel_ends_an_attempt_once(void **state)
{
    (void)state;
    for (int delay_ms = 0; delay_ms < 6; delay_ms++) {
        script script;
        start_script(&script, NULL);
        world world;
        world_init_client(&world);
        weft_client *client = dial(&world, "localhost", script.port, "", 0);
        poll(NULL, 0, delay_ms);
        weft_client_cancel(client);
        weft_client_cancel(client);
        expect_failure(&world, WEFT_ECLOSED, "fr");
        weft_client_release(client);
        shutdown(script.listening, SHUT_RDWR);
        end_script(&script);
        world_clear(&world);
    }
}

static _Atomic(weft_client *) inside;

static void cancel_inside(world *world, weft_connection *connection, weft_request *request)
{
    (void)world;
    (void)connection;
    (void)request;
    while (!inside)
        sched_yield(); /* until weft_client_connect has returned */
    weft_client_cancel(inside);
}

static void test_cancel_inside_callbacks_changes_nothing(void **state)
{
    (void)state;
    const happening places[] = {ANSWER, OPEN, FAILURE};
    for (int i = 0; i < 3; i++) {
        script script;
        start_script(&script,
                     places[i] == FAILURE ? "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n" : good_answer);
        world world;
        world_init_client(&world);
        world.deeds[places[i]] = cancel_inside;
        inside = NULL;
        inside = dial(&world, "127.0.0.1", script.port, "", 0);
        world_await(&world, places[i] == FAILURE ? RELEASE : OPEN, 1);
        if (world.connection) weft_connection_abort(world.connection);
        world_await(&world, RELEASE, 1);
        weft_client_release(inside);
        end_script(&script);
        world_clear(&world);
    }
}

/* A reset might overtake the close frame that is on its way. */
static void test_an_abort_behind_the_close_frames_resets_nothing(void **state)
{
    (void)state;
    script script;
    start_script_with(&script, good_answer, "\x88\x02\x03\xe8", 4);
    world world;
    world_init_client(&world);
    weft_client_release(dial(&world, "127.0.0.1", script.port, "", 0));
    world_await(&world, CLOSED, 1);
    weft_connection_abort(world.connection);
    world_expect_life(&world, "aocr");
    end_script(&script);
    assert_false(script.was_reset);
    world_clear(&world);
}

static void test_an_abort_of_an_open_connection_resets_it(void **state)
{
    (void)state;
    script script;
    start_script(&script, good_answer);
    world world;
    world_init_client(&world);
    weft_client_release(dial(&world, "127.0.0.1", script.port, "", 0));
    world_await(&world, OPEN, 1);
    weft_connection_abort(world.connection);
    world_await(&world, RELEASE, 1);
    end_script(&script);
    assert_true(script.was_reset);
    world_clear(&world);
}

static void test_a_closed_loop_fails_the_attempt(void **state)
{
    (void)state;
    script script;
    start_script(&script, NULL);
    world world;
    world_init_client(&world);
    weft_client *client = dial(&world, "127.0.0.1", script.port, "", 0);
    weft_loop_close(world.loop);
    world.loop = NULL;
    expect_failure(&world, WEFT_ECLOSED, "fr");
    weft_client_cancel(client);
    weft_client_release(client);
    shutdown(script.listening, SHUT_RDWR);
    end_script(&script);
    world_clear(&world);
}

/* A dial from the thread of an attached loop needs nothing but its uv_run. */
static void test_an_attached_loop_dials_inside_uv_run(void **state)
{
    (void)state;
    uv_loop_t uv;
    uv_loop_init(&uv);
    script script;
    start_script_with(&script, good_answer, "\x88\x02\x03\xe8", 4);
    world world;
    world_init(&world);
    weft_loop *loop;
    assert_int_equal(weft_loop_attach(&loop, &uv), WEFT_OK);
    world.loop = loop;
    weft_client_release(dial(&world, "127.0.0.1", script.port, "", 0));
    uv_run(&uv, UV_RUN_DEFAULT);
    world_expect_story(&world, "aocr");
    weft_loop_close(loop);
    uv_run(&uv, UV_RUN_DEFAULT);
    world.loop = NULL;
    end_script(&script);
    world_clear(&world);
    assert_int_equal(uv_loop_close(&uv), 0);
}

/* -- without memory -------------------------------------------------------------------------------- */

/* Returns false until memory lasts to the end. */
static const char chatting_answer[] =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Accept: %s\r\n\r\n";

static bool live_through(counting_allocator *counter)
{
    script script;
    start_script_with(&script, chatting_answer, "\x81\x05hello\x88\x02\x03\xe8", 11);
    world world;
    world_init(&world);
    world.is_quiet = true;
    char url[64];
    snprintf(url, sizeof url, "ws://127.0.0.1:%u/", (unsigned)script.port);
    weft_client *client = NULL;
    weft_client_config config = world_calling(&world, NULL, url);
    config.subprotocols = (weft_string){"chat", 4};
    char detail[160];
    bool has_begun = weft_loop_open(&world.loop) == WEFT_OK;
    config.loop = world.loop;
    if (has_begun && weft_client_connect(&client, &config, detail, sizeof detail) != WEFT_OK) {
        assert_string_equal(detail, "out of memory");
        has_begun = false;
    }
    if (has_begun) world_await(&world, RELEASE, 1);
    counter->fail_at = 0;
    weft_client_release(client);
    shutdown(script.listening, SHUT_RDWR);
    end_script(&script);
    assert_int_equal(world.counts[OPEN], world.counts[CLOSED]);
    assert_int_equal(world.counts[RELEASE], has_begun);
    bool is_done = world.counts[MESSAGE] == 1 && world.close_code == 1000;
    world_clear(&world);
    return is_done;
}

static void test_each_allocation_may_fail(void **state)
{
    (void)state;
    for (int once = 0; once < 2; once++) {
        bool is_done = false;
        for (size_t n = 1; !is_done; n++) {
            assert_true(n < 100);
            counting_allocator counter;
            allocator_count(&counter);
            counter.fails_once = once;
            counter.fail_at = n;
            is_done = live_through(&counter) && counter.requests < n;
            allocator_restore(&counter);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_sides_talk_and_close),
        cmocka_unit_test(test_a_unix_socket_is_dialled_by_its_decoded_path),
        cmocka_unit_test(test_every_address_of_a_name_is_tried),
        cmocka_unit_test(test_nobody_listens),
        cmocka_unit_test(test_a_name_without_address),
        cmocka_unit_test(test_a_silent_server_times_out),
        cmocka_unit_test(test_cancel_ends_an_attempt_once),
        cmocka_unit_test(test_cancel_inside_callbacks_changes_nothing),
        cmocka_unit_test(test_an_abort_behind_the_close_frames_resets_nothing),
        cmocka_unit_test(test_an_abort_of_an_open_connection_resets_it),
        cmocka_unit_test(test_a_closed_loop_fails_the_attempt),
        cmocka_unit_test(test_an_attached_loop_dials_inside_uv_run),
        cmocka_unit_test(test_each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
