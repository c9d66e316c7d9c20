/* Plain requests, and what comes back for them. */
#ifndef WEFT_TESTS_REQUESTS_H
#define WEFT_TESTS_REQUESTS_H

#include "world.h"

#define POST "POST / HTTP/1.1\r\nHost: a\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n\r\n"
#define EXPECTING POST "Expect: 100-continue\r\n"
#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

/* The status that bytes of a request get; the answers of the library end TCP. */
static inline int verdict(uint16_t port, const char *bytes)
{
    int peer = peer_connect(port);
    peer_say(peer, bytes);
    int status = peer_status(peer);
    close(peer);
    return status;
}

static inline void listen_for_requests(world *world)
{
    world_init(world);
    world->route.on_request = world_on_request;
    world_listen(world);
}

static inline void expect_answer(int peer, int status, const char *body)
{
    char head[1024], got[256];
    assert_int_equal(peer_read_answer(peer, head, sizeof head, false), status);
    size_t length = strlen(body);
    const char *field = strstr(head, "Content-Length: ");
    assert_non_null(field);
    assert_int_equal(strtoul(field + strlen("Content-Length: "), NULL, 10), length);
    peer_read(peer, got, length);
    assert_memory_equal(got, body, length);
}

static inline void expect_continue(int peer)
{
    char head[64];
    assert_true(peer_try_read_head(peer, head, sizeof head));
    assert_string_equal(head, "HTTP/1.1 100 Continue\r\n\r\n");
}

static inline void note_turn(weft_loop *loop, void *context)
{
    (void)loop;
    world_happened(context, IDLE, NULL, NULL);
}

/* What the loop has read by now it has also dealt with. */
static inline void await_turn(world *world)
{
    int turns = world_count(world, IDLE);
    assert_int_equal(weft_loop_post(world->loop, note_turn, world), WEFT_OK);
    world_await(world, IDLE, turns + 1);
}

/* What is sent to the loop between these two calls, it opens in one turn. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static inline void pass_gate(weft_loop *loop, void *context)
{
    note_turn(loop, context);
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
}

static inline void hold_loop(world *world)
{
    int turns = world_count(world, IDLE);
    pthread_mutex_lock(&gate);
    assert_int_equal(weft_loop_post(world->loop, pass_gate, world), WEFT_OK);
    world_await(world, IDLE, turns + 1);
}

static inline void let_loop_go(void)
{
    pthread_mutex_unlock(&gate);
}

/* -- requests that the test answers -------------------------------------------------------------- */

static weft_request *kept[16]; /* in the order in which they came */

static inline void keep(world *world, weft_connection *connection, weft_request *request)
{
    (void)connection;
    kept[world_count(world, REQUEST) + world_count(world, UPGRADE) - 1] = request;
    world_happened(world, ANSWER, NULL, NULL); /* for the test: it is there */
}

static inline void await_kept(world *world, int count)
{
    world_await(world, ANSWER, count);
}

static inline void init_to_keep(world *world)
{
    world_init(world);
    world->route.on_request = world_on_request;
    world->deeds[REQUEST] = keep;
    world->deeds[UPGRADE] = keep;
}

/* Until so many connections are left of those that are open. */
static inline void await_connections(const weft_listener *listener, size_t count)
{
    while (weft_listener_connection_count(listener) > count)
        sched_yield();
}

#endif
