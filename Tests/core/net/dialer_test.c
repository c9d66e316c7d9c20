#include "net/lab.h"

#include "net/dialer.h"

typedef struct call {
    lab *lab;
    const char *host;
    uint16_t port;
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
    call->started =
        weft__dialer_start(&call->dialer, call->lab->loop, call->host, call->port, on_dialled, call);
}

static void end(void *context)
{
    call *call = context;
    weft__dialer_cancel(call->dialer);
    weft__stream_close(call->stream);
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
    snprintf(expected, sizeof expected, "cannot connect to 127.0.0.1 port %u: connection refused",
             (unsigned)port);
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
        cmocka_unit_test(test_there_may_be_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
