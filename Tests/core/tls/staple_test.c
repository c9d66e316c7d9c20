#include "tls/staple.h"

#include "tls/pair.h"

#include <time.h>

static weft_tls *stapling_server(uint32_t validity_s)
{
    weft_tls_config config;
    weft_tls_config_init(&config);
    weft_tls_identity identity = identity_of(all.chain_file, all.server_key_file);
    config.identities = &identity;
    config.identity_count = 1;
    config.revocation = WEFT_TLS_REVOCATION_STAPLING; /* without verification of clients */
    config.revocation_validity_s = validity_s;
    return open_settings(&config, true);
}

static void test_an_answer_is_due_until_it_is_there_and_again_later(void **state)
{
    (void)state;
    weft_tls *tls = stapling_server(900);
    size_t identity = 7;
    assert_true(weft__tls_staple_claim(tls, 1000, &identity));
    assert_int_equal(identity, 0);
    assert_false(weft__tls_staple_claim(tls, 1000, &identity)); /* somebody fetches it */
    weft__tls_staple_keep(tls, 0, (const uint8_t *)"one", 3, 1000, 1100);
    assert_false(weft__tls_staple_claim(tls, 1049, &identity));
    assert_true(weft__tls_staple_claim(tls, 1050, &identity)); /* half its time */
    weft__tls_staple_keep(tls, 0, (const uint8_t *)"two", 3, 1050, 1000000);
    assert_false(weft__tls_staple_claim(tls, 1949, &identity));
    assert_true(weft__tls_staple_claim(tls, 1950, &identity)); /* as the settings want it */
    weft__tls_staple_keep(tls, 0, (const uint8_t *)"three", 5, 1950, 0);
    assert_false(weft__tls_staple_claim(tls, 2849, &identity));
    assert_true(weft__tls_staple_claim(tls, 2850, &identity));
    weft__tls_staple_give_up(tls, 0, 3000, false);
    assert_false(weft__tls_staple_claim(tls, 3059, &identity));
    assert_true(weft__tls_staple_claim(tls, 3060, &identity));
    weft__tls_staple_give_up(tls, 0, 3060, true);
    assert_false(weft__tls_staple_claim(tls, INT64_MAX - 1, &identity));
    weft_tls_release(tls);
}

/* Else one that was given out long ago would still be sent where the responder is gone. */
static void test_an_answer_without_an_end_holds_for_a_day_at_most(void **state)
{
    (void)state;
    weft_tls *tls = stapling_server(10 * DAY);
    size_t identity;
    assert_true(weft__tls_staple_claim(tls, 1000, &identity));
    weft__tls_staple_keep(tls, 0, (const uint8_t *)"one", 3, 1000, 0);
    assert_int_equal(tls->identities[0].staple.until, 1000 + DAY);
    assert_false(weft__tls_staple_claim(tls, 1000 + DAY / 2 - 1, &identity));
    assert_true(weft__tls_staple_claim(tls, 1000 + DAY / 2, &identity));
    weft_tls_release(tls);
}

/* A responder whose answers are about to end is not asked again and again meanwhile. */
static void test_an_answer_that_ends_at_once_is_not_fetched_at_once(void **state)
{
    (void)state;
    weft_tls *tls = stapling_server(900);
    size_t identity;
    for (int64_t until = 900; until <= 1001; until += 101) { /* 900: within what clocks may be apart */
        assert_true(weft__tls_staple_claim(tls, 1000, &identity));
        weft__tls_staple_keep(tls, 0, (const uint8_t *)"one", 3, 1000, until);
        assert_false(weft__tls_staple_claim(tls, 1059, &identity));
        assert_true(weft__tls_staple_claim(tls, 1060, &identity));
        weft__tls_staple_give_up(tls, 0, 0, false);
    }
    weft_tls_release(tls);
}

static void test_the_issuer_is_found_in_the_file(void **state)
{
    (void)state;
    weft_tls *tls = stapling_server(900);
    X509 *issuer = weft__tls_staple_issuer(tls, 0);
    assert_non_null(issuer);
    assert_int_equal(X509_cmp(issuer, all.middle.certificate), 0);
    weft_tls_release(tls);
    weft_tls_config config;
    weft_tls_config_init(&config);
    weft_tls_identity identity =
        identity_of(write_certificates("lonely.pem", &all.server, NULL), all.server_key_file);
    config.identities = &identity;
    config.identity_count = 1;
    config.revocation = WEFT_TLS_REVOCATION_STAPLING;
    tls = open_settings(&config, true);
    assert_null(weft__tls_staple_issuer(tls, 0));
    weft_tls_release(tls);
}

/* What a client that asks a server of that name gets, of so many bytes; 0: nothing. */
static long stapled(weft_tls *server, const char *name, unsigned char *out)
{
    weft_tls_config config;
    weft_tls_config_init(&config);
    config.trust_file = all.root_file;
    config.revocation = WEFT_TLS_REVOCATION_STAPLING;
    config.server_name = name;
    pair pair;
    pair_open(&pair, open_settings(&config, false), weft_tls_retain(server), 4096);
    shake_hands(&pair);
    assert_int_equal(pair.client_status, WEFT_OK);
    assert_true(pair.client->is_open);
    const unsigned char *bytes;
    long length = SSL_get_tlsext_status_ocsp_resp(pair.client->ssl, &bytes);
    if (length > 0) memcpy(out, bytes, (size_t)length);
    pair_close(&pair);
    return length > 0 ? length : 0;
}

static void test_what_holds_is_sent_along(void **state)
{
    (void)state;
    weft_tls *tls = stapling_server(900);
    int64_t now = (int64_t)time(NULL);
    unsigned char got[256];
    assert_int_equal(stapled(tls, "localhost", got), 0);
    weft__tls_staple_keep(tls, 0, (const uint8_t *)"an answer", 9, now, now + 3600);
    assert_int_equal(stapled(tls, "localhost", got), 9);
    assert_memory_equal(got, "an answer", 9);
    weft__tls_staple_keep(tls, 0, (const uint8_t *)"old", 3, now - 100, now - 1);
    assert_int_equal(stapled(tls, "localhost", got), 0);
    weft_tls_release(tls);
}

/* Each certificate has its own, whichever the name and the algorithms of the client choose. */
static void test_the_answer_is_that_of_the_certificate_that_is_shown(void **state)
{
    (void)state;
    paper one = issue(&all.middle, (wish){.common_name = "one", .names = "DNS:one.test"});
    weft_tls_identity identities[] = {
        identity_of(all.chain_file, all.server_key_file),
        identity_of(write_certificates("one.pem", &one, &all.middle), write_key("one.key", &one, NULL)),
    };
    weft_tls_config config;
    weft_tls_config_init(&config);
    config.identities = identities;
    config.identity_count = 2;
    config.revocation = WEFT_TLS_REVOCATION_STAPLING;
    int64_t now = (int64_t)time(NULL);
    const uint32_t versions[] = {WEFT_TLS_1_2, WEFT_TLS_1_3};
    for (size_t i = 0; i < 2; i++) {
        config.versions = versions[i];
        weft_tls *tls = open_settings(&config, true);
        unsigned char got[256];
        weft__tls_staple_keep(tls, 0, (const uint8_t *)"the first", 9, now, now + 3600);
        assert_int_equal(stapled(tls, "one.test", got), 0);
        weft__tls_staple_keep(tls, 1, (const uint8_t *)"the other one", 13, now, now + 3600);
        assert_int_equal(stapled(tls, "one.test", got), 13);
        assert_memory_equal(got, "the other one", 13);
        assert_int_equal(stapled(tls, "localhost", got), 9);
        assert_memory_equal(got, "the first", 9);
        weft_tls_release(tls);
    }
    discard(&one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_answer_is_due_until_it_is_there_and_again_later),
        cmocka_unit_test(test_an_answer_without_an_end_holds_for_a_day_at_most),
        cmocka_unit_test(test_an_answer_that_ends_at_once_is_not_fetched_at_once),
        cmocka_unit_test(test_the_issuer_is_found_in_the_file),
        cmocka_unit_test(test_what_holds_is_sent_along),
        cmocka_unit_test(test_the_answer_is_that_of_the_certificate_that_is_shown),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
