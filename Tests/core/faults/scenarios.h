/* What a server and its clients do while something fails: each scenario once under the fault, once behind it.
 */
#ifndef WEFT_TESTS_SCENARIOS_H
#define WEFT_TESTS_SCENARIOS_H

#include "faults/scene.h"

/* -- a client ---------------------------------------------------------------------------------------- */

typedef struct call {
    world world; /* first */
    const scenario *scenario;
    char text[MESSAGE_SIZE];
} call;

static inline void say(world *world, weft_connection *connection, weft_request *request)
{
    call *call = (struct call *)world;
    (void)request;
    weft_message_type type = call->scenario->type ? call->scenario->type : WEFT_TEXT;
    weft_status status = weft_connection_send(connection, type, (uint8_t *)call->text, sizeof call->text);
    if (status != WEFT_OK) weft_connection_abort(connection);
}

static inline void go_on(world *world, weft_connection *connection, weft_request *request)
{
    call *call = (struct call *)world;
    if (world_count(world, MESSAGE) < ROUNDS) {
        say(world, connection, request);
    } else if (!call->scenario->server_closes) {
        if (weft_connection_close(connection, 1000, "", 0, 0) == WEFT_ENOMEM)
            weft_connection_abort(connection);
    }
}

static inline void authorize(void *context, weft_client *client, uint32_t attempt)
{
    (void)context;
    if (weft_client_authorize(client, attempt, weft__string("Bearer token")) == WEFT_OK) return;
    if (weft_client_decline(client, attempt, WEFT_ENOMEM, "no memory", 0) != WEFT_OK)
        weft_client_cancel(client);
}

static inline void write_url(char *out, size_t size, const scene *scene)
{
    const char *host = scene->scenario->way == BY_NAME ? "localhost" : "127.0.0.1";
    const char *scheme = scene->scenario->security ? "wss" : "ws";
    if (scene->scenario->way == BY_PATH) {
        snprintf(out, size, "ws+unix:%s", scene->unix_path);
    } else {
        snprintf(out, size, "%s://%s:%u/", scheme, host, (unsigned)scene->server.port);
    }
}

/* What the message of one thread after the other comes to. */
static inline void talk_from_elsewhere(call *call)
{
    world *world = &call->world;
    for (int i = 1; i <= ROUNDS; i++) {
        struct timespec deadline = world_deadline();
        int waited = 0;
        pthread_mutex_lock(&world->mutex);
        while (waited == 0 && world->counts[MESSAGE] + world->counts[OPEN] < i && !world->counts[RELEASE])
            waited = pthread_cond_timedwait(&world->changed, &world->mutex, &deadline);
        pthread_mutex_unlock(&world->mutex);
        assert_int_equal(waited, 0);
        weft_connection *connection = world_count(world, OPEN) ? world_hold(world) : NULL;
        if (connection) say(world, connection, NULL);
        if (connection && i == ROUNDS && weft_connection_close(connection, 1000, "", 0, 0) == WEFT_ENOMEM)
            weft_connection_abort(connection);
        weft_connection_release(connection);
    }
}

/* The documented ends; true for the one without faults. */
static inline bool has_ended_well(call *call)
{
    world *world = &call->world;
    assert_int_equal(world->counts[OPEN] + world->counts[FAILURE], 1);
    assert_int_equal(world->counts[OPEN], world->counts[CLOSED]);
    assert_int_equal(world->counts[RELEASE], 1);
    assert_true(world->counts[ERROR] <= world->counts[OPEN]);
    if (world->counts[FAILURE]) {
        bool is_known = world->error == WEFT_ENOMEM || world->error == WEFT_ELOST ||
                        world->error == WEFT_ETLS || world->error == WEFT_ESYSTEM ||
                        world->error == WEFT_ECLOSED || world->error == WEFT_EREFUSED ||
                        world->error == WEFT_ERESOLVE || world->error == WEFT_ETIMEDOUT;
        uint16_t status = world->answer_status;
        bool is_refused = world->error == WEFT_EHANDSHAKE && status >= 500 && status <= 503;
        if (!is_known && !is_refused)
            fail_msg("%s: %d, %s", call->scenario->name, world->error, world->detail);
        return false;
    }
    uint16_t code = world->close_code;
    if (code != 1000 && code != 1006 && code != 1011)
        fail_msg("%s: closed with %d", call->scenario->name, code);
    if (code == 1000 && !call->scenario->sends_elsewhere) {
        assert_int_equal(world->received_length, ROUNDS * MESSAGE_SIZE);
        for (int i = 0; i < ROUNDS; i++)
            assert_memory_equal(world->received + i * MESSAGE_SIZE, call->text, MESSAGE_SIZE);
    }
    return code == 1000;
}

static inline void call_prepare(call *call, const scenario *scenario)
{
    memset(call, 0, sizeof *call);
    world_init(&call->world);
    call->scenario = scenario;
    call->world.is_quiet = true;
    for (size_t i = 0; i < sizeof call->text; i++)
        call->text[i] = (char)('a' + i % 23);
    if (!scenario->sends_elsewhere) {
        call->world.deeds[OPEN] = say;
        call->world.deeds[MESSAGE] = go_on;
    }
    if (scenario->max_frame_size) call->world.settings.max_frame_size = scenario->max_frame_size;
}

/* Dials, has its messages echoed, closes. */
static inline bool talk(scene *scene)
{
    const scenario *scenario = scene->scenario;
    call call;
    call_prepare(&call, scenario);
    char url[160], detail[256];
    write_url(url, sizeof url, scene);
    weft_client_config config = world_calling(&call.world, scene->loop, url);
    config.tls = scene->client_tls;
    config.compression = &scene->client_compression;
    config.handshake_timeout_ms = PEER_DEADLINE_MS / 2;
    if (scenario->asks_for_chat) config.subprotocols = weft__string("chat");
    if (scenario->authorizes) config.on_authorize = authorize;
    weft_proxy proxy;
    weft_proxy_init(&proxy);
    proxy.host = weft__string("127.0.0.1");
    proxy.username = proxy.password = weft__string("secret");
    if (scene->tunnel) proxy.port = scene->tunnel->port;
    if (scene->tunnel) config.proxy = &proxy;
    weft_retry_config retry;
    weft_retry_config_init(&retry);
    retry.interval_ms = retry.max_count = 1;
    if (scenario->retries) config.retry = &retry;
    scene->is_busy = scenario->retries;
    scene->echoed = 0;
    weft_client *client;
    weft_status status = weft_client_connect(&client, &config, detail, sizeof detail);
    if (status != WEFT_OK && status != WEFT_ENOMEM && status != WEFT_ESYSTEM)
        fail_msg("%s: %s", scenario->name, detail);
    if (status == WEFT_OK && scenario->sends_elsewhere) talk_from_elsewhere(&call);
    if (status == WEFT_OK) world_await(&call.world, RELEASE, 1);
    weft_client_release(client);
    await_calm(scene);
    bool is_well = status == WEFT_OK && has_ended_well(&call);
    if (status != WEFT_OK) assert_int_equal(call.world.story_length, 0);
    world_clear(&call.world);
    return is_well;
}

/* -- HTTP -------------------------------------------------------------------------------------------- */

/* One request of an exchange, with a body, and its answer. */
static inline bool ask_once(scene *scene)
{
    world asker;
    world_init(&asker);
    char url[128];
    const char *scheme = scene->scenario->security ? "https" : "http";
    snprintf(url, sizeof url, "%s://127.0.0.1:%u/", scheme, (unsigned)scene->server.port);
    weft_exchange_config config = asking(&asker, url);
    config.loop = scene->loop;
    config.tls = scene->client_tls;
    config.method = weft__string("POST");
    config.body = weft__string("what is asked");
    weft_exchange *exchange;
    weft_status status = weft_exchange_start(&exchange, &config, NULL, 0);
    weft_exchange_release(exchange);
    if (status != WEFT_OK) assert_true(status == WEFT_ENOMEM || status == WEFT_ESYSTEM);
    struct timespec deadline = world_deadline();
    int waited = 0;
    pthread_mutex_lock(&asker.mutex);
    while (status == WEFT_OK && waited == 0 && !asker.story_length)
        waited = pthread_cond_timedwait(&asker.changed, &asker.mutex, &deadline);
    pthread_mutex_unlock(&asker.mutex);
    assert_int_equal(waited, 0);
    bool is_answered = asker.counts[ANSWER] == 1 && asker.answer_status == 200;
    if (is_answered) assert_string_equal(asker.body, "what is asked");
    if (asker.counts[ANSWER] && !is_answered) assert_true(asker.answer_status >= 500);
    world_clear(&asker);
    return is_answered;
}

/* Requests in one piece, of which the second and third have bodies. */
static inline bool ask_in_a_row(scene *scene)
{
    static const char requests[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
                                   "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
                                   "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                                   "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
                                   "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    int peer = peer_connect(scene->server.port), answered = 0;
    bool is_sent = peer_try_send(peer, requests, sizeof requests - 1);
    char head[1024], body[64];
    while (is_sent && answered < 4 && peer_try_read_head(peer, head, sizeof head)) {
        int status = atoi(head + strlen("HTTP/1.1 "));
        if (status != 200) assert_true(status >= 500 && status <= 503);
        const char *field = strstr(head, "Content-Length: ");
        size_t length = field ? strtoul(field + strlen("Content-Length: "), NULL, 10) : 0;
        bool is_whole = status == 200 && length < sizeof body && peer_try_read(peer, body, length);
        if (!is_whole) break;
        if (length) assert_memory_equal(body, "hello", 5);
        answered++;
    }
    if (answered == 4) peer_expect_end(peer);
    close(peer);
    return answered == 4;
}

/* -- listeners --------------------------------------------------------------------------------------- */

static inline void count_stop(void *context)
{
    world_happened(context, STOPPED, NULL, NULL);
}

/* Another listener opens, its routes change while a peer is served, and it stops gently. */
static inline bool open_and_stop(scene *scene)
{
    world guests;
    world_init(&guests);
    weft_listener_config *config = &guests.listening;
    config->loops = &scene->server.loop;
    config->loop_count = 1;
    config->on_closed = count_stop;
    weft_path_route routes[] = {{"/", &guests.route}, {"/a/{name}", &guests.route}};
    config->routes = routes;
    config->route_count = 2;
    char detail[256];
    weft_listener *listener;
    weft_status status = weft_listener_open(&listener, config, detail, sizeof detail);
    if (status != WEFT_OK && status != WEFT_ENOMEM && status != WEFT_ESYSTEM) fail_msg("%s", detail);
    bool is_well = status == WEFT_OK;
    if (is_well) {
        weft_status attached = weft_listener_attach(listener, "/b/{rest*}", &guests.route);
        weft_status detached = weft_listener_detach(listener, "/a/{name}");
        if (attached != WEFT_OK) assert_int_equal(attached, WEFT_ENOMEM);
        if (detached != WEFT_OK) assert_int_equal(detached, WEFT_ENOMEM);
        is_well = attached == WEFT_OK && detached == WEFT_OK;
        weft_listener_stop(listener, 1000);
        world_await(&guests, STOPPED, 1);
        world_await(&guests, ROUTE_RELEASE, 2 + (attached == WEFT_OK));
    }
    weft_listener_release(listener);
    world_clear(&guests);
    return is_well;
}

/* -- all of them ------------------------------------------------------------------------------------- */

static const scenario scenarios[] = {
    {.name = "text", .act = talk},
    {.name = "binary", .act = talk, .type = WEFT_BINARY},
    {.name = "fragments", .act = talk, .max_frame_size = 128},
    {.name = "the server closes", .act = talk, .server_closes = true},
    {.name = "sent from another thread", .act = talk, .sends_elsewhere = true},
    {.name = "compressed, shared", .act = talk, .compresses = true},
    {.name = "compressed, dedicated", .act = talk, .compresses = true, .memory = WEFT_COMPRESSION_DEDICATED},
    {.name = "compressed, each alone",
     .act = talk,
     .compresses = true,
     .stands_alone = true,
     .memory = WEFT_COMPRESSION_DEDICATED},
    {.name = "compressed fragments",
     .act = talk,
     .compresses = true,
     .max_frame_size = 16,
     .memory = WEFT_COMPRESSION_DEDICATED},
    {.name = "a name", .act = talk, .way = BY_NAME},
    {.name = "a unix socket", .act = talk, .way = BY_PATH},
    {.name = "a proxy", .act = talk, .way = BY_PROXY},
    {.name = "a second attempt", .act = talk, .retries = true},
    {.name = "authorization", .act = talk, .authorizes = true},
    {.name = "a subprotocol", .act = talk, .asks_for_chat = true},
    {.name = "TLS 1.2", .act = talk, .security = TLS_1_2},
    {.name = "TLS 1.3", .act = talk, .security = TLS_1_3},
    {.name = "TLS 1.2 resumed", .act = talk, .security = TLS_1_2, .resumes = true},
    {.name = "TLS 1.3 resumed", .act = talk, .security = TLS_1_3, .resumes = true},
    {.name = "TLS through a proxy", .act = talk, .security = TLS_1_3, .way = BY_PROXY},
    {.name = "a client's certificate", .act = talk, .security = MUTUAL},
    {.name = "a certificate that is asked about", .act = talk, .security = CHECKED},
    {.name = "a staple", .act = talk, .security = STAPLED},
    {.name = "an exchange", .act = ask_once},
    {.name = "an exchange over TLS", .act = ask_once, .security = TLS_1_3},
    {.name = "requests in a row", .act = ask_in_a_row},
    {.name = "a listener", .act = open_and_stop},
};

enum {
    SCENARIOS = sizeof scenarios / sizeof *scenarios
};

/* Runs `test` once for each scenario, under its name; the state is the scenario. */
static inline int run_with_each(void (*test)(void **state))
{
    struct CMUnitTest tests[SCENARIOS];
    for (size_t i = 0; i < SCENARIOS; i++)
        tests[i] = (struct CMUnitTest){scenarios[i].name, test, NULL, NULL, (void *)&scenarios[i]};
    return _cmocka_run_group_tests("scenarios", tests, SCENARIOS, open_office, close_office);
}

/* True when the scenario ended as if without faults. What is left of it afterwards serves as before. */
static inline bool survive(const scenario *scenario, const fault_source *faults)
{
    scene scene;
    scene_open(&scene, scenario, faults);
    if (scenario->resumes) assert_true(scenario->act(&scene));
    faults->begin(faults->context);
    bool is_well = scenario->act(&scene);
    faults->end(faults->context);
    if (!scenario->act(&scene)) fail_msg("%s: not served afterwards", scenario->name);
    scene_close(&scene);
    return is_well;
}

#endif
