/* System calls fail below the streams: each call of a scenario in each way that it can. */

#include "faults/scenarios.h"
#include "faults/system_calls.h"
#include "net/loop.h"

#include <dirent.h>
#include <netdb.h>
#include <sched.h>

typedef struct fault {
    system_call call;
    int error;
    bool is_harmless; /* the call is made again, and nobody notices */
} fault;

static const fault faults[] = {
    {READ, EAGAIN, true},         {READ, EINTR, true},           {READ, ONE_BYTE, true},
    {READ, ECONNRESET, false},    {READ, ETIMEDOUT, false},      {READ, ENOMEM, false},
    {WRITE, EAGAIN, true},        {WRITE, EINTR, true},          {WRITE, ONE_BYTE, true},
    {WRITE, ENOBUFS, true},       {WRITE, ECONNRESET, false},    {WRITE, EPIPE, false},
    {WRITE, ENOMEM, false},       {ACCEPT, EAGAIN, true},        {ACCEPT, EINTR, true},
    {ACCEPT, ECONNABORTED, true}, {ACCEPT, EPROTO, true},        {ACCEPT, EPERM, true},
    {ACCEPT, EMFILE, true},       {ACCEPT, ENFILE, true},        {ACCEPT, ENOBUFS, true},
    {ACCEPT, ENOMEM, true},       {SOCKET, EMFILE, false},       {SOCKET, ENFILE, false},
    {SOCKET, ENOMEM, false},      {CONNECT, EINTR, true},        {CONNECT, ECONNREFUSED, false},
    {CONNECT, ETIMEDOUT, false},  {CONNECT, ENETUNREACH, false}, {CONNECT, EADDRNOTAVAIL, false},
    {CONNECT, ENOBUFS, false},    {SHUTDOWN, ENOTCONN, false},   {SHUTDOWN, ENOBUFS, false},
    {GETSOCKOPT, ENOBUFS, false}, {SETSOCKOPT, ENOBUFS, false},  {RESOLVE, EAI_AGAIN, false},
    {RESOLVE, EAI_MEMORY, false},
};

enum {
    SEEDS = 4,
    RETRIES = 4, /* while no descriptor is to be had */
};

static fault now;
static size_t fails_from, total;
static bool trickles;
static uint32_t seed;

static void begin_failing(void *context)
{
    (void)context;
    injection *injection = &injection_now;
    for (size_t i = 0; i < SYSTEM_CALLS; i++)
        injection->counts[i] = 0;
    injection->error = now.error;
    injection->from = fails_from;
    injection->once = true;
    injection->trickles = trickles;
    injection->seed = seed;
    injection->injected = 0;
    injection->call = (int)now.call;
}

static void end_failing(void *context)
{
    (void)context;
    injection_now.call = NO_CALL;
    injection_now.trickles = false;
    injection_now.seed = 0;
}

static const fault_source failing = {begin_failing, end_failing, NULL};

static size_t open_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    size_t count = 0;
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

/* Until no more are open; the peers of other threads may be late. */
static void await_descriptors(size_t count)
{
    struct timespec start, at;
    clock_gettime(CLOCK_MONOTONIC, &start);
    do {
        clock_gettime(CLOCK_MONOTONIC, &at);
        assert_true(at.tv_sec - start.tv_sec < PEER_DEADLINE_MS / 1000);
        sched_yield();
    } while (open_descriptors() > count);
}

/* One run, after which nothing is held any more. */
static bool survive_without_leaks(const scenario *scenario)
{
    counting_allocator memory;
    size_t before = open_descriptors();
    allocator_count(&memory);
    bool is_well = survive(scenario, &failing);
    allocator_restore(&memory);
    await_descriptors(before);
    total += injection_now.injected;
    return is_well;
}

static void fail_each(const scenario *scenario, const fault *fault)
{
    now = *fault;
    bool goes_on = true;
    for (fails_from = 1; goes_on; fails_from++) {
        assert_true(fails_from < 200);
        bool is_well = survive_without_leaks(scenario);
        goes_on = injection_now.injected > 0;
        if (!is_well && (fault->is_harmless || !goes_on))
            fail_msg("call %d with error %d, the %zu-th: not harmless", fault->call, fault->error,
                     fails_from);
    }
    now = (struct fault){NO_CALL, 0, false};
    fails_from = 0;
}

/* Those that differ below the streams. */
static bool is_chosen(const scenario *scenario)
{
    static const char *const chosen[] = {"text",          "fragments", "a name",
                                         "a unix socket", "TLS 1.3",   "an exchange"};
    for (size_t i = 0; i < sizeof chosen / sizeof *chosen; i++) {
        if (strcmp(chosen[i], scenario->name) == 0) return true;
    }
    return false;
}

static void test_each_call_may_fail(void **state)
{
    const scenario *scenario = *state;
    size_t before = total;
    survive(scenario, &failing); /* what the process opens once, it has then */
    for (size_t i = 0; is_chosen(scenario) && i < sizeof faults / sizeof *faults; i++)
        fail_each(scenario, &faults[i]);
    trickles = true;
    bool is_well = survive_without_leaks(scenario);
    trickles = false;
    assert_true(is_well);
    for (uint32_t i = 1; i <= SEEDS; i++) {
        seed = i;
        is_well = survive_without_leaks(scenario);
        seed = 0;
        assert_true(is_well);
    }
    print_message("# %s: %zu system calls failed\n", scenario->name, total - before);
}

/* Out of descriptors, peers wait: the listener looks for them now and then, and does not spin. */
static void test_nobody_spins_without_descriptors(void **state)
{
    (void)state;
    static const int errors[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        world server;
        world_init(&server);
        world_listen(&server);
        await_turn(&server);
        injection_now.once = false;
        injection_now.from = 1;
        injection_now.error = errors[i];
        injection_now.counts[ACCEPT] = injection_now.counts[POLL] = 0;
        injection_now.call = ACCEPT;
        struct timespec start, end;
        clock_gettime(CLOCK_MONOTONIC, &start);
        int peer = peer_connect(server.port);
        while (injection_now.counts[ACCEPT] < RETRIES)
            sched_yield();
        clock_gettime(CLOCK_MONOTONIC, &end);
        size_t polls = injection_now.counts[POLL];
        injection_now.call = NO_CALL;
        long waited_ms = (end.tv_sec - start.tv_sec) * 1000 + (end.tv_nsec - start.tv_nsec) / 1000000;
        assert_true(waited_ms >= (RETRIES - 1) * 90);
        assert_true(polls > 0 && polls <= RETRIES * 4);
        total += RETRIES;
        peer_say(peer, peer_upgrade_request);
        assert_int_equal(peer_status(peer), 101);
        peer_expect_echo(peer, "at last");
        close(peer);
        world_end(&server);
    }
}

/* A server that takes one connection, hears nothing of it, and leaves with this answer. */
static void answer_and_leave(int listening)
{
    int peer = accept(listening, NULL, NULL);
    assert_true(peer >= 0);
    peer_say(peer, "HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nwhy");
    close(peer);
    close(listening);
}

static void fail_first_write(int error)
{
    injection_now.once = true;
    injection_now.from = 1;
    injection_now.error = error;
    injection_now.counts[WRITE] = injection_now.injected = 0;
    injection_now.call = WRITE;
}

/* At the end of a turn, behind what else is done there. */
typedef struct wait_for_answer {
    weft__turn_end_hook hook;
    sem_t is_answered;
} wait_for_answer;

static void await_answer(weft__turn_end_hook *hook)
{
    wait_for_answer *wait = WEFT__CONTAINER(hook, wait_for_answer, hook);
    sem_wait(&wait->is_answered);
}

static void await_answer_at_end(weft_loop *loop, void *context)
{
    wait_for_answer *wait = context;
    weft__turn_at_end(loop, &wait->hook);
}

/* `ask` sends a request to the port, and `happening` is told of its end. The turn in which the loop connects
 * ends when the answer is there. */
static void expect_last_words(void (*ask)(world *world, uint16_t port), happening happening)
{
    static const int errors[] = {EPIPE, ECONNRESET};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        world world;
        world_init_client(&world);
        int listening = open_listening(AF_INET, 0);
        wait_for_answer wait = {.hook.run = await_answer};
        weft__link_init(&wait.hook.link);
        sem_init(&wait.is_answered, 0, 0);
        fail_first_write(errors[i]);
        hold_loop(&world);
        ask(&world, port_of(listening));
        assert_int_equal(weft_loop_post(world.loop, await_answer_at_end, &wait), WEFT_OK);
        let_loop_go();
        answer_and_leave(listening);
        sem_post(&wait.is_answered);
        world_await(&world, happening, 1);
        injection_now.call = NO_CALL;
        assert_int_equal(injection_now.injected, 1);
        assert_int_equal(world.answer_status, 403);
        assert_string_equal(world.body, "why");
        total++;
        world_clear(&world);
        sem_destroy(&wait.is_answered);
    }
}

static void ask_for_upgrade(world *world, uint16_t port)
{
    weft_client_release(dial(world, "127.0.0.1", port, "", 0));
}

static void ask_for_page(world *world, uint16_t port)
{
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", (unsigned)port);
    weft_exchange_config config = asking(world, url);
    weft_exchange_release(start_exchange(&config));
}

static void test_what_a_server_said_before_it_went_is_heard(void **state)
{
    (void)state;
    expect_last_words(ask_for_upgrade, RELEASE);
    expect_last_words(ask_for_page, ANSWER);
}

int main(void)
{
    is_spared = true;
    const struct CMUnitTest others[] = {
        cmocka_unit_test(test_nobody_spins_without_descriptors),
        cmocka_unit_test(test_what_a_server_said_before_it_went_is_heard),
    };
    int failed = run_with_each(test_each_call_may_fail);
    failed += cmocka_run_group_tests(others, NULL, NULL);
    print_message("# %zu faults injected: failed system calls in %d scenarios\n", total, SCENARIOS);
    return failed;
}
