#include "endpoint/dialling.h"

#include "endpoint/client.h"
#include "secrets.h"

enum {
    ASKED = 'A',
    RETRIED = 'R',
    MOST = 4,
    DECLINED_WAIT_MS = 3, /* more than the first two back-offs, 1 ms and 2 ms */
};

/* What the user answers to the question of each attempt. */
typedef struct answering {
    world world;               /* first: the context of its callbacks */
    const char *answers[MOST]; /* NULL: none, the test answers */
    weft_status statuses[MOST];
    const weft_field *fields;
    size_t field_count;
    int asked;
    weft_status reasons[MOST];
    char details[MOST][128];
    uint32_t waits_ms[MOST];
    int retried;
} answering;

static void on_retry(void *context, uint32_t attempt, weft_status status, const char *detail,
                     uint32_t wait_ms)
{
    answering *answering = context;
    assert_int_equal(attempt, answering->retried + 1);
    answering->waits_ms[answering->retried] = wait_ms;
    answering->reasons[answering->retried] = status;
    snprintf(answering->details[answering->retried++], sizeof answering->details[0], "%s", detail);
    world_happened(&answering->world, (happening)RETRIED, NULL, NULL);
}

static weft_status answer(weft_client *client, uint32_t attempt, const char *text, weft_status status)
{
    if (status != WEFT_OK) return weft_client_decline(client, attempt, status, text, DECLINED_WAIT_MS);
    return weft_client_authorize(client, attempt, (weft_string){text, strlen(text)});
}

static void on_authorize(void *context, weft_client *client, uint32_t attempt)
{
    answering *answering = context;
    int number = answering->asked++;
    assert_int_equal(attempt, number + 1);
    const char *text = answering->answers[number];
    if (text && answer(client, attempt, text, answering->statuses[number]) != WEFT_OK)
        weft_client_cancel(client);
    world_happened(&answering->world, (happening)ASKED, NULL, NULL);
}

static answering *new_answering(void)
{
    answering *made = calloc(1, sizeof *made);
    world_init_client(&made->world);
    return made;
}

static void end_answering(answering *answering)
{
    world_clear(&answering->world);
    free(answering);
}

static weft_client *dial_and_answer(answering *answering, uint16_t port, uint32_t retries,
                                    uint32_t timeout_ms)
{
    char url[64], detail[256];
    snprintf(url, sizeof url, "ws://127.0.0.1:%u/", (unsigned)port);
    weft_retry_config retry;
    weft_retry_config_init(&retry);
    retry.max_count = retries;
    retry.interval_ms = 1;
    weft_client_config config = world_calling(&answering->world, answering->world.loop, url);
    if (retries) config.retry = &retry;
    config.on_retry = on_retry;
    config.on_authorize = on_authorize;
    config.fields = answering->fields;
    config.field_count = answering->field_count;
    if (timeout_ms) config.handshake_timeout_ms = timeout_ms;
    weft_client *client;
    assert_int_equal(weft_client_connect(&client, &config, detail, sizeof detail), WEFT_OK);
    return client;
}

static void abort_now(world *world, weft_connection *connection, weft_request *request)
{
    (void)world;
    (void)request;
    weft_connection_abort(connection);
}

static void test_each_attempt_has_its_own_authorization(void **state)
{
    (void)state;
    script script;
    memset(&script, 0, sizeof script);
    script.answer = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";
    script.later[0] = good_answer;
    script.frames = "";
    script.listening = open_listening(AF_INET, 0);
    pthread_create(&script.thread, NULL, play, &script);
    answering *answering = new_answering();
    answering->answers[0] = "Bearer first";
    answering->answers[1] = "Bearer the second";
    answering->world.deeds[OPEN] = abort_now;
    weft_client_release(dial_and_answer(answering, port_of(script.listening), 3, 0));
    world_expect_life(&answering->world, "ARAaocr");
    end_script(&script);
    assert_null(strstr(script.request, "first"));
    const char *field = strstr(script.request, "\r\nAuthorization: Bearer the second\r\n\r\n");
    assert_non_null(field);
    assert_string_equal(strstr(field, "\r\n\r\n"), "\r\n\r\n");
    end_answering(answering);
}

static void test_no_memory_is_given_back_with_an_authorization_in_it(void **state)
{
    (void)state;
    counting_allocator counter;
    secrets_watch(&counter);
    script script;
    start_script(&script, good_answer);
    answering *answering = new_answering();
    answering->answers[0] = "Bearer " SECRET;
    answering->world.deeds[OPEN] = abort_now;
    weft_client_release(dial_and_answer(answering, port_of(script.listening), 0, 0));
    world_await(&answering->world, RELEASE, 1);
    end_script(&script);
    assert_non_null(strstr(script.request, SECRET));
    end_answering(answering);
    secrets_expect_none(&counter);
}

/* The first request is short, the second one needs another block; so does a field behind another. */
static void test_no_block_that_was_outgrown_has_an_authorization_in_it(void **state)
{
    (void)state;
    counting_allocator counter;
    secrets_watch(&counter);
    script script;
    memset(&script, 0, sizeof script);
    script.answer = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";
    script.later[0] = good_answer;
    script.frames = "";
    script.listening = open_listening(AF_INET, 0);
    pthread_create(&script.thread, NULL, play, &script);
    char longer[600];
    snprintf(longer, sizeof longer, "Bearer %0*d", (int)sizeof longer - 8, 0);
    answering *answering = new_answering();
    answering->answers[0] = "Bearer " SECRET;
    answering->answers[1] = longer;
    answering->world.deeds[OPEN] = abort_now;
    const weft_field fields[] = {
        {weft__string("X-Key"), weft__string(SECRET)},
        {weft__string("X-Longer"), weft__string(longer)},
    };
    answering->fields = fields;
    answering->field_count = 2;
    weft_client_release(dial_and_answer(answering, port_of(script.listening), 1, 0));
    world_await(&answering->world, RELEASE, 1);
    end_script(&script);
    assert_non_null(strstr(script.request, longer));
    end_answering(answering);
    secrets_expect_none(&counter);
}

static void test_an_answer_may_come_later_from_any_thread(void **state)
{
    (void)state;
    script script;
    start_script(&script, good_answer);
    answering *answering = new_answering();
    answering->world.deeds[OPEN] = abort_now;
    weft_client *client = dial_and_answer(answering, script.port, 0, 0);
    world_await(&answering->world, (happening)ASKED, 1);
    assert_int_equal(answer(client, 2, "Bearer of-another-attempt", WEFT_OK), WEFT_OK);
    assert_int_equal(answer(client, 2, "of another attempt", WEFT_EINVAL), WEFT_OK);
    assert_int_equal(answer(client, 1, "Bearer right", WEFT_OK), WEFT_OK);
    assert_int_equal(answer(client, 1, "Bearer late", WEFT_OK), WEFT_OK);
    assert_int_equal(answer(client, 1, "late", WEFT_EINVAL), WEFT_OK);
    world_expect_life(&answering->world, "Aaocr");
    assert_int_equal(answer(client, 1, "Bearer too-late", WEFT_OK), WEFT_OK);
    weft_client_release(client);
    end_script(&script);
    assert_non_null(strstr(script.request, "\r\nAuthorization: Bearer right\r\n"));
    end_answering(answering);
}

static void test_what_cannot_be_a_field_leaves_the_question(void **state)
{
    (void)state;
    answering *answering = new_answering();
    weft_client *client = dial_and_answer(answering, 1, 0, 0);
    world_await(&answering->world, (happening)ASKED, 1);
    const char *wrong[] = {"", " Bearer a", "Bearer a ", "Bearer a\r\nX: y", "B\x7f", "Bearer \xc3\xa9"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(answer(client, 1, wrong[i], WEFT_OK), WEFT_EINVAL);
    assert_int_equal(weft_client_authorize(client, 1, (weft_string){"a\0b", 3}), WEFT_EINVAL);
    assert_int_equal(weft_client_decline(client, 1, WEFT_OK, "no error", 0), WEFT_EINVAL);
    assert_int_equal(weft_client_decline(client, 1, WEFT_ECALLBACK, NULL, 0), WEFT_OK);
    weft_client_release(client);
    expect_failure(&answering->world, WEFT_ECALLBACK, "Afr");
    assert_string_equal(answering->world.detail, weft_status_text(WEFT_ECALLBACK));
    end_answering(answering);
}

static void test_a_declined_attempt_is_one_that_failed(void **state)
{
    (void)state;
    int silent = open_listening(AF_INET, 0); /* and nobody may come */
    answering *answering = new_answering();
    answering->answers[0] = "the vault is out of reach";
    answering->statuses[0] = WEFT_ELOST;
    answering->answers[1] = "the vault knows us not";
    answering->statuses[1] = WEFT_ECALLBACK;
    weft_client_release(dial_and_answer(answering, port_of(silent), 3, 0));
    expect_failure(&answering->world, WEFT_ECALLBACK, "ARAfr");
    assert_int_equal(answering->reasons[0], WEFT_ELOST);
    assert_string_equal(answering->details[0], "the vault is out of reach");
    assert_string_equal(answering->world.detail, "the vault knows us not");
    assert_false(peer_is_readable(silent, 0));
    close(silent);
    end_answering(answering);
}

static void test_who_declines_says_the_shortest_wait_for_the_next_attempt_alone(void **state)
{
    (void)state;
    answering *answering = new_answering();
    answering->answers[0] = "the vault is busy";
    answering->statuses[0] = WEFT_ELOST;
    answering->answers[1] = "Bearer a";
    answering->answers[2] = "the vault knows us not";
    answering->statuses[2] = WEFT_ECALLBACK;
    weft_client_release(dial_and_answer(answering, 1, 3, 0)); /* where nobody listens */
    expect_failure(&answering->world, WEFT_ECALLBACK, "ARARAfr");
    assert_int_equal(answering->waits_ms[0], DECLINED_WAIT_MS);
    assert_in_range(answering->waits_ms[1], 0, DECLINED_WAIT_MS - 1);
    end_answering(answering);
}

static void test_the_question_has_the_time_of_the_attempt(void **state)
{
    (void)state;
    answering *answering = new_answering();
    weft_client_release(dial_and_answer(answering, 1, 1, 30));
    expect_failure(&answering->world, WEFT_ETIMEDOUT, "ARAfr");
    assert_string_equal(answering->world.detail, "the authorization was not there after 0.03 s");
    end_answering(answering);
}

typedef struct look {
    weft_client *client;
    uint64_t due_ms;
} look;

static void look_at_timer(weft_loop *loop, void *context)
{
    look *look = context;
    (void)loop;
    look->due_ms = look->client->timer.due_ms;
}

/* No second limit begins when the question is answered. */
static void test_the_question_and_the_connection_share_their_time(void **state)
{
    (void)state;
    script script;
    start_script(&script, NULL);
    answering *answering = new_answering();
    weft_client *client = dial_and_answer(answering, script.port, 0, 500);
    world_await(&answering->world, (happening)ASKED, 1);
    look asked = {client, 0}, answered = {client, 0};
    weft_loop_post(answering->world.loop, look_at_timer, &asked);
    struct timespec pause = {.tv_nsec = 20000000}; /* so that a second limit would be another */
    nanosleep(&pause, NULL);
    assert_int_equal(answer(client, 1, "Bearer a", WEFT_OK), WEFT_OK);
    weft_loop_post(answering->world.loop, look_at_timer, &answered);
    expect_failure(&answering->world, WEFT_ETIMEDOUT, "Afr");
    assert_int_equal(asked.due_ms, answered.due_ms);
    weft_client_release(client);
    shutdown(script.listening, SHUT_RDWR);
    end_script(&script);
    end_answering(answering);
}

static void test_an_attempt_that_is_asked_for_can_be_cancelled(void **state)
{
    (void)state;
    answering *answering = new_answering();
    weft_client *client = dial_and_answer(answering, 1, 5, 0);
    world_await(&answering->world, (happening)ASKED, 1);
    weft_client_cancel(client);
    expect_failure(&answering->world, WEFT_ECLOSED, "Afr");
    assert_int_equal(answer(client, 1, "Bearer late", WEFT_OK), WEFT_OK);
    weft_client_retain(client);
    weft_client_release(client);
    weft_client_release(client);
    end_answering(answering);
}

static void test_a_closed_loop_asks_no_more(void **state)
{
    (void)state;
    answering *answering = new_answering();
    weft_client *client = dial_and_answer(answering, 1, 5, 0);
    world_await(&answering->world, (happening)ASKED, 1);
    weft_loop_close(answering->world.loop);
    answering->world.loop = NULL;
    world_expect_story(&answering->world, "Afr");
    assert_int_equal(answer(client, 1, "Bearer late", WEFT_OK), WEFT_ECLOSED);
    weft_client_release(client);
    end_answering(answering);
}

static void test_a_second_authorization_is_refused(void **state)
{
    (void)state;
    answering *answering = new_answering();
    const weft_field field = {{"authorization", 13}, {"Bearer secret", 13}};
    weft_client_config config = world_calling(&answering->world, answering->world.loop, "ws://localhost/");
    config.fields = &field;
    config.field_count = 1;
    config.on_authorize = on_authorize;
    char detail[128];
    weft_client *client;
    assert_int_equal(weft_client_connect(&client, &config, detail, sizeof detail), WEFT_EINVAL);
    assert_string_equal(detail, "on_authorize: the fields have an Authorization already");
    end_answering(answering);
}

/* The n-th allocation fails behind the set-up; true when there was none so late. */
static bool live_through(counting_allocator *counter, size_t n)
{
    script script;
    start_script(&script, good_answer);
    answering *answering = new_answering();
    answering->answers[0] = "Bearer a";
    answering->world.deeds[OPEN] = abort_now;
    size_t fails_at = counter->requests + n;
    counter->fail_at = fails_at;
    char url[64], detail[256];
    snprintf(url, sizeof url, "ws://127.0.0.1:%u/", (unsigned)script.port);
    weft_client_config config = world_calling(&answering->world, answering->world.loop, url);
    config.on_authorize = on_authorize;
    weft_client *client = NULL;
    bool has_begun = weft_client_connect(&client, &config, detail, sizeof detail) == WEFT_OK;
    if (has_begun) world_await(&answering->world, RELEASE, 1);
    bool has_failed = counter->requests >= fails_at;
    counter->fail_at = 0;
    weft_client_release(client);
    shutdown(script.listening, SHUT_RDWR);
    end_script(&script);
    assert_int_equal(answering->world.counts[RELEASE], has_begun);
    end_answering(answering);
    return !has_failed;
}

static void test_each_allocation_may_fail(void **state)
{
    (void)state;
    bool is_done = false;
    for (size_t n = 1; !is_done; n++) {
        assert_true(n < 100);
        counting_allocator counter;
        allocator_count(&counter);
        counter.fails_once = true;
        is_done = live_through(&counter, n);
        allocator_restore(&counter);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_attempt_has_its_own_authorization),
        cmocka_unit_test(test_no_memory_is_given_back_with_an_authorization_in_it),
        cmocka_unit_test(test_no_block_that_was_outgrown_has_an_authorization_in_it),
        cmocka_unit_test(test_an_answer_may_come_later_from_any_thread),
        cmocka_unit_test(test_what_cannot_be_a_field_leaves_the_question),
        cmocka_unit_test(test_a_declined_attempt_is_one_that_failed),
        cmocka_unit_test(test_who_declines_says_the_shortest_wait_for_the_next_attempt_alone),
        cmocka_unit_test(test_the_question_has_the_time_of_the_attempt),
        cmocka_unit_test(test_the_question_and_the_connection_share_their_time),
        cmocka_unit_test(test_an_attempt_that_is_asked_for_can_be_cancelled),
        cmocka_unit_test(test_a_closed_loop_asks_no_more),
        cmocka_unit_test(test_a_second_authorization_is_refused),
        cmocka_unit_test(test_each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
