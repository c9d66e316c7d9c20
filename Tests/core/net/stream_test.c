#include "net/lab.h"

enum {
    LARGE = 3000000
};

/* Reads `length` bytes of the pattern, and sees that none is missing or out of place. */
static void expect_pattern(int peer, size_t length)
{
    static uint8_t bytes[65536];
    for (size_t at = 0; at < length;) {
        size_t wanted = length - at < sizeof bytes ? length - at : sizeof bytes;
        ssize_t count = peer_receive(peer, bytes, wanted);
        assert_true(count > 0);
        for (size_t i = 0; i < (size_t)count; i++, at++) {
            if (bytes[i] != pattern_at(at)) fail_msg("byte %zu is wrong", at);
        }
    }
}

/* -- writing --------------------------------------------------------------------------------------- */

static void write_often(void *context)
{
    lab *lab = context;
    for (int i = 0; i < 500; i++)
        append(lab->stream, "0123456789", 10);
}

/* TCP_NODELAY is on, so each system call would be a segment of its own. */
static void test_many_writes_of_a_turn_leave_as_one(void **state)
{
    (void)state;
    lab lab;
    lab_open(&lab);
    int peer = lab_connect(&lab, false);
    on_loop(lab.loop, write_often, &lab);
    char bytes[8192];
    assert_int_equal(peer_receive(peer, bytes, sizeof bytes), 5000);
    close(peer);
    lab_close(&lab);
}

/* Three manners of writing, in turn: copied, gathered, and both in one turn. */
static void write_pattern(void *context)
{
    lab *lab = context;
    static uint8_t bytes[LARGE];
    for (size_t i = 0; i < LARGE; i++)
        bytes[i] = pattern_at(i);
    size_t at = 0;
    for (size_t round = 0; at < LARGE; round++) {
        size_t length = 1 + round * 7919 % 20000, half;
        if (length > LARGE - at) length = LARGE - at;
        half = length / 2;
        weft__span spans[] = {{bytes + at, half}, {bytes + at + half, length - half}};
        if (round % 3 == 0) {
            append(lab->stream, bytes + at, length);
        } else {
            assert_int_equal(weft__stream_write(lab->stream, spans, 2), WEFT_OK);
        }
        at += length;
    }
}

static void note_unsent(void *context)
{
    lab *lab = context;
    lab->bytes_read = weft__stream_unsent(lab->stream);
}

static void test_what_the_system_refuses_follows_in_order(void **state)
{
    (void)state;
    lab lab;
    lab_open(&lab);
    int peer = lab_connect(&lab, true);
    on_loop(lab.loop, limit_send_buffer, &lab);
    on_loop(lab.loop, write_pattern, &lab);
    on_loop(lab.loop, note_unsent, &lab);
    assert_true(lab.bytes_read > LARGE / 2);
    assert_int_equal(gate_count(&lab.drained), 0);
    expect_pattern(peer, LARGE);
    gate_await(&lab.drained, 1);
    on_loop(lab.loop, note_unsent, &lab);
    assert_int_equal(lab.bytes_read, 0);
    close(peer);
    lab_close(&lab);
}

static void write_many_spans(void *context)
{
    lab *lab = context;
    static uint8_t bytes[50 * 1000];
    weft__span spans[50];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = pattern_at(i);
    for (size_t i = 0; i < 50; i++)
        spans[i] = (weft__span){bytes + i * 1000, 1000};
    assert_int_equal(weft__stream_write(lab->stream, spans, 50), WEFT_OK);
}

static void test_more_spans_than_one_call_takes(void **state)
{
    (void)state;
    for (int is_small = 0; is_small < 2; is_small++) {
        lab lab;
        lab_open(&lab);
        int peer = lab_connect(&lab, is_small);
        if (is_small) on_loop(lab.loop, limit_send_buffer, &lab);
        on_loop(lab.loop, write_many_spans, &lab);
        expect_pattern(peer, 50000);
        close(peer);
        lab_close(&lab);
    }
}

static void test_the_unsent_are_shared(void **state)
{
    (void)state;
    lab lab;
    lab_open(&lab);
    int peer = lab_connect(&lab, true);
    _Atomic size_t unsent = 0;
    on_loop(lab.loop, limit_send_buffer, &lab);
    gate_await(&lab.accepted, 1);
    weft__stream_share_unsent(lab.stream, &unsent); /* nothing else runs on the loop now */
    on_loop(lab.loop, write_pattern, &lab);
    on_loop(lab.loop, start_reading, &lab);
    assert_true(unsent > 0);
    expect_pattern(peer, LARGE);
    gate_await(&lab.drained, 1);
    assert_int_equal(unsent, 0);
    close(peer);
    lab_close(&lab);
}

/* -- the end --------------------------------------------------------------------------------------- */

static void write_and_shut_down(void *context)
{
    lab *lab = context;
    write_pattern(context);
    weft__stream_shut_down(lab->stream);
}

static void test_a_shutdown_comes_behind_everything_written(void **state)
{
    (void)state;
    lab lab;
    lab_open(&lab);
    int peer = lab_connect(&lab, true);
    on_loop(lab.loop, limit_send_buffer, &lab);
    on_loop(lab.loop, start_reading, &lab);
    on_loop(lab.loop, write_and_shut_down, &lab);
    expect_pattern(peer, LARGE);
    peer_expect_end(peer);
    peer_say(peer, "heard"); /* the other direction goes on */
    gate_await(&lab.read, 1);
    close(peer);
    gate_await(&lab.ended, 1);
    assert_int_equal(lab.end, WEFT_OK);
    assert_memory_equal(lab.first_bytes, "heard", 5);
    lab_close(&lab);
}

static void reset(void *context)
{
    lab *lab = context;
    append(lab->stream, "never sent", 10);
    weft__stream_reset(lab->stream);
    weft__stream_close(lab->stream);
    lab->stream = NULL;
}

static void test_a_reset_drops_what_is_unsent(void **state)
{
    (void)state;
    lab lab;
    lab_open(&lab);
    int peer = lab_connect(&lab, false);
    on_loop(lab.loop, reset, &lab);
    peer_expect_reset(peer);
    close(peer);
    lab_close(&lab);
}

static void close_with_unsent(void *context)
{
    lab *lab = context;
    write_pattern(context);
    weft__stream_close(lab->stream);
    lab->stream = NULL;
}

static void test_a_close_tells_nothing_more(void **state)
{
    (void)state;
    lab lab;
    lab_open(&lab);
    int peer = lab_connect(&lab, true);
    on_loop(lab.loop, limit_send_buffer, &lab);
    on_loop(lab.loop, close_with_unsent, &lab);
    peer_drain(peer);
    close(peer);
    lab_close(&lab);
    assert_int_equal(lab.end, WEFT_OK);
    assert_int_equal(lab.bytes_read, 0);
}

/* A peer that has gone is told at the end of the turn, never from within the write. */
static void write_to_the_gone(void *context)
{
    lab *lab = context;
    static const uint8_t bytes[100000];
    const weft__span span = {bytes, sizeof bytes};
    lab->is_in_call = true;
    for (int i = 0; i < 100; i++)
        weft__stream_write(lab->stream, &span, 1);
    for (int i = 0; i < 100; i++)
        append(lab->stream, bytes, sizeof bytes);
    assert_true(!lab->stream->output || weft__buffer_length(lab->stream->output) < 1 << 20);
    lab->is_in_call = false;
}

static void test_a_broken_stream_says_so_once(void **state)
{
    (void)state;
    lab lab;
    lab_open(&lab);
    int peer = lab_connect(&lab, false);
    peer_reset(peer);
    on_loop(lab.loop, write_to_the_gone, &lab);
    on_loop(lab.loop, write_to_the_gone, &lab);
    on_loop(lab.loop, start_reading, &lab);
    gate_await(&lab.ended, 1);
    assert_int_equal(lab.end, WEFT_ELOST);
    assert_false(lab.had_end_in_call);
    lab_close(&lab);
    assert_int_equal(lab.bytes_read, 0);
}

/* What the peer sent before its reset is still read; then it is a loss, and no orderly end. */
static void test_a_reset_behind_the_last_bytes_is_told(void **state)
{
    (void)state;
    lab lab;
    lab_open(&lab);
    int peer = lab_connect(&lab, false);
    peer_say(peer, "last words");
    peer_reset(peer);
    on_loop(lab.loop, start_reading, &lab);
    gate_await(&lab.ended, 1);
    assert_int_equal(lab.end, WEFT_ELOST);
    assert_memory_equal(lab.first_bytes, "last words", 10);
    lab_close(&lab);
    assert_int_equal(lab.bytes_read, 10);
}

static void read_and_write(void *context)
{
    lab *lab = context;
    weft__span span = {(const uint8_t *)"anyone?", 7};
    weft__stream_start_reading(lab->stream);
    assert_int_equal(weft__stream_write(lab->stream, &span, 1), WEFT_ELOST);
    assert_int_equal(weft__stream_write(lab->stream, &span, 1), WEFT_ELOST);
    append(lab->stream, "hello?", 6);
}

/* A write finds out first that the peer has gone; what it said before that explains why. */
static void test_the_last_bytes_outlive_a_failed_write(void **state)
{
    (void)state;
    lab lab;
    lab_open(&lab);
    int peer = lab_connect(&lab, false);
    peer_say(peer, "last words");
    peer_reset(peer);
    on_loop(lab.loop, read_and_write, &lab);
    gate_await(&lab.ended, 1);
    assert_int_equal(lab.end, WEFT_ELOST);
    assert_string_equal(lab.end_detail, "connection reset by peer");
    assert_memory_equal(lab.first_bytes, "last words", 10);
    on_loop(lab.loop, start_reading, &lab); /* a turn later */
    assert_int_equal(gate_count(&lab.ended), 1);
    lab_close(&lab);
    assert_int_equal(lab.bytes_read, 10);
}

/* -- reading --------------------------------------------------------------------------------------- */

static void test_reading_is_off_until_asked_for(void **state)
{
    (void)state;
    lab lab;
    lab_open(&lab);
    int peer = lab_connect(&lab, false);
    peer_say(peer, "first");
    poll(NULL, 0, 20);
    assert_int_equal(gate_count(&lab.read), 0);
    on_loop(lab.loop, start_reading, &lab);
    gate_await(&lab.read, 1);
    on_loop(lab.loop, stop_reading, &lab);
    peer_say(peer, "second");
    poll(NULL, 0, 20);
    assert_int_equal(gate_count(&lab.read), 1);
    on_loop(lab.loop, start_reading, &lab);
    gate_await(&lab.read, 2);
    assert_memory_equal(lab.first_bytes, "firstsecond", 11);
    close(peer);
    gate_await(&lab.ended, 1);
    lab_close(&lab);
}

/* -- without memory -------------------------------------------------------------------------------- */

static counting_allocator *memory;

static void write_without_memory(void *context)
{
    lab *lab = context;
    static uint8_t bytes[LARGE];
    const weft__span span = {bytes, sizeof bytes};
    memory->fail_at = 1;
    lab->is_in_call = true;
    lab->end = weft__stream_write(lab->stream, &span, 1);
    assert_int_equal(lab->end, WEFT_ENOMEM);
    memory->fail_at = 0;
    lab->is_in_call = false;
}

static void test_what_cannot_be_kept_breaks_the_stream(void **state)
{
    (void)state;
    counting_allocator counter;
    memory = &counter;
    allocator_count(&counter);
    lab lab;
    lab_open(&lab);
    int peer = lab_connect(&lab, true);
    on_loop(lab.loop, limit_send_buffer, &lab);
    on_loop(lab.loop, write_without_memory, &lab);
    gate_await(&lab.ended, 1);
    assert_int_equal(lab.end, WEFT_ELOST);
    close(peer);
    lab_close(&lab);
    assert_false(lab.had_end_in_call);
    allocator_restore(&counter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_writes_of_a_turn_leave_as_one),
        cmocka_unit_test(test_what_the_system_refuses_follows_in_order),
        cmocka_unit_test(test_more_spans_than_one_call_takes),
        cmocka_unit_test(test_the_unsent_are_shared),
        cmocka_unit_test(test_a_shutdown_comes_behind_everything_written),
        cmocka_unit_test(test_a_reset_drops_what_is_unsent),
        cmocka_unit_test(test_a_reset_behind_the_last_bytes_is_told),
        cmocka_unit_test(test_the_last_bytes_outlive_a_failed_write),
        cmocka_unit_test(test_a_close_tells_nothing_more),
        cmocka_unit_test(test_a_broken_stream_says_so_once),
        cmocka_unit_test(test_reading_is_off_until_asked_for),
        cmocka_unit_test(test_what_cannot_be_kept_breaks_the_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
