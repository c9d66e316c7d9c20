#include "check.h"

#include "net/mutex.h"

#include <pthread.h>

enum {
    THREADS = 4,
    EACH = 20000
};

typedef struct shared {
    weft__mutex *mutex;
    int count;
} shared;

static void *raise(void *argument)
{
    shared *shared = argument;
    for (int i = 0; i < EACH; i++) {
        weft__mutex_lock(shared->mutex);
        shared->count++;
        weft__mutex_unlock(shared->mutex);
    }
    return NULL;
}

static void test_one_thread_at_a_time(void **state)
{
    (void)state;
    shared shared = {weft__mutex_new(), 0};
    assert_non_null(shared.mutex);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, raise, &shared);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(shared.count, THREADS * EACH);
    weft__mutex_free(shared.mutex);
}

static void test_there_may_be_no_memory(void **state)
{
    (void)state;
    counting_allocator counter;
    allocator_count(&counter);
    counter.fail_at = 1;
    assert_null(weft__mutex_new());
    weft__mutex_free(NULL);
    allocator_restore(&counter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_thread_at_a_time),
        cmocka_unit_test(test_there_may_be_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
