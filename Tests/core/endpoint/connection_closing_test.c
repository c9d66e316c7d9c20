#include "endpoint/dialling.h"

#include "endpoint/connection.h"

/* -- the peer closes ----------------------------------------------------------------------------- */

static void test_a_close_frame_is_answered_with_its_code(void **state)
{
    (void)state;
    const uint16_t codes[] = {0, 1000, 1001, 1003, 3000, 4999};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        world world;
        world_init(&world);
        world_listen(&world);
        int peer = peer_open(world.port);
        peer_send_close(peer, codes[i]);
        peer_expect_close(peer, codes[i]);
        peer_expect_end(peer);
        close(peer);
        world_expect_life(&world, "uocr");
        assert_int_equal(world.close_code, codes[i] ? codes[i] : 1005);
        world_end(&world);
    }
}

static void test_the_reason_of_a_close_is_told(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world_listen(&world);
    int peer = peer_open(world.port);
    peer_send_frame(peer, FIN | CLOSE,
                    "\x03\xe8"
                    "bye",
                    5);
    world_await(&world, RELEASE, 1);
    assert_int_equal(world.close_code, 1000);
    assert_string_equal(world.close_reason, "bye");
    close(peer);
    world_end(&world);
}

/* -- we end -------------------------------------------------------------------------------------- */

static void test_our_close_waits_for_the_answer(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world_listen(&world);
    int peer = peer_open(world.port);
    world_await(&world, OPEN, 1);
    assert_int_equal(weft_connection_close(world.connection, 4000, "done", 4, 5000), WEFT_OK);
    assert_false(weft_connection_is_open(world.connection));
    assert_int_equal(weft_connection_send(world.connection, WEFT_TEXT, NULL, 0), WEFT_ECLOSED);
    peer_expect_frame(peer, FIN | CLOSE,
                      "\x0f\xa0"
                      "done",
                      6);
    peer_send_text(peer, "still delivered");
    world_await(&world, MESSAGE, 1);
    peer_send_close(peer, 4000);
    peer_expect_end(peer);
    close(peer);
    world_expect_life(&world, "uomcr");
    assert_int_equal(world.close_code, 4000);
    world_end(&world);
}

static void test_a_close_that_is_not_answered_times_out(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world_listen(&world);
    int peer = peer_open(world.port);
    world_await(&world, OPEN, 1);
    assert_int_equal(weft_connection_close(world.connection, 1000, "", 0, 30), WEFT_OK);
    peer_expect_close(peer, 1000);
    world_expect_life(&world, "uoecr");
    assert_int_equal(world.error, WEFT_ETIMEDOUT);
    assert_int_equal(world.close_code, 1006);
    close(peer);
    world_end(&world);
}

static void test_a_close_without_a_timeout_takes_that_of_the_settings(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world.settings.close_timeout_ms = 30;
    world_listen(&world);
    int peer = peer_open(world.port);
    world_await(&world, OPEN, 1);
    assert_int_equal(weft_connection_close(world.connection, 1000, "", 0, 0), WEFT_OK);
    peer_expect_close(peer, 1000);
    world_expect_life(&world, "uoecr");
    assert_int_equal(world.error, WEFT_ETIMEDOUT);
    close(peer);
    world_end(&world);
}

static void test_a_close_that_may_not_be_sent_changes_nothing(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world_listen(&world);
    int peer = peer_open(world.port);
    world_await(&world, OPEN, 1);
    char reason[124] = {0};
    weft_connection *connection = world.connection;
    assert_int_equal(weft_connection_close(connection, 1006, "", 0, 30), WEFT_EINVAL);
    assert_int_equal(weft_connection_close(connection, 999, "", 0, 30), WEFT_EINVAL);
    assert_int_equal(weft_connection_close(connection, 0, "x", 1, 30), WEFT_EINVAL);
    assert_int_equal(weft_connection_close(connection, 1000, reason, 124, 30), WEFT_EINVAL);
    assert_int_equal(weft_connection_close(connection, 1000, "\xff", 1, 30), WEFT_EPAYLOAD);
    peer_send_text(peer, "alive");
    peer_expect_text(peer, "alive");
    close(peer);
    world_end(&world);
}

static weft_status statuses[2];

static void close_in_callback(world *world, weft_connection *connection, weft_request *request)
{
    (void)world;
    (void)request;
    statuses[1] = weft_connection_close(connection, 1000, "", 0, 5000);
}

static void test_the_second_close_is_refused(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world_listen(&world);
    int peer = peer_open(world.port);
    world_await(&world, OPEN, 1);
    assert_int_equal(weft_connection_close(world.connection, 1000, "", 0, 5000), WEFT_OK);
    assert_int_equal(weft_connection_close(world.connection, 1001, "", 0, 5000), WEFT_ECLOSED);
    peer_expect_close(peer, 1000);
    peer_send_close(peer, 1000);
    peer_expect_end(peer);
    close(peer);
    world_end(&world);
}

static void *close_repeatedly(void *argument)
{
    size_t *successes = malloc(sizeof *successes);
    *successes = weft_connection_close(argument, 1000, "", 0, 5000) == WEFT_OK;
    return successes;
}

/* From two other threads and the loop at once. */
static void test_of_several_closers_one_wins(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        world world;
        world_init(&world);
        world.deeds[MESSAGE] = close_in_callback;
        world.is_quiet = true;
        world_listen(&world);
        int peer = peer_open(world.port);
        world_await(&world, OPEN, 1);
        pthread_t threads[2];
        peer_send_text(peer, "close");
        for (int i = 0; i < 2; i++)
            pthread_create(&threads[i], NULL, close_repeatedly, world.connection);
        size_t successes = 0;
        for (int i = 0; i < 2; i++) {
            void *one;
            pthread_join(threads[i], &one);
            successes += *(size_t *)one;
            free(one);
        }
        peer_expect_close(peer, 1000);
        world_await(&world, MESSAGE, 1);
        peer_send_close(peer, 1000);
        peer_expect_end(peer);
        close(peer);
        world_await(&world, RELEASE, 1);
        assert_int_equal(successes + (statuses[1] == WEFT_OK), 1);
        world_end(&world);
    }
}

/* -- a held answer ------------------------------------------------------------------------------- */

static void hold(world *world, weft_connection *connection, weft_request *request)
{
    (void)world;
    (void)request;
    weft_connection_hold_close(connection);
}

static void test_a_held_close_is_answered_when_told(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world.deeds[CLOSED] = hold;
    world_listen(&world);
    int peer = peer_open(world.port);
    peer_send_close(peer, 4001);
    world_await(&world, CLOSED, 1);
    assert_false(peer_is_readable(peer, 50));
    weft_connection_answer_close(world.connection);
    peer_expect_close(peer, 4001);
    peer_expect_end(peer);
    close(peer);
    world_expect_life(&world, "uocr");
    weft_connection_answer_close(world.connection);
    world_end(&world);
}

static void test_a_held_close_is_answered_after_a_while(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world.deeds[CLOSED] = hold;
    world_listen(&world);
    int peer = peer_open(world.port);
    peer_send_close(peer, 0);
    world_await(&world, CLOSED, 1);
    assert_false(peer_is_readable(peer, 300)); /* well before, so that a slow machine does not matter */
    peer_expect_close(peer, 0);
    peer_expect_end(peer);
    close(peer);
    world_end(&world);
}

static void answer_and_abort(weft_loop *loop, void *context)
{
    (void)loop;
    weft_connection_answer_close(context);
    weft_connection_abort(context);
}

/* A client leaves the end of TCP to the server, so nothing but the turn's end sends its close frame. */
static void test_an_abort_right_behind_the_answer_does_not_overtake_it(void **state)
{
    (void)state;
    script script;
    start_script_with(&script, good_answer, "\x88\x02\x0f\xa1", 4);
    world world;
    world_init_client(&world);
    world.deeds[CLOSED] = hold;
    weft_client_release(dial(&world, "127.0.0.1", script.port, "", 0));
    world_await(&world, CLOSED, 1);
    weft_loop_post(world.loop, answer_and_abort, world.connection);
    end_script(&script);
    assert_false(script.was_reset);
    assert_int_equal(script.received, 8);
    world_expect_life(&world, "aocr");
    world_clear(&world);
}

static void test_a_held_close_ends_without_memory_too(void **state)
{
    (void)state;
    counting_allocator counter;
    allocator_count(&counter);
    world world;
    world_init(&world);
    world.deeds[CLOSED] = hold;
    world_listen(&world);
    int peer = peer_open(world.port);
    peer_send_close(peer, 1000);
    world_await(&world, CLOSED, 1);
    counter.fail_at = 1;
    world_await(&world, RELEASE, 1);
    counter.fail_at = 0;
    close(peer);
    world_end(&world);
    allocator_restore(&counter);
}

static void test_holding_elsewhere_has_no_effect(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world.deeds[MESSAGE] = hold;
    world_listen(&world);
    int peer = peer_open(world.port);
    peer_send_text(peer, "x");
    peer_expect_text(peer, "x");
    peer_send_close(peer, 1000);
    peer_expect_close(peer, 1000);
    peer_expect_end(peer);
    close(peer);
    world_expect_life(&world, "uomcr");
    world_end(&world);
}

/* -- a held failure ------------------------------------------------------------------------------ */

static const char violation[] = "\x80\x80\0\0\0"; /* a masked continuation of nothing; six bytes */
static const char complaint[] = "\x03\xea"
                                "a continuation frame continues nothing";

/* A peer whose text is not answered yet when its violation comes. */
static int peer_that_errs(world *world)
{
    world->is_quiet = true;
    world_listen(world);
    int peer = peer_open(world->port);
    uint8_t bytes[64];
    size_t length = peer_write_frame(bytes, FIN | TEXT, "question", 8);
    memcpy(bytes + length, violation, sizeof violation);
    peer_send(peer, bytes, length + sizeof violation);
    return peer;
}

static void test_what_is_owed_leaves_before_the_close_frame_of_a_held_failure(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world.deeds[ERROR] = hold;
    int peer = peer_that_errs(&world);
    world_await(&world, CLOSED, 1);
    assert_false(peer_is_readable(peer, 50));
    assert_false(weft_connection_is_open(world.connection));
    assert_int_equal(weft_connection_send(world.connection, WEFT_TEXT, (const uint8_t *)"answer", 6),
                     WEFT_OK);
    weft_connection_answer_close(world.connection);
    assert_int_equal(weft_connection_send(world.connection, WEFT_TEXT, (const uint8_t *)"late", 4),
                     WEFT_ECLOSED);
    peer_expect_text(peer, "answer");
    peer_expect_frame(peer, FIN | CLOSE, complaint, sizeof complaint - 1);
    peer_expect_end(peer);
    close(peer);
    world_expect_life(&world, "uomecr");
    assert_int_equal(world.error, WEFT_ECONTINUATION);
    assert_int_equal(world.close_code, 1002);
    world_end(&world);
}

static void answer_on_the_loop(world *world, weft_connection *connection, weft_request *request)
{
    (void)world;
    (void)request;
    statuses[0] = weft_connection_send(connection, WEFT_TEXT, (const uint8_t *)"answer", 6);
    weft_connection_answer_close(connection);
    statuses[1] = weft_connection_send(connection, WEFT_TEXT, (const uint8_t *)"late", 4);
}

static void test_a_held_failure_may_be_answered_inside_on_close(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world.deeds[ERROR] = hold;
    world.deeds[CLOSED] = answer_on_the_loop;
    int peer = peer_that_errs(&world);
    peer_expect_text(peer, "answer");
    peer_expect_frame(peer, FIN | CLOSE, complaint, sizeof complaint - 1);
    peer_expect_end(peer);
    close(peer);
    world_expect_life(&world, "uomecr");
    assert_int_equal(statuses[0], WEFT_OK);
    assert_int_equal(statuses[1], WEFT_ECLOSED);
    world_end(&world);
}

static void test_without_a_hold_nothing_can_be_sent_once_a_failure_is_told(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world.deeds[ERROR] = answer_on_the_loop;
    int peer = peer_that_errs(&world);
    peer_expect_frame(peer, FIN | CLOSE, complaint, sizeof complaint - 1);
    peer_expect_end(peer);
    close(peer);
    world_expect_life(&world, "uomecr");
    assert_int_equal(statuses[0], WEFT_ECLOSED);
    world_end(&world);
}

static void test_a_held_failure_is_told_to_the_peer_after_a_while(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world.deeds[ERROR] = hold;
    int peer = peer_that_errs(&world);
    world_await(&world, CLOSED, 1);
    assert_false(peer_is_readable(peer, 300)); /* well before, so that a slow machine does not matter */
    peer_expect_frame(peer, FIN | CLOSE, complaint, sizeof complaint - 1);
    peer_expect_end(peer);
    close(peer);
    world_end(&world);
}

static void fail_now(weft_loop *loop, void *context)
{
    (void)loop;
    weft_connection_fail(context, "out of tea");
}

static void test_a_service_that_fails_lets_a_held_failure_go(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world.deeds[ERROR] = hold;
    int peer = peer_that_errs(&world);
    world_await(&world, CLOSED, 1);
    weft_loop_post(world.loop, fail_now, world.connection);
    peer_expect_frame(peer, FIN | CLOSE, complaint, sizeof complaint - 1);
    peer_expect_end(peer);
    close(peer);
    world_expect_life(&world, "uomecr");
    assert_int_equal(world.error, WEFT_ECONTINUATION);
    world_end(&world);
}

static void test_a_held_failure_can_be_aborted(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world.deeds[ERROR] = hold;
    int peer = peer_that_errs(&world);
    world_await(&world, CLOSED, 1);
    weft_connection_abort(world.connection);
    peer_expect_reset(peer);
    close(peer);
    world_expect_life(&world, "uomecr");
    world_end(&world);
}

static counting_allocator scarce;

static void hold_without_memory(world *world, weft_connection *connection, weft_request *request)
{
    (void)world;
    (void)request;
    weft_connection_hold_close(connection);
    scarce.fail_at = 1;
}

static void test_without_memory_a_held_failure_has_no_reason(void **state)
{
    (void)state;
    allocator_count(&scarce);
    world world;
    world_init(&world);
    world.deeds[ERROR] = hold_without_memory;
    int peer = peer_that_errs(&world);
    world_await(&world, CLOSED, 1);
    scarce.fail_at = 0;
    weft_connection_answer_close(world.connection);
    peer_expect_frame(peer, FIN | CLOSE, "\x03\xea", 2);
    peer_expect_end(peer);
    close(peer);
    world_end(&world);
    allocator_restore(&scarce);
}

/* -- the listener stops -------------------------------------------------------------------------- */

static void say_last_words(void *context, weft_connection *connection, uint32_t timeout_ms)
{
    (void)context;
    assert_int_equal(timeout_ms, 60000);
    assert_true(weft_connection_is_open(connection));
    assert_int_equal(weft_connection_send(connection, WEFT_TEXT, (const uint8_t *)"last words", 10), WEFT_OK);
    assert_int_equal(weft_connection_close(connection, 1001, "bye", 3, timeout_ms), WEFT_OK);
}

static void test_a_service_may_close_by_itself_when_the_listener_stops(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world.service.on_stop = say_last_words;
    world_listen(&world);
    int peer = peer_open(world.port);
    world_await(&world, OPEN, 1);
    weft_listener_stop(world.listener, 60000);
    peer_expect_text(peer, "last words");
    peer_expect_frame(peer, FIN | CLOSE,
                      "\x03\xe9"
                      "bye",
                      5);
    peer_send_close(peer, 1001);
    peer_expect_end(peer);
    close(peer);
    world_await(&world, STOPPED, 1);
    world_expect_story(&world, "uocrxs");
    assert_int_equal(world.close_code, 1001);
    world_end(&world);
}

static void ignore_stop(void *context, weft_connection *connection, uint32_t timeout_ms)
{
    (void)context;
    (void)connection;
    assert_int_equal(timeout_ms, 50);
}

static void test_a_service_that_does_not_close_is_dropped_at_the_timeout_of_the_stop(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world.service.on_stop = ignore_stop;
    world_listen(&world);
    int peer = peer_open(world.port);
    world_await(&world, OPEN, 1);
    weft_listener_stop(world.listener, 50);
    world_await(&world, STOPPED, 1);
    world_expect_story(&world, "uocrxs");
    assert_int_equal(world.close_code, 1006);
    close(peer);
    world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_close_frame_is_answered_with_its_code),
        cmocka_unit_test(test_the_reason_of_a_close_is_told),
        cmocka_unit_test(test_our_close_waits_for_the_answer),
        cmocka_unit_test(test_a_close_that_is_not_answered_times_out),
        cmocka_unit_test(test_a_close_without_a_timeout_takes_that_of_the_settings),
        cmocka_unit_test(test_a_close_that_may_not_be_sent_changes_nothing),
        cmocka_unit_test(test_the_second_close_is_refused),
        cmocka_unit_test(test_of_several_closers_one_wins),
        cmocka_unit_test(test_a_held_close_is_answered_when_told),
        cmocka_unit_test(test_a_held_close_is_answered_after_a_while),
        cmocka_unit_test(test_an_abort_right_behind_the_answer_does_not_overtake_it),
        cmocka_unit_test(test_a_held_close_ends_without_memory_too),
        cmocka_unit_test(test_holding_elsewhere_has_no_effect),
        cmocka_unit_test(test_what_is_owed_leaves_before_the_close_frame_of_a_held_failure),
        cmocka_unit_test(test_a_held_failure_may_be_answered_inside_on_close),
        cmocka_unit_test(test_without_a_hold_nothing_can_be_sent_once_a_failure_is_told),
        cmocka_unit_test(test_a_held_failure_is_told_to_the_peer_after_a_while),
        cmocka_unit_test(test_a_service_that_fails_lets_a_held_failure_go),
        cmocka_unit_test(test_a_held_failure_can_be_aborted),
        cmocka_unit_test(test_without_memory_a_held_failure_has_no_reason),
        cmocka_unit_test(test_a_service_may_close_by_itself_when_the_listener_stops),
        cmocka_unit_test(test_a_service_that_does_not_close_is_dropped_at_the_timeout_of_the_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
