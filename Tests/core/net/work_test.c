#include "net/work.h"

#include "net/lab.h"

#include <openssl/err.h>

typedef struct job {
    weft_loop *loop;
    gate may_run, is_done;
    weft_status status;
    pthread_t ran_on;
    bool was_on_loop;
} job;

static void run(void *context)
{
    job *job = context;
    gate_await(&job->may_run, 1);
    job->ran_on = pthread_self();
}

static void done(void *context)
{
    job *job = context;
    job->was_on_loop = weft_loop_is_current(job->loop);
    gate_pass(&job->is_done);
}

static void start(void *context)
{
    job *job = context;
    job->status = weft__work_start(job->loop, run, done, job);
}

static void do_nothing(void *context)
{
    (void)context;
}

static void open_job(job *job)
{
    memset(job, 0, sizeof *job);
    gate_init(&job->may_run);
    gate_init(&job->is_done);
    assert_int_equal(weft_loop_open(&job->loop), WEFT_OK);
}

static void clear_job(job *job)
{
    gate_clear(&job->may_run);
    gate_clear(&job->is_done);
}

static void test_the_loop_goes_on_meanwhile(void **state)
{
    (void)state;
    job job;
    open_job(&job);
    on_loop(job.loop, start, &job);
    assert_int_equal(job.status, WEFT_OK);
    on_loop(job.loop, do_nothing, NULL);
    assert_int_equal(gate_count(&job.is_done), 0);
    gate_pass(&job.may_run);
    gate_await(&job.is_done, 1);
    assert_true(job.was_on_loop);
    weft_loop_close(job.loop);
    clear_job(&job);
}

static void test_a_closed_loop_has_it_done(void **state)
{
    (void)state;
    job job;
    open_job(&job);
    on_loop(job.loop, start, &job);
    gate_pass(&job.may_run);
    weft_loop_close(job.loop);
    gate_await(&job.is_done, 1);
    clear_job(&job);
}

typedef struct failing_work {
    weft_loop *loop;
    gate is_done;
    unsigned long error_found; /* of another work, on the same thread before */
} failing_work;

static void fail_in_openssl(void *context)
{
    failing_work *work = context;
    work->error_found = ERR_peek_error();
    ERR_raise(ERR_LIB_USER, ERR_R_INTERNAL_ERROR);
}

static void tell_end(void *context)
{
    gate_pass(&((failing_work *)context)->is_done);
}

static void start_failing(void *context)
{
    failing_work *work = context;
    assert_int_equal(weft__work_start(work->loop, fail_in_openssl, tell_end, work), WEFT_OK);
}

/* More works than the pool has threads. What is kept for a thread at the program's end is lost, as memcheck
 * tells. */
static void test_openssl_keeps_nothing_for_the_threads_of_the_pool(void **state)
{
    (void)state;
    failing_work work = {0};
    gate_init(&work.is_done);
    assert_int_equal(weft_loop_open(&work.loop), WEFT_OK);
    for (int i = 1; i <= 9; i++) {
        on_loop(work.loop, start_failing, &work);
        gate_await(&work.is_done, i);
        assert_int_equal(work.error_found, 0);
    }
    weft_loop_close(work.loop);
    gate_clear(&work.is_done);
}

static counting_allocator *memory;

static void start_without_memory(void *context)
{
    memory->fail_at = memory->requests + 1;
    start(context);
    memory->fail_at = 0;
}

static void test_without_memory_nothing_is_begun(void **state)
{
    (void)state;
    counting_allocator counter;
    memory = &counter;
    allocator_count(&counter);
    job job;
    open_job(&job);
    on_loop(job.loop, start_without_memory, &job);
    assert_int_equal(job.status, WEFT_ENOMEM);
    weft_loop_close(job.loop);
    assert_int_equal(gate_count(&job.is_done), 0);
    clear_job(&job);
    allocator_restore(&counter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_loop_goes_on_meanwhile),
        cmocka_unit_test(test_a_closed_loop_has_it_done),
        cmocka_unit_test(test_openssl_keeps_nothing_for_the_threads_of_the_pool),
        cmocka_unit_test(test_without_memory_nothing_is_begun),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
