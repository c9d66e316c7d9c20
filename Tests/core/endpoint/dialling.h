/* Clients, and servers that say what a test wants. */
#ifndef WEFT_TESTS_DIALLING_H
#define WEFT_TESTS_DIALLING_H

#include "world.h"

#include "http/key.h"

/* -- a server that says what the test wants -------------------------------------------------------- */

typedef struct script {
    int listening;
    uint16_t port;
    const char *answer; /* written after the request; "%s" stands for the right accept value; NULL: silence */
    const char *later[4]; /* the same for connections after the first; NULL: no more */
    const char *frames;   /* behind each answer */
    size_t frames_length;
    char request[2048]; /* the last one */
    char key[25];       /* its key */
    size_t received;    /* the bytes that the last client sent behind its request */
    bool was_reset;     /* the client ended TCP with a reset */
    pthread_t thread;
} script;

static inline int open_listening(int family, uint16_t port)
{
    int listening = socket(family, SOCK_STREAM, 0), on = 1;
    if (listening < 0) return -1;
    struct sockaddr_in ipv4 = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 ipv6 = {
        .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_loopback};
    const struct sockaddr *address = family == AF_INET ? (struct sockaddr *)&ipv4 : (struct sockaddr *)&ipv6;
    socklen_t length = family == AF_INET ? sizeof ipv4 : sizeof ipv6;
    setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listening, address, length) == 0 && listen(listening, 8) == 0) return listening;
    close(listening);
    return -1;
}

static inline uint16_t port_of(int listening)
{
    union {
        struct sockaddr any;
        struct sockaddr_in ipv4;
        struct sockaddr_in6 ipv6;
    } name;
    socklen_t length = sizeof name;
    getsockname(listening, &name.any, &length);
    return ntohs(name.any.sa_family == AF_INET ? name.ipv4.sin_port : name.ipv6.sin6_port);
}

/* Answers one connection; false when nobody came. */
static inline bool play_once(script *script, const char *said)
{
    int peer = accept(script->listening, NULL, NULL);
    if (peer < 0 || !peer_try_read_head(peer, script->request, sizeof script->request)) {
        close(peer);
        return false;
    }
    char accept_value[29] = "", answer[4096];
    const char *field = strstr(script->request, "Sec-WebSocket-Key: ");
    if (field) memcpy(script->key, field + strlen("Sec-WebSocket-Key: "), 24);
    weft__upgrade_accept_key(accept_value, (weft_string){script->key, 24});
    if (said) {
        const char *mark = strstr(said, "%s");
        int before = mark ? (int)(mark - said) : (int)strlen(said);
        snprintf(answer, sizeof answer, "%.*s%s%s", before, said, mark ? accept_value : "",
                 mark ? mark + 2 : "");
        peer_try_send(peer, answer, strlen(answer));
        peer_try_send(peer, script->frames, script->frames_length);
    }
    char byte;
    ssize_t count;
    script->received = 0;
    do {
        count = peer_is_readable(peer, PEER_DEADLINE_MS) ? recv(peer, &byte, 1, 0) : 0;
        if (count > 0) script->received++;
    } while (count > 0 && said);
    script->was_reset = count < 0 && errno == ECONNRESET;
    close(peer);
    return true;
}

static inline void *play(void *argument)
{
    script *script = argument;
    bool goes_on = play_once(script, script->answer);
    for (int i = 0; goes_on && i < 4 && script->later[i]; i++)
        goes_on = play_once(script, script->later[i]);
    return NULL;
}

static inline void start_script_with(script *script, const char *answer, const char *frames, size_t length)
{
    memset(script, 0, sizeof *script);
    script->answer = answer;
    script->frames = frames;
    script->frames_length = length;
    script->listening = open_listening(AF_INET, 0);
    script->port = port_of(script->listening);
    pthread_create(&script->thread, NULL, play, script);
}

static inline void start_script(script *script, const char *answer)
{
    start_script_with(script, answer, "", 0);
}

static inline void end_script(script *script)
{
    pthread_join(script->thread, NULL);
    close(script->listening);
}

static const char good_answer[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                                  "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n";

/* -- dialling -------------------------------------------------------------------------------------- */

/* A world whose `loop` the client lives on. */
static inline void world_init_client(world *world)
{
    world_init(world);
    assert_int_equal(weft_loop_open(&world->loop), WEFT_OK);
}

static inline weft_client *dial(world *world, const char *host, uint16_t port, const char *subprotocols,
                                uint32_t timeout_ms)
{
    char url[128], detail[256];
    snprintf(url, sizeof url, "ws://%s:%u/path?query", host, (unsigned)port);
    weft_client_config config = world_calling(world, world->loop, url);
    config.subprotocols = (weft_string){subprotocols, strlen(subprotocols)};
    if (timeout_ms) config.handshake_timeout_ms = timeout_ms;
    weft_client *client;
    assert_int_equal(weft_client_connect(&client, &config, detail, sizeof detail), WEFT_OK);
    return client;
}

static inline void expect_failure(world *world, weft_status status, const char *story)
{
    world_await(world, RELEASE, 1);
    world_expect_story(world, story);
    assert_int_equal(world->error, status);
    assert_true(strlen(world->detail) > 0);
}

/* What comes of a server that gives that answer. */
static inline void expect_refusal(const char *answer, const char *subprotocols, uint16_t http_status,
                                  const char *body)
{
    script script;
    start_script(&script, answer);
    world world;
    world_init_client(&world);
    weft_client_release(dial(&world, "127.0.0.1", script.port, subprotocols, 0));
    expect_failure(&world, WEFT_EHANDSHAKE, "afr");
    assert_int_equal(world.answer_status, http_status);
    assert_string_equal(world.body, body);
    end_script(&script);
    world_clear(&world);
}

#endif
