#include "tls/identity.h"

#include "tls/terminal.h"
#include "tls/test_papers.h"

static void expect_fit(weft_tls_identity given, int above)
{
    weft__tls_identity loaded;
    weft__tls_problem problem;
    weft_status status = weft__tls_identity_load(&loaded, &given, &problem);
    if (status != WEFT_OK) fail_msg("%s", problem.text);
    assert_int_equal(X509_cmp(loaded.certificate, all.server.certificate), 0);
    assert_int_equal(EVP_PKEY_eq(loaded.key, all.server.key), 1);
    assert_int_equal(loaded.chain ? sk_X509_num(loaded.chain) : 0, above);
    weft__tls_identity_clear(&loaded);
    assert_null(loaded.certificate);
}

static void expect_problem(weft_tls_identity given, weft_status status, const char *format, const char *path)
{
    weft__tls_identity loaded;
    weft__tls_problem problem;
    char sentence[300];
    snprintf(sentence, sizeof sentence, format, path);
    assert_int_equal(weft__tls_identity_load(&loaded, &given, &problem), status);
    assert_string_equal(problem.text, sentence);
    assert_null(loaded.certificate);
    assert_null(loaded.key);
}

static weft_tls_identity store_of(const char *path, const char *password)
{
    weft_tls_identity identity = identity_of(NULL, NULL);
    identity.key_store_file = path;
    identity.key_store_password = password;
    return identity;
}

static weft_tls_identity with_password(weft_tls_identity identity, const char *password)
{
    identity.key_password = password;
    return identity;
}

static void test_pem_files_are_read(void **state)
{
    (void)state;
    expect_fit(identity_of(all.chain_file, all.server_key_file), 1);
    expect_fit(identity_of(write_certificates("alone.pem", &all.server, NULL), all.server_key_file), 0);
    const char *locked = write_key("locked.key", &all.server, "open sesame");
    expect_fit(with_password(identity_of(all.chain_file, locked), "open sesame"), 1);
    expect_fit(with_password(identity_of(all.chain_file, all.server_key_file), "not needed"), 1);
}

static void test_key_stores_are_read(void **state)
{
    (void)state;
    expect_fit(store_of(write_store("server.p12", &all.server, &all.middle, "secret"), "secret"), 1);
    expect_fit(store_of(write_store("empty.p12", &all.server, NULL, ""), ""), 0);
    expect_fit(store_of(write_store("empty.p12", &all.server, NULL, ""), NULL), 0);
}

static void test_what_is_missing_or_wrong_is_named(void **state)
{
    (void)state;
    const char *key = all.server_key_file, *certificate = all.chain_file;
    const char *nowhere = path_of("nowhere"), *empty = write_text("empty", ""),
               *text = write_text("text", "hello");
    const char *locked = write_key("locked.key", &all.server, "open sesame");
    expect_problem(identity_of(NULL, key), WEFT_EINVAL, "an identity has no certificate file", "");
    expect_problem(identity_of("", key), WEFT_EINVAL, "an identity has no certificate file", "");
    expect_problem(identity_of(certificate, NULL), WEFT_EINVAL, "an identity has no key file", "");
    weft_tls_identity both = identity_of(certificate, key);
    both.key_store_file = "x";
    expect_problem(both, WEFT_EINVAL, "an identity is a key store or a certificate with a key, not both", "");
    expect_problem(identity_of(nowhere, key), WEFT_ETLS,
                   "the certificate file %s cannot be read: No such file or directory", nowhere);
    expect_problem(identity_of(folder, key), WEFT_ETLS,
                   "the certificate file %s cannot be read: Is a directory", folder);
    expect_problem(identity_of(empty, key), WEFT_ETLS, "the certificate file %s is empty", empty);
    expect_problem(identity_of(text, key), WEFT_ETLS, "the certificate file %s holds no PEM certificate",
                   text);
    const char *damaged =
        write_text("damaged", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    expect_problem(identity_of(damaged, key), WEFT_ETLS, "the certificate file %s is damaged: wrong tag",
                   damaged);
    expect_problem(identity_of(certificate, nowhere), WEFT_ETLS,
                   "the key file %s cannot be read: No such file or directory", nowhere);
    expect_problem(identity_of(certificate, certificate), WEFT_ETLS,
                   "the key file %s holds no PEM private key", certificate);
    expect_problem(identity_of(certificate, locked), WEFT_ETLS,
                   "the key file %s is encrypted, and there is no password", locked);
    expect_problem(with_password(identity_of(certificate, locked), "open barley"), WEFT_ETLS,
                   "the password does not open the key file %s", locked);
    char mismatch[300];
    snprintf(mismatch, sizeof mismatch, "the key in %s is not that of the certificate in %s",
             all.client_key_file, certificate);
    expect_problem(identity_of(certificate, all.client_key_file), WEFT_ETLS, "%s", mismatch);
}

static void test_a_certificate_that_claims_to_be_encrypted_asks_nobody(void **state)
{
    (void)state;
    char text[300];
    const char *path = write_text("claim.pem", locked_pem(text, sizeof text, "CERTIFICATE"));
    const char *above = write_certificates("above.pem", &all.server, NULL);
    FILE *file = fopen(above, "ab");
    fputs(text, file);
    fclose(file);
    terminal_watch();
    const char *damaged = "the certificate file %s is damaged: bad password read";
    expect_problem(identity_of(path, all.server_key_file), WEFT_ETLS, damaged, path);
    expect_problem(identity_of(above, all.server_key_file), WEFT_ETLS, damaged, above);
    terminal_expect_no_question();
}

static void test_key_stores_that_do_not_open_are_named(void **state)
{
    (void)state;
    const char *store = write_store("server.p12", &all.server, &all.middle, "secret");
    const char *trust = write_store("trust.p12", NULL, &all.root, "secret"),
               *text = write_text("text", "hello");
    expect_problem(store_of(store, "wrong"), WEFT_ETLS, "the password does not open the key store %s", store);
    expect_problem(store_of(store, NULL), WEFT_ETLS, "the password does not open the key store %s", store);
    expect_problem(store_of(text, "secret"), WEFT_ETLS, "the key store %s is no PKCS#12 file", text);
    expect_problem(store_of(trust, "secret"), WEFT_ETLS,
                   "the key store %s holds no private key with a certificate", trust);
    weft_tls_identity blank = {0};
    expect_problem(blank, WEFT_EINVAL, "an identity is not initialised", "");
}

static void test_names_fit(void **state)
{
    (void)state;
    weft__tls_identity loaded = {.certificate = all.server.certificate};
    assert_true(weft__tls_identity_fits(&loaded, "localhost"));
    assert_false(weft__tls_identity_fits(&loaded, "server"));
    assert_false(weft__tls_identity_fits(&loaded, "example.org"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pem_files_are_read),
        cmocka_unit_test(test_key_stores_are_read),
        cmocka_unit_test(test_what_is_missing_or_wrong_is_named),
        cmocka_unit_test(test_a_certificate_that_claims_to_be_encrypted_asks_nobody),
        cmocka_unit_test(test_key_stores_that_do_not_open_are_named),
        cmocka_unit_test(test_names_fit),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
