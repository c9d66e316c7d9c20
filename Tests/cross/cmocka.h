#ifndef WEFT_TESTS_CROSS_CMOCKA_H
#define WEFT_TESTS_CROSS_CMOCKA_H

/* As much of cmocka as the tests of kernels use, for processors that no cmocka is installed for. A failure
 * ends the program. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct CMUnitTest {
    const char *name;
    void (*run)(void **state);
};

/* NOLINTBEGIN(bugprone-macro-parentheses): a text is pasted from what is given */
#define cmocka_unit_test(function) {#function, function}
#define fail_msg(...) (printf("# " __VA_ARGS__), printf("\n"), exit(1))
#define cross_require(condition)                                                                             \
    ((condition) ? (void)0 : fail_msg("%s:%d: %s", __FILE__, __LINE__, #condition))
#define assert_true(value) cross_require(value)
#define assert_false(value) cross_require(!(value))
#define assert_non_null(pointer) cross_require((pointer) != NULL)
#define assert_int_equal(a, b) cross_require((a) == (b))
#define assert_ptr_equal(a, b) cross_require((const void *)(a) == (const void *)(b))
#define assert_string_equal(a, b) cross_require(strcmp(a, b) == 0)
#define assert_memory_equal(a, b, size) cross_require(memcmp(a, b, size) == 0)
#define assert_in_range(value, least, most) cross_require((value) >= (least) && (value) <= (most))
#define skip() fail_msg("there is nothing to test here")
#define cmocka_run_group_tests(tests, setup, teardown) cross_run(tests, sizeof(tests) / sizeof *(tests))
/* NOLINTEND(bugprone-macro-parentheses) */

/* In the Test Anything Protocol, as CMOCKA_MESSAGE_OUTPUT=TAP has it. */
static inline int cross_run(const struct CMUnitTest *tests, size_t count)
{
    void *state = NULL;
    for (size_t i = 0; i < count; i++) {
        tests[i].run(&state);
        printf("ok %zu - %s\n", i + 1, tests[i].name);
    }
    return 0;
}

#endif
