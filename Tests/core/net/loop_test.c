#include "net/lab.h"

#include <sched.h>
#include <sys/resource.h>
#include <uv.h>

enum {
    POSTERS = 4,
    EACH = 2000
};

/* -- posting --------------------------------------------------------------------------------------- */

typedef struct poster poster;

typedef struct note {
    poster *poster;
    int number;
} note;

struct poster {
    weft_loop *loop;
    note notes[EACH];
    int next;      /* loop thread only */
    bool is_wrong; /* loop thread only */
    int accepted;
};

static void take_note(weft_loop *loop, void *context)
{
    note *note = context;
    bool is_wrong = !weft_loop_is_current(loop) || note->number != note->poster->next++;
    if (is_wrong) note->poster->is_wrong = true;
}

static void *post_all(void *argument)
{
    poster *poster = argument;
    for (int i = 0; i < EACH; i++) {
        poster->notes[i] = (note){poster, i};
        weft_status status = weft_loop_post(poster->loop, take_note, &poster->notes[i]);
        poster->accepted += status == WEFT_OK;
        if (status == WEFT_ECLOSED) break;
    }
    return NULL;
}

static void test_each_posters_tasks_run_in_order(void **state)
{
    (void)state;
    weft_loop *loop;
    assert_int_equal(weft_loop_open(&loop), WEFT_OK);
    assert_false(weft_loop_is_current(loop));
    static poster posters[POSTERS];
    pthread_t threads[POSTERS];
    memset(posters, 0, sizeof posters);
    for (int i = 0; i < POSTERS; i++) {
        posters[i].loop = loop;
        pthread_create(&threads[i], NULL, post_all, &posters[i]);
    }
    for (int i = 0; i < POSTERS; i++)
        pthread_join(threads[i], NULL);
    weft_loop_close(loop); /* what was posted still runs */
    for (int i = 0; i < POSTERS; i++) {
        assert_int_equal(posters[i].next, EACH);
        assert_false(posters[i].is_wrong);
    }
}

/* What was accepted runs, what was refused does not, whenever the close comes in between. */
static void test_a_close_amid_posts_loses_none_that_was_accepted(void **state)
{
    (void)state;
    static poster posters[POSTERS];
    for (int round = 0; round < 30; round++) {
        weft_loop *loop;
        pthread_t threads[POSTERS];
        assert_int_equal(weft_loop_open(&loop), WEFT_OK);
        memset(posters, 0, sizeof posters);
        for (int i = 0; i < POSTERS; i++) {
            posters[i].loop = loop;
            weft__loop_retain(loop);
            pthread_create(&threads[i], NULL, post_all, &posters[i]);
        }
        for (int i = 0; i < round; i++)
            sched_yield();
        weft_loop_close(loop);
        for (int i = 0; i < POSTERS; i++) {
            pthread_join(threads[i], NULL);
            weft__loop_release(loop);
            assert_int_equal(posters[i].next, posters[i].accepted);
            assert_false(posters[i].is_wrong);
        }
    }
}

typedef struct trail {
    weft_loop *loop;
    char text[64];
    size_t length;
    gate done;
    weft_status late;
} trail;

static void put(trail *trail, char letter)
{
    trail->text[trail->length++] = letter;
}

static void put_c(weft_loop *loop, void *context)
{
    (void)loop;
    put(context, 'c');
    gate_pass(&((trail *)context)->done);
}

static void put_b(weft_loop *loop, void *context)
{
    put(context, 'b');
    weft_loop_post(loop, put_c, context);
    put(context, 'B');
}

static void put_a(weft_loop *loop, void *context)
{
    put(context, 'a');
    weft_loop_post(loop, put_b, context);
    put(context, 'A');
}

static void test_a_post_from_the_own_thread_runs_after_its_poster(void **state)
{
    (void)state;
    trail trail = {0};
    gate_init(&trail.done);
    assert_int_equal(weft_loop_open(&trail.loop), WEFT_OK);
    weft_loop_post(trail.loop, put_a, &trail);
    gate_await(&trail.done, 1);
    assert_string_equal(trail.text, "aAbBc");
    weft_loop_close(trail.loop);
    gate_clear(&trail.done);
}

typedef struct endless {
    weft__turn_end_hook hook;
    bool shall_end;
    gate ended;
} endless;

static void do_nothing(weft__turn_end_hook *hook)
{
    (void)hook;
}

/* Posts itself and has something to do at the end of every turn, as one that writes and yields does. */
static void go_on(weft_loop *loop, void *context)
{
    endless *endless = context;
    weft__turn_at_end(loop, &endless->hook);
    if (endless->shall_end) {
        gate_pass(&endless->ended);
    } else {
        weft_loop_post(loop, go_on, endless);
    }
}

static void end_it(void *context)
{
    ((endless *)context)->shall_end = true;
}

static void test_tasks_that_never_end_leave_room_for_others(void **state)
{
    (void)state;
    weft_loop *loop;
    endless endless = {.hook.run = do_nothing};
    weft__link_init(&endless.hook.link);
    gate_init(&endless.ended);
    assert_int_equal(weft_loop_open(&loop), WEFT_OK);
    weft_loop_post(loop, go_on, &endless);
    on_loop(loop, end_it, &endless);
    gate_await(&endless.ended, 1);
    weft_loop_close(loop);
    gate_clear(&endless.ended);
}

static void post_for_ever(weft_loop *loop, void *context)
{
    weft_loop_post(loop, post_for_ever, context);
}

static void test_a_close_ends_tasks_that_post_themselves(void **state)
{
    (void)state;
    weft_loop *loop;
    assert_int_equal(weft_loop_open(&loop), WEFT_OK);
    weft_loop_post(loop, post_for_ever, NULL);
    weft_loop_close(loop);
}

/* -- closing --------------------------------------------------------------------------------------- */

static void close_here(weft_loop *loop, void *context)
{
    trail *trail = context;
    weft__loop_retain(loop);
    weft_loop_close(loop);
    gate_pass(&trail->done);
}

static void run_nothing(weft_loop *loop, void *context)
{
    (void)loop;
    (void)context;
}

static void test_a_loop_may_be_closed_from_inside(void **state)
{
    (void)state;
    trail trail = {0};
    gate_init(&trail.done);
    assert_int_equal(weft_loop_open(&trail.loop), WEFT_OK);
    weft_loop_post(trail.loop, close_here, &trail);
    gate_await(&trail.done, 1);
    weft_status status = WEFT_OK;
    while (status == WEFT_OK)
        status = weft_loop_post(trail.loop, run_nothing, NULL);
    assert_int_equal(status, WEFT_ECLOSED);
    weft__loop_release(trail.loop);
    weft_loop_close(NULL);
    gate_clear(&trail.done);
}

typedef struct member {
    weft__loop_member member;
    weft_loop *loop;
    int aborted;
} member;

static void on_abort(weft__loop_member *link)
{
    member *member = WEFT__CONTAINER(link, struct member, member);
    member->aborted++;
}

static void join(weft_loop *loop, void *context)
{
    member *member = context;
    weft__loop_join(loop, &member->member);
}

/* A task that is posted before the close may still bring a member. */
static void test_a_close_aborts_every_member_once(void **state)
{
    (void)state;
    member members[3] = {0};
    weft_loop *loop;
    assert_int_equal(weft_loop_open(&loop), WEFT_OK);
    for (int i = 0; i < 3; i++) {
        members[i].member.abort = on_abort;
        weft_loop_post(loop, join, &members[i]);
    }
    weft_loop_close(loop);
    for (int i = 0; i < 3; i++)
        assert_int_equal(members[i].aborted, 1);
}

/* -- time ------------------------------------------------------------------------------------------ */

typedef struct alarmed {
    weft__timer timer;
    weft_loop *loop;
    uint64_t delay_ms, started_ms, fired_ms;
    gate fired;
} alarmed;

static void on_timer(weft__timer *timer)
{
    alarmed *alarmed = WEFT__CONTAINER(timer, struct alarmed, timer);
    alarmed->fired_ms = lab_now_ms();
    gate_pass(&alarmed->fired);
}

static void start_alarm(void *context)
{
    alarmed *alarmed = context;
    alarmed->started_ms = weft__loop_now(alarmed->loop);
    weft__loop_start_timer(alarmed->loop, &alarmed->timer, alarmed->delay_ms);
}

static void test_timers_fire_on_the_loop_and_not_early(void **state)
{
    (void)state;
    weft_loop *loop;
    assert_int_equal(weft_loop_open(&loop), WEFT_OK);
    const uint64_t delays[] = {300, 0, 40, 1, 100};
    alarmed alarms[5];
    for (int i = 0; i < 5; i++) {
        alarms[i] = (alarmed){.loop = loop, .delay_ms = delays[i]};
        gate_init(&alarms[i].fired);
        weft__timer_init(&alarms[i].timer, on_timer);
        on_loop(loop, start_alarm, &alarms[i]);
    }
    for (int i = 0; i < 5; i++) {
        gate_await(&alarms[i].fired, 1);
        assert_true(alarms[i].fired_ms >= alarms[i].started_ms + delays[i]);
    }
    weft_loop_close(loop);
    for (int i = 0; i < 5; i++)
        gate_clear(&alarms[i].fired);
}

/* -- attaching ------------------------------------------------------------------------------------- */

static void test_an_attached_loop_runs_what_was_posted_and_no_longer(void **state)
{
    (void)state;
    uv_loop_t uv;
    uv_loop_init(&uv);
    trail trail = {0};
    gate_init(&trail.done);
    assert_int_equal(weft_loop_attach(&trail.loop, &uv), WEFT_OK);
    weft_loop_set_data(trail.loop, &trail);
    assert_ptr_equal(weft_loop_get_data(trail.loop), &trail);
    assert_true(weft_loop_is_current(trail.loop));
    uv_run(&uv, UV_RUN_DEFAULT); /* nothing to do: returns */
    weft_loop_post(trail.loop, put_a, &trail);
    uv_run(&uv, UV_RUN_DEFAULT);
    assert_string_equal(trail.text, "aAbBc");
    weft_loop_close(trail.loop);
    uv_run(&uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&uv), 0);
    gate_clear(&trail.done);
}

static void test_opening_may_run_out_of_memory(void **state)
{
    (void)state;
    counting_allocator counter;
    allocator_count(&counter);
    counter.fail_at = 1;
    weft_loop *loop = (weft_loop *)&counter;
    assert_int_equal(weft_loop_open(&loop), WEFT_ENOMEM);
    assert_null(loop);
    counter.fail_at = 0;
    assert_int_equal(weft_loop_open(&loop), WEFT_OK);
    counter.fail_at = counter.requests + 1;
    assert_int_equal(weft_loop_post(loop, put_c, NULL), WEFT_ENOMEM);
    weft_loop_close(loop);
    allocator_restore(&counter);
}

static void test_a_loop_that_gets_no_thread_is_none(void **state)
{
    (void)state;
    counting_allocator counter;
    struct rlimit usual, excessive;
    weft_loop *loop = (weft_loop *)&counter;
    assert_int_equal(getrlimit(RLIMIT_STACK, &usual), 0);
    excessive = usual;
    excessive.rlim_cur = (rlim_t)1 << 47; /* a stack as large as the address space */
    if (setrlimit(RLIMIT_STACK, &excessive) != 0) skip();
    allocator_count(&counter);
    assert_int_equal(weft_loop_open(&loop), WEFT_ESYSTEM);
    assert_null(loop);
    allocator_restore(&counter);
    assert_int_equal(setrlimit(RLIMIT_STACK, &usual), 0);
    assert_int_equal(weft_loop_open(&loop), WEFT_OK);
    weft_loop_close(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* These two change the allocator: first, while no detached thread is left over. */
        cmocka_unit_test(test_opening_may_run_out_of_memory),
        cmocka_unit_test(test_a_loop_that_gets_no_thread_is_none),
        cmocka_unit_test(test_each_posters_tasks_run_in_order),
        cmocka_unit_test(test_a_close_amid_posts_loses_none_that_was_accepted),
        cmocka_unit_test(test_a_post_from_the_own_thread_runs_after_its_poster),
        cmocka_unit_test(test_tasks_that_never_end_leave_room_for_others),
        cmocka_unit_test(test_a_close_ends_tasks_that_post_themselves),
        cmocka_unit_test(test_a_loop_may_be_closed_from_inside),
        cmocka_unit_test(test_a_close_aborts_every_member_once),
        cmocka_unit_test(test_timers_fire_on_the_loop_and_not_early),
        cmocka_unit_test(test_an_attached_loop_runs_what_was_posted_and_no_longer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
