#include "tls/pair.h"

/* -- certificates ------------------------------------------------------------------------------------ */

static weft_tls *server_with(const paper *server, const paper *above)
{
    papers made = all;
    made.chain_file = write_certificates("other.pem", server, above);
    made.server_key_file = write_key("other.key", server, NULL);
    return open_server(&made);
}

static void test_each_fault_of_a_certificate_is_named(void **state)
{
    (void)state;
    paper stranger = issue(NULL, (wish){.common_name = "Stranger", .is_authority = true});
    paper leaf = issue(&all.root, (wish){.common_name = "leaf"});
    const struct {
        const paper *issuer, *above;
        wish wish;
        const char *cause, *alert;
    } cases[] = {
        {&all.middle,
         &all.middle,
         {.common_name = "late", .names = "DNS:localhost", .valid_from = -2 * DAY, .valid_until = -DAY},
         "certificate has expired (subject CN=late, issuer CN=Test Middle)",
         "certificate expired\" (45)"},
        {&all.middle,
         &all.middle,
         {.common_name = "early", .names = "DNS:localhost", .valid_from = DAY, .valid_until = 2 * DAY},
         "certificate is not yet valid (subject CN=early, issuer CN=Test Middle)",
         "bad certificate\" (42)"},
        {&all.middle,
         &all.middle,
         {.common_name = "other", .names = "DNS:example.org"},
         "hostname mismatch (subject CN=other, issuer CN=Test Middle)",
         "bad certificate\" (42)"},
        {&all.middle,
         &all.middle,
         {.common_name = "localhost", .names = NULL},
         "hostname mismatch (subject CN=localhost, issuer CN=Test Middle)",
         "bad certificate\" (42)"},
        {&all.middle,
         NULL,
         {.common_name = "alone", .names = "DNS:localhost"},
         "unable to get local issuer certificate (subject CN=alone, issuer CN=Test Middle)",
         "unknown CA\" (48)"},
        {&stranger,
         NULL,
         {.common_name = "strange", .names = "DNS:localhost"},
         "unable to get local issuer certificate (subject CN=strange, issuer CN=Stranger)",
         "unknown CA\" (48)"},
        {NULL,
         NULL,
         {.common_name = "itself", .names = "DNS:localhost"},
         "self-signed certificate (subject CN=itself, issuer CN=itself)",
         "unknown CA\" (48)"},
        {&all.middle,
         &all.middle,
         {.common_name = "caller", .names = "DNS:localhost", .purposes = "clientAuth"},
         "unsuitable certificate purpose (subject CN=caller, issuer CN=Test Middle)",
         "unsupported certificate\" (43)"},
        {&leaf,
         &leaf,
         {.common_name = "child", .names = "DNS:localhost"},
         "invalid CA certificate (subject CN=leaf, issuer CN=Test Root)",
         "unknown CA\" (48)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        paper server = issue(cases[i].issuer, cases[i].wish);
        char clients[300], servers[300];
        snprintf(clients, sizeof clients, "the certificate of localhost:443 is refused: %s", cases[i].cause);
        snprintf(servers, sizeof servers, "the TLS handshake failed: the peer sent the alert \"%s",
                 cases[i].alert);
        pair pair;
        pair_open(&pair, open_client(&all), server_with(&server, cases[i].above), SIZE_MAX);
        expect_refusal(&pair, clients, servers);
        discard(&server);
    }
    discard(&stranger);
    discard(&leaf);
}

static bool opens_for(const char *names, const char *host)
{
    paper server = issue(&all.root, (wish){.common_name = "x", .names = names});
    pair pair = {.piece = SIZE_MAX};
    weft_tls *client = open_client(&all), *tls = server_with(&server, NULL);
    assert_int_equal(weft__tls_engine_new(&pair.client, client, host, 443), WEFT_OK);
    assert_int_equal(weft__tls_engine_new(&pair.server, tls, NULL, 0), WEFT_OK);
    weft_tls_release(client);
    weft_tls_release(tls);
    shake_hands(&pair);
    bool opens = pair.client->is_open && pair.client_status == WEFT_OK;
    discard(&server);
    pair_close(&pair);
    return opens;
}

/* RFC 9525 section 6. */
static void test_names_are_compared_as_they_should(void **state)
{
    (void)state;
    assert_true(opens_for("DNS:localhost", "LocalHost"));
    assert_true(opens_for("DNS:localhost", "localhost."));
    assert_true(opens_for("DNS:*.example.org", "a.example.org"));
    assert_false(opens_for("DNS:*.example.org", "example.org"));
    assert_false(opens_for("DNS:*.example.org", "a.b.example.org"));
    assert_false(opens_for("DNS:a*.example.org", "ab.example.org"));
    assert_true(opens_for("IP:127.0.0.1", "127.0.0.1"));
    assert_true(opens_for("IP:::1", "::1"));
    assert_false(opens_for("IP:127.0.0.1", "127.0.0.2"));
    assert_false(opens_for("DNS:127.0.0.1", "127.0.0.1"));
    assert_false(opens_for("IP:127.0.0.1", "localhost"));
}

static weft_tls *open_verifying_server(weft_tls_verification verification)
{
    weft_tls_identity identity = identity_of(all.chain_file, all.server_key_file);
    weft_tls_config config = mutual_settings(&all, &identity);
    config.verification = verification;
    return open_settings(&config, true);
}

static weft_tls *open_client_with(const char *certificate_file, const char *key_file)
{
    weft_tls_identity identity = identity_of(certificate_file, key_file);
    weft_tls_config config = mutual_settings(&all, &identity);
    return open_settings(&config, false);
}

static void test_a_client_shows_its_certificate(void **state)
{
    (void)state;
    const weft_tls_verification asked[] = {WEFT_TLS_VERIFY_REQUIRED, WEFT_TLS_VERIFY_OPTIONAL};
    for (int i = 0; i < 2; i++) {
        pair pair;
        pair_open(&pair, open_client_with(all.client_file, all.client_key_file),
                  open_verifying_server(asked[i]), SIZE_MAX);
        shake_hands(&pair);
        assert_true(pair.server->is_open);
        weft__buffer der = {0};
        assert_int_equal(weft__tls_engine_peer_certificate(pair.server, &der), WEFT_OK);
        const unsigned char *bytes = weft__buffer_front(&der);
        X509 *shown = d2i_X509(NULL, &bytes, (long)weft__buffer_length(&der));
        assert_int_equal(X509_cmp(shown, all.client.certificate), 0);
        X509_free(shown);
        weft__buffer_clear(&der);
        expect_talk(&pair);
        pair_close(&pair);
    }
}

static void test_a_client_without_a_certificate_is_refused_where_one_is_required(void **state)
{
    (void)state;
    pair pair;
    pair_open(&pair, open_client(&all), open_verifying_server(WEFT_TLS_VERIFY_OPTIONAL), SIZE_MAX);
    shake_hands(&pair);
    assert_true(pair.server->is_open);
    weft__buffer der = {0};
    assert_int_equal(weft__tls_engine_peer_certificate(pair.server, &der), WEFT_OK);
    assert_int_equal(weft__buffer_length(&der), 0);
    pair_close(&pair);

    pair_open(&pair, open_client(&all), open_verifying_server(WEFT_TLS_VERIFY_REQUIRED), SIZE_MAX);
    shake_hands(&pair);
    assert_int_equal(pair.server_status, WEFT_ETLS);
    assert_string_equal(pair.server->problem->text,
                        "the TLS handshake failed: the peer has shown no certificate");
    weft__buffer plain = {0}; /* in TLS 1.3 the client was done already */
    assert_int_equal(receive(pair.client, &pair.to_client, SIZE_MAX, &plain, &pair.to_server), WEFT_ETLS);
    assert_string_equal(pair.client->problem->text,
                        "TLS failed: the peer sent the alert \"certificate required\" (116)");
    weft__buffer_clear(&plain);
    pair_close(&pair);
}

static void test_a_strangers_certificate_is_refused_even_where_none_is_required(void **state)
{
    (void)state;
    paper stranger = issue(NULL, (wish){.common_name = "stranger"});
    const char *file = write_certificates("stranger.pem", &stranger, NULL);
    const char *key = write_key("stranger.key", &stranger, NULL);
    pair pair;
    pair_open(&pair, open_client_with(file, key), open_verifying_server(WEFT_TLS_VERIFY_OPTIONAL), SIZE_MAX);
    shake_hands(&pair);
    assert_int_equal(pair.server_status, WEFT_ETLS);
    assert_string_equal(pair.server->problem->text, "the certificate of the client is refused: self-signed "
                                                    "certificate (subject CN=stranger, issuer CN=stranger)");
    pair_close(&pair);
    discard(&stranger);
}

static void test_only_what_says_so_trusts_everybody(void **state)
{
    (void)state;
    paper server = issue(NULL, (wish){.common_name = "itself", .names = "DNS:elsewhere"});
    weft_tls_config config;
    weft_tls_config_init(&config);
    config.verification = WEFT_TLS_VERIFY_NOTHING_INSECURE;
    pair pair;
    pair_open(&pair, open_settings(&config, false), server_with(&server, NULL), SIZE_MAX);
    shake_hands(&pair);
    assert_true(pair.server->is_open);
    expect_talk(&pair);
    pair_close(&pair);

    weft_tls_config_init(&config);
    config.skips_host_name_insecure = true;
    config.trust_file = write_certificates("itself.pem", &server, NULL);
    pair_open(&pair, open_settings(&config, false), server_with(&server, NULL), SIZE_MAX);
    shake_hands(&pair);
    assert_true(pair.server->is_open);
    pair_close(&pair);

    config.skips_host_name_insecure = false;
    config.server_name = "elsewhere";
    pair_open(&pair, open_settings(&config, false), server_with(&server, NULL), SIZE_MAX);
    shake_hands(&pair);
    assert_true(pair.server->is_open);
    assert_string_equal(SSL_get_servername(pair.server->ssl, TLSEXT_NAMETYPE_host_name), "elsewhere");
    pair_close(&pair);
    discard(&server);
}

/* -- what is no TLS ----------------------------------------------------------------------------------- */

static void test_other_protocols_are_told_apart(void **state)
{
    (void)state;
    weft_tls *tls = open_server(&all);
    weft__tls_engine *server;
    weft__buffer answers = {0};
    assert_int_equal(weft__tls_engine_new(&server, tls, NULL, 0), WEFT_OK);
    const char http[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    weft__tls_engine_feed(server, (const uint8_t *)http, sizeof http - 1);
    assert_int_equal(weft__tls_engine_shake_hands(server, &answers), WEFT_ETLS);
    assert_string_equal(server->problem->text, "the TLS handshake failed: the peer speaks plain HTTP");
    weft__tls_engine_free(server);
    assert_int_equal(weft__tls_engine_new(&server, tls, NULL, 0), WEFT_OK);
    weft__tls_engine_feed(server, (const uint8_t *)"\x81\x85garbage", 9);
    assert_int_equal(weft__tls_engine_shake_hands(server, &answers), WEFT_ETLS);
    assert_int_equal(weft__tls_engine_shake_hands(server, &answers), WEFT_ETLS);
    weft__tls_engine_free(server);
    weft__buffer_clear(&answers);
    weft_tls_release(tls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_fault_of_a_certificate_is_named),
        cmocka_unit_test(test_names_are_compared_as_they_should),
        cmocka_unit_test(test_a_client_shows_its_certificate),
        cmocka_unit_test(test_a_client_without_a_certificate_is_refused_where_one_is_required),
        cmocka_unit_test(test_a_strangers_certificate_is_refused_even_where_none_is_required),
        cmocka_unit_test(test_only_what_says_so_trusts_everybody),
        cmocka_unit_test(test_other_protocols_are_told_apart),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
