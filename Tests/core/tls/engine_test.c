#include "tls/engine.h"

#include "tls/authority.h"

/* Two sides whose records go from one to the other in pieces of a given size. */
typedef struct pair {
    weft__tls_engine *client, *server;
    weft__buffer to_server, to_client;
    size_t piece;
    weft_status client_status, server_status;
} pair;

static papers all;

static int set_up(void **state)
{
    if (open_folder(state) != 0) return -1;
    issue_all(&all);
    return 0;
}

static int tear_down(void **state)
{
    discard_all(&all);
    return remove_folder(state);
}

static void pair_open(pair *pair, weft_tls *client, weft_tls *server, size_t piece)
{
    *pair = (struct pair){.piece = piece};
    assert_int_equal(weft__tls_engine_new(&pair->client, client, "localhost", 443), WEFT_OK);
    assert_int_equal(weft__tls_engine_new(&pair->server, server, NULL, 0), WEFT_OK);
    weft_tls_release(client);
    weft_tls_release(server);
}

static void pair_close(pair *pair)
{
    weft__tls_engine_free(pair->client);
    weft__tls_engine_free(pair->server);
    weft__buffer_clear(&pair->to_server);
    weft__buffer_clear(&pair->to_client);
}

/* Feeds at most one piece; false when there is none. */
static bool hand_on(weft__tls_engine *to, weft__buffer *records, size_t piece, weft__buffer *answers,
                    weft_status *status)
{
    size_t length = weft__buffer_length(records);
    if (length > piece) length = piece;
    if (!length) return false;
    weft__tls_engine_feed(to, weft__buffer_front(records), length);
    *status = weft__tls_engine_shake_hands(to, answers);
    weft__buffer_consume(records, length - to->input_length);
    return true;
}

static void shake_hands(pair *pair)
{
    pair->client_status = weft__tls_engine_shake_hands(pair->client, &pair->to_server);
    bool goes_on = true;
    while (goes_on && !(pair->client->is_open && pair->server->is_open)) {
        goes_on =
            pair->server_status == WEFT_OK && !pair->server->is_open &&
            hand_on(pair->server, &pair->to_server, pair->piece, &pair->to_client, &pair->server_status);
        goes_on |=
            pair->client_status == WEFT_OK && !pair->client->is_open &&
            hand_on(pair->client, &pair->to_client, pair->piece, &pair->to_server, &pair->client_status);
    }
}

/* Everything that the records hold, piece by piece. */
static weft_status receive(weft__tls_engine *to, weft__buffer *records, size_t piece, weft__buffer *plain,
                           weft__buffer *answers)
{
    weft_status status = WEFT_OK;
    while (status == WEFT_OK && weft__buffer_length(records)) {
        size_t length = weft__buffer_length(records);
        if (length > piece) length = piece;
        weft__tls_engine_feed(to, weft__buffer_front(records), length);
        size_t count = 1;
        while (status == WEFT_OK && count) {
            uint8_t bytes[4096];
            status = weft__tls_engine_read(to, bytes, sizeof bytes, &count, answers);
            assert_int_equal(weft__buffer_append(plain, bytes, count, SIZE_MAX), WEFT_OK);
        }
        weft__buffer_consume(records, length);
    }
    return status;
}

static void expect_talk(pair *pair)
{
    static uint8_t long_text[50000];
    for (size_t i = 0; i < sizeof long_text; i++)
        long_text[i] = (uint8_t)(i * 31 >> 3);
    weft__buffer plain = {0};
    assert_int_equal(weft__tls_engine_write(pair->client, long_text, sizeof long_text, &pair->to_server),
                     WEFT_OK);
    assert_int_equal(receive(pair->server, &pair->to_server, pair->piece, &plain, &pair->to_client), WEFT_OK);
    assert_int_equal(weft__buffer_length(&plain), sizeof long_text);
    assert_memory_equal(weft__buffer_front(&plain), long_text, sizeof long_text);
    weft__buffer_reset(&plain);
    assert_int_equal(weft__tls_engine_write(pair->server, (const uint8_t *)"back", 4, &pair->to_client),
                     WEFT_OK);
    assert_int_equal(receive(pair->client, &pair->to_client, pair->piece, &plain, &pair->to_server), WEFT_OK);
    assert_int_equal(weft__buffer_length(&plain), 4);
    weft__buffer_clear(&plain);
}

static void test_records_may_be_cut_anywhere(void **state)
{
    (void)state;
    const size_t pieces[] = {1, 2, 3, 5, 7, 16, 100, 1000, 16384, SIZE_MAX};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        pair pair;
        pair_open(&pair, open_client(&all), open_server(&all), pieces[i]);
        shake_hands(&pair);
        assert_true(pair.client->is_open);
        assert_true(pair.server->is_open);
        expect_talk(&pair);
        pair_close(&pair);
    }
}

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
    assert_string_equal(pair.server->problem.text, "TLS failed: decryption failed or bad record mac");
    assert_int_equal(weft__tls_engine_write(pair.server, (const uint8_t *)"no", 2, &pair.to_client),
                     WEFT_ETLS);
    assert_int_equal(receive(pair.client, &pair.to_client, SIZE_MAX, &plain, &pair.to_server), WEFT_ETLS);
    assert_string_equal(pair.client->problem.text,
                        "TLS failed: the peer sent the alert \"bad record mac\" (20)");
    weft__buffer_clear(&plain);
    pair_close(&pair);
}

/* -- certificates ------------------------------------------------------------------------------------ */

static void expect_refusal(pair *pair, const char *clients_sentence, const char *servers_sentence)
{
    shake_hands(pair);
    assert_int_equal(pair->client_status, WEFT_ETLS);
    assert_string_equal(pair->client->problem.text, clients_sentence);
    assert_int_equal(pair->server_status, WEFT_ETLS);
    assert_string_equal(pair->server->problem.text, servers_sentence);
    pair_close(pair);
}

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
         {"late", "DNS:localhost", -2 * DAY, -DAY, false},
         "certificate has expired (subject CN=late, issuer CN=Test Middle)",
         "certificate expired\" (45)"},
        {&all.middle,
         &all.middle,
         {"early", "DNS:localhost", DAY, 2 * DAY, false},
         "certificate is not yet valid (subject CN=early, issuer CN=Test Middle)",
         "bad certificate\" (42)"},
        {&all.middle,
         &all.middle,
         {"other", "DNS:example.org", 0, 0, false},
         "hostname mismatch (subject CN=other, issuer CN=Test Middle)",
         "bad certificate\" (42)"},
        {&all.middle,
         &all.middle,
         {"localhost", NULL, 0, 0, false},
         "hostname mismatch (subject CN=localhost, issuer CN=Test Middle)",
         "bad certificate\" (42)"},
        {&all.middle,
         NULL,
         {"alone", "DNS:localhost", 0, 0, false},
         "unable to get local issuer certificate (subject CN=alone, issuer CN=Test Middle)",
         "unknown CA\" (48)"},
        {&stranger,
         NULL,
         {"strange", "DNS:localhost", 0, 0, false},
         "unable to get local issuer certificate (subject CN=strange, issuer CN=Stranger)",
         "unknown CA\" (48)"},
        {NULL,
         NULL,
         {"itself", "DNS:localhost", 0, 0, false},
         "self-signed certificate (subject CN=itself, issuer CN=itself)",
         "unknown CA\" (48)"},
        {&leaf,
         &leaf,
         {"child", "DNS:localhost", 0, 0, false},
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
    weft_tls_config config;
    weft_tls_config_init(&config);
    weft_tls_identity identity = identity_of(all.chain_file, all.server_key_file);
    config.identities = &identity;
    config.identity_count = 1;
    config.verification = verification;
    config.trust_file = all.root_file;
    return open_settings(&config, true);
}

static weft_tls *open_client_with(const char *certificate_file, const char *key_file)
{
    weft_tls_config config;
    weft_tls_config_init(&config);
    weft_tls_identity identity = identity_of(certificate_file, key_file);
    config.identities = &identity;
    config.identity_count = 1;
    config.trust_file = all.root_file;
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
    assert_string_equal(pair.server->problem.text,
                        "the TLS handshake failed: the peer has shown no certificate");
    weft__buffer plain = {0}; /* in TLS 1.3 the client was done already */
    assert_int_equal(receive(pair.client, &pair.to_client, SIZE_MAX, &plain, &pair.to_server), WEFT_ETLS);
    assert_string_equal(pair.client->problem.text,
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
    assert_string_equal(pair.server->problem.text, "the certificate of the client is refused: self-signed "
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
    assert_string_equal(server->problem.text, "the TLS handshake failed: the peer speaks plain HTTP");
    weft__tls_engine_free(server);
    assert_int_equal(weft__tls_engine_new(&server, tls, NULL, 0), WEFT_OK);
    weft__tls_engine_feed(server, (const uint8_t *)"\x81\x85garbage", 9);
    assert_int_equal(weft__tls_engine_shake_hands(server, &answers), WEFT_ETLS);
    assert_int_equal(weft__tls_engine_shake_hands(server, &answers), WEFT_ETLS);
    weft__tls_engine_free(server);
    weft__buffer_clear(&answers);
    weft_tls_release(tls);
}

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
        cmocka_unit_test(test_each_fault_of_a_certificate_is_named),
        cmocka_unit_test(test_names_are_compared_as_they_should),
        cmocka_unit_test(test_a_client_shows_its_certificate),
        cmocka_unit_test(test_a_client_without_a_certificate_is_refused_where_one_is_required),
        cmocka_unit_test(test_a_strangers_certificate_is_refused_even_where_none_is_required),
        cmocka_unit_test(test_only_what_says_so_trusts_everybody),
        cmocka_unit_test(test_versions_are_those_allowed),
        cmocka_unit_test(test_ciphers_are_those_named),
        cmocka_unit_test(test_sessions_are_resumed_where_both_share_them),
        cmocka_unit_test(test_the_servers_name_chooses_the_certificate),
        cmocka_unit_test(test_other_protocols_are_told_apart),
        cmocka_unit_test(test_each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
