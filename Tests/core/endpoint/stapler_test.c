#include "endpoint/stapler.h"

#include "endpoint/office.h"

static void on_warning(void *context, weft_status status, const char *detail)
{
    world *world = context;
    pthread_mutex_lock(&world->mutex);
    world->error = status;
    snprintf(world->detail, sizeof world->detail, "%s", detail);
    pthread_mutex_unlock(&world->mutex);
    world_happened(world, ERROR, NULL, NULL);
}

static void listen_and_staple(world *server, const char *certificate_file, const char *key_file)
{
    world_init(server);
    weft_tls *tls =
        server_with(certificate_file, key_file, WEFT_TLS_VERIFY_DEFAULT, WEFT_TLS_REVOCATION_STAPLING);
    server->listening.tls = tls;
    server->listening.on_warning = on_warning;
    world_listen(server);
    weft_tls_release(tls);
}

/* A client of OpenSSL's that asks for a staple; its length, 0 for none. */
static long stapled(uint16_t port)
{
    int socket = peer_connect(port);
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(context);
    SSL_set_tlsext_status_type(ssl, TLSEXT_STATUSTYPE_ocsp);
    SSL_set_fd(ssl, socket);
    assert_int_equal(SSL_connect(ssl), 1);
    const unsigned char *bytes;
    long length = SSL_get_tlsext_status_ocsp_resp(ssl, &bytes);
    SSL_free(ssl);
    SSL_CTX_free(context);
    close(socket);
    return length > 0 ? length : 0;
}

static void await_staple(uint16_t port)
{
    for (int i = 0; !stapled(port); i++) {
        assert_true(i < 1000);
        poll(NULL, 0, 5);
    }
}

static void test_an_answer_is_fetched_once_and_sent_to_all(void **state)
{
    (void)state;
    world server;
    listen_and_staple(&server, chain_file, leaf_key_file);
    await_staple(server.port);
    for (int i = 0; i < 5; i++)
        assert_true(stapled(server.port) > 100);
    assert_int_equal(bureau.questions, 1);
    assert_int_equal(server.counts[ERROR], 0);
    world_end(&server);
}

/* A client of ours believes it, and asks about the certificate in the middle alone. */
static void test_a_client_that_gets_one_need_not_ask(void **state)
{
    (void)state;
    world server, caller;
    listen_and_staple(&server, chain_file, leaf_key_file);
    await_staple(server.port);
    bureau.questions = 0;
    weft_tls_config config;
    weft_tls_config_init(&config);
    config.trust_file = root_file;
    config.revocation = WEFT_TLS_REVOCATION_STAPLING;
    weft_tls *tls = open_settings(&config, false);
    weft_client_release(begin(&caller, server.port, tls));
    world_await(&caller, OPEN, 1);
    assert_int_equal(bureau.questions, 1);
    weft_connection_close(caller.connection, 1000, "", 0, 5000);
    world_await(&caller, RELEASE, 1);
    world_clear(&caller);
    weft_tls_release(tls);
    world_end(&server);
}

static void test_what_cannot_be_had_is_a_warning(void **state)
{
    (void)state;
    const char *bare_file = write_certificates("bare.pem", &bare, &middle);
    const char *bare_key_file = write_key("bare.key", &bare, NULL);
    const char *lonely_file = write_certificates("lonely.pem", &leaf, NULL);
    const struct {
        const char *file, *key_file, *sentence;
    } cases[] = {
        {chain_file, leaf_key_file,
         "nothing can be stapled to the certificate with the subject CN=leaf: its OCSP responder answered "
         "with "
         "another status than 200"},
        {bare_file, bare_key_file,
         "nothing can be stapled to the certificate with the subject CN=bare: it names no OCSP responder"},
        {lonely_file, leaf_key_file,
         "nothing can be stapled to the certificate with the subject CN=leaf: its file has no certificate of "
         "its issuer"},
    };
    bureau.has_no_responder = true;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        world server;
        listen_and_staple(&server, cases[i].file, cases[i].key_file);
        world_await(&server, ERROR, 1);
        assert_int_equal(server.error, WEFT_ETLS);
        assert_string_equal(server.detail, cases[i].sentence);
        assert_int_equal(stapled(server.port), 0); /* and it is served */
        world_end(&server);
        assert_int_equal(server.counts[ERROR], 1);
    }
}

static void test_a_revoked_certificate_is_a_warning(void **state)
{
    (void)state;
    bureau.revoked = &leaf;
    world server;
    listen_and_staple(&server, chain_file, leaf_key_file);
    world_await(&server, ERROR, 1);
    assert_non_null(strstr(server.detail, "CN=leaf: it has been revoked (keyCompromise)"));
    world_end(&server);
}

static weft_tls *successor;

static void renew_on_warning(void *context, weft_status status, const char *detail)
{
    world *world = context;
    bureau.has_no_responder = false;
    assert_int_equal(weft_listener_set_tls(world->listener, successor), WEFT_OK);
    on_warning(context, status, detail);
}

/* Nobody shows those that were replaced while one was asked about. */
static void test_renewed_certificates_are_asked_about_instead_of_the_old_ones(void **state)
{
    (void)state;
    world server;
    weft_tls_identity identities[] = {
        identity_of(chain_file, leaf_key_file),
        identity_of(client_file, client_key_file),
    };
    weft_tls_config config;
    weft_tls_config_init(&config);
    config.identities = identities;
    config.identity_count = 2;
    config.revocation = WEFT_TLS_REVOCATION_STAPLING;
    weft_tls *old = open_settings(&config, true);
    config.identity_count = 1;
    successor = open_settings(&config, true);
    config.revocation = WEFT_TLS_REVOCATION_IGNORED;
    weft_tls *first = open_settings(&config, true);
    world_init(&server);
    server.listening.tls = first;
    server.listening.on_warning = renew_on_warning;
    world_listen(&server);
    bureau.has_no_responder = true;
    assert_int_equal(weft_listener_set_tls(server.listener, old), WEFT_OK);
    stapled(server.port); /* has the fetch begin */
    world_await(&server, ERROR, 1);
    await_staple(server.port);
    assert_int_equal(bureau.questions, 2); /* about the first old one, and the new one */
    world_end(&server);
    weft_tls_release(first);
    weft_tls_release(old);
    weft_tls_release(successor);
}

static void test_a_stop_ends_a_fetch_in_silence(void **state)
{
    (void)state;
    bureau.is_silent = true;
    for (int i = 0; i < 4; i++) {
        world server;
        listen_and_staple(&server, chain_file, leaf_key_file);
        poll(NULL, 0, i * 3);
        world_end(&server);
        assert_int_equal(server.counts[ERROR], 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_an_answer_is_fetched_once_and_sent_to_all, reset_office),
        cmocka_unit_test_setup(test_a_client_that_gets_one_need_not_ask, reset_office),
        cmocka_unit_test_setup(test_what_cannot_be_had_is_a_warning, reset_office),
        cmocka_unit_test_setup(test_a_revoked_certificate_is_a_warning, reset_office),
        cmocka_unit_test_setup(test_renewed_certificates_are_asked_about_instead_of_the_old_ones,
                               reset_office),
        cmocka_unit_test_setup(test_a_stop_ends_a_fetch_in_silence, reset_office),
    };
    return cmocka_run_group_tests(tests, open_office, close_office);
}
