#include "endpoint/world.h"

#include "http/key.h"

#include <uv.h>

/* -- a server that says what the test wants -------------------------------------------------------- */

typedef struct script {
    int listening;
    uint16_t port;
    const char *answer; /* written after the request; "%s" stands for the right accept value; NULL: silence */
    const char *frames;
    size_t frames_length;
    char request[2048];
    pthread_t thread;
} script;

static int open_listening(int family, uint16_t port)
{
    int listening = socket(family, SOCK_STREAM, 0), on = 1;
    if (listening < 0) return -1;
    struct sockaddr_in ipv4 = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 ipv6 = {
        .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_loopback};
    const struct sockaddr *address = family == AF_INET ? (struct sockaddr *)&ipv4 : (struct sockaddr *)&ipv6;
    socklen_t length = family == AF_INET ? sizeof ipv4 : sizeof ipv6;
    setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listening, address, length) == 0 && listen(listening, 8) == 0) return listening;
    close(listening);
    return -1;
}

static uint16_t port_of(int listening)
{
    union {
        struct sockaddr any;
        struct sockaddr_in ipv4;
        struct sockaddr_in6 ipv6;
    } name;
    socklen_t length = sizeof name;
    getsockname(listening, &name.any, &length);
    return ntohs(name.any.sa_family == AF_INET ? name.ipv4.sin_port : name.ipv6.sin6_port);
}

static void *play(void *argument)
{
    script *script = argument;
    int peer = accept(script->listening, NULL, NULL);
    if (peer < 0 || !peer_try_read_head(peer, script->request, sizeof script->request)) {
        close(peer);
        return NULL;
    }
    char key[25] = "", accept_value[29] = "", answer[4096];
    const char *field = strstr(script->request, "Sec-WebSocket-Key: ");
    if (field) memcpy(key, field + strlen("Sec-WebSocket-Key: "), 24);
    weft__upgrade_accept_key(accept_value, (weft_string){key, 24});
    if (script->answer) {
        const char *mark = strstr(script->answer, "%s");
        int before = mark ? (int)(mark - script->answer) : (int)strlen(script->answer);
        snprintf(answer, sizeof answer, "%.*s%s%s", before, script->answer, mark ? accept_value : "",
                 mark ? mark + 2 : "");
        peer_try_send(peer, answer, strlen(answer));
        peer_try_send(peer, script->frames, script->frames_length);
    }
    char byte;
    while (peer_is_readable(peer, PEER_DEADLINE_MS) && recv(peer, &byte, 1, 0) > 0 && script->answer) {
    }
    close(peer);
    return NULL;
}

static void start_script_with(script *script, const char *answer, const char *frames, size_t length)
{
    memset(script, 0, sizeof *script);
    script->answer = answer;
    script->frames = frames;
    script->frames_length = length;
    script->listening = open_listening(AF_INET, 0);
    script->port = port_of(script->listening);
    pthread_create(&script->thread, NULL, play, script);
}

static void start_script(script *script, const char *answer)
{
    start_script_with(script, answer, "", 0);
}

static void end_script(script *script)
{
    pthread_join(script->thread, NULL);
    close(script->listening);
}

static const char good_answer[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                                  "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n";

/* -- dialling -------------------------------------------------------------------------------------- */

/* A world whose `loop` the client lives on. */
static void world_init_client(world *world)
{
    world_init(world);
    assert_int_equal(weft_loop_open(&world->loop), WEFT_OK);
}

static weft_client *dial(world *world, const char *host, uint16_t port, const char *subprotocols,
                         uint32_t timeout_ms)
{
    char url[128], detail[256];
    snprintf(url, sizeof url, "ws://%s:%u/path?query", host, (unsigned)port);
    weft_client_config config = world_calling(world, world->loop, url);
    config.subprotocols = (weft_string){subprotocols, strlen(subprotocols)};
    if (timeout_ms) config.handshake_timeout_ms = timeout_ms;
    weft_client *client;
    assert_int_equal(weft_client_connect(&client, &config, detail, sizeof detail), WEFT_OK);
    return client;
}

static void expect_failure(world *world, weft_status status, const char *story)
{
    world_await(world, RELEASE, 1);
    world_expect_story(world, story);
    assert_int_equal(world->error, status);
    assert_true(strlen(world->detail) > 0);
}

/* What comes of a server that gives that answer. */
static void expect_refusal(const char *answer, const char *subprotocols, uint16_t http_status,
                           const char *body)
{
    script script;
    start_script(&script, answer);
    world world;
    world_init_client(&world);
    weft_client_release(dial(&world, "127.0.0.1", script.port, subprotocols, 0));
    expect_failure(&world, WEFT_EHANDSHAKE, "afr");
    assert_int_equal(world.answer_status, http_status);
    assert_string_equal(world.body, body);
    end_script(&script);
    world_clear(&world);
}

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
    world_await(&caller, RELEASE, 1);
    world_expect_story(&caller, "aomcr");
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

static void test_what_comes_behind_the_answer_is_delivered(void **state)
{
    (void)state;
    script script;
    start_script_with(&script, good_answer, "\x81\x05hello\x88\x02\x03\xe8", 11);
    world world;
    world_init_client(&world);
    world.is_quiet = true;
    weft_client_release(dial(&world, "127.0.0.1", script.port, "", 0));
    world_await(&world, RELEASE, 1);
    world_expect_story(&world, "aomcr");
    assert_memory_equal(world.received, "hello", 5);
    end_script(&script);
    assert_memory_equal(script.request, "GET /path?query HTTP/1.1\r\n", 26);
    world_clear(&world);
}

static void test_interim_answers_are_passed_over(void **state)
{
    (void)state;
    char answer[512];
    snprintf(answer, sizeof answer,
             "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n%s", good_answer);
    script script;
    start_script(&script, answer);
    world world;
    world_init_client(&world);
    world.deeds[OPEN] = close_normally;
    weft_client_release(dial(&world, "127.0.0.1", script.port, "", 0));
    world_await(&world, OPEN, 1);
    assert_int_equal(world.answer_status, 101);
    weft_connection_abort(world.connection);
    world_await(&world, RELEASE, 1);
    end_script(&script);
    world_clear(&world);
}

static void test_the_servers_choice_of_subprotocol_counts(void **state)
{
    (void)state;
    script script;
    start_script(&script, "HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          "Sec-WebSocket-Protocol: two\r\nSec-WebSocket-Accept: %s\r\n\r\n");
    world world;
    world_init_client(&world);
    weft_client_release(dial(&world, "127.0.0.1", script.port, "one, two", 0));
    world_await(&world, OPEN, 1);
    weft_string chosen = weft_connection_subprotocol(world.connection);
    assert_int_equal(chosen.length, 3);
    assert_memory_equal(chosen.bytes, "two", 3);
    weft_connection_abort(world.connection);
    world_await(&world, RELEASE, 1);
    end_script(&script);
    world_clear(&world);
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

static void test_refusals_tell_status_and_body(void **state)
{
    (void)state;
    expect_refusal("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone, and more", "", 404, "gone");
    expect_refusal("HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngone\r\n0\r\n\r\n", "",
                   403, "");
    expect_refusal("HTTP/1.1 204 No Content\r\n\r\n", "", 204, "");
    expect_refusal("HTTP/1.1 301 Moved\r\nLocation: ws://elsewhere/\r\nContent-Length: 0\r\n\r\n", "", 301,
                   "");
}

static void test_answers_that_break_the_handshake(void **state)
{
    (void)state;
    expect_refusal("HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                   "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
                   "", 101, "");
    expect_refusal("HTTP/1.1 101 OK\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", "", 101, "");
    expect_refusal("HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n\r\n", "", 101, "");
    expect_refusal(
        "HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n"
        "Sec-WebSocket-Protocol: three\r\n\r\n",
        "one, two", 101, "");
    expect_refusal(
        "HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n"
        "Sec-WebSocket-Protocol: one\r\n\r\n",
        "", 101, "");
    expect_refusal(
        "HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n"
        "Sec-WebSocket-Extensions: permessage-unheard-of\r\n\r\n",
        "", 101, "");
}

static void test_an_answer_that_is_no_http(void **state)
{
    (void)state;
    script script;
    start_script(&script, "SSH-2.0-OpenSSH_9.2\r\n\r\n");
    world world;
    world_init_client(&world);
    weft_client_release(dial(&world, "127.0.0.1", script.port, "", 0));
    expect_failure(&world, WEFT_EHANDSHAKE, "fr");
    end_script(&script);
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

static void test_a_refusal_without_end_is_told_at_the_timeout(void **state)
{
    (void)state;
    script script;
    start_script(&script, "HTTP/1.1 500 Oops\r\nContent-Length: 100\r\n\r\nonly this");
    world world;
    world_init_client(&world);
    weft_client_release(dial(&world, "127.0.0.1", script.port, "", 100));
    expect_failure(&world, WEFT_EHANDSHAKE, "afr");
    assert_string_equal(world.body, "only this");
    end_script(&script);
    world_clear(&world);
}

static void test_a_server_that_hangs_up(void **state)
{
    (void)state;
    int listening = open_listening(AF_INET, 0);
    world world;
    world_init_client(&world);
    weft_client_release(dial(&world, "127.0.0.1", port_of(listening), "", 0));
    close(accept(listening, NULL, NULL));
    expect_failure(&world, WEFT_ELOST, "fr");
    close(listening);
    world_clear(&world);
}

static void expect_config_refused(weft_client_config config, weft_status status)
{
    char detail[128] = "";
    weft_client *client = (weft_client *)&config;
    assert_int_equal(weft_client_connect(&client, &config, detail, sizeof detail), status);
    assert_null(client);
    assert_true(strlen(detail) > 0);
}

static void test_settings_that_cannot_be_are_refused_at_once(void **state)
{
    (void)state;
    world world;
    world_init_client(&world);
    weft_client_config good = world_calling(&world, world.loop, "ws://localhost/"), config = good;
    config.loop = NULL;
    expect_config_refused(config, WEFT_EINVAL);
    config = good;
    config.size++;
    expect_config_refused(config, WEFT_EINVAL);
    expect_config_refused(world_calling(&world, world.loop, "http//x"), WEFT_EURL);
    expect_config_refused(world_calling(&world, world.loop, "ws://a b/"), WEFT_EURL);
    config = good;
    config.subprotocols = (weft_string){"a, a", 4};
    expect_config_refused(config, WEFT_EINVAL);
    const weft_field injected = {{"X", 1}, {"a\nb", 3}};
    config = good;
    config.fields = &injected;
    config.field_count = 1;
    expect_config_refused(config, WEFT_EINVAL);
    world.settings.max_message_size = 0;
    expect_config_refused(good, WEFT_EINVAL);
    assert_int_equal(world.story_length, 0);
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
static bool live_through(counting_allocator *counter)
{
    script script;
    start_script_with(&script, good_answer, "\x81\x05hello\x88\x02\x03\xe8", 11);
    world world;
    world_init(&world);
    world.is_quiet = true;
    char url[64];
    snprintf(url, sizeof url, "ws://127.0.0.1:%u/", (unsigned)script.port);
    weft_client *client = NULL;
    weft_client_config config = world_calling(&world, NULL, url);
    config.subprotocols = (weft_string){"", 0};
    bool has_begun = weft_loop_open(&world.loop) == WEFT_OK;
    config.loop = world.loop;
    has_begun = has_begun && weft_client_connect(&client, &config, NULL, 0) == WEFT_OK;
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
        cmocka_unit_test(test_what_comes_behind_the_answer_is_delivered),
        cmocka_unit_test(test_interim_answers_are_passed_over),
        cmocka_unit_test(test_the_servers_choice_of_subprotocol_counts),
        cmocka_unit_test(test_every_address_of_a_name_is_tried),
        cmocka_unit_test(test_nobody_listens),
        cmocka_unit_test(test_a_name_without_address),
        cmocka_unit_test(test_refusals_tell_status_and_body),
        cmocka_unit_test(test_answers_that_break_the_handshake),
        cmocka_unit_test(test_an_answer_that_is_no_http),
        cmocka_unit_test(test_a_silent_server_times_out),
        cmocka_unit_test(test_a_refusal_without_end_is_told_at_the_timeout),
        cmocka_unit_test(test_a_server_that_hangs_up),
        cmocka_unit_test(test_settings_that_cannot_be_are_refused_at_once),
        cmocka_unit_test(test_cancel_ends_an_attempt_once),
        cmocka_unit_test(test_cancel_inside_callbacks_changes_nothing),
        cmocka_unit_test(test_a_closed_loop_fails_the_attempt),
        cmocka_unit_test(test_an_attached_loop_dials_inside_uv_run),
        cmocka_unit_test(test_each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
