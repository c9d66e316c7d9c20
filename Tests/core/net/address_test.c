#include "net/lab.h"

#include "net/address.h"

#include <netdb.h>

static void test_both_families_are_written_in_numbers(void **state)
{
    (void)state;
    weft__endpoint_address out;
    struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_port = htons(80)};
    ipv4.sin_addr.s_addr = htonl(0x7f000001);
    assert_int_equal(weft__address_format(&out, (struct sockaddr *)&ipv4), WEFT_OK);
    assert_string_equal(out.host, "127.0.0.1");
    assert_int_equal(out.port, 80);
    struct sockaddr_in6 ipv6 = {
        .sin6_family = AF_INET6, .sin6_port = htons(65535), .sin6_addr = in6addr_loopback};
    assert_int_equal(weft__address_format(&out, (struct sockaddr *)&ipv6), WEFT_OK);
    assert_string_equal(out.host, "::1");
    assert_int_equal(out.port, 65535);
}

static void test_another_family_is_refused(void **state)
{
    (void)state;
    weft__endpoint_address out;
    struct sockaddr_storage other = {.ss_family = AF_UNSPEC};
    assert_int_equal(weft__address_format(&out, (struct sockaddr *)&other), WEFT_EINVAL);
    assert_string_equal(out.host, "");
}

static void test_a_unix_socket_has_no_numbers(void **state)
{
    (void)state;
    weft__endpoint_address out;
    struct sockaddr_storage other = {.ss_family = AF_UNIX};
    assert_int_equal(weft__address_format(&out, (struct sockaddr *)&other), WEFT_OK);
    assert_string_equal(out.host, "");
    assert_int_equal(out.port, 0);
}

static void test_numbers_are_read_and_written_as_in_urls(void **state)
{
    (void)state;
    const char *hosts[] = {"127.0.0.1", "::1", "2001:db8::a"};
    const char *written[] = {"127.0.0.1:80", "[::1]:80", "[2001:db8::a]:80"};
    for (int i = 0; i < 3; i++) {
        weft__address address;
        char text[72];
        assert_true(weft__address_parse(&address, hosts[i], 80));
        weft__address_write(text, sizeof text, &address);
        assert_string_equal(text, written[i]);
    }
    const char *names[] = {"localhost", "127.0.0", "1.2.3.4.5", "::1::", ""};
    for (int i = 0; i < 5; i++) {
        weft__address address;
        assert_false(weft__address_parse(&address, names[i], 80));
    }
}

/* `order` is of digits, the family of each answer, and the host's last number is its index. */
static void expect_interleaved(const char *order, size_t most, const char *expected)
{
    weft__address addresses[8], out[8];
    struct addrinfo answers[8];
    size_t count = strlen(order);
    memset(answers, 0, sizeof answers);
    for (size_t i = 0; i < count; i++) {
        char host[16];
        snprintf(host, sizeof host, order[i] == '4' ? "127.0.0.%zu" : "::%zu", i);
        assert_true(weft__address_parse(&addresses[i], host, 80));
        answers[i].ai_family = addresses[i].any.sa_family;
        answers[i].ai_addr = &addresses[i].any;
        answers[i].ai_addrlen = order[i] == '4' ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
        answers[i].ai_next = i + 1 < count ? &answers[i + 1] : NULL;
    }
    size_t taken = weft__address_interleave(out, most, count ? answers : NULL);
    assert_int_equal(taken, strlen(expected));
    for (size_t i = 0; i < taken; i++) {
        char wanted[16], host[72];
        size_t index = (size_t)(expected[i] - '0');
        snprintf(wanted, sizeof wanted, order[index] == '4' ? "127.0.0.%zu:80" : "[::%zu]:80", index);
        weft__address_write(host, sizeof host, &out[i]);
        assert_string_equal(host, index == 0 && order[0] == '6' ? "[::]:80" : wanted);
    }
}

static void test_families_take_turns_in_the_order_of_the_answers(void **state)
{
    (void)state;
    expect_interleaved("", 8, "");
    expect_interleaved("4", 8, "0");
    expect_interleaved("6644", 8, "0213");
    expect_interleaved("4466", 8, "0213");
    expect_interleaved("6664", 8, "0312");
    expect_interleaved("4444", 8, "0123");
    expect_interleaved("466646", 8, "014235");
    expect_interleaved("6644", 3, "021");
}

typedef struct names {
    lab *lab;
    weft__endpoint_address local, remote;
    weft_status status[2];
} names;

static void take_names(void *context)
{
    names *names = context;
    names->status[0] = weft__stream_local_address(names->lab->stream, &names->local);
    names->status[1] = weft__stream_remote_address(names->lab->stream, &names->remote);
}

static void test_a_stream_knows_both_its_ends(void **state)
{
    (void)state;
    lab lab;
    lab_open(&lab);
    int peer = lab_connect(&lab, false);
    names names = {.lab = &lab};
    on_loop(lab.loop, take_names, &names);
    struct sockaddr_in own;
    socklen_t length = sizeof own;
    getsockname(peer, (struct sockaddr *)&own, &length);
    assert_int_equal(names.status[0] | names.status[1], WEFT_OK);
    assert_string_equal(names.local.host, "127.0.0.1");
    assert_int_equal(names.local.port, lab.port);
    assert_string_equal(names.remote.host, "127.0.0.1");
    assert_int_equal(names.remote.port, ntohs(own.sin_port));
    close(peer);
    lab_close(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_families_are_written_in_numbers),
        cmocka_unit_test(test_another_family_is_refused),
        cmocka_unit_test(test_a_unix_socket_has_no_numbers),
        cmocka_unit_test(test_numbers_are_read_and_written_as_in_urls),
        cmocka_unit_test(test_families_take_turns_in_the_order_of_the_answers),
        cmocka_unit_test(test_a_stream_knows_both_its_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
