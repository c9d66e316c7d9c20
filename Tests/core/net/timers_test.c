#include "check.h"

#include "net/timers.h"

enum {
    MANY = 5000
};

typedef struct counted {
    weft__timer timer;
    weft__wheel *wheel;
    uint64_t now_ms;
    int fired;
    struct counted *other;
} counted;

static uint64_t clock_ms;

static counted *counted_of(weft__timer *timer)
{
    return WEFT__CONTAINER(timer, counted, timer);
}

static void count(weft__timer *timer)
{
    counted *counted = counted_of(timer);
    assert_false(weft__timer_is_running(timer));
    assert_true(timer->due_ms <= clock_ms);
    counted->fired++;
    counted->now_ms = clock_ms;
}

static void advance_to(weft__wheel *wheel, uint64_t now_ms)
{
    clock_ms = now_ms;
    weft__wheel_advance(wheel, now_ms);
}

/* As a loop does: sleeps as long as the wheel says, and never less than a millisecond. */
static void run_until(weft__wheel *wheel, uint64_t end_ms)
{
    while (clock_ms < end_ms) {
        uint64_t wait = weft__wheel_wait(wheel, clock_ms);
        if (wait == 0) wait = 1;
        advance_to(wheel, wait > end_ms - clock_ms ? end_ms : clock_ms + wait);
    }
}

static void test_no_timer_is_early_and_none_later_than_a_tick(void **state)
{
    (void)state;
    static const uint64_t delays[] = {0,     1,     15,    16,    17,      100,     1000,
                                      16383, 16384, 16385, 50000, 3600000, 86400000};
    for (uint64_t start = 1000; start < 1040; start += 7) {
        for (size_t i = 0; i < sizeof delays / sizeof *delays; i++) {
            weft__wheel wheel;
            counted one = {0};
            clock_ms = start;
            weft__wheel_init(&wheel, start);
            weft__timer_init(&one.timer, count);
            weft__wheel_start(&wheel, &one.timer, start, delays[i]);
            assert_true(weft__timer_is_running(&one.timer));
            run_until(&wheel, start + delays[i] + 2 * WEFT__TICK_MS);
            assert_int_equal(one.fired, 1);
            assert_true(one.now_ms >= start + delays[i]);
            assert_true(one.now_ms <= start + delays[i] + WEFT__TICK_MS + 1);
            assert_int_equal(weft__wheel_wait(&wheel, clock_ms), UINT64_MAX);
        }
    }
}

static void test_thousands_fire_each_in_its_time(void **state)
{
    (void)state;
    static counted all[MANY];
    weft__wheel wheel;
    clock_ms = 5;
    weft__wheel_init(&wheel, clock_ms);
    for (uint64_t i = 0; i < MANY; i++) {
        all[i].fired = 0;
        weft__timer_init(&all[i].timer, count);
        weft__wheel_start(&wheel, &all[i].timer, 5, i * 7919 % 40000);
        if (i % 5 == 0) weft__timer_stop(&all[i].timer);
    }
    run_until(&wheel, 41000);
    for (uint64_t i = 0; i < MANY; i++) {
        assert_int_equal(all[i].fired, i % 5 != 0);
        if (i % 5 != 0) assert_in_range(all[i].now_ms - 5 - i * 7919 % 40000, 0, WEFT__TICK_MS + 1);
    }
}

static void test_a_long_sleep_misses_nothing(void **state)
{
    (void)state;
    weft__wheel wheel;
    counted timers[3] = {0};
    clock_ms = 0;
    weft__wheel_init(&wheel, 0);
    const uint64_t delays[] = {10, 20000, 10000000};
    for (int i = 0; i < 3; i++) {
        weft__timer_init(&timers[i].timer, count);
        weft__wheel_start(&wheel, &timers[i].timer, 0, delays[i]);
    }
    advance_to(&wheel, 5000000);
    assert_int_equal(timers[0].fired + timers[1].fired, 2);
    assert_int_equal(timers[2].fired, 0);
    run_until(&wheel, 10000100);
    assert_int_equal(timers[2].fired, 1);
}

static void test_a_wheel_that_was_empty_for_long_starts_right(void **state)
{
    (void)state;
    weft__wheel wheel;
    counted one = {0};
    weft__wheel_init(&wheel, 0);
    clock_ms = 123456789;
    weft__timer_init(&one.timer, count);
    weft__wheel_start(&wheel, &one.timer, clock_ms, 500);
    run_until(&wheel, 123456789 + 499);
    assert_int_equal(one.fired, 0);
    run_until(&wheel, 123456789 + 500 + WEFT__TICK_MS);
    assert_int_equal(one.fired, 1);
}

static void test_a_restart_moves_the_deadline(void **state)
{
    (void)state;
    weft__wheel wheel;
    counted one = {0};
    clock_ms = 0;
    weft__wheel_init(&wheel, 0);
    weft__timer_init(&one.timer, count);
    for (int i = 0; i < 100; i++) {
        weft__wheel_start(&wheel, &one.timer, clock_ms, 100);
        run_until(&wheel, clock_ms + 50);
    }
    assert_int_equal(one.fired, 0);
    weft__wheel_start(&wheel, &one.timer, clock_ms, 10);
    run_until(&wheel, clock_ms + 40);
    assert_int_equal(one.fired, 1);
    weft__timer_stop(&one.timer);
    weft__timer_stop(&one.timer);
}

static void test_the_longest_delay_does_not_wrap(void **state)
{
    (void)state;
    weft__wheel wheel;
    counted one = {0};
    clock_ms = 1000;
    weft__wheel_init(&wheel, clock_ms);
    weft__timer_init(&one.timer, count);
    weft__wheel_start(&wheel, &one.timer, clock_ms, UINT64_MAX);
    run_until(&wheel, 1000 + 100000);
    assert_int_equal(one.fired, 0);
    assert_true(weft__timer_is_running(&one.timer));
}

static void start_again(weft__timer *timer)
{
    counted *counted = counted_of(timer);
    count(timer);
    if (counted->fired < 5) weft__wheel_start(counted->wheel, timer, clock_ms, 0);
}

static void stop_other(weft__timer *timer)
{
    counted *counted = counted_of(timer);
    count(timer);
    weft__timer_stop(&counted->other->timer);
}

static void restart_other(weft__timer *timer)
{
    counted *counted = counted_of(timer);
    count(timer);
    weft__wheel_start(counted->wheel, &counted->other->timer, clock_ms, 1000);
}

static void test_timers_may_be_changed_while_others_fire(void **state)
{
    (void)state;
    weft__wheel wheel;
    clock_ms = 0;
    weft__wheel_init(&wheel, 0);
    counted again = {.wheel = &wheel}, late = {.wheel = &wheel}, stopped = {.wheel = &wheel};
    counted stopper = {.wheel = &wheel, .other = &stopped}, restarter = {.wheel = &wheel, .other = &late};
    weft__timer_init(&again.timer, start_again);
    weft__timer_init(&stopper.timer, stop_other);
    weft__timer_init(&restarter.timer, restart_other);
    weft__timer_init(&stopped.timer, count);
    weft__timer_init(&late.timer, count);
    counted *in_order[] = {&again, &stopper, &restarter, &stopped, &late};
    for (int i = 0; i < 5; i++)
        weft__wheel_start(&wheel, &in_order[i]->timer, 0, 10); /* all in one tick */
    run_until(&wheel, 500);
    assert_int_equal(again.fired, 5);
    assert_int_equal(stopper.fired, 1);
    assert_int_equal(restarter.fired, 1);
    assert_int_equal(stopped.fired, 0);
    assert_int_equal(late.fired, 0);
    run_until(&wheel, 1100);
    assert_int_equal(late.fired, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_timer_is_early_and_none_later_than_a_tick),
        cmocka_unit_test(test_thousands_fire_each_in_its_time),
        cmocka_unit_test(test_a_long_sleep_misses_nothing),
        cmocka_unit_test(test_a_wheel_that_was_empty_for_long_starts_right),
        cmocka_unit_test(test_a_restart_moves_the_deadline),
        cmocka_unit_test(test_the_longest_delay_does_not_wrap),
        cmocka_unit_test(test_timers_may_be_changed_while_others_fire),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
