/* Every allocation of every scenario fails once; from every third one on all fail. */

#include "faults/scenarios.h"

static counting_allocator memory;
static size_t fails_from; /* counted from the fault's beginning */
static bool fails_once;
static atomic_bool has_failed;
static size_t injected;

static void begin_faults(void *context)
{
    (void)context;
    memory.fails_once = fails_once;
    has_failed = false;
    memory.fail_at = memory.requests + fails_from;
}

static void end_faults_of_memory(void *context)
{
    (void)context;
    size_t fail_at = atomic_exchange(&memory.fail_at, 0);
    if (!fail_at || memory.requests < fail_at) return;
    has_failed = true;
}

static const fault_source scarcity = {begin_faults, end_faults_of_memory, NULL};

static size_t fail_each(const scenario *scenario, bool once)
{
    bool is_over = false;
    size_t runs = 0;
    fails_once = once;
    for (fails_from = 1; !is_over; fails_from += once ? 1 : 3, runs++) {
        assert_true(fails_from < 400);
        allocator_count(&memory);
        bool is_well = survive(scenario, &scarcity);
        if (!has_failed) assert_true(is_well);
        is_over = !has_failed;
        allocator_restore(&memory);
    }
    return runs - 1;
}

static void test_each_allocation_may_fail(void **state)
{
    const scenario *scenario = *state;
    size_t once = fail_each(scenario, true), all = fail_each(scenario, false);
    assert_true(once > 0 && all > 0);
    injected += once + all;
    print_message("# %s: %zu allocations failed alone, %zu with all behind them\n", scenario->name, once,
                  all);
}

int main(void)
{
    int failed = run_with_each(test_each_allocation_may_fail);
    print_message("# %zu faults injected: failed allocations in %d scenarios\n", injected, SCENARIOS);
    return failed;
}
