#include "no_crypto.h"

#include "weft/handshake.h"

#include <stdio.h>
#include <string.h>

#define REQUEST                                                                                              \
    "GET /chat?a HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"                       \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"                           \
    "Sec-WebSocket-Protocol: x, *, y\r\nEmpty:\r\n\r\n"

static weft_string string(const char *text)
{
    return (weft_string){text, strlen(text)};
}

static bool contains(weft_string text, const char *part)
{
    size_t length = strlen(part);
    for (size_t at = 0; at + length <= text.length; at++) {
        if (memcmp(text.bytes + at, part, length) == 0) return true;
    }
    return false;
}

static bool equals(weft_string found, const char *expected)
{
    return found.length == strlen(expected) && memcmp(found.bytes, expected, found.length) == 0;
}

static weft_string output(const weft_handshake *handshake)
{
    const uint8_t *bytes;
    size_t length;
    weft_handshake_output(handshake, &bytes, &length);
    return (weft_string){(const char *)bytes, length};
}

/* Hands `text` over in pieces of `piece` bytes; `*used` counts the bytes of the head. */
static weft_status feed(weft_handshake *handshake, const char *text, size_t length, size_t piece,
                        size_t *used)
{
    weft_status status = WEFT_OK;
    size_t at = 0;
    *used = 0;
    while (at < length && weft_handshake_get_state(handshake) == WEFT_HANDSHAKE_READING &&
           status == WEFT_OK) {
        size_t now = 0, part = length - at < piece ? length - at : piece;
        status = weft_handshake_receive(handshake, (const uint8_t *)text + at, part, &now);
        assert_true(now <= part);
        at += now;
    }
    *used = at;
    return status;
}

static weft_handshake *new_server(void)
{
    weft_handshake *server;
    assert_int_equal(weft_handshake_new_server(&server), WEFT_OK);
    assert_int_equal(weft_handshake_get_state(server), WEFT_HANDSHAKE_READING);
    return server;
}

static weft_handshake *new_client(const char *subprotocols)
{
    weft_handshake *client;
    weft_handshake_client_config config;
    weft_handshake_client_config_init(&config);
    config.url = string("ws://h/chat?a");
    config.subprotocols = string(subprotocols);
    assert_int_equal(weft_handshake_new_client(&client, &config), WEFT_OK);
    return client;
}

static void test_a_server_decides_on_a_good_request_however_it_is_cut(void **state)
{
    (void)state;
    static const char text[] = REQUEST "\x81\x80";
    for (size_t piece = 1; piece < sizeof text; piece++) {
        size_t used;
        weft_handshake *server = new_server();
        assert_int_equal(feed(server, text, sizeof text - 1, piece, &used), WEFT_OK);
        assert_int_equal(used, sizeof REQUEST - 1);
        assert_int_equal(weft_handshake_get_state(server), WEFT_HANDSHAKE_DECIDING);
        assert_true(equals(weft_handshake_target(server), "/chat?a"));
        assert_true(equals(weft_handshake_field(server, "host"), "h"));
        assert_non_null(weft_handshake_field(server, "Empty").bytes);
        assert_null(weft_handshake_field(server, "Absent").bytes);
        assert_int_equal(output(server).length, 0);
        weft_handshake_free(server);
    }
}

static void test_an_accepting_server_is_open(void **state)
{
    (void)state;
    static const char expected[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                                   "Connection: Upgrade\r\n"
                                   "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
                                   "Sec-WebSocket-Protocol: *\r\nA: b\r\n\r\n";
    size_t used;
    const weft_field field = {string("A"), string("b")}, bad = {string("A"), string("b\n")};
    weft_handshake *server = new_server();
    assert_int_equal(weft_handshake_accept(server, string(""), NULL, 0), WEFT_ESTATE);
    feed(server, REQUEST, sizeof REQUEST - 1, SIZE_MAX, &used);
    assert_int_equal(weft_handshake_accept(server, string("z"), NULL, 0), WEFT_EINVAL);
    assert_int_equal(weft_handshake_accept(server, string("x"), &bad, 1), WEFT_EINVAL);
    assert_int_equal(weft_handshake_accept(server, string("x"), NULL, 1), WEFT_EINVAL);
    assert_int_equal(weft_handshake_accept(server, string("*"), &field, 1), WEFT_OK);
    assert_int_equal(weft_handshake_get_state(server), WEFT_HANDSHAKE_OPEN);
    assert_int_equal(weft_handshake_http_status(server), 101);
    assert_true(equals(weft_handshake_subprotocol(server), "*"));
    assert_true(equals(output(server), expected));
    weft_handshake_consume_output(server, 9);
    assert_true(equals(output(server), expected + 9));
    weft_handshake_consume_output(server, SIZE_MAX);
    assert_int_equal(output(server).length, 0);
    assert_int_equal(weft_handshake_receive(server, NULL, 0, &used), WEFT_ESTATE);
    assert_int_equal(weft_handshake_reject(server, 400, string("")), WEFT_ESTATE);
    assert_string_equal(weft_handshake_detail(server), "");
    weft_handshake_free(server);
}

static void test_a_rejecting_server_answers_and_has_failed(void **state)
{
    (void)state;
    size_t used;
    weft_handshake *server = new_server();
    feed(server, REQUEST, sizeof REQUEST - 1, SIZE_MAX, &used);
    assert_int_equal(weft_handshake_reject(server, 399, string("")), WEFT_EINVAL);
    assert_int_equal(weft_handshake_reject(server, 600, string("")), WEFT_EINVAL);
    counting_allocator counter;
    allocator_count(&counter);
    counter.fail_at = 1;
    assert_int_equal(weft_handshake_reject(server, 403, string("go away")), WEFT_ENOMEM);
    assert_int_equal(weft_handshake_get_state(server), WEFT_HANDSHAKE_DECIDING);
    assert_int_equal(output(server).length, 0);
    allocator_restore(&counter);
    assert_int_equal(weft_handshake_reject(server, 403, string("go away")), WEFT_OK);
    assert_int_equal(weft_handshake_get_state(server), WEFT_HANDSHAKE_FAILED);
    assert_int_equal(weft_handshake_http_status(server), 403);
    assert_string_equal(weft_handshake_detail(server), "rejected with 403");
    assert_true(equals(output(server), "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 7\r\n"
                                       "Content-Type: text/plain; charset=utf-8\r\n\r\ngo away"));
    weft_handshake_free(server);
}

static void expect_refusal(const char *text, weft_status expected, uint16_t http_status, const char *detail,
                           const char *in_output)
{
    size_t length = strlen(text);
    for (size_t piece = 1; piece <= length; piece++) {
        size_t used;
        weft_handshake *server = new_server();
        assert_int_equal(feed(server, text, length, piece, &used), expected);
        assert_int_equal(weft_handshake_get_state(server), WEFT_HANDSHAKE_FAILED);
        assert_int_equal(weft_handshake_http_status(server), http_status);
        assert_string_equal(weft_handshake_detail(server), detail);
        assert_true(contains(output(server), in_output));
        assert_int_equal(weft_handshake_receive(server, NULL, 0, &used), WEFT_ESTATE);
        weft_handshake_free(server);
    }
}

static void test_a_server_answers_what_it_refuses(void **state)
{
    (void)state;
    expect_refusal("GET / HTTP/1.1\r\nHost : h\r\n\r\n", WEFT_EHTTP, 400,
                   "header field name contains a space", "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n");
    expect_refusal("GET / HTTP/1.1\r\nHost: h\r\n\r\n", WEFT_EHANDSHAKE, 400,
                   "Upgrade does not list websocket", "\r\n\r\nUpgrade does not list websocket");
    expect_refusal("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", WEFT_EHANDSHAKE, 405,
                   "method of an upgrade request is not GET", "\r\nAllow: GET\r\n\r\n");
    expect_refusal("GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
                   WEFT_EHANDSHAKE, 426, "Sec-WebSocket-Version is missing",
                   "\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
}

static void test_a_server_keeps_to_its_limits(void **state)
{
    (void)state;
    static char big[32 << 10];
    size_t used;
    memset(big, 'a', sizeof big);
    memcpy(big, "GET /", 5);
    weft_handshake *server = new_server();
    assert_int_equal(feed(server, big, sizeof big, 1000, &used), WEFT_EHTTP);
    assert_int_equal(weft_handshake_http_status(server), 414);
    weft_handshake_free(server);

    memcpy(big, "GET / HTTP/1.1\r\nA:", 18);
    server = new_server();
    assert_int_equal(feed(server, big, sizeof big, sizeof big, &used), WEFT_EHTTP);
    assert_int_equal(weft_handshake_http_status(server), 431);
    weft_handshake_free(server);

    for (int fields = 256; fields <= 257; fields++) {
        char *end = stpcpy(big, "GET / HTTP/1.1\r\n");
        for (int i = 0; i < fields; i++)
            end = stpcpy(end, "A:b\r\n");
        server = new_server();
        weft_status status = fields > 256 ? WEFT_EHTTP : WEFT_OK;
        assert_int_equal(feed(server, big, (size_t)(end - big), SIZE_MAX, &used), status);
        assert_int_equal(weft_handshake_http_status(server), fields > 256 ? 431 : 0);
        weft_handshake_free(server);
    }
}

/* The answer of a server to what the client has in its output. */
static weft_string answer_to(weft_handshake *server, weft_handshake *client, const char *subprotocol)
{
    size_t used;
    weft_string request = output(client);
    assert_int_equal(feed(server, request.bytes, request.length, SIZE_MAX, &used), WEFT_OK);
    assert_int_equal(weft_handshake_accept(server, string(subprotocol), NULL, 0), WEFT_OK);
    return output(server);
}

static void test_client_and_server_agree_however_the_answer_is_cut(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 200; piece++) {
        size_t used;
        weft_handshake *server = new_server(), *client = new_client("a, b");
        weft_string answer = answer_to(server, client, "b");
        assert_int_equal(feed(client, answer.bytes, answer.length, piece, &used), WEFT_OK);
        assert_int_equal(used, answer.length);
        assert_int_equal(weft_handshake_get_state(client), WEFT_HANDSHAKE_OPEN);
        assert_true(equals(weft_handshake_subprotocol(client), "b"));
        assert_true(equals(weft_handshake_field(client, "upgrade"), "websocket"));
        assert_int_equal(weft_handshake_http_status(client), 101);
        assert_int_equal(weft_handshake_accept(client, string(""), NULL, 0), WEFT_ESTATE);
        weft_handshake_free(server);
        weft_handshake_free(client);
    }
}

static void test_a_client_passes_over_interim_answers_however_they_are_cut(void **state)
{
    (void)state;
    static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
    for (size_t piece = 1; piece < 300; piece++) {
        weft_handshake *server = new_server(), *client = new_client("a, b");
        weft_string answer = answer_to(server, client, "b");
        char all[1024];
        int length = snprintf(all, sizeof all, "%s%.*s\x81\x01x", interim, (int)answer.length, answer.bytes);
        size_t used;
        assert_int_equal(feed(client, all, (size_t)length, piece, &used), WEFT_OK);
        assert_int_equal(used, strlen(interim) + answer.length); /* the frame behind it is the session's */
        assert_int_equal(weft_handshake_get_state(client), WEFT_HANDSHAKE_OPEN);
        assert_int_equal(weft_handshake_http_status(client), 101);
        assert_true(equals(weft_handshake_subprotocol(client), "b"));
        weft_handshake_free(client);
        weft_handshake_free(server);
    }
}

static void test_a_client_has_enough_of_interim_answers(void **state)
{
    (void)state;
    char head[4000] = "HTTP/1.1 102 \r\nX: ";
    memset(head + strlen(head), 'x', sizeof head - strlen(head) - 1);
    memcpy(head + sizeof head - 5, "\r\n\r\n", 5);
    for (size_t piece = 1; piece < 9000; piece = piece * 7 + 1) {
        weft_handshake *client = new_client("");
        size_t used;
        for (int i = 0; i < 16; i++) {
            assert_int_equal(feed(client, head, strlen(head), piece, &used), WEFT_OK);
            assert_int_equal(used, strlen(head));
        }
        assert_int_equal(feed(client, head, strlen(head), piece, &used), WEFT_EHANDSHAKE);
        assert_int_equal(weft_handshake_get_state(client), WEFT_HANDSHAKE_FAILED);
        assert_string_equal(weft_handshake_detail(client), "the server sent more than 16 interim answers");
        weft_handshake_free(client);
    }
}

static void test_a_client_refuses_a_bad_answer(void **state)
{
    (void)state;
    size_t used;
    weft_handshake *server = new_server(), *client = new_client(""), *other = new_client("");
    weft_string answer = answer_to(server, other, "");
    assert_int_equal(feed(client, answer.bytes, answer.length, 7, &used), WEFT_EHANDSHAKE);
    assert_string_equal(weft_handshake_detail(client),
                        "Sec-WebSocket-Accept does not belong to the key that was sent");
    weft_handshake_free(server);
    weft_handshake_free(client);
    weft_handshake_free(other);

    client = new_client("");
    assert_int_equal(feed(client, "HTTP/1.1 503 \r\n\r\n", 17, 1, &used), WEFT_EHANDSHAKE);
    assert_int_equal(weft_handshake_http_status(client), 503);
    assert_int_equal(weft_handshake_get_state(client), WEFT_HANDSHAKE_FAILED);
    weft_handshake_free(client);

    client = new_client("");
    assert_int_equal(feed(client, "HTTP/1.1 101\n", 13, 1, &used), WEFT_EHTTP);
    assert_int_equal(weft_handshake_http_status(client), 0);
    weft_handshake_free(client);
}

static void expect_bad_config(const char *url, const char *subprotocols, weft_field field,
                              weft_status expected)
{
    weft_handshake *client = (weft_handshake *)&client;
    weft_handshake_client_config config;
    weft_handshake_client_config_init(&config);
    config.url = string(url);
    config.subprotocols = string(subprotocols);
    config.fields = &field;
    config.field_count = 1;
    assert_int_equal(weft_handshake_new_client(&client, &config), expected);
    assert_null(client);
}

static void test_a_client_that_cannot_be_is_refused(void **state)
{
    (void)state;
    const weft_field good = {string("A"), string("b")}, bad = {string("A"), string("b\r\n")};
    const weft_field owned = {string("upgrade"), string("h2c")};
    expect_bad_config("http://h/", "", good, WEFT_EURL);
    expect_bad_config("", "", good, WEFT_EURL);
    expect_bad_config("ws://h/", "a b", good, WEFT_EINVAL);
    expect_bad_config("ws://h/", "a, a", good, WEFT_EINVAL);
    expect_bad_config("ws://h/", "", bad, WEFT_EINVAL);
    expect_bad_config("ws://h/", "", owned, WEFT_EINVAL);
    weft_handshake *client;
    weft_handshake_client_config config = {0};
    assert_int_equal(weft_handshake_new_client(&client, &config), WEFT_EINVAL);
    weft_handshake_client_config_init(&config);
    config.url = string("ws://h/");
    config.field_count = 1;
    assert_int_equal(weft_handshake_new_client(&client, &config), WEFT_EINVAL);
    config.field_count = 0;
    config.url.length = SIZE_MAX;
    config.subprotocols = string("a");
    assert_int_equal(weft_handshake_new_client(&client, &config), WEFT_EINVAL);
    assert_null(client);
}

static void test_a_handshake_without_digests_and_random_bytes_is_not_made(void **state)
{
    (void)state;
    static const char answer[] = "HTTP/1.1 101 \r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                 "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    size_t used;
    weft_handshake *client = new_client(""), *server = new_server(), *none;
    weft_handshake_client_config config;
    weft_handshake_client_config_init(&config);
    config.url = string("ws://h/");
    feed(server, REQUEST, sizeof REQUEST - 1, SIZE_MAX, &used);
    crypto_take_away();
    assert_int_equal(weft_handshake_new_client(&none, &config), WEFT_ESYSTEM);
    assert_null(none);
    assert_int_equal(feed(client, answer, sizeof answer - 1, SIZE_MAX, &used), WEFT_ESYSTEM);
    assert_int_equal(used, 0);
    assert_int_equal(weft_handshake_get_state(client), WEFT_HANDSHAKE_READING);
    assert_int_equal(weft_handshake_accept(server, string(""), NULL, 0), WEFT_ESYSTEM);
    assert_int_equal(output(server).length, 0);
    crypto_give_back();
    assert_int_equal(feed(client, answer, sizeof answer - 1, SIZE_MAX, &used), WEFT_EHANDSHAKE);
    assert_string_equal(weft_handshake_detail(client),
                        "Sec-WebSocket-Accept does not belong to the key that was sent");
    assert_int_equal(weft_handshake_accept(server, string(""), NULL, 0), WEFT_OK);
    weft_handshake_free(client);
    weft_handshake_free(server);
}

/* A server with these settings (NULL: none set) answers a client's offer. */
static void agree(weft_handshake **client, weft_handshake **server, const weft_compression *offered,
                  const weft_compression *settings)
{
    weft_handshake_client_config config;
    weft_handshake_client_config_init(&config);
    config.url = string("ws://h/");
    config.compression = offered;
    assert_int_equal(weft_handshake_new_client(client, &config), WEFT_OK);
    *server = new_server();
    size_t used;
    if (settings) assert_int_equal(weft_handshake_set_compression(*server, settings), WEFT_OK);
    feed(*server, output(*client).bytes, output(*client).length, SIZE_MAX, &used);
    assert_null(weft_handshake_compression(*server));
    assert_int_equal(weft_handshake_accept(*server, string(""), NULL, 0), WEFT_OK);
    feed(*client, output(*server).bytes, output(*server).length, SIZE_MAX, &used);
    assert_int_equal(weft_handshake_get_state(*client), WEFT_HANDSHAKE_OPEN);
}

static void test_compression_is_agreed_when_both_sides_want_it(void **state)
{
    (void)state;
    weft_handshake *client, *server;
    weft_compression offered, settings;
    weft_compression_init(&offered, WEFT_CLIENT);
    weft_compression_init(&settings, WEFT_SERVER);
    settings.server_max_window_bits = 12;
    agree(&client, &server, &offered, &settings);
    const weft_compression *both[] = {weft_handshake_compression(client), weft_handshake_compression(server)};
    for (size_t i = 0; i < 2; i++) {
        assert_non_null(both[i]);
        assert_true(both[i]->server_no_context_takeover && both[i]->client_no_context_takeover);
        assert_int_equal(both[i]->server_max_window_bits, 12);
    }
    assert_int_equal(weft_handshake_set_compression(server, &settings), WEFT_ESTATE);
    assert_int_equal(weft_handshake_set_compression(client, &settings), WEFT_ESTATE);
    weft_handshake_free(client);
    weft_handshake_free(server);
}

static void test_compression_is_off_where_one_side_does_not_want_it(void **state)
{
    (void)state;
    weft_compression offered, settings;
    weft_compression_init(&offered, WEFT_CLIENT);
    weft_compression_init(&settings, WEFT_SERVER);
    settings.enabled = false;
    const weft_compression *const pairs[][2] = {{&offered, NULL}, {&offered, &settings}, {NULL, NULL}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        weft_handshake *client, *server;
        agree(&client, &server, pairs[i][0], pairs[i][1]);
        assert_false(contains(output(server), "Extensions"));
        assert_null(weft_handshake_compression(client));
        assert_null(weft_handshake_compression(server));
        weft_handshake_free(client);
        weft_handshake_free(server);
    }
}

static void test_a_server_may_set_compression_until_it_has_decided(void **state)
{
    (void)state;
    size_t used;
    weft_handshake *server = new_server();
    weft_compression settings;
    weft_compression_init(&settings, WEFT_SERVER);
    feed(server, REQUEST, sizeof REQUEST - 1, SIZE_MAX, &used);
    assert_int_equal(weft_handshake_set_compression(server, &settings), WEFT_OK);
    assert_int_equal(weft_handshake_accept(server, string(""), NULL, 0), WEFT_OK);
    assert_int_equal(weft_handshake_set_compression(server, &settings), WEFT_ESTATE);
    weft_handshake_free(server);
}

static void test_compression_settings_out_of_range_are_refused(void **state)
{
    (void)state;
    weft_handshake *server = new_server(), *client;
    weft_compression settings;
    weft_handshake_client_config config;
    weft_compression_init(&settings, WEFT_SERVER);
    settings.level = 10;
    assert_int_equal(weft_handshake_set_compression(server, &settings), WEFT_EINVAL);
    weft_handshake_client_config_init(&config);
    config.url = string("ws://h/");
    config.compression = &settings;
    assert_int_equal(weft_handshake_new_client(&client, &config), WEFT_EINVAL);
    assert_null(client);
    weft_handshake_free(server);
}

/* Calls again once there is memory: a call that found none must have changed nothing. */
static void receive_with_little_memory(counting_allocator *counter, weft_handshake *handshake,
                                       weft_string text)
{
    size_t used, fail_at = counter->fail_at;
    weft_status status = weft_handshake_receive(handshake, (const uint8_t *)text.bytes, text.length, &used);
    if (status == WEFT_ENOMEM) {
        assert_int_equal(used, 0);
        assert_int_equal(weft_handshake_get_state(handshake), WEFT_HANDSHAKE_READING);
        counter->fail_at = 0;
        status = weft_handshake_receive(handshake, (const uint8_t *)text.bytes, text.length, &used);
        counter->fail_at = fail_at;
    }
    assert_int_not_equal(status, WEFT_ENOMEM);
    assert_int_equal(used, text.length);
}

static bool server_scenario(counting_allocator *counter, const char *text, weft_handshake_state expected)
{
    weft_handshake *server;
    if (weft_handshake_new_server(&server) == WEFT_ENOMEM) return false;
    receive_with_little_memory(counter, server, string(text));
    assert_int_equal(weft_handshake_get_state(server), expected);
    if (expected == WEFT_HANDSHAKE_DECIDING) {
        weft_status status = weft_handshake_accept(server, string("x"), NULL, 0);
        assert_true(status == WEFT_OK || (status == WEFT_ENOMEM && output(server).length == 0));
    }
    weft_handshake_free(server);
    return counter->requests < counter->fail_at;
}

static bool client_scenario(counting_allocator *counter, const char *text, weft_handshake_state expected)
{
    weft_handshake *client = NULL;
    weft_handshake_client_config config;
    weft_handshake_client_config_init(&config);
    config.url = string("ws://h/");
    weft_status status = weft_handshake_new_client(&client, &config);
    assert_int_equal(client != NULL, status == WEFT_OK);
    if (status == WEFT_ENOMEM) return false;
    receive_with_little_memory(counter, client, string(text));
    assert_int_equal(weft_handshake_get_state(client), expected);
    weft_handshake_free(client);
    return counter->requests < counter->fail_at;
}

static void test_running_out_of_memory_changes_nothing(void **state)
{
    (void)state;
    for (int scenario = 0; scenario < 5; scenario++) {
        bool done = false;
        for (size_t n = 1; !done; n++) {
            counting_allocator counter;
            allocator_count(&counter);
            counter.fail_at = n;
            switch (scenario) {
            case 0: done = server_scenario(&counter, REQUEST, WEFT_HANDSHAKE_DECIDING); break;
            case 1: done = server_scenario(&counter, "GET /\r\n", WEFT_HANDSHAKE_FAILED); break;
            case 2:
                done = server_scenario(&counter, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", WEFT_HANDSHAKE_FAILED);
                break;
            case 3:
                done = client_scenario(&counter, "HTTP/1.1 100 \r\nA: b\r\n\r\nHTTP/1.1 404 \r\nA: b\r\n\r\n",
                                       WEFT_HANDSHAKE_FAILED);
                break;
            default: done = client_scenario(&counter, "HTTP/1.1 404 \r\nA: b\r\n\r\n", WEFT_HANDSHAKE_FAILED);
            }
            allocator_restore(&counter);
        }
    }
}

static void test_freeing_nothing_is_fine(void **state)
{
    (void)state;
    weft_handshake_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_server_decides_on_a_good_request_however_it_is_cut),
        cmocka_unit_test(test_an_accepting_server_is_open),
        cmocka_unit_test(test_a_rejecting_server_answers_and_has_failed),
        cmocka_unit_test(test_a_server_answers_what_it_refuses),
        cmocka_unit_test(test_a_server_keeps_to_its_limits),
        cmocka_unit_test(test_client_and_server_agree_however_the_answer_is_cut),
        cmocka_unit_test(test_a_client_passes_over_interim_answers_however_they_are_cut),
        cmocka_unit_test(test_a_client_has_enough_of_interim_answers),
        cmocka_unit_test(test_a_client_refuses_a_bad_answer),
        cmocka_unit_test(test_a_client_that_cannot_be_is_refused),
        cmocka_unit_test(test_compression_is_agreed_when_both_sides_want_it),
        cmocka_unit_test(test_compression_is_off_where_one_side_does_not_want_it),
        cmocka_unit_test(test_a_server_may_set_compression_until_it_has_decided),
        cmocka_unit_test(test_compression_settings_out_of_range_are_refused),
        cmocka_unit_test(test_a_handshake_without_digests_and_random_bytes_is_not_made),
        cmocka_unit_test(test_running_out_of_memory_changes_nothing),
        cmocka_unit_test(test_freeing_nothing_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
