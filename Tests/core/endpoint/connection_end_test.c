#include "endpoint/world.h"

#include "endpoint/connection.h"

/* -- the peer ends ------------------------------------------------------------------------------- */

static void test_an_end_without_close_frame_is_1006(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world_listen(&world);
    close(peer_open(world.port));
    world_expect_life(&world, "uocr");
    assert_int_equal(world.close_code, 1006);
    world_end(&world);
}

static void test_a_reset_is_an_error_and_1006(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world_listen(&world);
    peer_reset(peer_open(world.port));
    world_expect_life(&world, "uoecr");
    assert_int_equal(world.error, WEFT_ELOST);
    assert_int_equal(world.close_code, 1006);
    world_end(&world);
}

static void test_a_violation_gets_one_close_frame_and_the_end(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
        uint16_t code;
        weft_status reason;
    } cases[] = {
        {"\x81\x01x", 3, 1002, WEFT_EPROTOCOL},                           /* not masked */
        {"\x83\x80\0\0\0\0", 6, 1002, WEFT_EPROTOCOL},                    /* reserved opcode */
        {"\x80\x80\0\0\0\0", 6, 1002, WEFT_ECONTINUATION},                /* continues nothing */
        {"\x81\x81\0\0\0\0\xff", 7, 1007, WEFT_EPAYLOAD},                 /* not UTF-8 */
        {"\x82\xff\0\0\0\0\0\x10\0\x01\0\0\0\0", 14, 1009, WEFT_ETOOBIG}, /* over the frame's limit */
        {"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", 14, 1009, WEFT_ETOOBIG}, /* 2^63 - 1 bytes */
        {"\x82\xff\x80\0\0\0\0\0\0\0\0\0\0\0", 14, 1002, WEFT_EPROTOCOL},             /* 2^63 bytes */
        {"\x88\x81\0\0\0\0x", 7, 1002, WEFT_EPROTOCOL},                               /* half a close code */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        world world;
        world_init(&world);
        world_listen(&world);
        int peer = peer_open(world.port);
        uint8_t bytes[64];
        memcpy(bytes, cases[i].bytes, cases[i].length);
        size_t more = peer_write_frame(bytes + cases[i].length, FIN | TEXT, "later", 5);
        peer_send(peer, bytes, cases[i].length + more);
        peer_expect_close(peer, cases[i].code);
        peer_try_send(peer, bytes, cases[i].length); /* dropped like what was behind the violation */
        peer_expect_end(peer);
        close(peer);
        world_expect_life(&world, "uoecr");
        assert_int_equal(world.error, cases[i].reason);
        assert_int_equal(world.close_code, cases[i].code);
        world_end(&world);
    }
}

static void test_abort_resets_tcp(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world_listen(&world);
    int peer = peer_open(world.port);
    world_await(&world, OPEN, 1);
    weft_connection_abort(world.connection);
    weft_connection_abort(world.connection);
    peer_expect_reset(peer);
    world_expect_life(&world, "uocr");
    assert_int_equal(world.close_code, 1006);
    assert_int_equal(weft_connection_close(world.connection, 1000, "", 0, 1), WEFT_ECLOSED);
    weft_connection_abort(world.connection);
    close(peer);
    world_end(&world);
}

static weft_status statuses[2];

static void note_address(world *world, weft_connection *connection, weft_request *request)
{
    (void)request;
    char host[64];
    uint16_t port = 0;
    statuses[0] = weft_connection_remote_address(connection, host, sizeof host, &port);
    statuses[1] = weft_connection_send(connection, WEFT_TEXT, (const uint8_t *)"x", 1);
    world->is_quiet = true;
}

static void test_the_address_is_known_until_on_close_returns(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world.deeds[CLOSED] = note_address;
    world_listen(&world);
    int peer = peer_open(world.port);
    world_await(&world, OPEN, 1);
    weft_connection_abort(world.connection);
    world_await(&world, RELEASE, 1);
    assert_int_equal(statuses[0], WEFT_OK);
    assert_int_equal(statuses[1], WEFT_ECLOSED);
    close(peer);
    world_end(&world);
}

/* -- failing ------------------------------------------------------------------------------------- */

static const char *failure;

static void fail_in_callback(world *world, weft_connection *connection, weft_request *request)
{
    (void)world;
    (void)request;
    weft_connection_fail(connection, failure);
}

static void expect_failure(const char *detail, const char *reason)
{
    world world;
    world_init(&world);
    world.deeds[MESSAGE] = fail_in_callback;
    failure = detail;
    world_listen(&world);
    int peer = peer_open(world.port);
    peer_send_text(peer, "x");
    peer_expect_text(peer, "x");
    char payload[125];
    payload[0] = 0x03;
    payload[1] = (char)0xf3;
    memcpy(payload + 2, reason, strlen(reason));
    peer_expect_frame(peer, FIN | CLOSE, payload, 2 + strlen(reason));
    peer_expect_end(peer);
    close(peer);
    world_expect_life(&world, "uomecr");
    assert_int_equal(world.error, WEFT_ECALLBACK);
    assert_string_equal(world.detail, detail);
    assert_int_equal(world.close_code, 1011);
    assert_string_equal(world.close_reason, reason);
    world_end(&world);
}

static void close_and_fail(world *world, weft_connection *connection, weft_request *request)
{
    (void)world;
    (void)request;
    assert_int_equal(weft_connection_close(connection, 4000, "", 0, 0), WEFT_OK);
    weft_connection_fail(connection, "too late");
}

static void test_a_failure_behind_our_close_frame_tells_that_ones_code(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world.deeds[MESSAGE] = close_and_fail;
    world.is_quiet = true;
    world_listen(&world);
    int peer = peer_open(world.port);
    peer_send_text(peer, "x");
    peer_expect_close(peer, 4000);
    peer_expect_end(peer);
    close(peer);
    world_expect_life(&world, "uomecr");
    assert_int_equal(world.error, WEFT_ECALLBACK);
    assert_int_equal(world.close_code, 4000);
    assert_string_equal(world.close_reason, "");
    world_end(&world);
}

/* RFC 6455 section 5.5.1: a reason is UTF-8 of at most 123 bytes. */
static void test_a_failure_is_1011_with_what_fits_of_its_detail(void **state)
{
    (void)state;
    char detail[200] = "", reason[124] = "";
    expect_failure("out of tea", "out of tea");
    for (int i = 0; i < 60; i++)
        strcat(detail, "\xe2\x82\xac"); /* 41 euro signs are 123 bytes */
    memcpy(reason, detail, 123);
    expect_failure(detail, reason);
    detail[0] = 'a';
    detail[1] = '\0';
    for (int i = 0; i < 60; i++)
        strcat(detail, "\xe2\x82\xac");
    memset(reason, 0, sizeof reason);
    memcpy(reason, detail, 121);
    expect_failure(detail, reason);
    expect_failure("\xff\xff\xff\xff\xff\xff", "");
}

static void test_a_closed_loop_ends_its_connections(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    weft_loop *loop;
    assert_int_equal(weft_loop_open(&loop), WEFT_OK);
    world.listening.loops = &loop;
    world.listening.loop_count = 1;
    world_listen(&world);
    int peer = peer_open(world.port);
    world_await(&world, OPEN, 1);
    weft_loop_close(loop);
    world_expect_story(&world, "uoecrxs");
    assert_int_equal(world.error, WEFT_ECLOSED);
    assert_int_equal(world.close_code, 1006);
    assert_int_equal(weft_connection_send(world.connection, WEFT_TEXT, NULL, 0), WEFT_ECLOSED);
    assert_int_equal(weft_connection_close(world.connection, 1000, "", 0, 0), WEFT_ECLOSED);
    weft_connection_abort(world.connection);
    weft_connection_answer_close(world.connection);
    close(peer);
    weft_listener_release(world.listener);
    world_clear(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_end_without_close_frame_is_1006),
        cmocka_unit_test(test_a_reset_is_an_error_and_1006),
        cmocka_unit_test(test_a_violation_gets_one_close_frame_and_the_end),
        cmocka_unit_test(test_abort_resets_tcp),
        cmocka_unit_test(test_the_address_is_known_until_on_close_returns),
        cmocka_unit_test(test_a_failure_behind_our_close_frame_tells_that_ones_code),
        cmocka_unit_test(test_a_failure_is_1011_with_what_fits_of_its_detail),
        cmocka_unit_test(test_a_closed_loop_ends_its_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
