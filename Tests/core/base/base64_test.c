#include "check.h"

#include "base/base64.h"

#include <string.h>

static void expect(const char *bytes, const char *text)
{
    char out[16];
    size_t length = strlen(bytes);
    assert_int_equal(weft__base64_length(length), strlen(text));
    weft__base64_encode(out, bytes, length);
    assert_string_equal(out, text);
    assert_true(weft__base64_is_of((weft_string){text, strlen(text)}, length));
}

static void test_the_vectors_of_rfc_4648_hold(void **state)
{
    (void)state;
    expect("", "");
    expect("f", "Zg==");
    expect("fo", "Zm8=");
    expect("foo", "Zm9v");
    expect("foob", "Zm9vYg==");
    expect("fooba", "Zm9vYmE=");
    expect("foobar", "Zm9vYmFy");
}

static void test_pieces_join_without_a_seam(void **state)
{
    (void)state;
    const size_t length = 10000; /* several of the pieces that the encoder works in */
    char *bytes = malloc(length), *whole = malloc(weft__base64_length(length) + 1), group[5];
    assert_non_null(bytes);
    assert_non_null(whole);
    for (size_t i = 0; i < length; i++)
        bytes[i] = (char)(i * 7);
    weft__base64_encode(whole, bytes, length);
    assert_int_equal(strlen(whole), weft__base64_length(length));
    for (size_t i = 0; i < length; i += 3) {
        weft__base64_encode(group, bytes + i, length - i < 3 ? length - i : 3);
        assert_memory_equal(whole + i / 3 * 4, group, 4);
    }
    free(bytes);
    free(whole);
}

static void expect_refusal(const char *text, size_t length)
{
    assert_false(weft__base64_is_of((weft_string){text, strlen(text)}, length));
}

static void test_only_the_canonical_spelling_passes(void **state)
{
    (void)state;
    expect_refusal("Zh==", 1);  /* bits beyond the last byte */
    expect_refusal("Zg=", 1);   /* too short */
    expect_refusal("Zg", 1);    /* no padding */
    expect_refusal("Zg===", 1); /* too long */
    expect_refusal("Zm8=", 1);  /* two bytes */
    expect_refusal("Zm8=", 3);  /* two bytes */
    expect_refusal(" Zg=", 1);  /* white space */
    expect_refusal("Zg= ", 1);
    expect_refusal("Zg\n=", 1);
    expect_refusal("-_==", 1); /* the URL alphabet */
    expect_refusal("====", 1);
    expect_refusal("Zm9v", 65); /* longer than is ever checked */
    assert_false(weft__base64_is_of((weft_string){"Zm\0v", 4}, 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_vectors_of_rfc_4648_hold),
        cmocka_unit_test(test_pieces_join_without_a_seam),
        cmocka_unit_test(test_only_the_canonical_spelling_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
