#include "tls/ciphers.h"

#include "check.h"
#include "weft/tls.h"

static const uint32_t both = WEFT_TLS_1_2 | WEFT_TLS_1_3;

static uint32_t versions_left(const char *list)
{
    weft__tls_problem problem;
    uint32_t versions = both;
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    weft_status status = weft__tls_set_ciphers(context, list, &versions, &problem);
    SSL_CTX_free(context);
    if (status != WEFT_OK) fail_msg("%s", problem.text);
    return versions;
}

static void expect_problem(const char *list, const char *sentence)
{
    weft__tls_problem problem;
    uint32_t versions = both;
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    assert_int_equal(weft__tls_set_ciphers(context, list, &versions, &problem), WEFT_ETLS);
    assert_string_equal(problem.text, sentence);
    SSL_CTX_free(context);
}

static void test_both_spellings_are_known(void **state)
{
    (void)state;
    assert_int_equal(versions_left("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"), WEFT_TLS_1_2);
    assert_int_equal(versions_left("ECDHE-RSA-AES128-GCM-SHA256:TLS_DHE_RSA_WITH_AES_128_CBC_SHA256"),
                     WEFT_TLS_1_2);
    assert_int_equal(versions_left(" TLS_AES_128_GCM_SHA256 , TLS_AES_256_GCM_SHA384"), WEFT_TLS_1_3);
    assert_int_equal(versions_left("TLS_AES_128_GCM_SHA256,ECDHE-RSA-AES128-GCM-SHA256"), both);
}

static void test_the_list_alone_counts(void **state)
{
    (void)state;
    weft__tls_problem problem;
    uint32_t versions = both;
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    const char *list = "TLS_AES_128_GCM_SHA256,ECDHE-RSA-AES128-GCM-SHA256";
    assert_int_equal(weft__tls_set_ciphers(context, list, &versions, &problem), WEFT_OK);
    assert_int_equal(sk_SSL_CIPHER_num(SSL_CTX_get_ciphers(context)), 2);
    SSL_CTX_free(context);
}

static void test_what_is_no_cipher_or_protects_nothing_is_named(void **state)
{
    (void)state;
    expect_problem("TLS_AES_128_GCM_SHA256,ROT13", "the cipher ROT13 is not known");
    expect_problem("TLS_ECDHE_RSA_WITH_ROT13", "the cipher TLS_ECDHE_RSA_WITH_ROT13 is not known");
    expect_problem("HIGH", "the cipher HIGH is not known");
    expect_problem("!aNULL", "the cipher !aNULL is not known");
    expect_problem("@SECLEVEL=0", "the cipher @SECLEVEL=0 is not known");
    expect_problem(", :", "no cipher in the list fits a version of TLS");
    char long_name[200];
    memset(long_name, 'A', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    expect_problem(long_name, "a cipher's name is too long");
}

static void test_a_cipher_without_protection_is_refused_at_any_level(void **state)
{
    (void)state;
    weft__tls_problem problem;
    uint32_t versions = both;
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_security_level(context, 0);
    assert_int_equal(weft__tls_set_ciphers(context, "ADH-AES128-GCM-SHA256", &versions, &problem), WEFT_ETLS);
    assert_string_equal(problem.text, "the cipher ADH-AES128-GCM-SHA256 protects nothing");
    assert_int_equal(weft__tls_set_ciphers(context, "NULL-SHA256", &versions, &problem), WEFT_ETLS);
    assert_string_equal(problem.text, "the cipher NULL-SHA256 protects nothing");
    SSL_CTX_free(context);
}

static void test_the_versions_wanted_are_looked_at(void **state)
{
    (void)state;
    weft__tls_problem problem;
    uint32_t versions = WEFT_TLS_1_3;
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    assert_int_equal(weft__tls_set_ciphers(context, "ECDHE-RSA-AES128-GCM-SHA256", &versions, &problem),
                     WEFT_ETLS);
    assert_string_equal(problem.text, "no cipher in the list fits a version of TLS");
    SSL_CTX_free(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_spellings_are_known),
        cmocka_unit_test(test_the_list_alone_counts),
        cmocka_unit_test(test_what_is_no_cipher_or_protects_nothing_is_named),
        cmocka_unit_test(test_a_cipher_without_protection_is_refused_at_any_level),
        cmocka_unit_test(test_the_versions_wanted_are_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
