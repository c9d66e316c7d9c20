#include "tls/pair.h"

#include <poll.h>

static void test_an_announced_end_is_told_from_a_cut_one(void **state)
{
    (void)state;
    pair pair;
    pair_open(&pair, open_client(&all), open_server(&all), SIZE_MAX);
    shake_hands(&pair);
    expect_talk(&pair);
    assert_false(pair.server->peer_has_closed);
    weft__tls_engine_close(pair.client, &pair.to_server);
    weft__buffer plain = {0};
    assert_int_equal(receive(pair.server, &pair.to_server, SIZE_MAX, &plain, &pair.to_client), WEFT_OK);
    assert_true(pair.server->peer_has_closed);
    assert_int_equal(weft__tls_engine_write(pair.server, (const uint8_t *)"still", 5, &pair.to_client),
                     WEFT_OK);
    weft__buffer_clear(&plain);
    pair_close(&pair);
}

static void test_a_changed_record_ends_it(void **state)
{
    (void)state;
    pair pair;
    pair_open(&pair, open_client(&all), open_server(&all), SIZE_MAX);
    shake_hands(&pair);
    assert_int_equal(weft__tls_engine_write(pair.client, (const uint8_t *)"hello", 5, &pair.to_server),
                     WEFT_OK);
    weft__buffer_front(&pair.to_server)[weft__buffer_length(&pair.to_server) - 1] ^= 1;
    weft__buffer plain = {0};
    assert_int_equal(receive(pair.server, &pair.to_server, SIZE_MAX, &plain, &pair.to_client), WEFT_ETLS);
    assert_int_equal(weft__buffer_length(&plain), 0);
    assert_string_equal(pair.server->problem->text, "TLS failed: decryption failed or bad record mac");
    assert_int_equal(weft__tls_engine_write(pair.server, (const uint8_t *)"no", 2, &pair.to_client),
                     WEFT_ETLS);
    assert_int_equal(receive(pair.client, &pair.to_client, SIZE_MAX, &plain, &pair.to_server), WEFT_ETLS);
    assert_string_equal(pair.client->problem->text,
                        "TLS failed: the peer sent the alert \"bad record mac\" (20)");
    weft__buffer_clear(&plain);
    pair_close(&pair);
}

/* -- versions, ciphers, sessions --------------------------------------------------------------------- */

static weft_tls *open_speaking(bool is_server, uint32_t versions, const char *ciphers, bool shares_sessions)
{
    weft_tls_config config;
    weft_tls_config_init(&config);
    weft_tls_identity identity = identity_of(all.chain_file, all.server_key_file);
    config.identities = is_server ? &identity : NULL;
    config.identity_count = is_server;
    if (!is_server) config.trust_file = all.root_file;
    if (versions) config.versions = versions;
    config.ciphers = ciphers;
    config.shares_sessions = shares_sessions;
    return open_settings(&config, is_server);
}

static void test_records_may_be_cut_anywhere(void **state)
{
    (void)state;
    const size_t pieces[] = {1, 2, 3, 5, 7, 16, 100, 1000, 16384, SIZE_MAX};
    const uint32_t versions[] = {WEFT_TLS_1_2, WEFT_TLS_1_3};
    for (size_t i = 0; i < 2 * sizeof pieces / sizeof *pieces; i++) {
        pair pair;
        pair_open(&pair, open_speaking(false, versions[i % 2], NULL, true), open_server(&all), pieces[i / 2]);
        shake_hands(&pair);
        assert_true(pair.client->is_open);
        assert_true(pair.server->is_open);
        expect_talk(&pair);
        pair_close(&pair);
    }
}

static void expect_common(uint32_t client, uint32_t server, const char *version)
{
    pair pair;
    pair_open(&pair, open_speaking(false, client, NULL, true), open_speaking(true, server, NULL, true),
              SIZE_MAX);
    shake_hands(&pair);
    assert_true(pair.server->is_open);
    assert_string_equal(SSL_get_version(pair.client->ssl), version);
    expect_talk(&pair);
    pair_close(&pair);
}

static void test_versions_are_those_allowed(void **state)
{
    (void)state;
    expect_common(0, 0, "TLSv1.3");
    expect_common(WEFT_TLS_1_2, 0, "TLSv1.2");
    expect_common(0, WEFT_TLS_1_2, "TLSv1.2");
    expect_common(WEFT_TLS_1_1_INSECURE | WEFT_TLS_1_2, WEFT_TLS_1_1_INSECURE, "TLSv1.1");
    expect_common(WEFT_TLS_1_0_INSECURE, WEFT_TLS_1_0_INSECURE, "TLSv1");
    pair pair;
    pair_open(&pair, open_speaking(false, WEFT_TLS_1_3, NULL, true),
              open_speaking(true, WEFT_TLS_1_2, NULL, true), SIZE_MAX);
    expect_refusal(&pair, "the TLS handshake failed: the peer sent the alert \"protocol version\" (70)",
                   "the TLS handshake failed: the peer has no version of TLS that is allowed");
    pair_open(&pair, open_speaking(false, WEFT_TLS_1_1_INSECURE, NULL, true),
              open_speaking(true, 0, NULL, true), SIZE_MAX);
    expect_refusal(&pair, "the TLS handshake failed: the peer sent the alert \"protocol version\" (70)",
                   "the TLS handshake failed: the peer has no version of TLS that is allowed");
}

static void test_ciphers_are_those_named(void **state)
{
    (void)state;
    const struct {
        const char *list, *version, *cipher;
    } cases[] = {
        {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLSv1.2", "ECDHE-ECDSA-AES128-GCM-SHA256"},
        {"ECDHE-ECDSA-AES256-GCM-SHA384", "TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384"},
        {"TLS_CHACHA20_POLY1305_SHA256", "TLSv1.3", "TLS_CHACHA20_POLY1305_SHA256"},
        {"ECDHE-ECDSA-AES256-GCM-SHA384,TLS_AES_128_GCM_SHA256", "TLSv1.3", "TLS_AES_128_GCM_SHA256"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pair pair;
        pair_open(&pair, open_speaking(false, 0, NULL, true), open_speaking(true, 0, cases[i].list, true),
                  SIZE_MAX);
        shake_hands(&pair);
        assert_true(pair.server->is_open);
        assert_string_equal(SSL_get_version(pair.client->ssl), cases[i].version);
        assert_string_equal(SSL_get_cipher(pair.client->ssl), cases[i].cipher);
        pair_close(&pair);
    }
    pair pair;
    pair_open(&pair, open_speaking(false, 0, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", true),
              open_speaking(true, 0, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", true), SIZE_MAX);
    expect_refusal(&pair, "the TLS handshake failed: the peer sent the alert \"handshake failure\" (40)",
                   "the TLS handshake failed: the peer has no cipher that is allowed");
}

static bool is_resumed(weft_tls *client, weft_tls *server)
{
    pair pair;
    pair_open(&pair, weft_tls_retain(client), weft_tls_retain(server), SIZE_MAX);
    shake_hands(&pair);
    assert_true(pair.server->is_open);
    expect_talk(&pair); /* the tickets of TLS 1.3 come behind the handshake */
    bool is_resumed = SSL_session_reused(pair.server->ssl);
    assert_int_equal(is_resumed, SSL_session_reused(pair.client->ssl));
    pair_close(&pair);
    return is_resumed;
}

static void test_sessions_are_resumed_where_both_share_them(void **state)
{
    (void)state;
    const uint32_t versions[] = {WEFT_TLS_1_2, WEFT_TLS_1_3};
    for (int i = 0; i < 8; i++) {
        bool client_shares = i & 2, server_shares = i & 4;
        weft_tls *client = open_speaking(false, versions[i & 1], NULL, client_shares);
        weft_tls *server = open_speaking(true, versions[i & 1], NULL, server_shares);
        assert_false(is_resumed(client, server));
        assert_int_equal(is_resumed(client, server), client_shares && server_shares);
        assert_int_equal(is_resumed(client, server), client_shares && server_shares);
        weft_tls_release(server);
        server = open_speaking(true, versions[i & 1], NULL, server_shares); /* as after a reload */
        assert_false(is_resumed(client, server));
        weft_tls_release(client);
        weft_tls_release(server);
    }
}

static bool offers_session(weft_tls *client, const char *host, uint16_t port)
{
    weft__tls_engine *engine;
    assert_int_equal(weft__tls_engine_new(&engine, client, host, port), WEFT_OK);
    bool offers = SSL_get0_session(engine->ssl);
    weft__tls_engine_free(engine);
    return offers;
}

/* The name in its certificate was compared with that one alone. */
static void test_a_session_is_offered_to_its_server_alone(void **state)
{
    (void)state;
    const uint32_t versions[] = {WEFT_TLS_1_2, WEFT_TLS_1_3};
    for (int i = 0; i < 2; i++) {
        weft_tls *client = open_speaking(false, versions[i], NULL, true);
        weft_tls *other = open_speaking(false, versions[i], NULL, true);
        weft_tls *server = open_speaking(true, versions[i], NULL, true);
        assert_false(is_resumed(client, server));
        assert_false(offers_session(client, "127.0.0.1", 443));
        assert_false(offers_session(client, "localhost", 444));
        assert_false(offers_session(other, "localhost", 443));
        assert_true(offers_session(client, "localhost", 443));
        weft_tls_release(client);
        weft_tls_release(other);
        weft_tls_release(server);
    }
}

static weft_tls *open_mutual(bool is_server, uint32_t version, const char *file, const char *key_file)
{
    weft_tls_identity identity = identity_of(file, key_file);
    weft_tls_config config = mutual_settings(&all, &identity);
    config.verification = WEFT_TLS_VERIFY_REQUIRED;
    config.versions = version;
    return open_settings(&config, is_server);
}

static void expect_expired(weft_tls *client, weft_tls *server)
{
    pair pair;
    pair_open(&pair, weft_tls_retain(client), weft_tls_retain(server), SIZE_MAX);
    shake_hands(&pair);
    assert_int_equal(pair.server_status, WEFT_ETLS);
    assert_non_null(strstr(pair.server->problem->text, "certificate has expired"));
    pair_close(&pair);
}

/* Each session may be resumed into another one, so whoever kept on coming would never be looked at again. */
static void test_a_certificate_that_ends_takes_its_sessions_along(void **state)
{
    (void)state;
    paper brief =
        issue(&all.root, (wish){.common_name = "brief", .names = "DNS:localhost", .valid_until = 10});
    const char *file = write_certificates("brief.pem", &brief, NULL);
    const char *key_file = write_key("brief.key", &brief, NULL);
    weft_tls *clients[4], *servers[4];
    for (int i = 0; i < 4; i++) {
        bool is_servers = i & 2;
        uint32_t version = i & 1 ? WEFT_TLS_1_3 : WEFT_TLS_1_2;
        clients[i] = is_servers ? open_mutual(false, version, all.client_file, all.client_key_file)
                                : open_mutual(false, version, file, key_file);
        servers[i] = is_servers ? open_mutual(true, version, file, key_file)
                                : open_mutual(true, version, all.chain_file, all.server_key_file);
        assert_false(is_resumed(clients[i], servers[i]));
        assert_true(is_resumed(clients[i], servers[i]));
    }
    while (X509_cmp_current_time(X509_get0_notAfter(brief.certificate)) > 0)
        poll(NULL, 0, 20);
    for (int i = 0; i < 4; i++) {
        if (i & 2) {
            assert_false(offers_session(clients[i], "localhost", 443));
        } else {
            expect_expired(clients[i], servers[i]);
        }
        weft_tls_release(clients[i]);
        weft_tls_release(servers[i]);
    }
    discard(&brief);
}

static void test_a_clients_sessions_last_as_long_as_its_settings_say(void **state)
{
    (void)state;
    const uint32_t versions[] = {WEFT_TLS_1_2, WEFT_TLS_1_3};
    for (int i = 0; i < 2; i++) {
        weft_tls_config config;
        weft_tls_config_init(&config);
        config.trust_file = all.root_file;
        config.versions = versions[i];
        config.session_timeout_s = 123;
        weft_tls *client = open_settings(&config, false), *server = open_server(&all);
        assert_false(is_resumed(client, server));
        SSL_SESSION *session = weft__tls_sessions_take(&client->sessions, "localhost:443");
        assert_non_null(session);
        assert_int_equal(SSL_SESSION_get_timeout(session), 123);
        SSL_SESSION_free(session);
        weft_tls_release(client);
        weft_tls_release(server);
    }
}

static void test_the_servers_name_chooses_the_certificate(void **state)
{
    (void)state;
    paper one = issue(&all.root, (wish){.common_name = "one", .names = "DNS:one.test,DNS:*.many.test"});
    paper two = issue(&all.root, (wish){.common_name = "two", .names = "DNS:two.test"});
    weft_tls_identity identities[] = {
        identity_of(all.chain_file, all.server_key_file),
        identity_of(write_certificates("one.pem", &one, NULL), write_key("one.key", &one, NULL)),
        identity_of(write_certificates("two.pem", &two, NULL), write_key("two.key", &two, NULL)),
    };
    weft_tls_config config;
    weft_tls_config_init(&config);
    config.identities = identities;
    config.identity_count = 3;
    weft_tls *server = open_settings(&config, true);
    const struct {
        const char *host;
        const paper *shown;
    } cases[] = {
        {"one.test", &one},         {"two.test", &two},         {"a.many.test", &one},
        {"localhost", &all.server}, {"127.0.0.1", &all.server},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pair pair = {.piece = SIZE_MAX};
        weft_tls *client = open_client(&all);
        assert_int_equal(weft__tls_engine_new(&pair.client, client, cases[i].host, 443), WEFT_OK);
        assert_int_equal(weft__tls_engine_new(&pair.server, server, NULL, 0), WEFT_OK);
        shake_hands(&pair);
        assert_true(pair.client->is_open);
        assert_int_equal(X509_cmp(SSL_get0_peer_certificate(pair.client->ssl), cases[i].shown->certificate),
                         0);
        weft_tls_release(client);
        pair_close(&pair);
    }
    weft_tls_release(server);
    discard(&one);
    discard(&two);
}

/* -- what is no TLS, and no memory ------------------------------------------------------------------- */

static void test_each_allocation_may_fail(void **state)
{
    (void)state;
    counting_allocator counter = {0};
    allocator_count(&counter);
    weft_tls *client = open_client(&all), *server = open_server(&all);
    bool fails = true;
    for (size_t n = 1; fails; n++) {
        pair pair = {.piece = SIZE_MAX};
        counter.requests = 0;
        counter.fail_at = n;
        weft_status status = weft__tls_engine_new(&pair.client, client, "localhost", 443);
        if (status == WEFT_OK) status = weft__tls_engine_new(&pair.server, server, NULL, 0);
        if (status == WEFT_OK) {
            shake_hands(&pair);
            status = pair.client_status != WEFT_OK ? pair.client_status : pair.server_status;
        }
        fails = status != WEFT_OK || counter.requests >= n;
        if (fails) assert_int_equal(status, WEFT_ENOMEM);
        counter.fail_at = 0;
        pair_close(&pair);
    }
    weft_tls_release(client);
    weft_tls_release(server);
    allocator_restore(&counter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records_may_be_cut_anywhere),
        cmocka_unit_test(test_an_announced_end_is_told_from_a_cut_one),
        cmocka_unit_test(test_a_changed_record_ends_it),
        cmocka_unit_test(test_versions_are_those_allowed),
        cmocka_unit_test(test_ciphers_are_those_named),
        cmocka_unit_test(test_sessions_are_resumed_where_both_share_them),
        cmocka_unit_test(test_a_session_is_offered_to_its_server_alone),
        cmocka_unit_test(test_a_certificate_that_ends_takes_its_sessions_along),
        cmocka_unit_test(test_a_clients_sessions_last_as_long_as_its_settings_say),
        cmocka_unit_test(test_the_servers_name_chooses_the_certificate),
        cmocka_unit_test(test_each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
