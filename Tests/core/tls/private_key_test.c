#include "tls/private_key.h"

#include "tls/authority.h"

static paper one, other;

static int set_up(void **state)
{
    if (open_folder(state) != 0) return -1;
    one = issue(NULL, (wish){.common_name = "one"});
    other = issue(NULL, (wish){.common_name = "other"});
    return 0;
}

static int tear_down(void **state)
{
    discard(&one);
    discard(&other);
    return remove_folder(state);
}

static void expect_key(weft_status status, EVP_PKEY *key, const paper *expected,
                       const weft__tls_problem *problem)
{
    if (status != WEFT_OK) fail_msg("%s", problem->text);
    assert_int_equal(EVP_PKEY_eq(key, expected->key), 1);
    EVP_PKEY_free(key);
}

static void expect_pem(const char *path, const char *password, const paper *expected)
{
    EVP_PKEY *key;
    weft__tls_problem problem;
    weft_status status = weft__tls_private_key_from_pem(&key, path, password, &problem);
    expect_key(status, key, expected, &problem);
}

static void expect_store(const char *path, const char *password, const char *alias, const paper *expected)
{
    EVP_PKEY *key;
    weft__tls_problem problem;
    weft_status status = weft__tls_private_key_from_store(&key, path, password, alias, &problem);
    expect_key(status, key, expected, &problem);
}

static void expect_sentence(weft_status status, const EVP_PKEY *key, const weft__tls_problem *problem,
                            const char *format, const char *path)
{
    char sentence[300];
    snprintf(sentence, sizeof sentence, format, path);
    assert_int_equal(status, WEFT_ETLS);
    assert_string_equal(problem->text, sentence);
    assert_null(key);
}

static void expect_pem_problem(const char *path, const char *password, const char *format)
{
    EVP_PKEY *key;
    weft__tls_problem problem;
    weft_status status = weft__tls_private_key_from_pem(&key, path, password, &problem);
    expect_sentence(status, key, &problem, format, path);
}

static void expect_store_problem(const char *path, const char *password, const char *alias,
                                 const char *format)
{
    EVP_PKEY *key;
    weft__tls_problem problem;
    weft_status status = weft__tls_private_key_from_store(&key, path, password, alias, &problem);
    expect_sentence(status, key, &problem, format, path);
}

/* -- stores that OpenSSL's one call does not make ------------------------------------------------------ */

static void add_key(STACK_OF(PKCS12_SAFEBAG) * *bags, const paper *paper, const char *alias,
                    const char *password)
{
    int cipher = password ? NID_aes_256_cbc : -1;
    PKCS12_SAFEBAG *bag = PKCS12_add_key(bags, paper->key, 0, 0, cipher, password);
    assert_non_null(bag);
    if (alias) assert_int_equal(PKCS12_add_friendlyname_utf8(bag, alias, -1), 1);
}

static const char *write_parts(const char *name, STACK_OF(PKCS7) * parts, const char *password)
{
    const char *path = path_of(name);
    PKCS12 *store = PKCS12_add_safes(parts, 0);
    assert_int_equal(PKCS12_set_mac(store, password, -1, NULL, 0, 0, EVP_sha256()), 1);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(i2d_PKCS12_fp(file, store), 1);
    fclose(file);
    PKCS12_free(store);
    sk_PKCS7_pop_free(parts, PKCS7_free);
    return path;
}

/* Both keys, under the two aliases. */
static const char *write_pair(const char *name, const char *alias, const char *other_alias)
{
    STACK_OF(PKCS12_SAFEBAG) *bags = NULL;
    STACK_OF(PKCS7) *parts = NULL;
    add_key(&bags, &one, alias, "secret");
    add_key(&bags, &other, other_alias, "secret");
    assert_int_equal(PKCS12_add_safe(&parts, bags, -1, 0, NULL), 1);
    sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
    return write_parts(name, parts, "secret");
}

/* Its certificate is encrypted with another password than the rest: nobody can read it. */
static const char *write_with_unreadable_part(const char *name, bool has_key)
{
    STACK_OF(PKCS12_SAFEBAG) *keys = NULL, *certificates = NULL;
    STACK_OF(PKCS7) *parts = NULL;
    PKCS12_add_cert(&certificates, one.certificate);
    assert_int_equal(PKCS12_add_safe(&parts, certificates, NID_aes_256_cbc, 0, "unknown"), 1);
    if (has_key) {
        add_key(&keys, &one, NULL, NULL); /* in the clear */
        assert_int_equal(PKCS12_add_safe(&parts, keys, -1, 0, NULL), 1);
    }
    sk_PKCS12_SAFEBAG_pop_free(keys, PKCS12_SAFEBAG_free);
    sk_PKCS12_SAFEBAG_pop_free(certificates, PKCS12_SAFEBAG_free);
    return write_parts(name, parts, "secret");
}

/* -- the tests ----------------------------------------------------------------------------------------- */

static void test_pem_keys_are_read(void **state)
{
    (void)state;
    const char *locked = write_key("locked.key", &one, "open sesame");
    expect_pem(write_key("plain.key", &one, NULL), NULL, &one);
    expect_pem(locked, "open sesame", &one);
    expect_pem(write_key("plain.key", &one, NULL), "not needed", &one);
}

static void test_pem_problems_name_the_file(void **state)
{
    (void)state;
    const char *locked = write_key("locked.key", &one, "open sesame");
    expect_pem_problem(path_of("nowhere"), NULL, "the key file %s cannot be read: No such file or directory");
    expect_pem_problem(folder, NULL, "the key file %s cannot be read: Is a directory");
    expect_pem_problem(write_text("empty", ""), NULL, "the key file %s is empty");
    expect_pem_problem(write_text("text", "hello"), NULL, "the key file %s holds no PEM private key");
    expect_pem_problem(locked, NULL, "the key file %s is encrypted, and there is no password");
    expect_pem_problem(locked, "open barley", "the password does not open the key file %s");
    const char *text = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    EVP_PKEY *key;
    weft__tls_problem problem;
    const char *damaged = write_text("damaged", text);
    assert_int_equal(weft__tls_private_key_from_pem(&key, damaged, NULL, &problem), WEFT_ETLS);
    assert_non_null(strstr(problem.text, " is damaged: "));
}

static void test_keys_of_stores_are_read(void **state)
{
    (void)state;
    const char *pair = write_pair("pair.p12", "First", "second");
    expect_store(write_store("one.p12", &one, &other, "secret"), "secret", NULL, &one);
    expect_store(write_store("one.p12", &one, NULL, "secret"), "secret", "ONE", &one);
    expect_store(write_store("open.p12", &one, NULL, ""), NULL, NULL, &one);
    expect_store(write_store("open.p12", &one, NULL, ""), "", NULL, &one);
    expect_store(write_store("open.p12", &one, NULL, NULL), NULL, NULL, &one);
    expect_store(pair, "secret", "first", &one);
    expect_store(pair, "secret", "second", &other);
    expect_store(write_with_unreadable_part("mixed.p12", true), "secret", NULL, &one);
}

static void test_store_problems_name_the_file(void **state)
{
    (void)state;
    const char *pair = write_pair("pair.p12", "first", "second");
    const char *twins = write_pair("twins.p12", "same", "Same");
    const char *trust = write_store("trust.p12", NULL, &one, "secret");
    expect_store_problem(path_of("nowhere"), "secret", NULL,
                         "the key store %s cannot be read: No such file or directory");
    expect_store_problem(write_text("text", "hello"), "secret", NULL, "the key store %s is no PKCS#12 file");
    expect_store_problem(pair, "wrong", NULL, "the password does not open the key store %s");
    expect_store_problem(pair, NULL, NULL, "the password does not open the key store %s");
    expect_store_problem(pair, "secret", NULL, "the key store %s holds several private keys");
    expect_store_problem(twins, "secret", "same",
                         "the key store %s holds several private keys of that alias");
    expect_store_problem(trust, "secret", NULL, "the key store %s holds no private key");
    expect_store_problem(pair, "secret", "third", "the key store %s holds no private key of the alias third");
    const char *unreadable = write_with_unreadable_part("unreadable.p12", false);
    EVP_PKEY *key;
    weft__tls_problem problem;
    assert_int_equal(weft__tls_private_key_from_store(&key, unreadable, "secret", NULL, &problem), WEFT_ETLS);
    assert_non_null(strstr(problem.text, " cannot be read: "));
    assert_null(key);
}

static void test_no_memory(void **state)
{
    (void)state;
    const char *path = write_key("plain.key", &one, NULL);
    const char *store = write_store("one.p12", &one, NULL, "secret");
    counting_allocator counter;
    allocator_count(&counter);
    counter.fail_at = 1;
    EVP_PKEY *key;
    weft__tls_problem problem;
    assert_int_equal(weft__tls_private_key_from_pem(&key, path, NULL, &problem), WEFT_ENOMEM);
    assert_null(key);
    assert_int_equal(weft__tls_private_key_from_store(&key, store, "secret", NULL, &problem), WEFT_ENOMEM);
    assert_null(key);
    counter.fail_at = 0;
    allocator_restore(&counter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pem_keys_are_read),
        cmocka_unit_test(test_pem_problems_name_the_file),
        cmocka_unit_test(test_keys_of_stores_are_read),
        cmocka_unit_test(test_store_problems_name_the_file),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
