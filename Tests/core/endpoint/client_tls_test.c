#include "endpoint/dialling.h"
#include "endpoint/secure.h"

/* Dials and waits for the end of the attempt. */
static void call(world *caller, const char *host, uint16_t port, weft_tls *tls)
{
    char url[128], detail[256];
    world_init_client(caller);
    snprintf(url, sizeof url, "wss://%s:%u/", host, (unsigned)port);
    weft_client_config config = world_calling(caller, caller->loop, url);
    config.tls = tls;
    weft_client *client;
    assert_int_equal(weft_client_connect(&client, &config, detail, sizeof detail), WEFT_OK);
    weft_client_release(client);
    weft_tls_release(tls);
}

static void say_hello(world *world, weft_connection *connection, weft_request *request)
{
    (void)world;
    (void)request;
    assert_true(weft_connection_is_secure(connection));
    weft_connection_send(connection, WEFT_TEXT, (const uint8_t *)"hello", 5);
}

static void close_normally(world *world, weft_connection *connection, weft_request *request)
{
    (void)world;
    (void)request;
    weft_connection_close(connection, 1000, "", 0, 5000);
}

static void test_both_sides_talk_and_close(void **state)
{
    (void)state;
    const char *hosts[] = {"127.0.0.1", "localhost"};
    for (int i = 0; i < 2; i++) {
        world server, caller;
        listen_securely(&server, open_server(&all));
        call(&caller, hosts[i], server.port, open_client(&all));
        caller.is_quiet = true;
        world_await(&caller, OPEN, 1);
        say_hello(NULL, caller.connection, NULL);
        world_await(&caller, MESSAGE, 1);
        close_normally(NULL, caller.connection, NULL);
        world_await(&caller, RELEASE, 1);
        assert_int_equal(caller.close_code, 1000);
        world_expect_life(&server, "uomcr");
        assert_int_equal(server.close_code, 1000);
        world_end(&server);
        world_clear(&caller);
    }
}

static void expect_failure_of(weft_tls *client, weft_tls *server, const char *clients, const char *servers)
{
    world listening, caller;
    listen_securely(&listening, server);
    call(&caller, "127.0.0.1", listening.port, client);
    expect_failure(&caller, WEFT_ETLS, "fr");
    char sentence[256];
    snprintf(sentence, sizeof sentence, clients, (unsigned)listening.port);
    assert_string_equal(caller.detail, sentence);
    world_await(&listening, ERROR, 1);
    assert_int_equal(listening.error, WEFT_ETLS);
    assert_string_equal(listening.detail, servers);
    world_end(&listening);
    world_clear(&caller);
}

static void test_each_side_hears_why_a_handshake_failed(void **state)
{
    (void)state;
    paper stranger = issue(NULL, (wish){.common_name = "stranger", .names = "IP:127.0.0.1"});
    papers strange = all;
    strange.chain_file = write_certificates("stranger.pem", &stranger, NULL);
    strange.server_key_file = write_key("stranger.key", &stranger, NULL);
    expect_failure_of(open_client(&all), open_server(&strange),
                      "the certificate of 127.0.0.1:%u is refused: self-signed certificate (subject "
                      "CN=stranger, issuer CN=stranger)",
                      "the TLS handshake failed: the peer sent the alert \"unknown CA\" (48)");
    weft_tls_config config;
    weft_tls_config_init(&config);
    config.versions = WEFT_TLS_1_2;
    config.ciphers = "ECDHE-RSA-AES128-GCM-SHA256"; /* for which the server has no key */
    config.trust_file = all.root_file;
    expect_failure_of(open_settings(&config, false), open_server(&all),
                      "the TLS handshake failed: the peer sent the alert \"handshake failure\" (40)",
                      "the TLS handshake failed: the peer has no cipher that is allowed");
    discard(&stranger);
}

static void test_a_server_without_tls_is_named(void **state)
{
    (void)state;
    world server, caller;
    world_init(&server);
    world_listen(&server);
    call(&caller, "127.0.0.1", server.port, open_client(&all));
    expect_failure(&caller, WEFT_ETLS, "fr");
    assert_string_equal(caller.detail,
                        "the TLS handshake failed: the peer does not speak TLS, or another version");
    world_end(&server);
    world_clear(&caller);
}

static void test_a_server_that_says_nothing_times_out(void **state)
{
    (void)state;
    const uint32_t limits[][2] = {{50, 60000}, {60000, 50}, {0, 50}};
    for (int i = 0; i < 3; i++) {
        weft_tls_config settings;
        weft_tls_config_init(&settings);
        settings.handshake_timeout_ms = limits[i][0];
        weft_tls *tls = open_settings(&settings, false);
        script script;
        start_script(&script, NULL);
        world caller;
        world_init_client(&caller);
        char url[64], detail[256];
        snprintf(url, sizeof url, "wss://127.0.0.1:%u/", (unsigned)script.port);
        weft_client_config config = world_calling(&caller, caller.loop, url);
        config.tls = tls;
        config.handshake_timeout_ms = limits[i][1];
        weft_client *client;
        assert_int_equal(weft_client_connect(&client, &config, detail, sizeof detail), WEFT_OK);
        weft_client_release(client);
        weft_tls_release(tls);
        expect_failure(&caller, WEFT_ETIMEDOUT, "fr");
        assert_string_equal(caller.detail, i == 0 ? "the TLS handshake was not done after 0.05 s"
                                                  : "the connection was not open after 0.05 s");
        end_script(&script);
        world_clear(&caller);
    }
}

static void test_settings_of_the_wrong_side_are_refused(void **state)
{
    (void)state;
    weft_tls *tls = open_server(&all);
    world caller;
    world_init_client(&caller);
    weft_client_config config = world_calling(&caller, caller.loop, "wss://localhost/");
    config.tls = tls;
    weft_client *client;
    char detail[256];
    assert_int_equal(weft_client_connect(&client, &config, detail, sizeof detail), WEFT_EINVAL);
    assert_string_equal(detail, "tls is a server's");
    world_clear(&caller);
    weft_tls_release(tls);
}

static void test_a_cancel_ends_the_handshake(void **state)
{
    (void)state;
    for (int delay_ms = 0; delay_ms < 4; delay_ms++) {
        world server, caller;
        listen_securely(&server, open_server(&all));
        world_init_client(&caller);
        char url[64], detail[256];
        snprintf(url, sizeof url, "wss://127.0.0.1:%u/", (unsigned)server.port);
        weft_tls *tls = open_client(&all);
        weft_client_config config = world_calling(&caller, caller.loop, url);
        config.tls = tls;
        weft_client *client;
        assert_int_equal(weft_client_connect(&client, &config, detail, sizeof detail), WEFT_OK);
        weft_tls_release(tls);
        poll(NULL, 0, delay_ms);
        weft_client_cancel(client);
        weft_client_release(client);
        world_end(&server); /* ends what has opened */
        world_await(&caller, RELEASE, 1);
        world_clear(&caller);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_sides_talk_and_close),
        cmocka_unit_test(test_each_side_hears_why_a_handshake_failed),
        cmocka_unit_test(test_a_server_without_tls_is_named),
        cmocka_unit_test(test_a_server_that_says_nothing_times_out),
        cmocka_unit_test(test_settings_of_the_wrong_side_are_refused),
        cmocka_unit_test(test_a_cancel_ends_the_handshake),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
