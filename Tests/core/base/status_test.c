#include "check.h"

#include "weft/status.h"

#include <string.h>

static void test_every_status_has_a_sentence_of_its_own(void **state)
{
    (void)state;
    for (int one = WEFT_ETLS; one <= WEFT_OK; one++) {
        const char *text = weft_status_text((weft_status)one);
        assert_non_null(text);
        assert_string_not_equal(text, "unknown status");
        for (int other = WEFT_ETLS; other < one; other++) {
            assert_string_not_equal(text, weft_status_text((weft_status)other));
        }
    }
}

static void test_sentences_can_stand_inside_another(void **state)
{
    (void)state;
    for (int status = WEFT_ETLS; status <= WEFT_OK; status++) {
        const char *text = weft_status_text((weft_status)status);
        assert_true(text[0] >= 'a' && text[0] <= 'z');
        assert_int_not_equal(text[strlen(text) - 1], '.');
    }
}

static void test_other_numbers_have_a_sentence_too(void **state)
{
    (void)state;
    assert_string_equal(weft_status_text((weft_status)(WEFT_ETLS - 1)), "unknown status");
    assert_string_equal(weft_status_text((weft_status)1), "unknown status");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_status_has_a_sentence_of_its_own),
        cmocka_unit_test(test_sentences_can_stand_inside_another),
        cmocka_unit_test(test_other_numbers_have_a_sentence_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
