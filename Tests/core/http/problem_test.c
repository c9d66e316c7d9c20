#include "check.h"

#include "http/problem.h"

#include <string.h>

static void test_the_sentence_and_its_status_are_kept(void **state)
{
    (void)state;
    weft__problem problem;
    assert_int_equal(weft__problem_set(&problem, 431, "more than %d fields", 7), WEFT_EHTTP);
    assert_int_equal(problem.http_status, 431);
    assert_string_equal(problem.text, "more than 7 fields");
}

static void test_long_sentences_are_cut(void **state)
{
    (void)state;
    weft__problem problem;
    weft__problem_set(&problem, 400, "%300d", 1);
    assert_int_equal(strlen(problem.text), sizeof problem.text - 1);
}

static void test_bytes_that_are_not_printable_never_reach_a_log(void **state)
{
    (void)state;
    weft__problem problem;
    weft__problem_set(&problem, 0, "a\r\nb\x1b[1m\xc3\xa9\x7f%s", "\t");
    assert_string_equal(problem.text, "a??b?[1m????");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_sentence_and_its_status_are_kept),
        cmocka_unit_test(test_long_sentences_are_cut),
        cmocka_unit_test(test_bytes_that_are_not_printable_never_reach_a_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
