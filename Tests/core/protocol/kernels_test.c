#include "kernel_checks.h"

static void test_the_best_set_comes_first_and_the_portable_one_last(void **state)
{
    (void)state;
    const weft__kernels *list[WEFT__KERNELS_MOST];
    size_t count = weft__kernels_supported(list);
    assert_in_range(count, 1, WEFT__KERNELS_MOST);
    assert_ptr_equal(list[count - 1], &weft__kernels_portable);
    assert_ptr_equal(weft__kernels_choose(NULL), list[0]);
}

static void test_a_set_is_chosen_by_its_name(void **state)
{
    (void)state;
    const weft__kernels *list[WEFT__KERNELS_MOST];
    size_t count = weft__kernels_supported(list);
    for (size_t i = 0; i < count; i++)
        assert_ptr_equal(weft__kernels_choose(list[i]->name), list[i]);
    assert_string_equal(weft__kernels_choose("portable")->name, "portable");
}

static void test_a_name_that_cannot_be_had_leaves_the_best_set(void **state)
{
    (void)state;
    const weft__kernels *best = weft__kernels_choose(NULL);
    static const char *const others[] = {"", "PORTABLE", "portable ", "sse9"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_ptr_equal(weft__kernels_choose(others[i]), best);
    assert_ptr_equal(weft__kernels_choose(find_kernels("neon") ? "avx2" : "neon"), best);
}

static void test_the_environment_has_chosen_before_main(void **state)
{
    (void)state;
    assert_ptr_equal(weft__kernels_current, weft__kernels_choose(getenv("WEFT_KERNELS")));
}

static void test_portable_masking_equals_the_byte_loop(void **state)
{
    (void)state;
    check_masking(&weft__kernels_portable);
}

static void test_portable_text_in_two_pieces_is_judged_as_one(void **state)
{
    (void)state;
    check_sequences(&weft__kernels_portable);
    check_cuts(&weft__kernels_portable);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_best_set_comes_first_and_the_portable_one_last),
        cmocka_unit_test(test_a_set_is_chosen_by_its_name),
        cmocka_unit_test(test_a_name_that_cannot_be_had_leaves_the_best_set),
        cmocka_unit_test(test_the_environment_has_chosen_before_main),
        cmocka_unit_test(test_portable_masking_equals_the_byte_loop),
        cmocka_unit_test(test_portable_text_in_two_pieces_is_judged_as_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
