#include "check.h"

#include "base/random.h"
#include "net/loop.h"

#include <sys/wait.h>
#include <unistd.h>

enum {
    ROUNDS = 40,
    LOOPS = 3
};

/* Keeps its loop busy with what exit() takes apart. */
static void draw_random_bytes(weft_loop *loop, void *context)
{
    uint8_t bytes[64];
    weft__random_fill(bytes, sizeof bytes);
    weft_loop_post(loop, draw_random_bytes, context);
}

static void tell(weft_loop *loop, void *context)
{
    (void)loop;
    if (write(*(int *)context, "", 1) != 1) abort();
}

/* A child that exits while its loops are busy; the pipe tells that they are. */
static void exit_with_busy_loops(void)
{
    int started[2];
    char byte;
    if (pipe(started) != 0) _exit(2);
    for (int i = 0; i < LOOPS; i++) {
        weft_loop *loop;
        if (weft_loop_open(&loop) != WEFT_OK) _exit(2);
        weft_loop_post(loop, draw_random_bytes, NULL);
        weft_loop_post(loop, tell, &started[1]);
    }
    for (int i = 0; i < LOOPS; i++) {
        if (read(started[0], &byte, 1) != 1) _exit(2);
    }
    exit(0);
}

static void test_a_program_may_exit_while_its_loops_are_busy(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) exit_with_busy_loops();
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
}

static weft_loop *left_open;

static void close_late(void)
{
    weft_loop_close(left_open);
}

static void test_closing_a_loop_at_the_exit_does_not_wait_for_it(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        atexit(close_late); /* registered first, so it runs behind the guard */
        if (weft_loop_open(&left_open) != WEFT_OK) _exit(2);
        exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void close_self(weft_loop *loop, void *context)
{
    (void)context;
    weft_loop_close(loop);
}

/* Under the sanitizers a leak ends the child with another code. */
static void test_a_loop_that_ends_while_the_program_exits_is_freed(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            weft_loop *loop;
            if (weft_loop_open(&loop) != WEFT_OK) _exit(2);
            weft_loop_post(loop, close_self, NULL);
            exit(0);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_program_may_exit_while_its_loops_are_busy),
        cmocka_unit_test(test_closing_a_loop_at_the_exit_does_not_wait_for_it),
        cmocka_unit_test(test_a_loop_that_ends_while_the_program_exits_is_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
