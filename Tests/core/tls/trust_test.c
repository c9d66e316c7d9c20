#include "tls/trust.h"

#include "tls/terminal.h"
#include "tls/test_papers.h"

static SSL_CTX *context;

static int renew_context(void **state)
{
    (void)state;
    context = SSL_CTX_new(TLS_server_method());
    return context ? 0 : -1;
}

static int free_context(void **state)
{
    (void)state;
    SSL_CTX_free(context);
    return 0;
}

static void expect_trusted(const char *path, const char *password, int count)
{
    weft__tls_problem problem;
    weft_status status = weft__tls_trust_file(context, path, password, &problem);
    if (status != WEFT_OK) fail_msg("%s", problem.text);
    assert_int_equal(sk_X509_OBJECT_num(X509_STORE_get0_objects(SSL_CTX_get_cert_store(context))), count);
    assert_int_equal(sk_X509_NAME_num(SSL_CTX_get_client_CA_list(context)), count);
}

static void expect_problem(const char *path, const char *password, const char *format)
{
    weft__tls_problem problem;
    char sentence[200];
    snprintf(sentence, sizeof sentence, format, path);
    assert_int_equal(weft__tls_trust_file(context, path, password, &problem), WEFT_ETLS);
    assert_string_equal(problem.text, sentence);
}

static void test_pem(void **state)
{
    (void)state;
    expect_trusted(write_certificates("two.pem", &all.root, &all.middle), NULL, 2);
}

static void test_pkcs12(void **state)
{
    (void)state;
    expect_trusted(write_store("trust.p12", NULL, &all.root, "secret"), "secret", 1);
}

static void test_pkcs12_with_a_key(void **state)
{
    (void)state;
    expect_trusted(write_store("both.p12", &all.server, &all.root, ""), NULL, 2);
}

static void test_what_is_wrong_is_named(void **state)
{
    (void)state;
    paper key_alone = {.key = all.server.key};
    expect_problem(path_of("nowhere"), NULL, "the trust file %s cannot be read: No such file or directory");
    expect_problem(write_text("empty", ""), NULL, "the trust file %s is empty");
    expect_problem(write_text("text", "hello"), NULL, "the trust file %s holds no PEM certificate");
    expect_problem(write_text("damaged", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
                   NULL, "the trust file %s is damaged: wrong tag");
    expect_problem(write_text("sequence", "0hello"), NULL, "the trust file %s is neither PEM nor PKCS#12");
    expect_problem(write_store("trust.p12", NULL, &all.root, "secret"), "wrong",
                   "the password does not open the trust store %s");
    expect_problem(write_store("none.p12", &key_alone, NULL, "secret"), "secret",
                   "the trust store %s holds no certificate");
}

static void test_a_certificate_that_claims_to_be_encrypted_asks_nobody(void **state)
{
    (void)state;
    char text[300];
    const char *path = write_text("claim.pem", locked_pem(text, sizeof text, "CERTIFICATE"));
    terminal_watch();
    expect_problem(path, NULL, "the trust file %s is damaged: bad password read");
    expect_problem(path, "secret", "the trust file %s is damaged: bad password read");
    terminal_expect_no_question();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pem, renew_context, free_context),
        cmocka_unit_test_setup_teardown(test_pkcs12, renew_context, free_context),
        cmocka_unit_test_setup_teardown(test_pkcs12_with_a_key, renew_context, free_context),
        cmocka_unit_test_setup_teardown(test_what_is_wrong_is_named, renew_context, free_context),
        cmocka_unit_test_setup_teardown(test_a_certificate_that_claims_to_be_encrypted_asks_nobody,
                                        renew_context, free_context),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
