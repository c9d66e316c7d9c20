#include "tls/settings.h"

#include "tls/test_papers.h"

static weft_tls_config servers(weft_tls_identity *identity)
{
    weft_tls_config config;
    weft_tls_config_init(&config);
    *identity = identity_of(all.chain_file, all.server_key_file);
    config.identities = identity;
    config.identity_count = 1;
    return config;
}

static void test_the_defaults(void **state)
{
    (void)state;
    weft_tls_config config;
    weft_tls_config_init(&config);
    assert_int_equal(config.versions, WEFT_TLS_1_2 | WEFT_TLS_1_3);
    assert_int_equal(config.verification, WEFT_TLS_VERIFY_DEFAULT);
    assert_int_equal(config.handshake_timeout_ms, 10000);
    assert_int_equal(config.session_timeout_s, 7200);
    assert_true(config.shares_sessions);
    assert_false(config.skips_host_name_insecure);
    weft_tls *tls = open_settings(&config, false); /* trusts what the system does */
    assert_true(tls->verifies);
    assert_ptr_equal(weft_tls_retain(tls), tls);
    weft_tls_release(tls);
    weft_tls_release(tls);
    weft_tls_release(NULL);
}

static void test_settings_out_of_range_are_named(void **state)
{
    (void)state;
    weft_tls_identity identity;
    weft_tls_config config = servers(&identity);
    config.identity_count = 0;
    expect_refusal_of(&config, true, WEFT_EINVAL, "a server needs an identity");
    config.identity_count = 2;
    expect_refusal_of(&config, false, WEFT_EINVAL, "a client has one identity at most");
    config = servers(&identity);
    config.versions = 0;
    expect_refusal_of(&config, true, WEFT_EINVAL, "versions is no set of weft_tls_version bits");
    config.versions = 16 | WEFT_TLS_1_2;
    expect_refusal_of(&config, true, WEFT_EINVAL, "versions is no set of weft_tls_version bits");
    config = servers(&identity);
    config.verification = WEFT_TLS_VERIFY_REQUIRED;
    expect_refusal_of(&config, true, WEFT_EINVAL, "a server that verifies needs a trust_file");
    config.verification = WEFT_TLS_VERIFY_OPTIONAL;
    expect_refusal_of(&config, false, WEFT_EINVAL, "only a server's verification is optional");
    config.verification = (weft_tls_verification)4;
    expect_refusal_of(&config, true, WEFT_EINVAL, "verification is no weft_tls_verification");
    config = servers(&identity);
    config.session_timeout_s = 0;
    expect_refusal_of(&config, true, WEFT_EINVAL, "session_timeout_s is not in 1 to 2147483647");
    config = servers(&identity);
    char name[257] = "";
    memset(name, 'a', sizeof name - 1);
    config.server_name = name;
    expect_refusal_of(&config, true, WEFT_EINVAL, "server_name is no host name of at most 255 bytes");
    config.server_name = ".example.com"; /* any name below it, to OpenSSL */
    expect_refusal_of(&config, true, WEFT_EINVAL, "server_name is no host name of at most 255 bytes");
    config.server_name = ".";
    expect_refusal_of(&config, true, WEFT_EINVAL, "server_name is no host name of at most 255 bytes");
    config = servers(&identity);
    config.identities = NULL;
    expect_refusal_of(&config, true, WEFT_EINVAL, "identities is NULL");
    weft_tls_config blank = {0};
    expect_refusal_of(&blank, true, WEFT_EINVAL, "the settings of TLS are not initialised");
}

static void test_a_bad_identity_is_named(void **state)
{
    (void)state;
    weft_tls_identity identity;
    weft_tls_config config = servers(&identity);
    identity.key_file = path_of("nowhere");
    char sentence[200];
    snprintf(sentence, sizeof sentence, "the key file %s cannot be read: No such file or directory",
             identity.key_file);
    expect_refusal_of(&config, true, WEFT_ETLS, sentence);
}

/* It would be found out by the first client that asks for its name. */
static void test_a_certificate_that_cannot_be_used_is_found_out_wherever_it_stands(void **state)
{
    (void)state;
    paper weak = issue(&all.middle, (wish){.common_name = "weak", .names = "DNS:weak.test"});
    EVP_PKEY_free(weak.key);
    weak.key = EVP_RSA_gen(512);
    X509_set_pubkey(weak.certificate, weak.key);
    assert_true(X509_sign(weak.certificate, all.middle.key, EVP_sha256()) > 0);
    weft_tls_identity identities[] = {
        identity_of(write_certificates("weak.pem", &weak, NULL), write_key("weak.key", &weak, NULL)),
        identity_of(all.chain_file, all.server_key_file),
    };
    weft_tls_config config;
    weft_tls_config_init(&config);
    config.identities = identities;
    config.identity_count = 2;
    char sentence[200];
    snprintf(sentence, sizeof sentence, "the certificate in %s cannot be used: ee key too small",
             identities[0].certificate_file);
    expect_refusal_of(&config, true, WEFT_ETLS, sentence);
    weft_tls_identity first = identities[0];
    identities[0] = identities[1];
    identities[1] = first;
    expect_refusal_of(&config, true, WEFT_ETLS, sentence);
    discard(&weak);
}

static void test_the_sentence_is_cut_at_its_room(void **state)
{
    (void)state;
    weft_tls_config config;
    weft_tls_config_init(&config);
    char detail[10];
    weft_tls *tls;
    assert_int_equal(weft_tls_open_server(&tls, &config, detail, sizeof detail), WEFT_EINVAL);
    assert_string_equal(detail, "a server ");
    assert_int_equal(weft_tls_open_server(&tls, &config, NULL, 0), WEFT_EINVAL);
}

/* A program that was built with an older header knows fewer fields. */
static void test_an_older_struct_has_defaults_behind_its_end(void **state)
{
    (void)state;
    weft_tls_config config;
    memset(&config, 0xFF, sizeof config);
    weft_tls_config_init_sized(&config, offsetof(weft_tls_config, handshake_timeout_ms));
    config.trust_file = all.root_file;
    weft_tls *tls = open_settings(&config, false);
    assert_int_equal(tls->handshake_timeout_ms, 10000);
    assert_true(tls->shares_sessions);
    weft_tls_release(tls);
}

static void test_each_allocation_may_fail(void **state)
{
    (void)state;
    weft_tls_identity identity;
    weft_tls_config config = servers(&identity);
    config.verification = WEFT_TLS_VERIFY_REQUIRED;
    config.trust_file = all.root_file;
    config.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256,TLS_AES_128_GCM_SHA256";
    config.server_name = "name";
    counting_allocator counter = {0};
    allocator_count(&counter);
    bool fails = true;
    for (size_t n = 1; fails; n++) {
        weft_tls *tls;
        char detail[200];
        counter.requests = 0;
        counter.fail_at = n;
        weft_status status = weft_tls_open_server(&tls, &config, detail, sizeof detail);
        fails = counter.requests >= n;
        assert_int_equal(status, fails ? WEFT_ENOMEM : WEFT_OK);
        assert_string_equal(detail, fails ? "out of memory" : "");
        weft_tls_release(tls);
    }
    counter.fail_at = 0;
    allocator_restore(&counter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_defaults),
        cmocka_unit_test(test_settings_out_of_range_are_named),
        cmocka_unit_test(test_a_bad_identity_is_named),
        cmocka_unit_test(test_a_certificate_that_cannot_be_used_is_found_out_wherever_it_stands),
        cmocka_unit_test(test_the_sentence_is_cut_at_its_room),
        cmocka_unit_test(test_an_older_struct_has_defaults_behind_its_end),
        cmocka_unit_test(test_each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
