#include "endpoint/exchanging.h"

static void expect_config_refused(weft_exchange_config config, weft_status status, const char *sentence)
{
    char detail[256] = "";
    weft_exchange *exchange = (weft_exchange *)&config;
    assert_int_equal(weft_exchange_start(&exchange, &config, detail, sizeof detail), status);
    assert_null(exchange);
    assert_string_equal(detail, sentence);
    if (!config.loop) return;
    config.loop = NULL; /* which a check does without */
    assert_int_equal(weft_exchange_check(&config, detail, sizeof detail), status);
    assert_string_equal(detail, sentence);
}

static void test_the_defaults_are_those_promised(void **state)
{
    (void)state;
    weft_exchange_config config;
    weft_exchange_config_init(&config);
    assert_int_equal(config.size, sizeof config);
    assert_true(weft__string_equals(config.method, "GET"));
    assert_int_equal(config.max_body_size, 1048576);
    assert_int_equal(config.timeout_ms, 30000);
    assert_null(config.tls);
}

static void test_settings_that_cannot_be_are_refused_at_once(void **state)
{
    (void)state;
    world world;
    world_init_client(&world);
    const weft_exchange_config good = asking(&world, "http://localhost/");
    weft_exchange_config config = good;
    config.loop = NULL;
    expect_config_refused(config, WEFT_EINVAL, "an argument or a setting is out of range");
    config = good;
    config.size++;
    expect_config_refused(config, WEFT_EINVAL, "an argument or a setting is out of range");
    config = good;
    config.method = weft__string("GET / HTTP/1.1\r\nX: y");
    expect_config_refused(config, WEFT_EINVAL,
                          "method is not a token of at most 32 characters other than CONNECT");
    config = good;
    config.body = (weft_string){NULL, 1};
    expect_config_refused(config, WEFT_EINVAL, "body is missing");
    expect_config_refused(asking(&world, "ftp://x/"), WEFT_EURL, "URL scheme is not http or https");
    expect_config_refused(asking(&world, "http://me:secret@x/"), WEFT_EURL,
                          "user information stands before the host");
    const weft_field fields[] = {{{"X", 1}, {"a\r\nY: b", 7}},
                                 {{"X\r\n", 3}, {"a", 1}},
                                 {{"content-length", 14}, {"5", 1}},
                                 {{"Connection", 10}, {"keep-alive", 10}},
                                 {{"Transfer-Encoding", 17}, {"chunked", 7}}};
    const char *sentences[] = {"\"X\" has a value with a control character", "\"X??\" is no valid field name",
                               "\"content-length\" is a field that only Weft itself may write",
                               "\"Connection\" is a field that only Weft itself may write",
                               "\"Transfer-Encoding\" is a field that only Weft itself may write"};
    for (size_t i = 0; i < 5; i++) {
        config = good;
        config.fields = &fields[i];
        config.field_count = 1;
        expect_config_refused(config, WEFT_EINVAL, sentences[i]);
    }
    assert_int_equal(world.story_length, 0);
    world_clear(&world);
}

static void test_settings_that_can_be_are_checked_without_a_start(void **state)
{
    (void)state;
    char detail[256] = "old";
    weft_exchange_config config;
    weft_exchange_config_init(&config);
    config.url = weft__string("http://localhost/token?a=b");
    assert_int_equal(weft_exchange_check(&config, detail, sizeof detail), WEFT_OK);
    assert_string_equal(detail, "");
    config.url = weft__string("");
    assert_int_equal(weft_exchange_check(&config, NULL, 0), WEFT_EURL);
}

static void test_a_check_says_when_memory_runs_out(void **state)
{
    (void)state;
    char detail[256];
    counting_allocator counter;
    weft_exchange_config config;
    weft_exchange_config_init(&config);
    config.url = weft__string("http://localhost/");
    allocator_count(&counter);
    assert_int_equal(weft_exchange_check(&config, detail, sizeof detail), WEFT_OK);
    counter.fail_at = counter.requests + 1;
    assert_int_equal(weft_exchange_check(&config, detail, sizeof detail), WEFT_ENOMEM);
    assert_string_equal(detail, weft_status_text(WEFT_ENOMEM));
    allocator_restore(&counter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_defaults_are_those_promised),
        cmocka_unit_test(test_settings_that_cannot_be_are_refused_at_once),
        cmocka_unit_test(test_settings_that_can_be_are_checked_without_a_start),
        cmocka_unit_test(test_a_check_says_when_memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
