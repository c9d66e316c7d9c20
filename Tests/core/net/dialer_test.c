#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* SOCK_NONBLOCK */
#endif

#include "net/lab.h"

#include "net/dialer.h"
#include "net/unix_socket.h"

#include <errno.h>
#include <fcntl.h>

typedef struct call {
    lab *lab;
    const char *host; /* NULL: the addresses below */
    uint16_t port;
    const char *path; /* of a unix socket, instead */
    weft__address addresses[4];
    size_t address_count;
    weft__dialer *dialer;
    weft_status started;
    gate dialled;

    /* loop thread only, read by the test after the gate */
    weft__stream *stream;
    weft_status status;
    char detail[384];
} call;

static void on_dialled(void *owner, weft__stream *stream, weft_status status, const char *detail)
{
    call *call = owner;
    call->dialer = NULL;
    call->stream = stream;
    call->status = status;
    snprintf(call->detail, sizeof call->detail, "%s", detail);
    gate_pass(&call->dialled);
}

static void start(void *context)
{
    call *call = context;
    weft_loop *loop = call->lab->loop;
    if (call->path) {
        call->started = weft__dialer_start_unix(&call->dialer, loop, call->path, on_dialled, call);
    } else if (call->host) {
        call->started = weft__dialer_start(&call->dialer, loop, call->host, call->port, on_dialled, call);
    } else {
        call->started = weft__dialer_start_at(&call->dialer, loop, call->addresses, call->address_count,
                                              on_dialled, call);
    }
}

static void end(void *context)
{
    call *call = context;
    weft__dialer_cancel(call->dialer);
    weft__stream_close(call->stream);
}

/* A timer of the dialer's own wheel. */
typedef struct wheel_alarm {
    weft__timer timer;
    weft_loop *loop;
    uint64_t delay_ms;
    gate rung;
} wheel_alarm;

static void ring(weft__timer *timer)
{
    gate_pass(&WEFT__CONTAINER(timer, wheel_alarm, timer)->rung);
}

static void set_alarm(void *context)
{
    wheel_alarm *alarm = context;
    weft__timer_init(&alarm->timer, ring);
    weft__loop_start_timer(alarm->loop, &alarm->timer, alarm->delay_ms);
}

/* Timers that were started before with no longer delays have fired by the return. */
static void await_timers(lab *lab, uint64_t delay_ms)
{
    wheel_alarm alarm = {.loop = lab->loop, .delay_ms = delay_ms};
    gate_init(&alarm.rung);
    on_loop(lab->loop, set_alarm, &alarm);
    gate_await(&alarm.rung, 1);
    gate_clear(&alarm.rung);
}

static call call_to(lab *lab, const char *host, uint16_t port)
{
    return (call){.lab = lab, .host = host, .port = port};
}

static void dial(call *call)
{
    gate_init(&call->dialled);
    on_loop(call->lab->loop, start, call);
    assert_int_equal(call->started, WEFT_OK);
    gate_await(&call->dialled, 1);
}

static void hang_up(call *call)
{
    on_loop(call->lab->loop, end, call);
    gate_clear(&call->dialled);
}

static void test_a_name_and_a_number_are_reached(void **state)
{
    (void)state;
    const char *hosts[] = {"127.0.0.1", "localhost"};
    lab lab;
    lab_open(&lab);
    for (int i = 0; i < 2; i++) {
        call call = call_to(&lab, hosts[i], lab.port);
        dial(&call);
        assert_int_equal(call.status, WEFT_OK);
        assert_non_null(call.stream);
        gate_await(&lab.accepted, i + 1);
        hang_up(&call);
    }
    lab_close(&lab);
}

static void test_failures_say_whom_and_why(void **state)
{
    (void)state;
    lab lab, gone;
    lab_open(&gone);
    uint16_t port = gone.port;
    lab_close(&gone);
    lab_open(&lab);
    call refused = call_to(&lab, "127.0.0.1", port);
    dial(&refused);
    assert_int_equal(refused.status, WEFT_EREFUSED);
    char expected[128];
    snprintf(expected, sizeof expected, "cannot connect: connection refused by 127.0.0.1:%u", (unsigned)port);
    assert_string_equal(refused.detail, expected);
    hang_up(&refused);
    call unknown = call_to(&lab, "nobody.invalid", 80);
    dial(&unknown);
    assert_int_equal(unknown.status, WEFT_ERESOLVE);
    assert_memory_equal(unknown.detail, "cannot resolve nobody.invalid: ", 31);
    hang_up(&unknown);
    lab_close(&lab);
}

static void start_and_cancel(void *context)
{
    start(context);
    weft__dialer_cancel(((call *)context)->dialer);
}

/* Whether it is still resolving or connecting by then; nothing is told, nothing leaks. */
static void test_a_cancelled_call_tells_nothing(void **state)
{
    (void)state;
    lab lab;
    lab_open(&lab);
    call calls[8];
    for (int i = 0; i < 8; i++) {
        calls[i] = call_to(&lab, i % 2 ? "localhost" : "127.0.0.1", lab.port);
        gate_init(&calls[i].dialled);
        if (i < 4) {
            on_loop(lab.loop, start_and_cancel, &calls[i]);
        } else {
            on_loop(lab.loop, start, &calls[i]);
            poll(NULL, 0, i - 4);
            on_loop(lab.loop, end, &calls[i]);
        }
    }
    lab_close(&lab);
    for (int i = 0; i < 4; i++)
        assert_int_equal(gate_count(&calls[i].dialled), 0);
    for (int i = 0; i < 8; i++)
        gate_clear(&calls[i].dialled);
}

/* -- several addresses ------------------------------------------------------------------------- */

/* A port whose listener lets connections hang: its queue is full. */
typedef struct hanging {
    int listening;
    uint16_t port;
    int fillers[4];
} hanging;

static void open_hanging(hanging *hanging)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof name;
    hanging->listening = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(hanging->listening, (struct sockaddr *)&name, sizeof name), 0);
    assert_int_equal(listen(hanging->listening, 0), 0);
    getsockname(hanging->listening, (struct sockaddr *)&name, &length);
    hanging->port = ntohs(name.sin_port);
    for (int i = 0; i < 4; i++) {
        hanging->fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        int result = connect(hanging->fillers[i], (struct sockaddr *)&name, sizeof name);
        assert_true(result == 0 || errno == EINPROGRESS);
    }
}

static void close_hanging(hanging *hanging)
{
    for (int i = 0; i < 4; i++)
        close(hanging->fillers[i]);
    close(hanging->listening);
}

static uint16_t refusing_port(void)
{
    lab gone;
    lab_open(&gone);
    lab_close(&gone);
    return gone.port;
}

static void add_address(call *call, const char *host, uint16_t port)
{
    assert_true(weft__address_parse(&call->addresses[call->address_count++], host, port));
}

static void test_an_address_that_is_silent_is_not_waited_for(void **state)
{
    (void)state;
    lab lab;
    hanging hanging;
    lab_open(&lab);
    open_hanging(&hanging);
    call call = call_to(&lab, NULL, 0);
    add_address(&call, "127.0.0.1", hanging.port);
    add_address(&call, "127.0.0.1", lab.port);
    uint64_t before = lab_now_ms();
    dial(&call);
    uint64_t taken = lab_now_ms() - before;
    assert_int_equal(call.status, WEFT_OK);
    weft__endpoint_address reached;
    assert_int_equal(weft__stream_remote_address(call.stream, &reached), WEFT_OK);
    assert_int_equal(reached.port, lab.port);
    assert_in_range(taken, WEFT__DIALER_STAGGER_MS, PEER_DEADLINE_MS);
    hang_up(&call);
    close_hanging(&hanging);
    lab_close(&lab);
}

static void test_a_late_answer_of_the_first_address_still_wins(void **state)
{
    (void)state;
    lab lab;
    hanging hanging, other;
    lab_open(&lab);
    open_hanging(&hanging);
    open_hanging(&other);
    call call = call_to(&lab, NULL, 0);
    add_address(&call, "127.0.0.1", hanging.port);
    add_address(&call, "127.0.0.1", other.port);
    gate_init(&call.dialled);
    on_loop(lab.loop, start, &call);
    for (int i = 0; i < 4; i++)
        close(hanging.fillers[i]);
    int flags = fcntl(hanging.listening, F_GETFL);
    fcntl(hanging.listening, F_SETFL, flags | O_NONBLOCK);
    int accepted = 0;
    while (accepted >= 0) { /* room in the first one's queue, for the next try of TCP */
        accepted = accept(hanging.listening, NULL, NULL);
        if (accepted >= 0) close(accepted);
    }
    gate_await(&call.dialled, 1);
    assert_int_equal(call.status, WEFT_OK);
    weft__endpoint_address reached;
    assert_int_equal(weft__stream_remote_address(call.stream, &reached), WEFT_OK);
    assert_int_equal(reached.port, hanging.port);
    hang_up(&call);
    close_hanging(&other);
    close(hanging.listening);
    lab_close(&lab);
}

static void test_after_a_failure_the_next_address_is_tried_at_once(void **state)
{
    (void)state;
    lab lab;
    lab_open(&lab);
    call call = call_to(&lab, NULL, 0);
    for (int i = 0; i < 3; i++)
        add_address(&call, "127.0.0.1", refusing_port());
    add_address(&call, "127.0.0.1", lab.port);
    uint64_t before = lab_now_ms();
    dial(&call);
    assert_int_equal(call.status, WEFT_OK);
    assert_in_range(lab_now_ms() - before, 0, 3 * WEFT__DIALER_STAGGER_MS - 1);
    hang_up(&call);
    lab_close(&lab);
}

static void test_all_addresses_and_causes_are_told(void **state)
{
    (void)state;
    lab lab;
    lab_open(&lab);
    uint16_t port = refusing_port();
    call call = call_to(&lab, NULL, 0);
    add_address(&call, "127.0.0.1", port);
    add_address(&call, "127.0.0.2", port);
    dial(&call);
    char expected[128];
    snprintf(expected, sizeof expected, "cannot connect: connection refused by 127.0.0.1:%u and 127.0.0.2:%u",
             (unsigned)port, (unsigned)port);
    assert_int_equal(call.status, WEFT_EREFUSED);
    assert_string_equal(call.detail, expected);
    hang_up(&call);
    lab_close(&lab);
}

static void test_cancelling_closes_every_attempt(void **state)
{
    (void)state;
    lab lab;
    hanging hanging, other;
    lab_open(&lab);
    open_hanging(&hanging);
    open_hanging(&other);
    call call = call_to(&lab, NULL, 0);
    add_address(&call, "127.0.0.1", hanging.port);
    add_address(&call, "127.0.0.1", other.port);
    gate_init(&call.dialled);
    on_loop(lab.loop, start, &call);
    await_timers(&lab, WEFT__DIALER_STAGGER_MS); /* both are under way */
    on_loop(lab.loop, end, &call);
    lab_close(&lab);
    assert_int_equal(gate_count(&call.dialled), 0);
    gate_clear(&call.dialled);
    close_hanging(&hanging);
    close_hanging(&other);
}

/* -- unix sockets ------------------------------------------------------------------------------ */

static void test_a_unix_socket_is_reached_when_it_has_room(void **state)
{
    (void)state;
    lab lab;
    lab_open(&lab);
    char folder[] = "/tmp/weft-dial-XXXXXX", path[64], detail[128];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/socket", folder);
    call early = call_to(&lab, NULL, 0);
    early.path = path;
    dial(&early);
    assert_int_equal(early.status, WEFT_EREFUSED);
    assert_non_null(strstr(early.detail, path));
    hang_up(&early);

    int listening, fillers[16], count = 0, result = 0;
    weft__unix_file file;
    assert_int_equal(weft__unix_listening_socket_open(&listening, &file, path, 1, detail, sizeof detail),
                     WEFT_OK);
    while (count < 16 && result == 0)
        result = weft__unix_connect(&fillers[count++], path);
    call call = call_to(&lab, NULL, 0);
    call.path = path;
    gate_init(&call.dialled);
    on_loop(lab.loop, start, &call);
    await_timers(&lab, WEFT__DIALER_UNIX_RETRY_MS);
    assert_int_equal(gate_count(&call.dialled), 0);
    for (int i = 0; i < count; i++) {
        int accepted = accept(listening, NULL, NULL);
        if (accepted >= 0) close(accepted);
        if (fillers[i] >= 0) close(fillers[i]);
    }
    gate_await(&call.dialled, 1);
    assert_int_equal(call.status, WEFT_OK);
    weft__endpoint_address address;
    assert_int_equal(weft__stream_remote_address(call.stream, &address), WEFT_OK);
    assert_string_equal(address.host, "");
    assert_int_equal(address.port, 0);
    hang_up(&call);
    close(listening);
    weft__unix_file_remove(&file);
    rmdir(folder);
    lab_close(&lab);
}

static counting_allocator *memory;

static void start_without_memory(void *context)
{
    memory->requests = 0;
    memory->fail_at = 1;
    start(context);
    memory->fail_at = 0;
}

static void start_with_little_memory(void *context)
{
    start(context);
    memory->requests = 0;
    memory->fail_at = 1;
}

static void test_there_may_be_no_memory(void **state)
{
    (void)state;
    counting_allocator counter;
    memory = &counter;
    allocator_count(&counter);
    lab lab;
    lab_open(&lab);
    call none = call_to(&lab, "127.0.0.1", lab.port);
    on_loop(lab.loop, start_without_memory, &none);
    assert_int_equal(none.started, WEFT_ENOMEM);
    assert_null(none.dialer);
    call little = call_to(&lab, "127.0.0.1", lab.port);
    gate_init(&little.dialled);
    on_loop(lab.loop, start_with_little_memory, &little);
    gate_await(&little.dialled, 1);
    counter.fail_at = 0;
    assert_int_equal(little.status, WEFT_ENOMEM);
    hang_up(&little);
    lab_close(&lab);
    allocator_restore(&counter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_name_and_a_number_are_reached),
        cmocka_unit_test(test_failures_say_whom_and_why),
        cmocka_unit_test(test_a_cancelled_call_tells_nothing),
        cmocka_unit_test(test_an_address_that_is_silent_is_not_waited_for),
        cmocka_unit_test(test_a_late_answer_of_the_first_address_still_wins),
        cmocka_unit_test(test_after_a_failure_the_next_address_is_tried_at_once),
        cmocka_unit_test(test_all_addresses_and_causes_are_told),
        cmocka_unit_test(test_cancelling_closes_every_attempt),
        cmocka_unit_test(test_a_unix_socket_is_reached_when_it_has_room),
        cmocka_unit_test(test_there_may_be_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
