#include "endpoint/dialling.h"

#include "endpoint/retry.h"

#include <math.h>
#include <uv.h>

/* -- how long, how often --------------------------------------------------------------------------- */

static weft_retry_config settings(uint32_t max_count, uint32_t interval_ms, double factor,
                                  uint32_t longest_ms)
{
    weft_retry_config config;
    weft_retry_config_init(&config);
    config.max_count = max_count;
    config.interval_ms = interval_ms;
    config.back_off_factor = factor;
    config.max_wait_interval_ms = longest_ms;
    return config;
}

static weft__retry retry_of(weft_retry_config config)
{
    weft__retry retry;
    const char *problem;
    assert_int_equal(weft__retry_init(&retry, &config, &problem), WEFT_OK);
    return retry;
}

static void test_the_defaults_are_those_promised(void **state)
{
    (void)state;
    weft_retry_config config;
    weft_retry_config_init(&config);
    assert_int_equal(config.max_count, 0);
    assert_int_equal(config.interval_ms, 1000);
    assert_true(config.back_off_factor >= 2 && config.back_off_factor <= 2);
    assert_int_equal(config.max_wait_interval_ms, 30000);
}

static void test_settings_out_of_range_are_named(void **state)
{
    (void)state;
    const weft_retry_config bad[] = {
        settings(0, 0, 2, 1),   settings(0, 1, 0.5, 1), settings(0, 1, 1001, 1),
        settings(0, 1, NAN, 1), settings(0, 1, 1, 0),   {0},
    };
    const char *names[] = {"interval_ms",     "back_off_factor",      "back_off_factor",
                           "back_off_factor", "max_wait_interval_ms", "not initialised"};
    for (int i = 0; i < 6; i++) {
        weft__retry retry;
        const char *problem = "";
        assert_int_equal(weft__retry_init(&retry, &bad[i], &problem), WEFT_EINVAL);
        assert_non_null(strstr(problem, names[i]));
    }
}

static void test_without_settings_there_is_one_attempt(void **state)
{
    (void)state;
    weft__retry retry;
    const char *problem;
    uint32_t wait;
    assert_int_equal(weft__retry_init(&retry, NULL, &problem), WEFT_OK);
    assert_false(weft__retry_next(&retry, 0, &wait));
}

static void test_the_count_is_of_attempts_after_the_first(void **state)
{
    (void)state;
    uint32_t wait;
    weft__retry three = retry_of(settings(3, 1, 1, 1)), endless = retry_of(settings(0, 1, 1, 1));
    for (uint32_t i = 1; i <= 3; i++) {
        assert_true(weft__retry_next(&three, 0, &wait));
        assert_int_equal(three.done, i);
    }
    assert_false(weft__retry_next(&three, 0, &wait));
    for (int i = 0; i < 100000; i++)
        assert_true(weft__retry_next(&endless, 0, &wait));
}

/* Of many waits before the n-th retry the longest comes near the back-off, the shortest near 0. */
static void test_waits_grow_and_are_spread(void **state)
{
    (void)state;
    const uint32_t back_offs[] = {100, 300, 900, 1000, 1000};
    uint32_t longest[5] = {0}, shortest[5];
    memset(shortest, 0xff, sizeof shortest);
    for (int sample = 0; sample < 500; sample++) {
        weft__retry retry = retry_of(settings(5, 100, 3, 1000));
        for (int i = 0; i < 5; i++) {
            uint32_t wait;
            assert_true(weft__retry_next(&retry, 0, &wait));
            if (wait > longest[i]) longest[i] = wait;
            if (wait < shortest[i]) shortest[i] = wait;
        }
    }
    for (int i = 0; i < 5; i++) {
        assert_in_range(longest[i], back_offs[i] * 9 / 10, back_offs[i]);
        assert_in_range(shortest[i], 0, back_offs[i] / 10);
    }
}

static void test_the_servers_wish_is_the_shortest_wait(void **state)
{
    (void)state;
    uint32_t wait;
    weft__retry retry = retry_of(settings(0, 1, 1, 5000));
    assert_true(weft__retry_next(&retry, 2000, &wait));
    assert_int_equal(wait, 2000);
    assert_true(weft__retry_next(&retry, UINT64_MAX, &wait));
    assert_int_equal(wait, 5000);
}

static void test_retry_after_is_read_in_seconds_alone(void **state)
{
    (void)state;
    const char *values[] = {"7",
                            "0",
                            "120",
                            "",
                            "-1",
                            "1.5",
                            "Fri, 31 Dec 1999 23:59:59 GMT",
                            "9999999999",
                            "00000000007",
                            "99999999999999999999999",
                            "9999999999x"};
    const uint64_t waits[] = {7000, 0, 120000, 0, 0, 0, 0, 4294967295000, 7000, 4294967295000, 0};
    for (int i = 0; i < 11; i++) {
        weft_field field = {{"Retry-After", 11}, {values[i], strlen(values[i])}};
        weft__head head = {.status = 503, .fields = {&field, 1, 1}};
        assert_int_equal(weft__retry_after_ms(&head), waits[i]);
    }
    assert_int_equal(weft__retry_after_ms(NULL), 0);
}

static void test_only_what_may_pass_is_worth_an_attempt(void **state)
{
    (void)state;
    const weft_status may_pass[] = {WEFT_ERESOLVE, WEFT_EREFUSED, WEFT_ELOST, WEFT_ETIMEDOUT, WEFT_ESYSTEM};
    const weft_status final[] = {WEFT_EHANDSHAKE, WEFT_EURL, WEFT_EINVAL, WEFT_ECLOSED, WEFT_ENOMEM};
    for (int i = 0; i < 5; i++) {
        assert_true(weft_retry_is_worthwhile(may_pass[i], 0));
        assert_false(weft_retry_is_worthwhile(final[i], 0));
    }
    for (uint16_t status = 100; status < 600; status++) {
        bool expected = status == 408 || status == 425 || status == 429 || status == 503;
        assert_int_equal(weft_retry_is_worthwhile(WEFT_EHANDSHAKE, status), expected);
    }
}

/* -- clients that come again ----------------------------------------------------------------------- */

typedef struct retrying {
    world world; /* first: the context of its callbacks */
    uint32_t attempts[8], waits[8];
    weft_status reasons[8];
    int count;
} retrying;

static void on_retry(void *context, uint32_t attempt, weft_status status, const char *detail,
                     uint32_t wait_ms)
{
    retrying *retrying = context;
    assert_true(strlen(detail) > 0);
    if (retrying->count < 8) {
        retrying->attempts[retrying->count] = attempt;
        retrying->reasons[retrying->count] = status;
        retrying->waits[retrying->count] = wait_ms;
        retrying->count++;
    }
    world_happened(&retrying->world, (happening)RETRY, NULL, NULL);
}

static weft_client *dial_again(retrying *retrying, uint16_t port, weft_retry_config config,
                               uint32_t timeout_ms)
{
    char url[64], detail[256];
    snprintf(url, sizeof url, "ws://127.0.0.1:%u/", (unsigned)port);
    weft_client_config calling = world_calling(&retrying->world, retrying->world.loop, url);
    calling.retry = &config;
    calling.on_retry = on_retry;
    if (timeout_ms) calling.handshake_timeout_ms = timeout_ms;
    weft_client *client;
    assert_int_equal(weft_client_connect(&client, &calling, detail, sizeof detail), WEFT_OK);
    return client;
}

static retrying *new_retrying(void)
{
    retrying *made = calloc(1, sizeof *made);
    world_init_client(&made->world);
    return made;
}

static void end_retrying(retrying *retrying)
{
    world_clear(&retrying->world);
    free(retrying);
}

static uint16_t unused_port(void)
{
    int listening = open_listening(AF_INET, 0);
    uint16_t port = port_of(listening);
    close(listening);
    return port;
}

static void test_a_refused_client_gives_up_after_its_count(void **state)
{
    (void)state;
    retrying *retrying = new_retrying();
    weft_client_release(dial_again(retrying, unused_port(), settings(3, 1, 1, 1), 0));
    expect_failure(&retrying->world, WEFT_EREFUSED, "RRRfr");
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(retrying->attempts[i], i + 1);
        assert_int_equal(retrying->reasons[i], WEFT_EREFUSED);
        assert_in_range(retrying->waits[i], 0, 1);
    }
    end_retrying(retrying);
}

static void abort_now(world *world, weft_connection *connection, weft_request *request)
{
    (void)world;
    (void)request;
    weft_connection_abort(connection);
}

static void test_a_server_that_is_busy_first_is_reached(void **state)
{
    (void)state;
    script script;
    memset(&script, 0, sizeof script);
    script.answer = "HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 4\r\n\r\nwait";
    script.later[0] = "HTTP/1.1 429 Slow Down\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    script.later[1] = good_answer;
    script.frames = "";
    script.listening = open_listening(AF_INET, 0);
    pthread_create(&script.thread, NULL, play, &script);
    retrying *retrying = new_retrying();
    retrying->world.deeds[OPEN] = abort_now;
    weft_client_release(dial_again(retrying, port_of(script.listening), settings(5, 1, 1, 1), 0));
    world_expect_life(&retrying->world, "RRaocr"); /* the right key was answered, and only the 101 told */
    assert_int_equal(retrying->world.answer_status, 101);
    end_script(&script);
    end_retrying(retrying);
}

static void test_each_attempt_has_the_whole_timeout(void **state)
{
    (void)state;
    int silent = open_listening(AF_INET, 0);
    retrying *retrying = new_retrying();
    weft_client_release(dial_again(retrying, port_of(silent), settings(2, 1, 1, 1), 40));
    expect_failure(&retrying->world, WEFT_ETIMEDOUT, "RRfr");
    close(silent);
    end_retrying(retrying);
}

static void test_a_refusal_for_good_ends_it(void **state)
{
    (void)state;
    script script;
    start_script(&script, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    retrying *retrying = new_retrying();
    weft_client_release(dial_again(retrying, script.port, settings(5, 1, 1, 1), 0));
    expect_failure(&retrying->world, WEFT_EHANDSHAKE, "afr");
    end_script(&script);
    end_retrying(retrying);
}

static void test_the_last_refusal_is_told_with_its_answer(void **state)
{
    (void)state;
    script script;
    memset(&script, 0, sizeof script);
    script.answer = script.later[0] = "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nwait";
    script.frames = "";
    script.listening = open_listening(AF_INET, 0);
    pthread_create(&script.thread, NULL, play, &script);
    retrying *retrying = new_retrying();
    weft_client_release(dial_again(retrying, port_of(script.listening), settings(1, 1, 1, 1), 0));
    expect_failure(&retrying->world, WEFT_EHANDSHAKE, "Rafr");
    assert_int_equal(retrying->world.answer_status, 503);
    assert_string_equal(retrying->world.body, "wait");
    end_script(&script);
    end_retrying(retrying);
}

static void test_cancel_ends_the_wait_at_once(void **state)
{
    (void)state;
    retrying *retrying = new_retrying();
    /* A thousand seconds at most, so that most runs wait for longer than the test has. */
    weft_client *client = dial_again(retrying, unused_port(), settings(0, 1000000, 1, 1000000), 0);
    world_await(&retrying->world, RETRY, 1);
    weft_client_cancel(client);
    world_await(&retrying->world, RELEASE, 1);
    assert_int_equal(retrying->world.error, WEFT_ECLOSED);
    weft_client_release(client);
    end_retrying(retrying);
}

static void test_a_closed_loop_ends_the_wait(void **state)
{
    (void)state;
    retrying *retrying = new_retrying();
    weft_client_release(dial_again(retrying, unused_port(), settings(0, 1000000, 1, 1000000), 0));
    world_await(&retrying->world, RETRY, 1);
    weft_loop_close(retrying->world.loop);
    retrying->world.loop = NULL;
    assert_int_equal(retrying->world.counts[RELEASE], 1);
    assert_int_equal(retrying->world.error, WEFT_ECLOSED);
    end_retrying(retrying);
}

/* Nothing but the wait keeps uv_run going, and nothing keeps it afterwards. */
static void test_an_attached_loop_waits_inside_uv_run(void **state)
{
    (void)state;
    uv_loop_t uv;
    uv_loop_init(&uv);
    retrying *retrying = calloc(1, sizeof *retrying);
    world_init(&retrying->world);
    assert_int_equal(weft_loop_attach(&retrying->world.loop, &uv), WEFT_OK);
    weft_client_release(dial_again(retrying, unused_port(), settings(3, 30, 1, 30), 0));
    uv_run(&uv, UV_RUN_DEFAULT);
    world_expect_story(&retrying->world, "RRRfr");
    weft_loop_close(retrying->world.loop);
    uv_run(&uv, UV_RUN_DEFAULT);
    retrying->world.loop = NULL;
    assert_int_equal(uv_loop_close(&uv), 0);
    end_retrying(retrying);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_defaults_are_those_promised),
        cmocka_unit_test(test_settings_out_of_range_are_named),
        cmocka_unit_test(test_without_settings_there_is_one_attempt),
        cmocka_unit_test(test_the_count_is_of_attempts_after_the_first),
        cmocka_unit_test(test_waits_grow_and_are_spread),
        cmocka_unit_test(test_the_servers_wish_is_the_shortest_wait),
        cmocka_unit_test(test_retry_after_is_read_in_seconds_alone),
        cmocka_unit_test(test_only_what_may_pass_is_worth_an_attempt),
        cmocka_unit_test(test_a_refused_client_gives_up_after_its_count),
        cmocka_unit_test(test_a_server_that_is_busy_first_is_reached),
        cmocka_unit_test(test_each_attempt_has_the_whole_timeout),
        cmocka_unit_test(test_a_refusal_for_good_ends_it),
        cmocka_unit_test(test_the_last_refusal_is_told_with_its_answer),
        cmocka_unit_test(test_cancel_ends_the_wait_at_once),
        cmocka_unit_test(test_a_closed_loop_ends_the_wait),
        cmocka_unit_test(test_an_attached_loop_waits_inside_uv_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
