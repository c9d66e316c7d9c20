#include "tls/file.h"

#include "secrets.h"
#include "tls/authority.h"

static void test_a_file_is_read_whole(void **state)
{
    (void)state;
    static char text[100001];
    memset(text, 'a', sizeof text - 1);
    const char *path = write_text("long", text);
    weft__buffer bytes = {0};
    weft__tls_problem problem;
    assert_int_equal(weft__tls_read_file(&bytes, path, "file", &problem), WEFT_OK);
    assert_int_equal(weft__buffer_length(&bytes), sizeof text - 1);
    assert_memory_equal(weft__buffer_front(&bytes), text, sizeof text - 1);
    weft__buffer_clear(&bytes);
}

static void expect_problem(const char *path, const char *format)
{
    weft__buffer bytes = {0};
    weft__tls_problem problem;
    char sentence[200];
    snprintf(sentence, sizeof sentence, format, path);
    assert_int_equal(weft__tls_read_file(&bytes, path, "file", &problem), WEFT_ETLS);
    assert_string_equal(problem.text, sentence);
    weft__buffer_clear(&bytes);
}

static void test_what_cannot_be_read_is_named(void **state)
{
    (void)state;
    expect_problem(path_of("nowhere"), "the file %s cannot be read: No such file or directory");
    expect_problem(folder, "the file %s cannot be read: Is a directory");
    expect_problem(write_text("empty", ""), "the file %s is empty");
    const char *path = write_text("huge", "");
    assert_int_equal(truncate(path, WEFT__TLS_FILE_MAX + 1), 0);
    expect_problem(path, "the file %s is longer than 16 MiB");
}

static void test_a_file_is_opened(void **state)
{
    (void)state;
    BIO *bio;
    char text[8] = {0};
    weft__tls_problem problem;
    assert_int_equal(weft__tls_open_file(&bio, write_text("short", "abc"), "file", &problem), WEFT_OK);
    assert_int_equal(BIO_read(bio, text, sizeof text), 3);
    assert_string_equal(text, "abc");
    assert_int_equal(BIO_read(bio, text, sizeof text), 0);
    BIO_free(bio);
    assert_int_equal(weft__tls_open_file(&bio, path_of("nowhere"), "file", &problem), WEFT_ETLS);
    assert_null(bio);
}

/* As of a file that has a private key and many certificates behind it. */
static void test_no_memory_is_given_back_with_a_key_in_it(void **state)
{
    (void)state;
    static char text[50001];
    memset(text, 'a', sizeof text - 1);
    memcpy(text, SECRET, strlen(SECRET));
    const char *path = write_text("key", text);
    BIO *bio;
    weft__tls_problem problem;
    counting_allocator counter;
    secrets_watch(&counter);
    assert_int_equal(weft__tls_open_file(&bio, path, "file", &problem), WEFT_OK);
    BIO_free(bio);
    secrets_expect_none(&counter);
}

static void test_no_memory(void **state)
{
    (void)state;
    const char *path = write_text("short", "abc");
    counting_allocator counter = {0};
    allocator_count(&counter);
    counter.fail_at = counter.requests + 1;
    weft__buffer bytes = {0};
    weft__tls_problem problem;
    assert_int_equal(weft__tls_read_file(&bytes, path, "file", &problem), WEFT_ENOMEM);
    BIO *bio;
    assert_int_equal(weft__tls_open_file(&bio, path, "file", &problem), WEFT_ENOMEM);
    assert_null(bio);
    counter.fail_at = 0;
    allocator_restore(&counter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_file_is_read_whole),
        cmocka_unit_test(test_what_cannot_be_read_is_named),
        cmocka_unit_test(test_a_file_is_opened),
        cmocka_unit_test(test_no_memory_is_given_back_with_a_key_in_it),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, open_folder, remove_folder);
}
