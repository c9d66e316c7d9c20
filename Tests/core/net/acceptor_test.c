#include "net/lab.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/resource.h>

static weft_status open_at(const char *host, uint16_t port, bool is_shared, bool is_first, int *out,
                           weft__endpoint_address *bound, char *detail)
{
    weft__listen_address address = {
        .host = host, .port = port, .backlog = 8, .is_shared = is_shared, .is_first = is_first};
    return weft__listening_socket_open(out, bound, &address, detail, 128);
}

static void test_the_system_chooses_a_port(void **state)
{
    (void)state;
    int listening;
    weft__endpoint_address bound;
    char detail[128];
    assert_int_equal(open_at("127.0.0.1", 0, false, true, &listening, &bound, detail), WEFT_OK);
    assert_string_equal(bound.host, "127.0.0.1");
    assert_int_not_equal(bound.port, 0);
    int peer = peer_connect(bound.port);
    close(peer);
    weft__listening_socket_close(listening);
    weft__listening_socket_close(-1);
}

#ifdef __linux__
/* Of a socket that listens Linux tells the length of its queue here. */
static void test_the_queue_is_as_long_as_asked(void **state)
{
    (void)state;
    int listening;
    weft__endpoint_address bound;
    char detail[128];
    struct tcp_info info;
    socklen_t size = sizeof info;
    assert_int_equal(open_at("127.0.0.1", 0, false, true, &listening, &bound, detail), WEFT_OK);
    assert_int_equal(getsockopt(listening, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
    assert_int_equal(info.tcpi_sacked, 8);
    weft__listening_socket_close(listening);
}
#endif

static void test_a_port_in_use_is_named(void **state)
{
    (void)state;
    int first, second;
    weft__endpoint_address bound, other;
    char detail[128], expected[128];
    assert_int_equal(open_at("127.0.0.1", 0, true, true, &first, &bound, detail), WEFT_OK);
    snprintf(expected, sizeof expected, "cannot listen on 127.0.0.1:%u: address in use",
             (unsigned)bound.port);
    assert_int_equal(open_at("127.0.0.1", bound.port, false, true, &second, &other, detail), WEFT_EADDRESS);
    assert_int_equal(second, -1);
    assert_string_equal(detail, expected);
    /* Shared with itself only: the first of another group is refused, the next of this one is not. */
    assert_int_equal(open_at("127.0.0.1", bound.port, true, true, &second, &other, detail), WEFT_EADDRESS);
    assert_int_equal(open_at("127.0.0.1", bound.port, true, false, &second, &other, detail), WEFT_OK);
    weft__listening_socket_close(first);
    weft__listening_socket_close(second);
}

static void test_addresses_that_cannot_be(void **state)
{
    (void)state;
    int listening;
    weft__endpoint_address bound;
    char detail[128];
    assert_int_equal(open_at("192.0.2.1", 0, false, true, &listening, &bound, detail), WEFT_EADDRESS);
    assert_string_equal(detail, "cannot listen on 192.0.2.1:0: not an address of this machine");
    assert_int_equal(open_at("2001:db8::1", 9, false, true, &listening, &bound, detail), WEFT_EADDRESS);
    assert_non_null(strstr(detail, "[2001:db8::1]:9"));
    assert_int_equal(open_at("nobody.invalid", 0, false, true, &listening, &bound, detail), WEFT_ERESOLVE);
    assert_non_null(strstr(detail, "nobody.invalid"));
    assert_int_equal(listening, -1);
}

static void test_streams_are_accepted_until_the_stop(void **state)
{
    (void)state;
    lab lab;
    lab_open(&lab);
    for (int i = 0; i < 20; i++)
        close(lab_connect(&lab, false));
    uint16_t port = lab.port;
    lab_close(&lab);
    assert_int_equal(peer_try_connect(port, false), -1);
}

/* A peer that could not be taken for lack of memory waits, and is taken later. */
static void test_accepting_survives_a_lack_of_memory(void **state)
{
    (void)state;
    counting_allocator counter;
    allocator_count(&counter);
    lab lab;
    lab_open(&lab);
    close(lab_connect(&lab, false));
    counter.requests = 0;
    counter.fail_at = 1;
    int one = peer_connect(lab.port), two = peer_connect(lab.port);
    while (counter.requests < 2)
        sched_yield(); /* refused, and refused again */
    assert_int_equal(gate_count(&lab.starved), 1);
    assert_int_equal(lab.end, WEFT_ENOMEM);
    counter.fail_at = 0;
    gate_await(&lab.accepted, 3);
    gate_await(&lab.recovered, 1);
    close(one);
    close(two);
    lab_close(&lab);
    allocator_restore(&counter);
}

static double cpu_seconds(void)
{
    struct timespec spent;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
    return (double)spent.tv_sec + (double)spent.tv_nsec / 1e9;
}

/* Takes every descriptor that is left; the highest may be given back with close(). */
static int exhaust_descriptors(void)
{
    int last = -1;
    for (int next = dup(0); next >= 0; next = dup(0))
        last = next;
    assert_int_equal(errno, EMFILE);
    return last;
}

static void give_back_descriptors(int above, int last)
{
    for (int descriptor = above + 1; descriptor <= last; descriptor++)
        close(descriptor);
}

/* Without descriptors peers wait; nobody is turned away, the processor rests, and all are served afterwards.
 */
static void test_accepting_survives_a_lack_of_descriptors(void **state)
{
    (void)state;
    enum {
        LOWERED = 256,
        WAITING = 5
    };
    struct rlimit usual, lowered;
    lab lab;
    getrlimit(RLIMIT_NOFILE, &usual);
    lab_open(&lab);
    int peers[WAITING];
    for (int i = 0; i < WAITING; i++)
        peers[i] = socket(AF_INET, SOCK_STREAM, 0);
    lowered = usual;
    lowered.rlim_cur = LOWERED;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &lowered), 0);
    int last = exhaust_descriptors();
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(lab.port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < WAITING; i++)
        assert_int_equal(connect(peers[i], (struct sockaddr *)&address, sizeof address), 0);
    gate_await(&lab.starved, 1);
    assert_int_equal(lab.end, WEFT_ESYSTEM);

    double before = cpu_seconds();
    struct pollfd ended = {.fd = peers[0], .events = POLLIN};
    assert_int_equal(poll(&ended, 1, 500), 0);  /* not turned away in half a second... */
    assert_true(cpu_seconds() - before < 0.25); /* ...in which next to nothing was done */
    assert_int_equal(gate_count(&lab.starved), 1);
    assert_int_equal(gate_count(&lab.accepted), 0);

    give_back_descriptors(peers[WAITING - 1], last);
    gate_await(&lab.accepted, WAITING);
    gate_await(&lab.recovered, 1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
    for (int i = 0; i < WAITING; i++)
        close(peers[i]);
    lab_close(&lab);
}

static void start_on_no_socket(void *context)
{
    lab *lab = context;
    int socket = open("/dev/null", 0);
    weft__acceptor *acceptor;
    /* Not a socket: it is closed all the same. */
    assert_int_equal(weft__acceptor_start(&acceptor, lab->loop, socket, &lab_acceptor_events, lab),
                     WEFT_ESYSTEM);
    assert_null(acceptor);
    assert_int_equal(close(socket), -1);
    weft__acceptor_stop(NULL);
}

static void test_a_failed_start_closes_the_socket(void **state)
{
    (void)state;
    lab lab;
    lab_open(&lab);
    on_loop(lab.loop, start_on_no_socket, &lab);
    lab_close(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_system_chooses_a_port),
#ifdef __linux__
        cmocka_unit_test(test_the_queue_is_as_long_as_asked),
#endif
        cmocka_unit_test(test_a_port_in_use_is_named),
        cmocka_unit_test(test_addresses_that_cannot_be),
        cmocka_unit_test(test_streams_are_accepted_until_the_stop),
        cmocka_unit_test(test_accepting_survives_a_lack_of_memory),
        cmocka_unit_test(test_accepting_survives_a_lack_of_descriptors),
        cmocka_unit_test(test_a_failed_start_closes_the_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
