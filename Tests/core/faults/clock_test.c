/* Clocks that jump: a machine that slept, and a wall clock that was set. */

#include "faults/scenarios.h"
#include "faults/system_calls.h"

enum {
    HOURS = 5 * 60 * 60,
};

static size_t jumps;

static void jump(int64_t monotonic_s, int64_t wall_s)
{
    injection_now.monotonic_jump_s += monotonic_s;
    injection_now.wall_jump_s += wall_s;
    jumps++;
}

static int set_clocks_right(void **state)
{
    (void)state;
    injection_now.monotonic_jump_s = injection_now.wall_jump_s = 0;
    return 0;
}

static void serve_with(world *server, uint32_t idle_ms, uint32_t keep_alive_ms)
{
    world_init(server);
    server->settings.idle_timeout_ms = idle_ms;
    server->settings.keep_alive_interval_ms = keep_alive_ms;
    server->settings.keep_alive_timeout_ms = keep_alive_ms ? keep_alive_ms : 1;
    world_listen(server);
    await_turn(server);
}

/* Hours of silence are one idle time-out, not as many as would fit into them. */
static void test_a_sleep_of_hours_is_one_idle_timeout(void **state)
{
    (void)state;
    world server;
    serve_with(&server, 60 * 60 * 1000, 0);
    int peer = peer_open(server.port);
    peer_expect_echo(peer, "before");
    jump(HOURS, HOURS);
    await_turn(&server);               /* wakes the loop, which finds out how late it is */
    world_await(&server, IDLE, 2 + 1); /* two are of the turns that were awaited */
    peer_expect_echo(peer, "after");
    await_turn(&server);
    await_turn(&server);
    assert_int_equal(world_count(&server, IDLE), 2 + 1 + 2);
    close(peer);
    world_end(&server);
}

/* A peer is pinged behind a sleep and has its whole time to answer; the sleep alone drops nobody. */
static void test_a_sleep_drops_no_peer_that_answers(void **state)
{
    (void)state;
    world server;
    serve_with(&server, 0, 30 * 60 * 1000);
    int peer = peer_open(server.port);
    for (int i = 0; i < 3; i++) {
        jump(HOURS, HOURS);
        await_turn(&server);
        uint8_t payload[125];
        int first_byte;
        size_t length = peer_read_frame(peer, &first_byte, payload, sizeof payload);
        assert_int_equal(first_byte, FIN | PING);
        peer_send_frame(peer, FIN | PONG, payload, length);
        peer_expect_echo(peer, "still here");
    }
    assert_int_equal(world_count(&server, CLOSED), 0);
    close(peer);
    world_end(&server);
}

/* The deadline of a request passes while the machine sleeps; another peer is served behind it. */
static void test_a_deadline_that_passed_asleep_ends_the_request(void **state)
{
    (void)state;
    world server;
    serve_with(&server, 0, 0);
    int peer = peer_connect(server.port);
    peer_say(peer, "GET / HTTP/1.1\r\n");
    while (weft_listener_connection_count(server.listener) == 0)
        await_turn(&server);
    await_turn(&server);
    jump(HOURS, 0);
    await_turn(&server);
    assert_int_equal(peer_status(peer), 408);
    close(peer);
    int other = peer_open(server.port);
    peer_expect_echo(other, "served");
    close(other);
    world_end(&server);
}

/* Nothing but the age of certificates and answers about them looks at the wall clock. */
static void test_a_wall_clock_that_is_set_ends_nothing(void **state)
{
    (void)state;
    const int64_t years = (int64_t)365 * 24 * 60 * 60, jumps_s[] = {10 * years, -20 * years, 3600, -7200};
    world server;
    serve_with(&server, 60 * 1000, 60 * 1000);
    int peer = peer_open(server.port);
    for (size_t i = 0; i < sizeof jumps_s / sizeof *jumps_s; i++) {
        jump(0, jumps_s[i]);
        await_turn(&server);
        peer_expect_echo(peer, "the same");
        int other = peer_open(server.port);
        peer_expect_echo(other, "new");
        peer_send_close(other, 1000);
        peer_expect_close(other, 1000);
        close(other);
    }
    assert_int_equal(world_count(&server, ERROR), 0);
    close(peer);
    world_end(&server);
}

static void begin_jump(void *context)
{
    jump(0, *(const int64_t *)context);
}

static void end_jump(void *context)
{
    (void)context;
    set_clocks_right(NULL);
}

/* Certificates of a day: too early and too late they are refused, and good again once the clock is right. */
static void test_certificates_are_judged_by_the_wall_clock(void **state)
{
    (void)state;
    const scenario *secure = NULL;
    for (size_t i = 0; i < SCENARIOS; i++)
        if (strcmp(scenarios[i].name, "TLS 1.3") == 0) secure = &scenarios[i];
    assert_non_null(secure);
    static const int64_t jumps_s[] = {-2 * DAY, 2 * DAY};
    for (size_t i = 0; i < 2; i++) {
        const fault_source wrong = {begin_jump, end_jump, (void *)&jumps_s[i]};
        assert_false(survive(secure, &wrong));
    }
}

/* Every scenario, with clocks that jump under it in the middle. */
static void test_scenarios_do_not_mind_an_hour(void **state)
{
    (void)state;
    static const int64_t jumps_s[] = {3600, -3600};
    for (size_t i = 0; i < SCENARIOS; i++) {
        for (size_t j = 0; j < 2 && scenarios[i].security < CHECKED; j++) {
            bool is_secure = scenarios[i].security != PLAIN;
            if (is_secure && jumps_s[j] < 0) continue; /* its certificate is not valid yet */
            const fault_source wrong = {begin_jump, end_jump, (void *)&jumps_s[j]};
            if (!survive(&scenarios[i], &wrong)) fail_msg("%s", scenarios[i].name);
        }
    }
}

static int report_and_close(void **state)
{
    print_message("# %zu faults injected: clocks that jumped\n", jumps);
    return close_office(state);
}

int main(void)
{
    is_spared = true; /* its deadlines are real */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_a_sleep_of_hours_is_one_idle_timeout, set_clocks_right),
        cmocka_unit_test_teardown(test_a_sleep_drops_no_peer_that_answers, set_clocks_right),
        cmocka_unit_test_teardown(test_a_deadline_that_passed_asleep_ends_the_request, set_clocks_right),
        cmocka_unit_test_teardown(test_a_wall_clock_that_is_set_ends_nothing, set_clocks_right),
        cmocka_unit_test_teardown(test_certificates_are_judged_by_the_wall_clock, set_clocks_right),
        cmocka_unit_test_teardown(test_scenarios_do_not_mind_an_hour, set_clocks_right),
    };
    return cmocka_run_group_tests(tests, open_office, report_and_close);
}
