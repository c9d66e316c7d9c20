#include "endpoint/revocation_check.h"

#include "endpoint/office.h"
#include "tls/staple.h"

#include <time.h>

/* -- who meets whom -------------------------------------------------------------------------------- */

static weft_tls *plain_server(void)
{
    return server_with(chain_file, leaf_key_file, WEFT_TLS_VERIFY_DEFAULT, WEFT_TLS_REVOCATION_IGNORED);
}

static weft_tls *checking_client(uint32_t handshake_timeout_ms)
{
    weft_tls_config config;
    weft_tls_config_init(&config);
    config.trust_file = root_file;
    config.revocation = WEFT_TLS_REVOCATION_OCSP_CRL;
    config.handshake_timeout_ms = handshake_timeout_ms;
    return open_settings(&config, false);
}

static void expect_connection(uint16_t port, weft_tls *tls)
{
    world caller;
    weft_client_release(begin(&caller, port, tls));
    world_await(&caller, OPEN, 1);
    weft_connection_send(caller.connection, WEFT_TEXT, (const uint8_t *)"hello", 5);
    world_await(&caller, MESSAGE, 1);
    weft_connection_close(caller.connection, 1000, "", 0, 5000);
    world_await(&caller, RELEASE, 1);
    world_clear(&caller);
}

static void expect_refused(uint16_t port, weft_tls *tls, const char *cause, const char *whose)
{
    world caller;
    char sentence[480];
    weft_client_release(begin(&caller, port, tls));
    expect_failure(&caller, WEFT_ETLS, "fr");
    snprintf(sentence, sizeof sentence, "the certificate of 127.0.0.1:%u is refused: %s (%s)", (unsigned)port,
             cause, whose);
    if (strlen(sentence) < sizeof caller.detail) {
        assert_string_equal(caller.detail, sentence);
    } else {
        assert_memory_equal(caller.detail, sentence, sizeof caller.detail - 1);
    }
    world_clear(&caller);
}

#define LEAF "subject CN=leaf, issuer CN=middle"
#define MIDDLE "subject CN=middle, issuer CN=root"
#define BY_OCSP "it has been revoked (keyCompromise), as its issuer's OCSP responder says"
#define BY_LIST "it is in its issuer's list of revoked certificates"

/* -- clients --------------------------------------------------------------------------------------- */

static void test_what_is_good_is_asked_for_once(void **state)
{
    (void)state;
    world server;
    listen_securely(&server, plain_server());
    weft_tls *tls = checking_client(10000);
    for (int i = 0; i < 3; i++)
        expect_connection(server.port, tls);
    assert_int_equal(bureau.questions, 2); /* about the leaf and the certificate in the middle */
    assert_int_equal(bureau.lists, 0);
    weft_tls_release(tls);
    world_end(&server);
}

static void test_the_list_is_asked_for_where_the_responder_is_of_no_use(void **state)
{
    (void)state;
    world server;
    listen_securely(&server, plain_server());
    weft_tls *tls = checking_client(10000);
    bureau.has_no_responder = true;
    expect_connection(server.port, tls);
    assert_int_equal(bureau.questions, 2);
    assert_int_equal(bureau.lists, 2);
    weft_tls_release(tls);
    world_end(&server);
}

static void test_the_revoked_are_refused(void **state)
{
    (void)state;
    const struct {
        const paper *revoked;
        const char *whose;
    } cases[] = {{&leaf, LEAF}, {&middle, MIDDLE}};
    for (int i = 0; i < 4; i++) {
        world server;
        listen_securely(&server, plain_server());
        weft_tls *tls = checking_client(10000);
        bureau.has_no_responder = i >= 2;
        bureau.revoked = cases[i % 2].revoked;
        expect_refused(server.port, tls, i < 2 ? BY_OCSP : BY_LIST, cases[i % 2].whose);
        weft_tls_release(tls);
        world_end(&server);
        assert_int_equal(server.counts[OPEN], 0);
    }
}

static void test_what_nobody_knows_is_refused(void **state)
{
    (void)state;
    world server;
    listen_securely(&server, plain_server());
    weft_tls *tls = checking_client(10000);
    bureau.has_no_responder = bureau.has_no_lists = true;
    expect_refused(server.port, tls,
                   "whether it is revoked cannot be found out: the server answered 503 as OCSP responder; "
                   "the server answered 503 for the list of revoked certificates",
                   LEAF);
    weft_tls_release(tls);
    world_end(&server);
}

static void test_a_certificate_without_addresses_is_refused(void **state)
{
    (void)state;
    const char *file = write_certificates("bare.pem", &bare, &middle);
    const char *key_file = write_key("bare.key", &bare, NULL);
    world server;
    listen_securely(&server,
                    server_with(file, key_file, WEFT_TLS_VERIFY_DEFAULT, WEFT_TLS_REVOCATION_IGNORED));
    weft_tls *tls = checking_client(10000);
    expect_refused(server.port, tls,
                   "whether it is revoked cannot be found out: it names no OCSP responder; it names no list "
                   "of revoked certificates",
                   "subject CN=bare, issuer CN=middle");
    assert_int_equal(bureau.questions + bureau.lists, 0);
    weft_tls_release(tls);
    world_end(&server);
}

static void test_the_question_is_part_of_the_handshake(void **state)
{
    (void)state;
    world server, caller;
    listen_securely(&server, plain_server());
    weft_tls *tls = checking_client(2000);
    bureau.is_silent = true;
    weft_client_release(begin(&caller, server.port, tls));
    expect_failure(&caller, WEFT_ETLS, "fr");
    assert_non_null(strstr(caller.detail, "the answer was not whole after 0.501 s; "));
    world_clear(&caller);
    weft_tls_release(tls);
    world_end(&server);
}

static void test_a_check_may_be_cancelled_or_its_loop_closed(void **state)
{
    (void)state;
    world server;
    listen_securely(&server, plain_server());
    bureau.is_silent = true;
    for (int i = 0; i < 6; i++) {
        world caller;
        weft_tls *tls = checking_client(10000);
        weft_client *client = begin(&caller, server.port, tls);
        poll(NULL, 0, i * 3); /* at some point of the handshake or the check */
        if (i % 2) weft_client_cancel(client);
        weft_client_release(client);
        if (i % 2) world_await(&caller, RELEASE, 1);
        world_clear(&caller);
        assert_int_equal(caller.counts[RELEASE], 1);
        weft_tls_release(tls);
    }
    world_end(&server);
}

/* The answer that comes along with the handshake may be newer than the one that is known. */
static void test_a_staple_counts_more_than_what_is_known(void **state)
{
    (void)state;
    const int states[] = {V_OCSP_CERTSTATUS_GOOD, V_OCSP_CERTSTATUS_REVOKED};
    weft_tls *stapling =
        server_with(chain_file, leaf_key_file, WEFT_TLS_VERIFY_DEFAULT, WEFT_TLS_REVOCATION_STAPLING);
    weft_tls_config config;
    weft_tls_config_init(&config);
    config.trust_file = root_file;
    config.revocation = WEFT_TLS_REVOCATION_STAPLING;
    weft_tls *tls = open_settings(&config, false);
    world server;
    for (int i = 0; i < 2; i++) {
        unsigned char *der;
        size_t length = write_answer(&der, (answer){.about = &leaf,
                                                    .issuer = &middle,
                                                    .signer = &middle,
                                                    .status = states[i],
                                                    .from_s = -60,
                                                    .until_s = 3600,
                                                    .response_status = OCSP_RESPONSE_STATUS_SUCCESSFUL});
        int64_t now = time(NULL);
        weft__tls_staple_keep(stapling, 0, der, length, now, now + 3600);
        OPENSSL_free(der);
        if (i == 0) {
            listen_securely(&server, weft_tls_retain(stapling));
            expect_connection(server.port, tls);
            assert_int_equal(bureau.questions, 1); /* about the certificate in the middle */
        } else {
            expect_refused(server.port, tls, BY_OCSP, LEAF);
        }
    }
    assert_int_equal(bureau.questions, 1);
    world_end(&server);
    weft_tls_release(stapling);
    weft_tls_release(tls);
}

/* -- servers --------------------------------------------------------------------------------------- */

static weft_tls *client_with_certificate(void)
{
    weft_tls_config config;
    weft_tls_config_init(&config);
    weft_tls_identity identity = identity_of(client_file, client_key_file);
    config.identities = &identity;
    config.identity_count = 1;
    config.trust_file = root_file;
    return open_settings(&config, false);
}

static void test_a_server_asks_about_its_clients(void **state)
{
    (void)state;
    world server, caller, steady;
    listen_securely(&server, server_with(chain_file, leaf_key_file, WEFT_TLS_VERIFY_OPTIONAL,
                                         WEFT_TLS_REVOCATION_OCSP_CRL));
    weft_tls_config config;
    weft_tls_config_init(&config);
    config.trust_file = root_file;
    weft_tls *anonymous = open_settings(&config, false);
    weft_tls *known = client_with_certificate();
    weft_client_release(begin(&steady, server.port, anonymous)); /* shows nothing, is not asked about */
    world_await(&steady, OPEN, 1);
    assert_int_equal(bureau.questions, 0);
    bureau.revoked = &client;
    weft_client_release(begin(&caller, server.port, known));
    world_await(&caller, RELEASE, 1);
    assert_int_equal(caller.counts[OPEN], 0);
    world_await(&server, ERROR, 1);
    assert_int_equal(server.error, WEFT_ETLS);
    assert_string_equal(server.detail, "the certificate of the client is refused: " BY_OCSP
                                       " (subject CN=client, issuer CN=middle)");
    world_clear(&caller);
    weft_connection_send(steady.connection, WEFT_TEXT, (const uint8_t *)"hello", 5);
    world_await(&steady, MESSAGE, 1);
    bureau.revoked = NULL;
    expect_connection(server.port, known);
    weft_connection_close(steady.connection, 1000, "", 0, 5000);
    world_await(&steady, RELEASE, 1);
    world_clear(&steady);
    weft_tls_release(anonymous);
    weft_tls_release(known);
    world_end(&server);
}

/* -- settings -------------------------------------------------------------------------------------- */

static void test_settings_without_sense_are_refused(void **state)
{
    (void)state;
    weft_tls_config config;
    weft_tls_config_init(&config);
    assert_int_equal(config.revocation, WEFT_TLS_REVOCATION_IGNORED);
    assert_int_equal(config.revocation_cache_size, 50);
    assert_int_equal(config.revocation_validity_s, 900);
    config.verification = WEFT_TLS_VERIFY_NOTHING_INSECURE;
    config.revocation = WEFT_TLS_REVOCATION_OCSP_CRL;
    expect_refusal_of(&config, false, WEFT_EINVAL, "revocation: no certificate of the peer is verified");
    weft_tls_config_init(&config);
    config.revocation = (weft_tls_revocation)3;
    expect_refusal_of(&config, false, WEFT_EINVAL, "revocation is no weft_tls_revocation");
    weft_tls_config_init(&config);
    config.revocation_cache_size = 0;
    expect_refusal_of(&config, false, WEFT_EINVAL, "revocation_cache_size is not in 1 to 100000");
    config.revocation_cache_size = 100001;
    expect_refusal_of(&config, false, WEFT_EINVAL, "revocation_cache_size is not in 1 to 100000");
    weft_tls_config_init(&config);
    config.revocation_validity_s = 0;
    expect_refusal_of(&config, false, WEFT_EINVAL, "revocation_validity_s is not in 1 to 2147483647");
}

static void await_open_or_end(world *world)
{
    struct timespec deadline = world_deadline();
    int waited = 0;
    pthread_mutex_lock(&world->mutex);
    while (waited == 0 && !world->counts[OPEN] && !world->counts[RELEASE])
        waited = pthread_cond_timedwait(&world->changed, &world->mutex, &deadline);
    pthread_mutex_unlock(&world->mutex);
    assert_int_equal(waited, 0);
}

static void test_each_allocation_may_fail(void **state)
{
    (void)state;
    bool is_done = false;
    for (size_t n = 1; !is_done; n++) {
        assert_true(n < 400);
        counting_allocator counter;
        allocator_count(&counter);
        counter.fails_once = true;
        world server, caller;
        listen_securely(&server, plain_server());
        weft_tls *tls = checking_client(10000);
        world_init_client(&caller);
        caller.is_quiet = true;
        char url[128], detail[256];
        snprintf(url, sizeof url, "wss://127.0.0.1:%u/", (unsigned)server.port);
        weft_client_config config = world_calling(&caller, caller.loop, url);
        config.tls = tls;
        size_t fails_at = counter.requests + n;
        counter.fail_at = fails_at;
        weft_client *client = NULL;
        bool has_begun = weft_client_connect(&client, &config, detail, sizeof detail) == WEFT_OK;
        if (has_begun) await_open_or_end(&caller);
        is_done = counter.requests < fails_at;
        counter.fail_at = 0;
        weft_client_release(client);
        weft_loop_close(caller.loop);
        caller.loop = NULL;
        assert_int_equal(caller.counts[RELEASE], has_begun);
        if (is_done) assert_int_equal(caller.counts[OPEN], 1);
        world_clear(&caller);
        weft_tls_release(tls);
        weft_listener_stop(server.listener, 0);
        world_await(&server, STOPPED, 1);
        weft_listener_release(server.listener);
        assert_int_equal(server.counts[OPEN],
                         server.counts[CLOSED]); /* memory may be its own that is missing */
        world_clear(&server);
        allocator_restore(&counter);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_what_is_good_is_asked_for_once, reset_office),
        cmocka_unit_test_setup(test_the_list_is_asked_for_where_the_responder_is_of_no_use, reset_office),
        cmocka_unit_test_setup(test_the_revoked_are_refused, reset_office),
        cmocka_unit_test_setup(test_what_nobody_knows_is_refused, reset_office),
        cmocka_unit_test_setup(test_a_certificate_without_addresses_is_refused, reset_office),
        cmocka_unit_test_setup(test_the_question_is_part_of_the_handshake, reset_office),
        cmocka_unit_test_setup(test_a_check_may_be_cancelled_or_its_loop_closed, reset_office),
        cmocka_unit_test_setup(test_a_staple_counts_more_than_what_is_known, reset_office),
        cmocka_unit_test_setup(test_a_server_asks_about_its_clients, reset_office),
        cmocka_unit_test_setup(test_settings_without_sense_are_refused, reset_office),
        cmocka_unit_test_setup(test_each_allocation_may_fail, reset_office),
    };
    return cmocka_run_group_tests(tests, open_office, close_office);
}
