#include "no_crypto.h"

#include "base/sha1.h"

#include <string.h>

static void expect(const void *bytes, size_t length, const uint8_t digest[WEFT__SHA1_LENGTH])
{
    uint8_t out[WEFT__SHA1_LENGTH];
    assert_int_equal(weft__sha1(out, bytes, length), WEFT_OK);
    assert_memory_equal(out, digest, sizeof out);
}

static void test_the_vectors_of_rfc_3174_hold(void **state)
{
    (void)state;
    static const uint8_t abc[] = {0xa9, 0x99, 0x3e, 0x36, 0x47, 0x06, 0x81, 0x6a, 0xba, 0x3e,
                                  0x25, 0x71, 0x78, 0x50, 0xc2, 0x6c, 0x9c, 0xd0, 0xd8, 0x9d};
    static const uint8_t million[] = {0x34, 0xaa, 0x97, 0x3c, 0xd4, 0xc4, 0xda, 0xa4, 0xf6, 0x1e,
                                      0xeb, 0x2b, 0xdb, 0xad, 0x27, 0x31, 0x65, 0x34, 0x01, 0x6f};
    expect("abc", 3, abc);
    char *as = malloc(1000000);
    assert_non_null(as);
    memset(as, 'a', 1000000);
    expect(as, 1000000, million);
    free(as);
}

static void test_no_bytes_have_a_digest_too(void **state)
{
    (void)state;
    static const uint8_t empty[] = {0xda, 0x39, 0xa3, 0xee, 0x5e, 0x6b, 0x4b, 0x0d, 0x32, 0x55,
                                    0xbf, 0xef, 0x95, 0x60, 0x18, 0x90, 0xaf, 0xd8, 0x07, 0x09};
    expect("", 0, empty);
}

static void test_a_digest_that_is_not_to_be_had_is_an_error(void **state)
{
    (void)state;
    uint8_t out[WEFT__SHA1_LENGTH];
    crypto_take_away();
    assert_int_equal(weft__sha1(out, "abc", 3), WEFT_ESYSTEM);
    crypto_give_back();
    assert_int_equal(weft__sha1(out, "abc", 3), WEFT_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_vectors_of_rfc_3174_hold),
        cmocka_unit_test(test_no_bytes_have_a_digest_too),
        cmocka_unit_test(test_a_digest_that_is_not_to_be_had_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
