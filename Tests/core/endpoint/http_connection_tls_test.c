#include "endpoint/secure.h"

/* OpenSSL as the client. */
typedef struct guest {
    SSL_CTX *context;
    SSL *ssl;
    int socket;
} guest;

static guest guest_open(uint16_t port, const paper *shown)
{
    guest guest = {.socket = peer_connect(port), .context = SSL_CTX_new(TLS_client_method())};
    if (shown) {
        SSL_CTX_use_certificate(guest.context, shown->certificate);
        SSL_CTX_add1_chain_cert(guest.context, all.middle.certificate);
        SSL_CTX_use_PrivateKey(guest.context, shown->key);
    }
    guest.ssl = SSL_new(guest.context);
    SSL_set_fd(guest.ssl, guest.socket);
    assert_int_equal(SSL_connect(guest.ssl), 1);
    return guest;
}

static void guest_leave(guest *guest)
{
    SSL_free(guest->ssl);
    SSL_CTX_free(guest->context);
    close(guest->socket);
}

static void guest_say(guest *guest, const char *text)
{
    assert_int_equal(SSL_write(guest->ssl, text, (int)strlen(text)), (int)strlen(text));
}

static void guest_expect(guest *guest, const char *beginning)
{
    char answer[2048];
    int length = SSL_read(guest->ssl, answer, sizeof answer - 1);
    assert_true(length > (int)strlen(beginning));
    assert_memory_equal(answer, beginning, strlen(beginning));
}

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

static void test_plain_requests_are_answered(void **state)
{
    (void)state;
    world world;
    listen_securely(&world, open_server(&all));
    guest guest = guest_open(world.port, NULL);
    guest_say(&guest, GET);
    guest_expect(&guest, "HTTP/1.1 200 OK\r\n");
    guest_say(&guest, GET);
    guest_expect(&guest, "HTTP/1.1 200 OK\r\n");
    guest_leave(&guest);
    world_end(&world);
}

/* The origin of a page that came over TLS is https (RFC 6454 section 4). */
static void test_the_same_origin_is_https(void **state)
{
    (void)state;
    world world;
    listen_securely(&world, open_server(&all));
    const struct {
        const char *origin, *answer;
    } cases[] = {
        {"https://a", "HTTP/1.1 101 "}, {"http://a", "HTTP/1.1 403 "}, {"https://b", "HTTP/1.1 403 "}};
    for (int i = 0; i < 3; i++) {
        char request[512];
        snprintf(
            request, sizeof request,
            "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: "
            "dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nOrigin: %s\r\n\r\n",
            cases[i].origin);
        guest guest = guest_open(world.port, NULL);
        guest_say(&guest, request);
        guest_expect(&guest, cases[i].answer);
        guest_leave(&guest);
    }
    world_end(&world);
}

static void look_at_certificate(world *world, weft_connection *connection, weft_request *request)
{
    (void)connection;
    assert_true(weft_request_is_secure(request));
    weft_string der = weft_request_peer_certificate(request);
    const unsigned char *bytes = (const unsigned char *)der.bytes;
    X509 *shown = der.length ? d2i_X509(NULL, &bytes, (long)der.length) : NULL;
    world_respond(request, 200, shown && X509_cmp(shown, all.client.certificate) == 0 ? "known" : "unknown");
    X509_free(shown);
    (void)world;
}

static void test_the_clients_certificate_is_told(void **state)
{
    (void)state;
    weft_tls_config config;
    weft_tls_config_init(&config);
    weft_tls_identity identity = identity_of(all.chain_file, all.server_key_file);
    config.identities = &identity;
    config.identity_count = 1;
    config.verification = WEFT_TLS_VERIFY_OPTIONAL;
    config.trust_file = all.root_file;
    world world;
    listen_securely(&world, open_settings(&config, true));
    world.deeds[REQUEST] = look_at_certificate;
    for (int shows = 0; shows < 2; shows++) {
        guest guest = guest_open(world.port, shows ? &all.client : NULL);
        guest_say(&guest, GET);
        char answer[1024] = "";
        for (size_t length = 0; !strstr(answer, "known");) {
            int count = SSL_read(guest.ssl, answer + length, (int)(sizeof answer - 1 - length));
            assert_true(count > 0);
            length += (size_t)count;
        }
        assert_int_equal(strstr(answer, "unknown") == NULL, shows);
        guest_leave(&guest);
    }
    world_end(&world);
}

static void expect_end_with(world *world, int peer, weft_status status, const char *beginning)
{
    world_await(world, ERROR, 1);
    assert_int_equal(world->error, status);
    assert_memory_equal(world->detail, beginning, strlen(beginning));
    peer_drain(peer);
    close(peer);
}

static void test_others_go_on_when_a_handshake_fails(void **state)
{
    (void)state;
    const char *beginnings[] = {"the peer ended TCP during the TLS handshake",
                                "the TLS handshake failed: the peer speaks plain HTTP"};
    for (int i = 0; i < 2; i++) {
        world world;
        listen_securely(&world, open_server(&all));
        guest guest = guest_open(world.port, NULL);
        int peer = peer_connect(world.port);
        if (i == 0) shutdown(peer, SHUT_WR);
        if (i == 1) peer_say(peer, GET);
        expect_end_with(&world, peer, WEFT_ETLS, beginnings[i]);
        guest_say(&guest, GET);
        guest_expect(&guest, "HTTP/1.1 200 OK\r\n");
        guest_leave(&guest);
        world_end(&world);
    }
}

static void test_a_silent_peer_times_out(void **state)
{
    (void)state;
    weft_tls_config config;
    weft_tls_config_init(&config);
    weft_tls_identity identity = identity_of(all.chain_file, all.server_key_file);
    config.identities = &identity;
    config.identity_count = 1;
    config.handshake_timeout_ms = 50;
    world world;
    listen_securely(&world, open_settings(&config, true));
    int peer = peer_connect(world.port);
    peer_say(peer, "\x16");
    expect_end_with(&world, peer, WEFT_ETIMEDOUT, "the TLS handshake was not done in time");
    world_end(&world);
}

static void test_a_stop_waits_for_no_handshake(void **state)
{
    (void)state;
    world world;
    listen_securely(&world, open_server(&all));
    int peer = peer_connect(world.port);
    guest guest = guest_open(world.port, NULL); /* the other one was accepted by then */
    weft_listener_stop(world.listener, 60000);
    world_await(&world, STOPPED, 1);
    peer_drain(peer);
    close(peer);
    guest_leave(&guest);
    world_end(&world);
}

static void test_renewed_certificates_are_for_new_connections(void **state)
{
    (void)state;
    world world;
    listen_securely(&world, open_server(&all));
    guest before = guest_open(world.port, NULL);
    paper renewed = issue(&all.root, (wish){.common_name = "renewed", .names = "IP:127.0.0.1"});
    papers other = all;
    other.chain_file = write_certificates("renewed.pem", &renewed, NULL);
    other.server_key_file = write_key("renewed.key", &renewed, NULL);
    weft_tls *tls = open_server(&other), *clients = open_client(&all);
    assert_int_equal(weft_listener_set_tls(world.listener, tls), WEFT_OK);
    assert_int_equal(weft_listener_set_tls(world.listener, clients), WEFT_EINVAL);
    assert_int_equal(weft_listener_set_tls(world.listener, NULL), WEFT_EINVAL);
    weft_tls_release(tls);
    weft_tls_release(clients);
    guest after = guest_open(world.port, NULL);
    assert_int_equal(X509_cmp(SSL_get0_peer_certificate(after.ssl), renewed.certificate), 0);
    guest_say(&before, GET);
    guest_expect(&before, "HTTP/1.1 200 OK\r\n");
    guest_leave(&before);
    guest_leave(&after);
    discard(&renewed);
    world_end(&world);

    struct world plain;
    world_init(&plain);
    world_listen(&plain);
    tls = open_server(&all);
    assert_int_equal(weft_listener_set_tls(plain.listener, tls), WEFT_ESTATE);
    weft_tls_release(tls);
    world_end(&plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_requests_are_answered),
        cmocka_unit_test(test_the_same_origin_is_https),
        cmocka_unit_test(test_the_clients_certificate_is_told),
        cmocka_unit_test(test_others_go_on_when_a_handshake_fails),
        cmocka_unit_test(test_a_silent_peer_times_out),
        cmocka_unit_test(test_a_stop_waits_for_no_handshake),
        cmocka_unit_test(test_renewed_certificates_are_for_new_connections),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
