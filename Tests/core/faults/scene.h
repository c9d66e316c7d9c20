/* A server, and what its clients need, for things that are to fail. */
#ifndef WEFT_TESTS_SCENE_H
#define WEFT_TESTS_SCENE_H

#include "endpoint/exchanging.h"
#include "endpoint/office.h"
#include "endpoint/requests.h"

typedef struct scene scene;

/* Whatever injects the faults. `end` may come twice, from any thread. */
typedef struct fault_source {
    void (*begin)(void *context);
    void (*end)(void *context);
    void *context;
} fault_source;

typedef enum security {
    PLAIN,
    TLS_1_2,
    TLS_1_3,
    MUTUAL,  /* the client shows a certificate */
    CHECKED, /* the client asks whether the server's is revoked */
    STAPLED, /* the server asks for it, and tells the client */
} security;

typedef enum way {
    DIRECT,
    BY_NAME,
    BY_PATH, /* of a unix socket */
    BY_PROXY,
} way;

typedef struct scenario {
    const char *name;
    bool (*act)(scene *scene); /* true when everything went as if there were no faults */
    security security;
    way way;
    bool resumes;         /* a TLS session of an earlier act */
    bool sends_elsewhere; /* not on the loop's thread */
    bool retries;         /* the first answer is 503 */
    bool authorizes;
    bool asks_for_chat; /* a subprotocol */
    bool server_closes;
    weft_message_type type;  /* 0: text */
    uint64_t max_frame_size; /* 0: the default */
    bool compresses, stands_alone;
    weft_compression_memory memory;
} scenario;

struct scene {
    const scenario *scenario;
    const fault_source *faults;
    world server;
    weft_loop *loop; /* the clients' */
    weft_tls *client_tls;
    weft_compression server_compression, client_compression;
    char unix_path[108];
    struct tunnel *tunnel;
    atomic_bool is_busy; /* the next upgrade is answered with 503 */
    atomic_int echoed;   /* messages of this act */
    int accepted;        /* under the server's lock; each is released */
};

enum {
    ROUNDS = 3,
    MESSAGE_SIZE = 300, /* three of them fit into what a world keeps */
};

/* -- a proxy --------------------------------------------------------------------------------------- */

/* Takes one connection after the other to the server behind it. */
typedef struct tunnel {
    int listening;
    uint16_t port, target;
    pthread_t thread;
} tunnel;

/* False at the end of TCP. */
static inline bool tunnel_move(int from, int to)
{
    char bytes[4096];
    ssize_t count = recv(from, bytes, sizeof bytes, 0);
    return count > 0 && peer_try_send(to, bytes, (size_t)count);
}

static inline void tunnel_join(int peer, int server)
{
    bool goes_on = true;
    while (goes_on) {
        struct pollfd both[2] = {{.fd = peer, .events = POLLIN}, {.fd = server, .events = POLLIN}};
        goes_on = poll(both, 2, PEER_DEADLINE_MS) > 0;
        if (goes_on && both[0].revents) goes_on = tunnel_move(peer, server);
        if (goes_on && both[1].revents) goes_on = tunnel_move(server, peer);
    }
}

static inline void *tunnel_run(void *argument)
{
    tunnel *tunnel = argument;
    int peer;
    while ((peer = accept(tunnel->listening, NULL, NULL)) >= 0) {
        char head[1024];
        bool is_asked = peer_try_read_head(peer, head, sizeof head);
        int server = is_asked ? peer_try_connect(tunnel->target, false) : -1;
        const char *answer = server >= 0 ? "HTTP/1.1 200 OK\r\n\r\n" : "HTTP/1.1 502 Gone\r\n\r\n";
        if (is_asked && peer_try_send(peer, answer, strlen(answer)) && server >= 0) tunnel_join(peer, server);
        if (server >= 0) close(server);
        close(peer);
    }
    return NULL;
}

static inline tunnel *tunnel_open(uint16_t target)
{
    tunnel *opened = malloc(sizeof *opened);
    opened->listening = open_listening(AF_INET, 0);
    opened->port = port_of(opened->listening);
    opened->target = target;
    assert_int_equal(pthread_create(&opened->thread, NULL, tunnel_run, opened), 0);
    return opened;
}

static inline void tunnel_close(tunnel *tunnel)
{
    if (!tunnel) return;
    shutdown(tunnel->listening, SHUT_RDWR);
    pthread_join(tunnel->thread, NULL);
    close(tunnel->listening);
    free(tunnel);
}

/* -- the server -------------------------------------------------------------------------------------- */

static inline scene *scene_of(world *server)
{
    return (scene *)((char *)server - offsetof(scene, server));
}

static inline void echo_or_abort(void *context, weft_connection *connection, weft_message_type type,
                                 const uint8_t *bytes, size_t length)
{
    world *server = context;
    if (weft_connection_send(connection, type, bytes, length) != WEFT_OK) weft_connection_abort(connection);
    world_happened(server, MESSAGE, connection, NULL);
}

/* A request for whose answer there is no memory is dropped. */
static inline void answer_upgrade(world *server, weft_connection *connection, weft_request *request)
{
    (void)connection;
    scene *scene = scene_of(server);
    bool is_busy = atomic_exchange(&scene->is_busy, false);
    if (!is_busy && world_accept(server, request) == WEFT_OK) {
        pthread_mutex_lock(&server->mutex);
        scene->accepted++;
        pthread_mutex_unlock(&server->mutex);
        return;
    }
    if (world_respond(request, is_busy ? 503 : 500, "") != WEFT_OK) weft_request_drop(request);
}

static inline void answer_request(world *server, weft_connection *connection, weft_request *request)
{
    (void)server;
    (void)connection;
    weft_string body = weft_request_body(request);
    char copy[64];
    snprintf(copy, sizeof copy, "%.*s", (int)body.length, body.length ? body.bytes : "");
    if (world_respond(request, 200, copy) != WEFT_OK) weft_request_drop(request);
}

static inline void close_as_server(world *server, weft_connection *connection, weft_request *request)
{
    (void)request;
    bool is_last = atomic_fetch_add(&scene_of(server)->echoed, 1) + 1 == ROUNDS;
    if (!is_last || !scene_of(server)->scenario->server_closes) return;
    if (weft_connection_close(connection, 1000, "done", 4, 0) == WEFT_ENOMEM)
        weft_connection_abort(connection);
}

/* Peers that nobody accepts would wait until memory or descriptors are there again: now they are. */
static inline void end_faults(void *context, weft_status status, const char *detail)
{
    scene *scene = scene_of(context);
    (void)detail;
    if (status != WEFT_OK) scene->faults->end(scene->faults->context);
}

static inline weft_tls *tls_of_scene(security security, bool is_server)
{
    weft_tls_config config;
    weft_tls_config_init(&config);
    weft_tls_identity identity =
        is_server ? identity_of(chain_file, leaf_key_file) : identity_of(client_file, client_key_file);
    bool has_identity = is_server || security == MUTUAL;
    config.identities = has_identity ? &identity : NULL;
    config.identity_count = has_identity;
    config.trust_file = root_file;
    if (security == MUTUAL) config.verification = WEFT_TLS_VERIFY_REQUIRED;
    if (security == TLS_1_2) config.versions = WEFT_TLS_1_2;
    if (security == CHECKED && !is_server) config.revocation = WEFT_TLS_REVOCATION_OCSP_CRL;
    if (security == STAPLED) config.revocation = WEFT_TLS_REVOCATION_STAPLING;
    return open_settings(&config, is_server);
}

static inline void scene_settle(scene *scene)
{
    const scenario *scenario = scene->scenario;
    weft_compression *sides[2] = {&scene->server_compression, &scene->client_compression};
    for (int i = 0; i < 2; i++) {
        weft_compression_init(sides[i], i ? WEFT_CLIENT : WEFT_SERVER);
        sides[i]->enabled = scenario->compresses;
        sides[i]->client_no_context_takeover = sides[i]->server_no_context_takeover = scenario->stands_alone;
        sides[i]->memory = scenario->memory;
    }
    weft_listener_config *listening = &scene->server.listening;
    listening->compression = &scene->server_compression;
    listening->on_warning = end_faults;
    if (scenario->way == BY_PATH) listening->unix_path = scene->unix_path;
    if (scenario->asks_for_chat) scene->server.subprotocol = weft__string("chat");
    if (scenario->max_frame_size) scene->server.settings.max_frame_size = scenario->max_frame_size;
}

static inline void scene_open(scene *scene, const scenario *scenario, const fault_source *faults)
{
    memset(scene, 0, sizeof *scene);
    scene->scenario = scenario;
    scene->faults = faults;
    world_init(&scene->server);
    snprintf(scene->unix_path, sizeof scene->unix_path, "%s/socket", folder);
    scene_settle(scene);
    scene->server.service.on_message = echo_or_abort;
    scene->server.route.on_request = world_on_request;
    scene->server.deeds[UPGRADE] = answer_upgrade;
    scene->server.deeds[REQUEST] = answer_request;
    scene->server.deeds[MESSAGE] = close_as_server;
    weft_tls *tls = NULL;
    if (scenario->security) {
        tls = tls_of_scene(scenario->security, true);
        scene->client_tls = tls_of_scene(scenario->security, false);
        scene->server.listening.tls = tls;
    }
    world_listen(&scene->server);
    weft_tls_release(tls);
    await_turn(&scene->server); /* it accepts */
    if (scenario->way == BY_PROXY) scene->tunnel = tunnel_open(scene->server.port);
    assert_int_equal(weft_loop_open(&scene->loop), WEFT_OK);
}

static inline void scene_close(scene *scene)
{
    world *server = &scene->server;
    weft_loop_close(scene->loop);
    tunnel_close(scene->tunnel);
    weft_listener_stop(server->listener, 0);
    world_await(server, STOPPED, 1);
    weft_listener_release(server->listener);
    assert_int_equal(server->counts[OPEN], server->counts[CLOSED]);
    assert_int_equal(server->counts[RELEASE], scene->accepted);
    assert_int_equal(server->counts[ROUTE_RELEASE], 1);
    world_clear(server);
    weft_tls_release(scene->client_tls);
}

/* Until the server has no connection any more. */
static inline void await_calm(scene *scene)
{
    world *server = &scene->server;
    struct timespec deadline = world_deadline();
    int waited = 0;
    pthread_mutex_lock(&server->mutex);
    while (waited == 0 && server->counts[RELEASE] < scene->accepted)
        waited = pthread_cond_timedwait(&server->changed, &server->mutex, &deadline);
    pthread_mutex_unlock(&server->mutex);
    if (waited) fail_msg("the server is left with %s", server->story);
}

#endif
