#include "endpoint/dialling.h"

static void close_normally(world *world, weft_connection *connection, weft_request *request)
{
    (void)world;
    (void)request;
    weft_connection_close(connection, 1000, "", 0, 5000);
}

static void test_what_comes_behind_the_answer_is_delivered(void **state)
{
    (void)state;
    script script;
    start_script_with(&script, good_answer, "\x81\x05hello\x88\x02\x03\xe8", 11);
    world world;
    world_init_client(&world);
    world.is_quiet = true;
    weft_client_release(dial(&world, "127.0.0.1", script.port, "", 0));
    world_expect_life(&world, "aomcr");
    assert_memory_equal(world.received, "hello", 5);
    end_script(&script);
    assert_memory_equal(script.request, "GET /path?query HTTP/1.1\r\n", 26);
    world_clear(&world);
}

static void test_interim_answers_are_passed_over(void **state)
{
    (void)state;
    char answer[512];
    snprintf(answer, sizeof answer,
             "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n%s", good_answer);
    script script;
    start_script(&script, answer);
    world world;
    world_init_client(&world);
    world.deeds[OPEN] = close_normally;
    weft_client_release(dial(&world, "127.0.0.1", script.port, "", 0));
    world_await(&world, OPEN, 1);
    assert_int_equal(world.answer_status, 101);
    weft_connection_abort(world.connection);
    world_await(&world, RELEASE, 1);
    end_script(&script);
    world_clear(&world);
}

static void test_the_servers_choice_of_subprotocol_counts(void **state)
{
    (void)state;
    script script;
    start_script(&script, "HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          "Sec-WebSocket-Protocol: two\r\nSec-WebSocket-Accept: %s\r\n\r\n");
    world world;
    world_init_client(&world);
    weft_client_release(dial(&world, "127.0.0.1", script.port, "one, two", 0));
    world_await(&world, OPEN, 1);
    weft_string chosen = weft_connection_subprotocol(world.connection);
    assert_int_equal(chosen.length, 3);
    assert_memory_equal(chosen.bytes, "two", 3);
    weft_connection_abort(world.connection);
    world_await(&world, RELEASE, 1);
    end_script(&script);
    world_clear(&world);
}

static void test_refusals_tell_status_and_body(void **state)
{
    (void)state;
    expect_refusal("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone, and more", "", 404, "gone");
    expect_refusal("HTTP/1.1 204 No Content\r\n\r\n", "", 204, "");
    expect_refusal("HTTP/1.1 301 Moved\r\nLocation: ws://elsewhere/\r\nContent-Length: 0\r\n\r\n", "", 301,
                   "");
}

static void test_interim_answers_have_an_end(void **state)
{
    (void)state;
    char answer[17 * 32] = "";
    for (int i = 0; i < 17; i++)
        strcat(answer, "HTTP/1.1 100 Continue\r\n\r\n");
    script script;
    start_script(&script, answer);
    world world;
    world_init_client(&world);
    weft_client_release(dial(&world, "127.0.0.1", script.port, "", 0));
    expect_failure(&world, WEFT_EHANDSHAKE, "fr");
    assert_string_equal(world.detail, "the server sent more than 16 interim answers");
    end_script(&script);
    world_clear(&world);
}

static void test_the_body_of_a_refusal_loses_its_chunked_coding(void **state)
{
    (void)state;
    static const char head[] = "HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n";
    const char *bodies[][2] = {
        {"4\r\ngone\r\n0\r\n\r\n", "gone"},
        {"2\r\ngo\r\n2;x=y\r\nne\r\n0\r\nTrailer: x\r\n\r\nand more", "gone"},
        {"0\r\n\r\n", ""},
        {"4\r\ngone\r\nnonsense", "gone"},
    };
    for (int i = 0; i < 4; i++) {
        char answer[256];
        snprintf(answer, sizeof answer, "%s%s", head, bodies[i][0]);
        expect_refusal(answer, "", 403, bodies[i][1]);
    }
}

static void test_answers_that_break_the_handshake(void **state)
{
    (void)state;
    expect_refusal("HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                   "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
                   "", 101, "");
    expect_refusal("HTTP/1.1 101 OK\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", "", 101, "");
    expect_refusal("HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n\r\n", "", 101, "");
    expect_refusal(
        "HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n"
        "Sec-WebSocket-Protocol: three\r\n\r\n",
        "one, two", 101, "");
    expect_refusal(
        "HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n"
        "Sec-WebSocket-Protocol: one\r\n\r\n",
        "", 101, "");
    expect_refusal(
        "HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n"
        "Sec-WebSocket-Extensions: permessage-unheard-of\r\n\r\n",
        "", 101, "");
}

static void test_an_answer_that_is_no_http(void **state)
{
    (void)state;
    script script;
    start_script(&script, "SSH-2.0-OpenSSH_9.2\r\n\r\n");
    world world;
    world_init_client(&world);
    weft_client_release(dial(&world, "127.0.0.1", script.port, "", 0));
    expect_failure(&world, WEFT_EHANDSHAKE, "fr");
    end_script(&script);
    world_clear(&world);
}

static void test_a_refusal_without_end_is_told_at_the_timeout(void **state)
{
    (void)state;
    script script;
    start_script(&script, "HTTP/1.1 500 Oops\r\nContent-Length: 100\r\n\r\nonly this");
    world world;
    world_init_client(&world);
    weft_client_release(dial(&world, "127.0.0.1", script.port, "", 100));
    expect_failure(&world, WEFT_EHANDSHAKE, "afr");
    assert_string_equal(world.body, "only this");
    end_script(&script);
    world_clear(&world);
}

static void test_a_server_that_hangs_up(void **state)
{
    (void)state;
    int listening = open_listening(AF_INET, 0);
    world world;
    world_init_client(&world);
    weft_client_release(dial(&world, "127.0.0.1", port_of(listening), "", 0));
    close(accept(listening, NULL, NULL));
    expect_failure(&world, WEFT_ELOST, "fr");
    close(listening);
    world_clear(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_comes_behind_the_answer_is_delivered),
        cmocka_unit_test(test_interim_answers_are_passed_over),
        cmocka_unit_test(test_interim_answers_have_an_end),
        cmocka_unit_test(test_the_servers_choice_of_subprotocol_counts),
        cmocka_unit_test(test_the_body_of_a_refusal_loses_its_chunked_coding),
        cmocka_unit_test(test_refusals_tell_status_and_body),
        cmocka_unit_test(test_answers_that_break_the_handshake),
        cmocka_unit_test(test_an_answer_that_is_no_http),
        cmocka_unit_test(test_a_refusal_without_end_is_told_at_the_timeout),
        cmocka_unit_test(test_a_server_that_hangs_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
