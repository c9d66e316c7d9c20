#include "endpoint/dialling.h"

#include "endpoint/client.h"

static void expect_config_refused(weft_client_config config, weft_status status)
{
    char detail[128] = "";
    weft_client *client = (weft_client *)&config;
    assert_int_equal(weft_client_connect(&client, &config, detail, sizeof detail), status);
    assert_null(client);
    assert_true(strlen(detail) > 0);
}

static void test_settings_that_cannot_be_are_refused_at_once(void **state)
{
    (void)state;
    world world;
    world_init_client(&world);
    weft_client_config good = world_calling(&world, world.loop, "ws://localhost/"), config = good;
    config.loop = NULL;
    expect_config_refused(config, WEFT_EINVAL);
    config = good;
    config.size++;
    expect_config_refused(config, WEFT_EINVAL);
    expect_config_refused(world_calling(&world, world.loop, "http//x"), WEFT_EURL);
    expect_config_refused(world_calling(&world, world.loop, "ws://a b/"), WEFT_EURL);
    char long_path[256] = "ws+unix:/";
    memset(long_path + 9, 'x', sizeof long_path - 10);
    expect_config_refused(world_calling(&world, world.loop, long_path), WEFT_EURL);
    expect_config_refused(world_calling(&world, world.loop, "ws+unix:/a%00b"), WEFT_EURL);
    config = good;
    config.subprotocols = (weft_string){"a, a", 4};
    expect_config_refused(config, WEFT_EINVAL);
    const weft_field injected = {{"X", 1}, {"a\nb", 3}};
    config = good;
    config.fields = &injected;
    config.field_count = 1;
    expect_config_refused(config, WEFT_EINVAL);
    world.settings.max_message_size = 0;
    expect_config_refused(good, WEFT_EINVAL);
    weft_connection_config_init(&world.settings);
    weft_retry_config retry;
    weft_retry_config_init(&retry);
    retry.interval_ms = 0;
    config = good;
    config.retry = &retry;
    expect_config_refused(config, WEFT_EINVAL);
    assert_int_equal(world.story_length, 0);
    world_clear(&world);
}

static void test_a_new_key_takes_the_place_of_the_old_one(void **state)
{
    (void)state;
    weft_client client = {.server.url = {.host = {"localhost", 9}, .port = 80, .port_is_default = true}};
    weft__upgrade_offer offer = weft__client_offer(&client);
    assert_int_equal(weft__upgrade_make_key(client.key), WEFT_OK);
    assert_int_equal(weft__upgrade_write_request(&client.request, &offer, client.key), WEFT_OK);
    char before[25], line[64];
    memcpy(before, client.key, sizeof before);
    size_t length = weft__buffer_length(&client.request);
    assert_int_equal(weft__client_renew_key(&client), WEFT_OK);
    assert_string_not_equal(client.key, before);
    assert_int_equal(weft__buffer_length(&client.request), length);
    assert_int_equal(weft__buffer_append(&client.request, "", 1, SIZE_MAX), WEFT_OK);
    snprintf(line, sizeof line, "\r\nSec-WebSocket-Key: %s\r\n", client.key);
    assert_non_null(strstr((const char *)weft__buffer_front(&client.request), line));
    assert_null(strstr((const char *)weft__buffer_front(&client.request), before));
    weft__buffer_clear(&client.request);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings_that_cannot_be_are_refused_at_once),
        cmocka_unit_test(test_a_new_key_takes_the_place_of_the_old_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
