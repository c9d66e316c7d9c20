#include "tls/problem.h"

#include "check.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

static void test_a_sentence_is_printable_and_cut(void **state)
{
    (void)state;
    weft__tls_problem problem;
    assert_int_equal(weft__tls_problem_set(&problem, "a\r\nb%s", "\xc3\xa9"), WEFT_ETLS);
    assert_int_equal(weft__tls_problem_set(NULL, "%s", "no memory for the sentence"), WEFT_ETLS);
    assert_string_equal(problem.text, "a??b??");
    char long_text[1000];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    weft__tls_problem_set(&problem, "%s", long_text);
    assert_int_equal(strlen(problem.text), sizeof problem.text - 1);
    char detail[4];
    weft__tls_problem_tell(&problem, detail, sizeof detail);
    assert_string_equal(detail, "xxx");
    weft__tls_problem_tell(&problem, NULL, 0);
}

static void test_the_first_cause_is_taken_and_the_others_forgotten(void **state)
{
    (void)state;
    OPENSSL_init_ssl(OPENSSL_INIT_LOAD_SSL_STRINGS, NULL); /* its words */
    assert_int_equal(weft__tls_take_error(), 0);
    ERR_raise(ERR_LIB_SSL, SSL_R_NO_SHARED_CIPHER);
    ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH);
    unsigned long error = weft__tls_take_error();
    assert_int_equal(ERR_GET_REASON(error), SSL_R_NO_SHARED_CIPHER);
    assert_string_equal(weft__tls_error_text(error), "no shared cipher");
    assert_int_equal(weft__tls_take_error(), 0);
}

static void test_causes_of_the_system_and_unknown_ones_have_words(void **state)
{
    (void)state;
    ERR_raise(ERR_LIB_SYS, ENOENT);
    assert_string_equal(weft__tls_error_text(weft__tls_take_error()), "No such file or directory");
    assert_string_equal(weft__tls_error_text(0), "no cause is known");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_sentence_is_printable_and_cut),
        cmocka_unit_test(test_the_first_cause_is_taken_and_the_others_forgotten),
        cmocka_unit_test(test_causes_of_the_system_and_unknown_ones_have_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
