#include "check.h"

#include "base/config.h"

typedef struct settings {
    size_t size;
    uint32_t first;
    uint32_t second;
} settings;

static const settings defaults = {sizeof(settings), 1, 2};

static void test_a_struct_of_the_same_version_gets_all_defaults(void **state)
{
    (void)state;
    settings given;
    weft__config_init(&given, sizeof given, &defaults, sizeof defaults);
    assert_memory_equal(&given, &defaults, sizeof given);
}

static void test_a_struct_of_an_earlier_version_is_not_overrun(void **state)
{
    (void)state;
    size_t earlier = offsetof(settings, second);
    settings given = {.second = 77};
    weft__config_init(&given, earlier, &defaults, sizeof defaults);
    assert_int_equal(given.size, earlier);
    assert_int_equal(given.first, 1);
    assert_int_equal(given.second, 77);

    settings taken = defaults;
    given.first = 9;
    assert_int_equal(weft__config_take(&taken, &given, sizeof taken), WEFT_OK);
    assert_int_equal(taken.size, sizeof taken);
    assert_int_equal(taken.first, 9);
    assert_int_equal(taken.second, 2);
}

static void test_a_struct_of_a_later_version_is_refused(void **state)
{
    (void)state;
    struct {
        settings known;
        uint64_t later;
    } given = {.later = 3};
    weft__config_init(&given, sizeof given, &defaults, sizeof defaults);
    assert_int_equal(given.later, 0);
    settings taken = defaults;
    assert_int_equal(weft__config_take(&taken, &given, sizeof taken), WEFT_EINVAL);
}

static void test_a_struct_that_was_not_initialised_is_refused(void **state)
{
    (void)state;
    settings given = {0}, taken = defaults;
    assert_int_equal(weft__config_take(&taken, &given, sizeof taken), WEFT_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_struct_of_the_same_version_gets_all_defaults),
        cmocka_unit_test(test_a_struct_of_an_earlier_version_is_not_overrun),
        cmocka_unit_test(test_a_struct_of_a_later_version_is_refused),
        cmocka_unit_test(test_a_struct_that_was_not_initialised_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
