#include "net/lab.h"

#include "net/address.h"

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
    struct sockaddr_storage other = {.ss_family = AF_UNIX};
    assert_int_equal(weft__address_format(&out, (struct sockaddr *)&other), WEFT_EINVAL);
    assert_string_equal(out.host, "");
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
        cmocka_unit_test(test_a_stream_knows_both_its_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
