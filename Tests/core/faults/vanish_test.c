/* Peers that vanish: by a reset, by ending their half of TCP, by silence, in each state of both roles. */

#include "faults/scene.h"
#include "http/key.h"

#include <sys/un.h>

typedef enum manner {
    RESETS,
    ENDS_HALF,
    IS_SILENT,
    MANNERS,
} manner;

/* What our side is told; a side that is not open yet has no close code. */
typedef struct verdict_of {
    weft_status error; /* WEFT_OK: none */
    uint16_t code;     /* 0: no connection was open */
} verdict_of;

typedef struct moment {
    const char *name;
    const char *said; /* behind the handshake, or instead of it */
    size_t length;
    bool is_open; /* the handshake comes first */
    bool is_secure;
    bool compresses;
    bool we_close; /* our side has sent its close frame */
    bool by_proxy; /* of clients */
    verdict_of is_told[MANNERS];
    int answers[MANNERS]; /* HTTP statuses of servers; 0: none */
} moment;

enum {
    SHORT_MS = 100,
};

#define LOST {WEFT_ELOST, 1006}
#define ENDED {WEFT_OK, 1006} /* an orderly end of TCP is no error */
#define LATE {WEFT_ETIMEDOUT, 1006}
#define BYTES(text) text, sizeof text - 1

static size_t vanished;

static void leave(int peer, manner manner)
{
    if (manner == RESETS) peer_reset(peer);
    if (manner == ENDS_HALF) shutdown(peer, SHUT_WR);
    vanished++;
}

static void expect_told(const char *name, manner manner, world *world, verdict_of verdict)
{
    bool is_right = world->counts[CLOSED] == (verdict.code != 0) && world->close_code == verdict.code &&
                    world->error == verdict.error;
    if (!is_right)
        fail_msg("%s, manner %d: %s, code %d, error %d, %s", name, manner, world->story, world->close_code,
                 world->error, world->detail);
}

/* -- peers of a server ------------------------------------------------------------------------------- */

#define OFFERING                                                                                             \
    "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"                     \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"                           \
    "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"

static const moment of_servers[] = {
    {.name = "accepted", .said = ""},
    {.name = "half a head", .said = BYTES("GET / HTTP/1.1\r\nHo"), .answers = {0, 0, 408}},
    {.name = "half a body",
     .said = BYTES("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf"),
     .answers = {0, 400, 408}},
    {.name = "half a chunk",
     .said = BYTES("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nha"),
     .answers = {0, 400, 408}},
    {.name = "TLS accepted",
     .said = "",
     .is_secure = true,
     .is_told = {{WEFT_ELOST, 0}, {WEFT_ETLS, 0}, {WEFT_ETIMEDOUT, 0}}},
    {.name = "half a TLS hello",
     .said = BYTES("\x16\x03\x01\x02\x00\x01"),
     .is_secure = true,
     .is_told = {{WEFT_ELOST, 0}, {WEFT_ETLS, 0}, {WEFT_ETIMEDOUT, 0}}},
    {.name = "open", .said = "", .is_open = true, .is_told = {LOST, ENDED, LATE}},
    {.name = "half a frame's header", .said = BYTES("\x81"), .is_open = true, .is_told = {LOST, ENDED, LATE}},
    {.name = "half a frame",
     .said = BYTES("\x81\x85\0\0\0\0he"),
     .is_open = true,
     .is_told = {LOST, ENDED, LATE}},
    {.name = "half a message",
     .said = BYTES("\x01\x85\0\0\0\0hello"),
     .is_open = true,
     .is_told = {LOST, ENDED, LATE}},
    {.name = "half a compressed message",
     .said = BYTES("\x41\x85\0\0\0\0\xf2\x48\xcd\xc9\xc9"),
     .is_open = true,
     .compresses = true,
     .is_told = {LOST, ENDED, LATE}},
    {.name = "our close frame sent",
     .said = "",
     .is_open = true,
     .we_close = true,
     .is_told = {LOST, ENDED, LATE}},
    {.name = "half a close frame behind ours",
     .said = BYTES("\x88\x82\0\0"),
     .is_open = true,
     .we_close = true,
     .is_told = {LOST, ENDED, LATE}},
    {.name = "a close frame sent",
     .said = BYTES("\x88\x82\0\0\0\0\x03\xe8"),
     .is_open = true,
     .is_told = {{WEFT_OK, 1000}, {WEFT_OK, 1000}, {WEFT_OK, 1000}}},
    {.name = "a violation",
     .said = BYTES("\x83\x80\0\0\0\0"),
     .is_open = true,
     .is_told = {{WEFT_EPROTOCOL, 1002}, {WEFT_EPROTOCOL, 1002}, {WEFT_EPROTOCOL, 1002}}},
};

static void close_at_once(world *world, weft_connection *connection, weft_request *request)
{
    (void)world;
    (void)request;
    weft_connection_close(connection, 1000, "", 0, SHORT_MS);
}

static void serve(world *server, const moment *moment, manner manner)
{
    world_init(server);
    server->route.on_request = world_on_request;
    server->listening.timeout_ms = manner == IS_SILENT ? SHORT_MS : 60000;
    server->settings.keep_alive_interval_ms = server->settings.keep_alive_timeout_ms =
        manner == IS_SILENT ? SHORT_MS : 60000;
    if (moment->we_close) server->deeds[OPEN] = close_at_once;
    if (moment->is_secure) {
        weft_tls_config config;
        weft_tls_config_init(&config);
        weft_tls_identity identity = identity_of(chain_file, leaf_key_file);
        config.identities = &identity;
        config.identity_count = 1;
        config.handshake_timeout_ms = manner == IS_SILENT ? SHORT_MS : 60000;
        server->listening.tls = open_settings(&config, true);
        server->listening.on_tls_failure = note_tls_failure;
    }
    world_listen(server);
    weft_tls_release(server->listening.tls);
}

/* Until the listener holds no connection. */
static void await_nobody(world *server)
{
    struct timespec start, at;
    clock_gettime(CLOCK_MONOTONIC, &start);
    do {
        await_turn(server);
        clock_gettime(CLOCK_MONOTONIC, &at);
        assert_true(at.tv_sec - start.tv_sec < PEER_DEADLINE_MS / 1000);
    } while (weft_listener_connection_count(server->listener) > 0);
}

static int bring_to(world *server, const moment *moment)
{
    int peer = peer_connect(server->port);
    if (moment->is_open) {
        peer_say(peer, moment->compresses ? OFFERING : peer_upgrade_request);
        char head[1024];
        assert_int_equal(peer_read_answer(peer, head, sizeof head, false), 101);
        world_await(server, OPEN, 1);
    }
    if (moment->we_close) peer_expect_close(peer, 1000);
    peer_send(peer, moment->said, moment->length);
    return peer;
}

static void see_vanish(const moment *moment, manner manner)
{
    world server;
    serve(&server, moment, manner);
    int peer = bring_to(&server, moment);
    leave(peer, manner);
    bool is_open = moment->is_open;
    if (is_open) world_await(&server, RELEASE, 1);
    if (moment->is_secure) world_await(&server, ERROR, 1);
    if (manner != RESETS && !moment->is_open && !moment->is_secure) {
        char head[1024];
        bool is_answered = peer_try_read_head(peer, head, sizeof head);
        int status = is_answered ? atoi(head + strlen("HTTP/1.1 ")) : 0;
        if (status != moment->answers[manner])
            fail_msg("%s, manner %d: answered %d", moment->name, manner, status);
    }
    if (manner != RESETS) close(peer);
    await_nobody(&server);
    expect_told(moment->name, manner, &server, moment->is_told[manner]);
    if (!moment->is_secure) {
        server.deeds[OPEN] = NULL;
        server.settings.keep_alive_interval_ms = server.settings.keep_alive_timeout_ms = 60000;
        int other = peer_open(server.port);
        peer_expect_echo(other, "served");
        close(other);
    }
    world_end(&server);
}

static void test_peers_of_a_server_vanish(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof of_servers / sizeof *of_servers; i++) {
        for (manner manner = 0; manner < MANNERS; manner++) {
            counting_allocator memory;
            allocator_count(&memory);
            see_vanish(&of_servers[i], manner);
            allocator_restore(&memory);
        }
    }
}

/* -- servers of a client ----------------------------------------------------------------------------- */

static const moment of_clients[] = {
    {.name = "before 101", .said = "", .is_told = {{WEFT_ELOST, 0}, {WEFT_ELOST, 0}, {WEFT_ETIMEDOUT, 0}}},
    {.name = "half an answer",
     .said = BYTES("HTTP/1.1 101 Swi"),
     .is_told = {{WEFT_ELOST, 0}, {WEFT_ELOST, 0}, {WEFT_ETIMEDOUT, 0}}},
    {.name = "before the proxy's answer",
     .said = "",
     .by_proxy = true,
     .is_told = {{WEFT_ELOST, 0}, {WEFT_ELOST, 0}, {WEFT_ETIMEDOUT, 0}}},
    {.name = "half of the proxy's answer",
     .said = BYTES("HTTP/1.1 200"),
     .by_proxy = true,
     .is_told = {{WEFT_ELOST, 0}, {WEFT_ELOST, 0}, {WEFT_ETIMEDOUT, 0}}},
    {.name = "in the tunnel",
     .said = BYTES("HTTP/1.1 200 OK\r\n\r\n"),
     .by_proxy = true,
     .is_told = {{WEFT_ELOST, 0}, {WEFT_ELOST, 0}, {WEFT_ETIMEDOUT, 0}}},
    {.name = "TLS not begun",
     .said = "",
     .is_secure = true,
     .is_told = {{WEFT_ELOST, 0}, {WEFT_ETLS, 0}, {WEFT_ETIMEDOUT, 0}}},
    {.name = "half a TLS record",
     .said = BYTES("\x16\x03\x03\x00\x40\x02"),
     .is_secure = true,
     .is_told = {{WEFT_ELOST, 0}, {WEFT_ETLS, 0}, {WEFT_ETIMEDOUT, 0}}},
    {.name = "open", .said = "", .is_open = true, .is_told = {LOST, ENDED, LATE}},
    {.name = "half a frame's header", .said = BYTES("\x81"), .is_open = true, .is_told = {LOST, ENDED, LATE}},
    {.name = "half a frame", .said = BYTES("\x81\x05he"), .is_open = true, .is_told = {LOST, ENDED, LATE}},
    {.name = "half a message",
     .said = BYTES("\x01\x05hello"),
     .is_open = true,
     .is_told = {LOST, ENDED, LATE}},
    {.name = "half a compressed message",
     .said = BYTES("\x41\x05\xf2\x48\xcd\xc9\xc9"),
     .is_open = true,
     .compresses = true,
     .is_told = {LOST, ENDED, LATE}},
    {.name = "our close frame sent",
     .said = "",
     .is_open = true,
     .we_close = true,
     .is_told = {LOST, ENDED, LATE}},
    {.name = "a close frame sent",
     .said = BYTES("\x88\x02\x03\xe8"),
     .is_open = true,
     .is_told = {{WEFT_OK, 1000}, {WEFT_OK, 1000}, {WEFT_OK, 1000}}},
    {.name = "a violation",
     .said = BYTES("\x83\x80"),
     .is_open = true,
     .is_told = {{WEFT_EPROTOCOL, 1002}, {WEFT_EPROTOCOL, 1002}, {WEFT_EPROTOCOL, 1002}}},
};

/* Answers the upgrade request that `head` holds. */
static void say_yes(int peer, const char *head, bool compresses)
{
    char accept_value[29] = "", answer[512];
    const char *key = strstr(head, "Sec-WebSocket-Key: ");
    assert_non_null(key);
    weft__upgrade_accept_key(accept_value, (weft_string){key + strlen("Sec-WebSocket-Key: "), 24});
    snprintf(
        answer, sizeof answer,
        "HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n%sSec-WebSocket-Accept: %s\r\n\r\n",
        compresses ? "Sec-WebSocket-Extensions: permessage-deflate\r\n" : "", accept_value);
    peer_say(peer, answer);
}

static weft_client *dial_for(world *caller, const moment *moment, manner manner, uint16_t port, weft_tls *tls)
{
    char url[64], detail[256];
    uint32_t limit_ms = manner == IS_SILENT ? SHORT_MS : 60000;
    snprintf(url, sizeof url, "%s://127.0.0.1:%u/", moment->is_secure ? "wss" : "ws", (unsigned)port);
    caller->settings.keep_alive_interval_ms = caller->settings.keep_alive_timeout_ms = limit_ms;
    if (moment->we_close) caller->deeds[OPEN] = close_at_once;
    weft_client_config config = world_calling(caller, caller->loop, url);
    config.handshake_timeout_ms = moment->is_open ? 60000 : limit_ms;
    config.tls = tls;
    weft_proxy proxy;
    weft_proxy_init(&proxy);
    proxy.host = weft__string("127.0.0.1");
    proxy.port = port;
    if (moment->by_proxy) config.proxy = &proxy;
    weft_client *client;
    assert_int_equal(weft_client_connect(&client, &config, detail, sizeof detail), WEFT_OK);
    return client;
}

static void vanish_from(const moment *moment, manner manner)
{
    int listening = open_listening(AF_INET, 0);
    world caller;
    world_init_client(&caller);
    weft_tls *tls = moment->is_secure ? tls_of_scene(TLS_1_3, false) : NULL;
    weft_client_release(dial_for(&caller, moment, manner, port_of(listening), tls));
    int peer = accept(listening, NULL, NULL);
    char head[2048];
    if (moment->is_secure) {
        peer_read(peer, head, 1); /* it is connected, and its hello has come */
    } else {
        assert_true(peer_try_read_head(peer, head, sizeof head));
    }
    if (moment->is_open) say_yes(peer, head, moment->compresses);
    if (moment->is_open) world_await(&caller, OPEN, 1);
    peer_send(peer, moment->said, moment->length);
    leave(peer, manner);
    world_await(&caller, RELEASE, 1);
    expect_told(moment->name, manner, &caller, moment->is_told[manner]);
    assert_int_equal(caller.counts[OPEN] + caller.counts[FAILURE], 1);
    if (manner != RESETS) close(peer);
    close(listening);
    weft_tls_release(tls);
    world_clear(&caller);
}

static void test_servers_of_a_client_vanish(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof of_clients / sizeof *of_clients; i++) {
        for (manner manner = 0; manner < MANNERS; manner++) {
            counting_allocator memory;
            allocator_count(&memory);
            vanish_from(&of_clients[i], manner);
            allocator_restore(&memory);
        }
    }
}

/* -- unix sockets ------------------------------------------------------------------------------------ */

static void send_hello(world *world, weft_connection *connection, weft_request *request)
{
    (void)world;
    (void)request;
    weft_connection_send(connection, WEFT_TEXT, (const uint8_t *)"hello", 5);
}

/* Only the peer of a unix socket can make writes fail while its own half stays open. */
static void test_a_peer_that_reads_no_more_is_lost(void **state)
{
    (void)state;
    world server;
    char path[108];
    world_init(&server);
    snprintf(path, sizeof path, "%s/deaf", folder);
    server.listening.unix_path = path;
    world_listen(&server);
    int peer = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    assert_int_equal(connect(peer, (struct sockaddr *)&address, sizeof address), 0);
    peer_say(peer, peer_upgrade_request);
    assert_int_equal(peer_status(peer), 101);
    world_await(&server, OPEN, 1);
    server.deeds[MESSAGE] = send_hello;
    shutdown(peer, SHUT_RD);
    peer_send_text(peer, "are you there?");
    world_await(&server, RELEASE, 1);
    world_expect_story(&server, "uomecr");
    assert_int_equal(server.error, WEFT_ELOST);
    assert_int_equal(server.close_code, 1006);
    close(peer);
    vanished++;
    world_end(&server);
}

static int report_and_close(void **state)
{
    print_message("# %zu faults injected: peers that vanished\n", vanished);
    return close_office(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_peers_of_a_server_vanish),
        cmocka_unit_test(test_servers_of_a_client_vanish),
        cmocka_unit_test(test_a_peer_that_reads_no_more_is_lost),
    };
    return cmocka_run_group_tests(tests, open_office, report_and_close);
}
