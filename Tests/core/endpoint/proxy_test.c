#include "endpoint/dialling.h"

#include "endpoint/proxy.h"
#include "secrets.h"

/* -- what is asked ------------------------------------------------------------------------------ */

static weft_string text(const char *characters)
{
    return (weft_string){characters, strlen(characters)};
}

static weft_proxy proxy_at(const char *host, uint16_t port, const char *username, const char *password)
{
    weft_proxy proxy;
    weft_proxy_init(&proxy);
    proxy.host = text(host);
    proxy.port = port;
    proxy.username = text(username);
    proxy.password = text(password);
    return proxy;
}

static weft__url url_of(const char *written)
{
    weft__url url;
    weft__problem problem;
    assert_int_equal(weft__url_parse(&url, text(written), &problem), WEFT_OK);
    return url;
}

static void expect_request(weft_proxy settings, const char *target, const char *expected)
{
    weft__url url = url_of(target);
    weft__proxy proxy;
    weft__problem problem;
    assert_int_equal(weft__proxy_init(&proxy, &settings, &url, &problem), WEFT_OK);
    assert_true(proxy.is_wanted);
    assert_int_equal(weft__buffer_length(&proxy.request), strlen(expected));
    assert_memory_equal(weft__buffer_front(&proxy.request), expected, strlen(expected));
    weft__proxy_clear(&proxy);
}

static void test_the_target_is_named_with_its_port(void **state)
{
    (void)state;
    weft_proxy plain = proxy_at("proxy.example", 3128, "", "");
    expect_request(plain, "ws://host.example/x?y",
                   "CONNECT host.example:80 HTTP/1.1\r\nHost: host.example:80\r\n\r\n");
    expect_request(plain, "wss://host.example/",
                   "CONNECT host.example:443 HTTP/1.1\r\nHost: host.example:443\r\n\r\n");
    expect_request(plain, "ws://[::1]:9/", "CONNECT [::1]:9 HTTP/1.1\r\nHost: [::1]:9\r\n\r\n");
}

static void test_credentials_are_sent_in_basic_form(void **state)
{
    (void)state;
    expect_request(proxy_at("::1", 3128, "Aladdin", "open:sesame"), "ws://a/",
                   "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n"
                   "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuOnNlc2FtZQ==\r\n\r\n");
    expect_request(proxy_at("10.0.0.1", 1, "user", ""), "ws://a/",
                   "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\nProxy-Authorization: Basic dXNlcjo=\r\n\r\n");
}

static void expect_refused(weft_proxy settings, const char *target, const char *named)
{
    weft__url url = url_of(target);
    weft__proxy proxy;
    weft__problem problem;
    assert_int_equal(weft__proxy_init(&proxy, &settings, &url, &problem), WEFT_EINVAL);
    assert_non_null(strstr(problem.text, named));
    assert_null(strstr(problem.text, "secret"));
    weft__proxy_clear(&proxy);
}

static void test_settings_out_of_range_are_named_and_credentials_never_told(void **state)
{
    (void)state;
    const char *target = "ws://a/";
    expect_refused(proxy_at("", 1, "", ""), target, "proxy.host");
    expect_refused(proxy_at("a b", 1, "", ""), target, "proxy.host");
    expect_refused(proxy_at("a\r\nx: y", 1, "", ""), target, "proxy.host");
    expect_refused(proxy_at("http://a", 1, "", ""), target, "proxy.host");
    expect_refused(proxy_at("[::1]", 1, "", ""), target, "proxy.host");
    expect_refused(proxy_at("a/b", 1, "", ""), target, "proxy.host");
    expect_refused(proxy_at("a", 0, "", ""), target, "proxy.port");
    expect_refused(proxy_at("a", 1, "se:cret", "secret"), target, "proxy.username has a colon");
    expect_refused(proxy_at("a", 1, "secret\n", "secret"), target, "proxy.username has control");
    expect_refused(proxy_at("a", 1, "user", "secret\r\nx"), target, "proxy.password has control");
    expect_refused(proxy_at("a", 1, "", "secret"), target, "proxy.username is empty");
    weft_proxy nul = proxy_at("a", 1, "user", "");
    nul.password = (weft_string){"secret\0x", 8};
    expect_refused(nul, target, "proxy.password has control");
    nul = proxy_at("", 1, "", "");
    nul.host = (weft_string){"a\0b", 3};
    expect_refused(nul, target, "proxy.host");
    expect_refused(proxy_at("a", 1, "", ""), "ws+unix:/a", "unix");
    expect_refused((weft_proxy){0}, target, "not initialised");
    char long_host[300];
    memset(long_host, 'a', sizeof long_host);
    long_host[299] = '\0';
    expect_refused(proxy_at(long_host, 1, "", ""), target, "proxy.host");
}

static void test_without_a_proxy_nothing_is_wanted(void **state)
{
    (void)state;
    weft__url url = url_of("ws://a/");
    weft__proxy proxy;
    weft__problem problem;
    assert_int_equal(weft__proxy_init(&proxy, NULL, &url, &problem), WEFT_OK);
    assert_false(proxy.is_wanted);
    weft__proxy_clear(&proxy);
}

static void test_only_a_2xx_opens_the_tunnel(void **state)
{
    (void)state;
    for (uint16_t status = 200; status < 600; status++) {
        weft__head head = {.status = status};
        weft__problem problem = {0};
        bool opens = status < 300;
        assert_int_equal(weft__proxy_check_answer(&head, &problem), opens ? WEFT_OK : WEFT_EHANDSHAKE);
        if (status == 407)
            assert_string_equal(problem.text,
                                "the proxy answered 407 Proxy Authentication Required and opened no tunnel");
    }
}

/* -- through a proxy ---------------------------------------------------------------------------- */

/* A proxy for one client that answers as the test wants, and tunnels to `target` where that is not 0. */
typedef struct relay {
    int listening;
    uint16_t port;
    uint16_t target;
    const char *answer; /* NULL: silence */
    char request[1024];
    pthread_t thread;
} relay;

/* False at the end of either direction. */
static bool pass_on(int from, int to)
{
    char bytes[4096];
    ssize_t count = recv(from, bytes, sizeof bytes, 0);
    return count > 0 && peer_try_send(to, bytes, (size_t)count);
}

static void *run_relay(void *argument)
{
    relay *relay = argument;
    int client = accept(relay->listening, NULL, NULL);
    if (client < 0 || !peer_try_read_head(client, relay->request, sizeof relay->request)) {
        close(client);
        return NULL;
    }
    if (relay->answer) peer_try_send(client, relay->answer, strlen(relay->answer));
    int server = relay->target ? peer_try_connect(relay->target, false) : -1;
    struct pollfd both[] = {{.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}};
    bool goes_on = relay->answer != NULL;
    while (goes_on && poll(both, 2, PEER_DEADLINE_MS) > 0) {
        if (both[0].revents) goes_on = pass_on(client, server < 0 ? client : server) && server >= 0;
        if (goes_on && both[1].revents) goes_on = pass_on(server, client);
    }
    if (!relay->answer) peer_drain(client);
    close(client);
    if (server >= 0) close(server);
    return NULL;
}

static void start_relay(relay *relay, const char *answer, uint16_t target)
{
    memset(relay, 0, sizeof *relay);
    relay->answer = answer;
    relay->target = target;
    relay->listening = open_listening(AF_INET, 0);
    relay->port = port_of(relay->listening);
    pthread_create(&relay->thread, NULL, run_relay, relay);
}

static void end_relay(relay *relay)
{
    pthread_join(relay->thread, NULL);
    close(relay->listening);
}

static weft_client *dial_through(world *world, uint16_t proxy_port, uint16_t port, uint32_t timeout_ms)
{
    char url[64], detail[256];
    snprintf(url, sizeof url, "ws://127.0.0.1:%u/", (unsigned)port);
    weft_proxy proxy = proxy_at("127.0.0.1", proxy_port, "user", SECRET);
    weft_client_config config = world_calling(world, world->loop, url);
    config.proxy = &proxy;
    if (timeout_ms) config.handshake_timeout_ms = timeout_ms;
    weft_client *client;
    assert_int_equal(weft_client_connect(&client, &config, detail, sizeof detail), WEFT_OK);
    return client;
}

static void say_and_close(world *world, weft_connection *connection, weft_request *request)
{
    (void)world;
    (void)request;
    weft_connection_send(connection, WEFT_TEXT, (const uint8_t *)"hello", 5);
    weft_connection_close(connection, 1000, "", 0, 5000);
}

static void test_the_handshake_goes_through_the_tunnel(void **state)
{
    (void)state;
    const char *answers[] = {
        "HTTP/1.1 200 Connection established\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", /* which means nothing: RFC 9110 section 9.3.6 */
        "HTTP/1.0 200 OK\r\nVia: x\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 Fine\r\nTransfer-Encoding: chunked\r\n\r\n",
    };
    for (int i = 0; i < 4; i++) {
        world server, caller;
        world_init(&server);
        world_listen(&server);
        relay relay;
        start_relay(&relay, answers[i], server.port);
        world_init_client(&caller);
        caller.is_quiet = true;
        caller.deeds[OPEN] = say_and_close;
        weft_client_release(dial_through(&caller, relay.port, server.port, 0));
        world_await(&caller, RELEASE, 1);
        assert_int_equal(caller.answer_status, 101);
        assert_int_equal(caller.close_code, 1000);
        world_await(&server, RELEASE, 1);
        assert_memory_equal(server.received, "hello", 5);
        end_relay(&relay);
        char line[64];
        snprintf(line, sizeof line, "CONNECT 127.0.0.1:%u HTTP/1.1\r\n", (unsigned)server.port);
        assert_memory_equal(relay.request, line, strlen(line));
        assert_non_null(strstr(relay.request, "Proxy-Authorization: Basic dXNlcjpzM2NyM3Q=\r\n"));
        world_end(&server);
        world_clear(&caller);
    }
}

/* What the script server would say, from the proxy's own hands and in one piece with its answer. */
static void test_bytes_behind_the_proxys_head_are_the_servers(void **state)
{
    (void)state;
    relay relay;
    start_relay(&relay, "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone", 0);
    world world;
    world_init_client(&world);
    weft_client_release(dial_through(&world, relay.port, 9, 0));
    expect_failure(&world, WEFT_EHANDSHAKE, "afr");
    assert_int_equal(world.answer_status, 404);
    assert_string_equal(world.body, "gone");
    assert_null(strstr(world.detail, "proxy"));
    end_relay(&relay);
    world_clear(&world);
}

static void expect_relay_failure(const char *answer, weft_status status, const char *story, const char *word)
{
    relay relay;
    start_relay(&relay, answer, 0);
    world world;
    world_init_client(&world);
    weft_client_release(dial_through(&world, relay.port, 9, answer ? 0 : 50));
    expect_failure(&world, status, story);
    assert_non_null(strstr(world.detail, "proxy"));
    assert_non_null(strstr(world.detail, word));
    assert_null(strstr(world.detail, SECRET));
    shutdown(relay.listening, SHUT_RDWR);
    end_relay(&relay);
    world_clear(&world);
}

static void test_what_goes_wrong_at_the_proxy_is_said_to_be_its(void **state)
{
    (void)state;
    expect_relay_failure("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
                         WEFT_EHANDSHAKE, "afr", "407");
    expect_relay_failure("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\n\r\nno", WEFT_EHANDSHAKE, "afr",
                         "502");
    expect_relay_failure("HTTP/1.1 101 Switching Protocols\r\n\r\n", WEFT_EHANDSHAKE, "afr", "101");
    expect_relay_failure("SOCKS\r\n\r\n", WEFT_EHANDSHAKE, "fr", "answer");
    expect_relay_failure(NULL, WEFT_ETIMEDOUT, "fr", "tunnel");
    char long_head[70000] = "HTTP/1.1 200 OK\r\nX: ";
    memset(long_head + strlen(long_head), 'x', sizeof long_head - strlen(long_head) - 1);
    long_head[sizeof long_head - 1] = '\0';
    expect_relay_failure(long_head, WEFT_EHANDSHAKE, "fr", "answer");
}

static void test_a_proxy_that_cannot_be_reached_is_named(void **state)
{
    (void)state;
    int listening = open_listening(AF_INET, 0);
    uint16_t port = port_of(listening);
    close(listening);
    world world;
    world_init_client(&world);
    weft_client_release(dial_through(&world, port, 9, 0));
    expect_failure(&world, WEFT_EREFUSED, "fr");
    assert_memory_equal(world.detail, "the proxy cannot be reached: ", 29);
    world_clear(&world);
}

static void test_a_proxy_that_hangs_up(void **state)
{
    (void)state;
    int listening = open_listening(AF_INET, 0);
    world world;
    world_init_client(&world);
    weft_client_release(dial_through(&world, port_of(listening), 9, 0));
    close(accept(listening, NULL, NULL));
    expect_failure(&world, WEFT_ELOST, "fr");
    close(listening);
    world_clear(&world);
}

static void test_no_memory_is_given_back_with_credentials_in_it(void **state)
{
    (void)state;
    counting_allocator counter;
    secrets_watch(&counter);
    relay relay;
    start_relay(&relay, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n", 0);
    world world;
    world_init_client(&world);
    weft_client_release(dial_through(&world, relay.port, 9, 0));
    world_await(&world, RELEASE, 1);
    world_clear(&world);
    end_relay(&relay);
    assert_non_null(strstr(relay.request, SECRET_IN_BASE64));
    secrets_expect_none(&counter);
}

static void test_each_allocation_of_the_settings_may_fail(void **state)
{
    (void)state;
    weft_proxy settings = proxy_at("a", 1, "user", "secret");
    weft__url url = url_of("ws://a/");
    weft_status status = WEFT_ENOMEM;
    for (size_t n = 1; status != WEFT_OK; n++) {
        counting_allocator counter;
        allocator_count(&counter);
        counter.fail_at = n;
        weft__proxy proxy;
        weft__problem problem;
        status = weft__proxy_init(&proxy, &settings, &url, &problem);
        assert_true(status == WEFT_OK || status == WEFT_ENOMEM);
        assert_true(n < 20);
        weft__proxy_clear(&proxy);
        allocator_restore(&counter);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_target_is_named_with_its_port),
        cmocka_unit_test(test_credentials_are_sent_in_basic_form),
        cmocka_unit_test(test_settings_out_of_range_are_named_and_credentials_never_told),
        cmocka_unit_test(test_without_a_proxy_nothing_is_wanted),
        cmocka_unit_test(test_only_a_2xx_opens_the_tunnel),
        cmocka_unit_test(test_the_handshake_goes_through_the_tunnel),
        cmocka_unit_test(test_bytes_behind_the_proxys_head_are_the_servers),
        cmocka_unit_test(test_what_goes_wrong_at_the_proxy_is_said_to_be_its),
        cmocka_unit_test(test_a_proxy_that_cannot_be_reached_is_named),
        cmocka_unit_test(test_a_proxy_that_hangs_up),
        cmocka_unit_test(test_no_memory_is_given_back_with_credentials_in_it),
        cmocka_unit_test(test_each_allocation_of_the_settings_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
