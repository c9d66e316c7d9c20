/* A listener, or a client, whose callbacks are written down, waited for, and may act from inside. */
#ifndef WEFT_TESTS_WORLD_H
#define WEFT_TESTS_WORLD_H

#include "peer.h"

#include "weft/weft.h"

#include <pthread.h>
#include <time.h>

/* What happens; the letter stands for it in world.story. */
typedef enum happening {
    UPGRADE = 'u',
    REQUEST = 'q',
    ROUTE_RELEASE = 'x',
    OPEN = 'o',
    MESSAGE = 'm',
    GOT_PING = 'p',
    GOT_PONG = 'P',
    IDLE = 'i',
    WRITABLE = 'w',
    ERROR = 'e',
    CLOSED = 'c',
    RELEASE = 'r',
    STOPPED = 's',
    ANSWER = 'a',
    FAILURE = 'f',
    RETRY = 'R',
} happening;

typedef struct world world;

/* What a test does inside a callback. */
typedef void (*deed)(world *world, weft_connection *connection, weft_request *request);

struct world {
    /* fixed before the start */
    weft_listener_config listening;
    weft_connection_config settings;
    weft_route route;
    weft_service service;
    weft_string subprotocol;
    deed deeds[128];     /* by happening */
    bool keeps_requests; /* the test answers later */
    bool is_quiet;       /* no echo */

    bool
        has_listeners_loops; /* the library opens them; else the world has one, whose end can be waited for */
    weft_loop *loop;

    weft_listener *listener;
    uint16_t port;

    /* under the lock */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int counts[128];
    char story[512]; /* the first happenings in order */
    size_t story_length;
    uint16_t close_code;
    char close_reason[128];
    weft_status error;
    char detail[256];
    uint16_t answer_status;
    char body[64];
    char received[1024]; /* all messages, one after the other */
    size_t received_length;
    weft_connection *connection; /* the last one, held */
    weft_request *request;       /* the last one kept */
};

/* -- writing down ------------------------------------------------------------------------------ */

static inline void world_note(world *world, happening what)
{
    world->counts[what]++;
    if (world->story_length + 1 < sizeof world->story) world->story[world->story_length++] = (char)what;
    pthread_cond_broadcast(&world->changed);
}

static inline void world_happened(world *world, happening what, weft_connection *connection,
                                  weft_request *request)
{
    pthread_mutex_lock(&world->mutex);
    world_note(world, what);
    deed deed = world->deeds[what];
    pthread_mutex_unlock(&world->mutex);
    if (deed) deed(world, connection, request);
}

static inline struct timespec world_deadline(void)
{
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += PEER_DEADLINE_MS / 1000;
    return deadline;
}

/* True when it has happened `count` times before the deadline. */
static inline bool world_comes(world *world, happening what, int count)
{
    struct timespec deadline = world_deadline();
    int waited = 0;
    pthread_mutex_lock(&world->mutex);
    while (waited == 0 && world->counts[what] < count) {
        waited = pthread_cond_timedwait(&world->changed, &world->mutex, &deadline);
    }
    bool has_come = world->counts[what] >= count;
    pthread_mutex_unlock(&world->mutex);
    return has_come;
}

static inline void world_await(world *world, happening what, int count)
{
    if (!world_comes(world, what, count))
        fail_msg("'%c' did not come %d times: %s", what, count, world->story);
}

static inline int world_count(world *world, happening what)
{
    pthread_mutex_lock(&world->mutex);
    int count = world->counts[what];
    pthread_mutex_unlock(&world->mutex);
    return count;
}

static inline void world_expect_story(world *world, const char *story)
{
    pthread_mutex_lock(&world->mutex);
    char copy[sizeof world->story];
    memcpy(copy, world->story, sizeof copy);
    pthread_mutex_unlock(&world->mutex);
    assert_string_equal(copy, story);
}

/* Of a connection, to its end. */
static inline void world_expect_life(world *world, const char *story)
{
    world_await(world, RELEASE, 1);
    world_expect_story(world, story);
}

/* -- callbacks --------------------------------------------------------------------------------- */

static inline void world_on_open(void *context, weft_connection *connection)
{
    world *world = context;
    pthread_mutex_lock(&world->mutex);
    weft_connection *before = world->connection;
    world->connection = weft_connection_retain(connection);
    pthread_mutex_unlock(&world->mutex);
    weft_connection_release(before);
    world_happened(world, OPEN, connection, NULL);
}

static inline void world_on_message(void *context, weft_connection *connection, weft_message_type type,
                                    const uint8_t *bytes, size_t length)
{
    world *world = context;
    pthread_mutex_lock(&world->mutex);
    size_t room = sizeof world->received - world->received_length;
    size_t kept = length < room ? length : room;
    memcpy(world->received + world->received_length, bytes, kept);
    world->received_length += kept;
    pthread_mutex_unlock(&world->mutex);
    if (!world->is_quiet) weft_connection_send(connection, type, bytes, length);
    world_happened(world, MESSAGE, connection, NULL);
}

static inline void world_on_ping(void *context, weft_connection *connection, const uint8_t *bytes,
                                 size_t length)
{
    weft_connection_pong(connection, bytes, length);
    world_happened(context, GOT_PING, connection, NULL);
}

static inline void world_on_pong(void *context, weft_connection *connection, const uint8_t *bytes,
                                 size_t length)
{
    (void)bytes;
    (void)length;
    world_happened(context, GOT_PONG, connection, NULL);
}

static inline void world_on_idle(void *context, weft_connection *connection)
{
    world_happened(context, IDLE, connection, NULL);
}

static inline void world_on_writable(void *context, weft_connection *connection)
{
    world_happened(context, WRITABLE, connection, NULL);
}

static inline void world_on_error(void *context, weft_connection *connection, weft_status reason,
                                  const char *detail)
{
    world *world = context;
    pthread_mutex_lock(&world->mutex);
    world->error = reason;
    snprintf(world->detail, sizeof world->detail, "%s", detail);
    pthread_mutex_unlock(&world->mutex);
    world_happened(world, ERROR, connection, NULL);
}

static inline void world_on_close(void *context, weft_connection *connection, uint16_t code,
                                  const char *reason, size_t length)
{
    world *world = context;
    pthread_mutex_lock(&world->mutex);
    world->close_code = code;
    snprintf(world->close_reason, sizeof world->close_reason, "%.*s", (int)length, reason);
    pthread_mutex_unlock(&world->mutex);
    world_happened(world, CLOSED, connection, NULL);
}

static inline void world_on_release(void *context)
{
    world_happened(context, RELEASE, NULL, NULL);
}

static inline weft_status world_accept(world *world, weft_request *request)
{
    weft_acceptance acceptance;
    weft_acceptance_init(&acceptance);
    acceptance.service = &world->service;
    acceptance.context = world;
    acceptance.config = &world->settings;
    acceptance.subprotocol = world->subprotocol;
    return weft_request_accept(request, &acceptance, NULL, 0);
}

static inline weft_status world_respond(weft_request *request, uint16_t status, const char *body)
{
    weft_response response;
    weft_response_init(&response);
    response.status = status;
    response.body = (weft_string){body, strlen(body)};
    return weft_request_respond(request, &response, NULL, 0);
}

static inline void world_keep_request(world *world, weft_request *request)
{
    pthread_mutex_lock(&world->mutex);
    world->request = request;
    pthread_mutex_unlock(&world->mutex);
}

/* A deed of UPGRADE or REQUEST answers in its own way; without one the answer is yes. */
static inline void world_on_upgrade(void *context, weft_request *request)
{
    world *world = context;
    if (world->keeps_requests) world_keep_request(world, request);
    bool answers = !world->keeps_requests && !world->deeds[UPGRADE];
    world_happened(world, UPGRADE, NULL, request);
    bool is_answered =
        !answers || world_accept(world, request) == WEFT_OK || world_respond(request, 500, "") == WEFT_OK;
    if (!is_answered) world_keep_request(world, request); /* without memory: it is still to be answered */
}

static inline void world_on_request(void *context, weft_request *request)
{
    world *world = context;
    if (world->keeps_requests) world_keep_request(world, request);
    bool answers = !world->keeps_requests && !world->deeds[REQUEST];
    world_happened(world, REQUEST, NULL, request);
    if (answers) world_respond(request, 200, "hello");
}

static inline void world_on_route_release(void *context)
{
    world_happened(context, ROUTE_RELEASE, NULL, NULL);
}

static inline void world_on_stopped(void *context)
{
    world_happened(context, STOPPED, NULL, NULL);
}

static inline void world_on_answer(void *context, const weft_answer *answer)
{
    world *world = context;
    pthread_mutex_lock(&world->mutex);
    world->answer_status = answer->status;
    snprintf(world->body, sizeof world->body, "%.*s", (int)answer->body.length,
             answer->body.length ? answer->body.bytes : "");
    pthread_mutex_unlock(&world->mutex);
    world_happened(world, ANSWER, NULL, NULL);
}

static inline void world_on_failure(void *context, weft_status status, const char *detail)
{
    world *world = context;
    pthread_mutex_lock(&world->mutex);
    world->error = status;
    snprintf(world->detail, sizeof world->detail, "%s", detail);
    pthread_mutex_unlock(&world->mutex);
    world_happened(world, FAILURE, NULL, NULL);
}

/* The last connection, held for the caller, as a deed may let go of the world's own hold. */
static inline weft_connection *world_hold(world *world)
{
    pthread_mutex_lock(&world->mutex);
    weft_connection *connection = weft_connection_retain(world->connection);
    pthread_mutex_unlock(&world->mutex);
    return connection;
}

/* -- beginning and end ------------------------------------------------------------------------- */

static inline void world_init(world *world)
{
    memset(world, 0, sizeof *world);
    pthread_mutex_init(&world->mutex, NULL);
    pthread_cond_init(&world->changed, NULL);
    weft_listener_config_init(&world->listening);
    world->listening.host = "127.0.0.1";
    world->listening.context = world;
    world->listening.on_closed = world_on_stopped;
    weft_connection_config_init(&world->settings);
    weft_route_init(&world->route);
    world->route.context = world;
    world->route.on_upgrade = world_on_upgrade;
    world->route.on_release = world_on_route_release;
    weft_service_init(&world->service);
    world->service.on_open = world_on_open;
    world->service.on_message = world_on_message;
    world->service.on_pong = world_on_pong;
    world->service.on_idle = world_on_idle;
    world->service.on_writable = world_on_writable;
    world->service.on_error = world_on_error;
    world->service.on_close = world_on_close;
    world->service.on_release = world_on_release;
}

/* Listens with one route at "/". */
static inline weft_status world_try_listen(world *world)
{
    bool needs_loop = !world->has_listeners_loops && !world->listening.loops;
    if (needs_loop && weft_loop_open(&world->loop) != WEFT_OK) return WEFT_ENOMEM;
    if (needs_loop) {
        world->listening.loops = &world->loop;
        world->listening.loop_count = 1;
    }
    weft_path_route entry = {"/", &world->route};
    world->listening.routes = &entry;
    world->listening.route_count = 1;
    char detail[256];
    weft_status status = weft_listener_open(&world->listener, &world->listening, detail, sizeof detail);
    if (status != WEFT_OK) return status;
    world->port = weft_listener_port(world->listener);
    return WEFT_OK;
}

static inline void world_listen(world *world)
{
    assert_int_equal(world_try_listen(world), WEFT_OK);
}

/* Settings for a client of the world's that dials `url`. */
static inline weft_client_config world_calling(world *world, weft_loop *loop, const char *url)
{
    weft_client_config config;
    weft_client_config_init(&config);
    config.loop = loop;
    config.url = (weft_string){url, strlen(url)};
    config.service = &world->service;
    config.connection = &world->settings;
    config.context = world;
    config.on_answer = world_on_answer;
    config.on_failure = world_on_failure;
    return config;
}

static inline void world_clear(world *world)
{
    weft_connection_release(world->connection);
    weft_loop_close(world->loop);
    pthread_mutex_destroy(&world->mutex);
    pthread_cond_destroy(&world->changed);
}

/* Stops the listener at once, and sees that each connection that was opened ended once. */
static inline void world_end(world *world)
{
    weft_listener_stop(world->listener, 0);
    world_await(world, STOPPED, 1);
    weft_listener_release(world->listener);
    assert_int_equal(world->counts[OPEN], world->counts[CLOSED]);
    assert_int_equal(world->counts[OPEN], world->counts[RELEASE]);
    assert_int_equal(world->counts[STOPPED], 1);
    assert_int_equal(world->counts[ROUTE_RELEASE], 1);
    world_clear(world);
}

#endif
