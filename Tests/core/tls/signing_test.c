#include "weft/signing.h"

#include "tls/authority.h"

#include <openssl/err.h>

static const char message[] = "header.claims";

static EVP_PKEY *rsa, *curve;
static const char *rsa_file, *curve_file;

static const char *write_private_key(const char *name, EVP_PKEY *key, const char *password)
{
    return write_key(name, &(paper){.key = key}, password);
}

static int set_up(void **state)
{
    if (open_folder(state) != 0) return -1;
    rsa = EVP_RSA_gen(2048);
    curve = EVP_EC_gen("P-256");
    rsa_file = write_private_key("rsa.key", rsa, NULL);
    curve_file = write_private_key("curve.key", curve, NULL);
    return 0;
}

static int tear_down(void **state)
{
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(curve);
    return remove_folder(state);
}

static weft_signing_key_config config_of(weft_signature_algorithm algorithm, const char *key_file)
{
    weft_signing_key_config config;
    weft_signing_key_config_init(&config);
    config.algorithm = algorithm;
    config.key_file = key_file;
    return config;
}

static weft_signing_key_config secret_of(weft_signature_algorithm algorithm, const void *secret,
                                         size_t length)
{
    weft_signing_key_config config = config_of(algorithm, NULL);
    config.secret = secret;
    config.secret_length = length;
    return config;
}

static weft_signing_key *open_key(weft_signing_key_config config)
{
    char detail[480];
    weft_signing_key *key;
    if (weft_signing_key_new(&key, &config, detail, sizeof detail) != WEFT_OK) fail_msg("%s", detail);
    return key;
}

static void expect_refusal(weft_signing_key_config config, weft_status status, const char *sentence)
{
    char detail[480];
    weft_signing_key *key;
    assert_int_equal(weft_signing_key_new(&key, &config, detail, sizeof detail), status);
    assert_null(key);
    assert_string_equal(detail, sentence);
}

/* `signature` as OpenSSL's verification wants it: DER for curves. */
static void expect_valid(EVP_PKEY *public_key, const EVP_MD *hash, const uint8_t *signature, size_t length)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestVerifyInit(context, NULL, hash, NULL, public_key), 1);
    assert_int_equal(EVP_DigestVerify(context, signature, length, (const uint8_t *)message, strlen(message)),
                     1);
    EVP_MD_CTX_free(context);
}

static void test_rsa_signatures_are_valid(void **state)
{
    (void)state;
    const EVP_MD *hashes[] = {EVP_sha256(), EVP_sha384(), EVP_sha512()};
    for (int i = 0; i < 3; i++) {
        uint8_t signature[256];
        weft_signing_key *key =
            open_key(config_of((weft_signature_algorithm)(WEFT_SIGNATURE_RS256 + i), rsa_file));
        assert_int_equal(weft_signature_length(key), sizeof signature);
        assert_int_equal(weft_signing_key_sign(key, signature, message, strlen(message)), WEFT_OK);
        expect_valid(rsa, hashes[i], signature, sizeof signature);
        weft_signing_key_free(key);
    }
}

static void test_curve_signatures_are_two_numbers(void **state)
{
    (void)state;
    weft_signing_key *key = open_key(config_of(WEFT_SIGNATURE_ES256, curve_file));
    assert_int_equal(weft_signature_length(key), 64);
    /* About one in 128 has a number with a leading zero, which must be kept. */
    for (int i = 0; i < 400; i++) {
        uint8_t signature[64], *der = NULL;
        assert_int_equal(weft_signing_key_sign(key, signature, message, strlen(message)), WEFT_OK);
        ECDSA_SIG *numbers = ECDSA_SIG_new();
        ECDSA_SIG_set0(numbers, BN_bin2bn(signature, 32, NULL), BN_bin2bn(signature + 32, 32, NULL));
        int length = i2d_ECDSA_SIG(numbers, &der);
        expect_valid(curve, EVP_sha256(), der, (size_t)length);
        ECDSA_SIG_free(numbers);
        OPENSSL_free(der);
    }
    weft_signing_key_free(key);
}

/* RFC 4231 section 4.8, whose key is longer than the block of SHA-256. */
static void test_hmac_is_that_of_the_rfc(void **state)
{
    (void)state;
    static const char *const expected[] = {"9b09ffa71b942fcb27635fbcd5b0e944",
                                           "6617178e941f020d351e2f254e8fd32c",
                                           "e37b6a775dc87dbaa4dfa9f96e5e3ffd"};
    static const size_t lengths[] = {32, 48, 64};
    const char *text = "This is a test using a larger than block-size key and a larger than block-size data. "
                       "The key needs to be hashed before being used by the HMAC algorithm.";
    uint8_t secret[131];
    memset(secret, 0xaa, sizeof secret);
    for (int i = 0; i < 3; i++) {
        uint8_t signature[64];
        char hex[33] = {0};
        weft_signature_algorithm algorithm = (weft_signature_algorithm)(WEFT_SIGNATURE_HS256 + i);
        weft_signing_key *key = open_key(secret_of(algorithm, secret, sizeof secret));
        assert_int_equal(weft_signature_length(key), lengths[i]);
        assert_int_equal(weft_signing_key_sign(key, signature, text, strlen(text)), WEFT_OK);
        for (int j = 0; j < 16; j++)
            snprintf(hex + 2 * j, 3, "%02x", signature[j]);
        assert_string_equal(hex, expected[i]);
        weft_signing_key_free(key);
    }
}

static void test_keys_come_from_key_stores(void **state)
{
    (void)state;
    paper paper = issue(NULL, (wish){.common_name = "one"});
    weft_signing_key_config config = config_of(WEFT_SIGNATURE_ES256, NULL);
    config.key_store_file = write_store("one.p12", &paper, NULL, "secret");
    config.key_store_password = "secret";
    config.key_alias = "one";
    weft_signing_key_free(open_key(config));
    config.key_alias = "two";
    char sentence[200];
    snprintf(sentence, sizeof sentence, "the key store %s holds no private key of the alias two",
             config.key_store_file);
    expect_refusal(config, WEFT_ETLS, sentence);
    discard(&paper);
}

static void test_secrets_that_are_short_are_refused(void **state)
{
    (void)state;
    static const char secret[64] = "knock knock";
    weft_signing_key_free(open_key(secret_of(WEFT_SIGNATURE_HS256, secret, 32)));
    weft_signing_key_free(open_key(secret_of(WEFT_SIGNATURE_HS384, secret, 48)));
    weft_signing_key_free(open_key(secret_of(WEFT_SIGNATURE_HS512, secret, 64)));
    expect_refusal(secret_of(WEFT_SIGNATURE_HS256, secret, 31), WEFT_ETLS,
                   "the secret is shorter than the 32 bytes that HS256 needs");
    expect_refusal(secret_of(WEFT_SIGNATURE_HS384, secret, 47), WEFT_ETLS,
                   "the secret is shorter than the 48 bytes that HS384 needs");
    expect_refusal(secret_of(WEFT_SIGNATURE_HS512, secret, 63), WEFT_ETLS,
                   "the secret is shorter than the 64 bytes that HS512 needs");
    expect_refusal(secret_of(WEFT_SIGNATURE_HS256, secret, 0), WEFT_ETLS,
                   "the secret is shorter than the 32 bytes that HS256 needs");
}

static void expect_unfit(weft_signature_algorithm algorithm, const char *name, EVP_PKEY *key,
                         const char *format)
{
    char sentence[300];
    const char *path = write_private_key(name, key, NULL);
    snprintf(sentence, sizeof sentence, format, path);
    expect_refusal(config_of(algorithm, path), WEFT_ETLS, sentence);
}

/* Of the kind that RFC 7518 section 3.5 is for. */
static EVP_PKEY *generate_pss_key(void)
{
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
    assert_int_equal(EVP_PKEY_keygen_init(context), 1);
    assert_int_equal(EVP_PKEY_generate(context, &key), 1);
    EVP_PKEY_CTX_free(context);
    return key;
}

static void test_keys_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    EVP_PKEY *short_rsa = EVP_RSA_gen(1024), *other_curve = EVP_EC_gen("P-384"), *pss = generate_pss_key();
    expect_unfit(WEFT_SIGNATURE_RS256, "curve.key", curve, "RS256 needs an RSA key, and that in %s is none");
    expect_unfit(WEFT_SIGNATURE_RS512, "pss.key", pss, "RS512 needs an RSA key, and that in %s is none");
    expect_unfit(WEFT_SIGNATURE_RS384, "short.key", short_rsa,
                 "RS384 needs an RSA key of at least 2048 bits, and that in %s has 1024");
    expect_unfit(WEFT_SIGNATURE_ES256, "rsa.key", rsa,
                 "ES256 needs an elliptic curve key, and that in %s is none");
    expect_unfit(WEFT_SIGNATURE_ES256, "other.key", other_curve,
                 "ES256 needs a key on the curve P-256, and that in %s is on another");
    EVP_PKEY_free(short_rsa);
    EVP_PKEY_free(other_curve);
    EVP_PKEY_free(pss);
}

static void test_settings_that_do_not_go_together_are_refused(void **state)
{
    (void)state;
    const char *sources = "a signing key comes from exactly one of a key file, a key store and a secret";
    static const char secret[64];
    weft_signing_key_config none = config_of(WEFT_SIGNATURE_RS256, NULL), blank = {0};
    weft_signing_key_config both = config_of(WEFT_SIGNATURE_RS256, rsa_file);
    both.key_store_file = "x";
    expect_refusal(none, WEFT_EINVAL, sources);
    expect_refusal(both, WEFT_EINVAL, sources);
    expect_refusal(secret_of(WEFT_SIGNATURE_RS256, secret, sizeof secret), WEFT_EINVAL,
                   "a secret is for HS256, HS384 and HS512 alone");
    expect_refusal(config_of(WEFT_SIGNATURE_HS256, rsa_file), WEFT_EINVAL,
                   "HS256, HS384 and HS512 need a secret, not a private key");
    expect_refusal(config_of((weft_signature_algorithm)0, rsa_file), WEFT_EINVAL,
                   "there is no such signature algorithm");
    expect_refusal(config_of((weft_signature_algorithm)8, rsa_file), WEFT_EINVAL,
                   "there is no such signature algorithm");
    expect_refusal(blank, WEFT_EINVAL, "the configuration of a signing key is not initialised");
}

static void test_passwords_are_not_told(void **state)
{
    (void)state;
    const char *locked = write_private_key("locked.key", rsa, "open sesame");
    char sentence[200];
    weft_signing_key_config config = config_of(WEFT_SIGNATURE_RS256, locked);
    config.key_password = "open sesame";
    weft_signing_key_free(open_key(config));
    config.key_password = "open barley";
    snprintf(sentence, sizeof sentence, "the password does not open the key file %s", locked);
    expect_refusal(config, WEFT_ETLS, sentence);
}

static void test_what_others_left_on_the_thread_is_no_cause(void **state)
{
    (void)state;
    const char *damaged =
        write_text("damaged", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    char detail[480];
    weft_signing_key *key;
    weft_signing_key_config config = config_of(WEFT_SIGNATURE_RS256, damaged);
    ERR_raise(ERR_LIB_PEM, PEM_R_BAD_PASSWORD_READ);
    assert_int_equal(weft_signing_key_new(&key, &config, detail, sizeof detail), WEFT_ETLS);
    assert_non_null(strstr(detail, " is damaged: "));
    assert_null(strstr(detail, "bad password read"));
}

/* Each allocation fails in turn. */
static void test_no_memory(void **state)
{
    (void)state;
    counting_allocator counter;
    allocator_count(&counter);
    weft_signing_key_config config = config_of(WEFT_SIGNATURE_RS256, rsa_file);
    weft_signing_key *key = NULL;
    size_t failures = 0;
    for (; !key; failures++) {
        char detail[80];
        counter.requests = 0;
        counter.fail_at = failures + 1;
        if (weft_signing_key_new(&key, &config, detail, sizeof detail) == WEFT_OK) break;
        assert_null(key);
        assert_string_equal(detail, "out of memory");
    }
    assert_true(failures > 1);
    counter.fail_at = 0;
    weft_signing_key_free(key);
    weft_signing_key_free(NULL);
    allocator_restore(&counter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rsa_signatures_are_valid),
        cmocka_unit_test(test_curve_signatures_are_two_numbers),
        cmocka_unit_test(test_hmac_is_that_of_the_rfc),
        cmocka_unit_test(test_keys_come_from_key_stores),
        cmocka_unit_test(test_secrets_that_are_short_are_refused),
        cmocka_unit_test(test_keys_that_do_not_fit_are_refused),
        cmocka_unit_test(test_settings_that_do_not_go_together_are_refused),
        cmocka_unit_test(test_passwords_are_not_told),
        cmocka_unit_test(test_what_others_left_on_the_thread_is_no_cause),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
