#include "no_crypto.h"

#include "http/fields.h"
#include "http/key.h"

#include <string.h>

static void test_the_accept_value_of_the_rfc_is_computed(void **state)
{
    (void)state;
    char accept[WEFT__ACCEPT_LENGTH + 1];
    weft_string key = weft__string("dGhlIHNhbXBsZSBub25jZQ==");
    assert_int_equal(weft__upgrade_accept_key(accept, key), WEFT_OK);
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    key.length--;
    assert_int_equal(weft__upgrade_accept_key(accept, key), WEFT_EINVAL);
}

static void test_keys_are_16_bytes_of_base64(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "dGhlIHNhbXBsZSBub25jZQ=",
        "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub25jZQ===",
        "dGhlIHNhbXBsZSBub25jZR==",
        "dGhlIHNhbXBsZSBub25jZQA=",
        "dGhlIHNhbXBsZSBub25jZQAA",
        "dGhlIHNhbXBs_SBub25jZQ==",
        " dGhlIHNhbXBsZSBub25jZQ=",
        "====================////",
    };
    assert_true(weft__upgrade_is_key(weft__string("dGhlIHNhbXBsZSBub25jZQ==")));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(weft__upgrade_is_key(weft__string(bad[i])));
    }
}

static void test_every_key_is_fresh(void **state)
{
    (void)state;
    char one[WEFT__KEY_LENGTH + 1], other[WEFT__KEY_LENGTH + 1];
    assert_int_equal(weft__upgrade_make_key(one), WEFT_OK);
    assert_int_equal(weft__upgrade_make_key(other), WEFT_OK);
    assert_true(weft__upgrade_is_key(weft__string(one)));
    assert_string_not_equal(one, other);
}

static void test_keys_need_what_openssl_offers(void **state)
{
    (void)state;
    char key[WEFT__KEY_LENGTH + 1], accept[WEFT__ACCEPT_LENGTH + 1];
    crypto_take_away();
    assert_int_equal(weft__upgrade_make_key(key), WEFT_ESYSTEM);
    assert_int_equal(weft__upgrade_accept_key(accept, weft__string("dGhlIHNhbXBsZSBub25jZQ==")),
                     WEFT_ESYSTEM);
    crypto_give_back();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_accept_value_of_the_rfc_is_computed),
        cmocka_unit_test(test_keys_are_16_bytes_of_base64),
        cmocka_unit_test(test_every_key_is_fresh),
        cmocka_unit_test(test_keys_need_what_openssl_offers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
