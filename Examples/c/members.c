/* A server that decides late: who may enter is looked up on another thread while the loop serves others. */

#define _POSIX_C_SOURCE 200809L /* sigset_t, also where the compiler is told -std=c11 */

#include <weft/weft.h>

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    STOP_TIMEOUT_MS = 5000
};

/* A request whose name is being looked up. */
typedef struct look_up {
    weft_request *request;
    struct look_up *next;
} look_up;

/* The registry: a thread with a queue, as a client of a database might be. */
typedef struct registry {
    char **members; /* fixed */
    int member_count;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t is_filled;
    look_up *first; /* under the lock */
    look_up **end;
    bool is_ending;
} registry;

/* -- the connection of a member: its context is the member's name, a copy of its own ------------------ */

static void send_line(weft_connection *connection, const char *before, const char *name, const uint8_t *bytes,
                      size_t length)
{
    size_t before_length = strlen(before), name_length = strlen(name);
    size_t total = before_length + name_length + length;
    uint8_t *line = malloc(total);
    if (!line) {
        weft_connection_fail(connection, "out of memory");
        return;
    }
    memcpy(line, before, before_length);
    memcpy(line + before_length, name, name_length);
    if (length) memcpy(line + before_length + name_length, bytes, length);
    if (weft_connection_send(connection, WEFT_TEXT, line, total) == WEFT_EBACKPRESSURE)
        weft_connection_fail(connection, "the answers are not being read");
    free(line);
}

static void greet(void *context, weft_connection *connection)
{
    send_line(connection, "welcome, ", context, NULL, 0);
}

static void repeat(void *context, weft_connection *connection, weft_message_type type, const uint8_t *bytes,
                   size_t length)
{
    if (type == WEFT_TEXT) send_line(connection, "", context, bytes, length);
}

/* -- the decision, on the registry's thread ------------------------------------------------------------ */

/* The value of `name` in the query, or an empty string. */
static weft_string asked_name(const weft_request *request)
{
    weft_string query = weft_request_query(request);
    if (query.length < 5 || memcmp(query.bytes, "name=", 5) != 0) return (weft_string){0};
    return (weft_string){query.bytes + 5, query.length - 5};
}

static const char *find_member(const registry *registry, weft_string name)
{
    if (name.length == 0) return NULL;
    for (int i = 0; i < registry->member_count; i++) {
        const char *member = registry->members[i];
        if (strlen(member) == name.length && memcmp(member, name.bytes, name.length) == 0) return member;
    }
    return NULL;
}

static void refuse(weft_request *request, uint16_t status, const char *sentence)
{
    weft_response response;
    weft_response_init(&response);
    response.status = status;
    response.body = (weft_string){sentence, strlen(sentence)};
    if (weft_request_respond(request, &response, NULL, 0) != WEFT_OK) weft_request_drop(request);
}

static void accept_member(weft_request *request, const char *member)
{
    char detail[160];
    const weft_string spoken[] = {{"members.v1", 10}};
    const weft_field welcome = {{"X-Member", 8}, {member, strlen(member)}};
    weft_service service;
    weft_service_init(&service);
    service.on_open = greet;
    service.on_message = repeat;
    service.on_release = free;

    weft_acceptance acceptance;
    weft_acceptance_init(&acceptance);
    acceptance.service = &service;
    acceptance.context = strdup(member);
    acceptance.subprotocol = weft_request_choose_subprotocol(request, spoken, 1);
    acceptance.fields = &welcome;
    acceptance.field_count = 1;
    if (acceptance.context && weft_request_accept(request, &acceptance, detail, sizeof detail) == WEFT_OK)
        return;
    free(acceptance.context); /* until WEFT_OK it is ours */
    refuse(request, 500, "internal server error");
}

static void decide(const registry *registry, weft_request *request)
{
    const char *member = find_member(registry, asked_name(request));
    if (member) {
        accept_member(request, member);
    } else {
        refuse(request, 403, "only members may enter");
    }
}

static void *run_registry(void *context)
{
    registry *registry = context;
    pthread_mutex_lock(&registry->lock);
    while (registry->first || !registry->is_ending) {
        look_up *next = registry->first;
        if (!next) {
            pthread_cond_wait(&registry->is_filled, &registry->lock);
            continue;
        }
        registry->first = next->next;
        if (!registry->first) registry->end = &registry->first;
        pthread_mutex_unlock(&registry->lock);
        decide(registry, next->request);
        free(next);
        pthread_mutex_lock(&registry->lock);
    }
    pthread_mutex_unlock(&registry->lock);
    return NULL;
}

/* -- the listener's callbacks, on its loop ------------------------------------------------------------- */

static void look_up_later(void *context, weft_request *request)
{
    registry *registry = context;
    look_up *entry = malloc(sizeof *entry);
    if (!entry) {
        refuse(request, 503, "out of memory");
        return;
    }
    *entry = (look_up){.request = request};
    pthread_mutex_lock(&registry->lock);
    *registry->end = entry;
    registry->end = &entry->next;
    pthread_cond_signal(&registry->is_filled);
    pthread_mutex_unlock(&registry->lock);
}

/* The last call of the listener: no request waits any more. */
static void end_registry(void *context)
{
    registry *registry = context;
    pthread_mutex_lock(&registry->lock);
    registry->is_ending = true;
    pthread_cond_signal(&registry->is_filled);
    pthread_mutex_unlock(&registry->lock);
}

static weft_status serve(weft_listener **out, registry *registry, uint16_t port)
{
    char detail[256];
    weft_route route;
    weft_route_init(&route);
    route.context = registry;
    route.on_upgrade = look_up_later;

    weft_listener_config config;
    weft_listener_config_init(&config);
    config.host = "127.0.0.1";
    config.port = port;
    config.routes = &(weft_path_route){"/members", &route};
    config.route_count = 1;
    config.context = registry;
    config.on_closed = end_registry;
    weft_status status = weft_listener_open(out, &config, detail, sizeof detail);
    if (status != WEFT_OK) fprintf(stderr, "weft-c-members: %s\n", detail);
    return status;
}

int main(int count, char **words)
{
    char *end = NULL;
    unsigned long port = count >= 2 ? strtoul(words[1], &end, 10) : 0;
    if (count < 2 || *words[1] < '0' || *words[1] > '9' || *end || port > 65535) {
        fputs("usage: weft-c-members PORT MEMBER...\n", stderr);
        return 2;
    }
    registry registry = {
        .members = words + 2,
        .member_count = count - 2,
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .is_filled = PTHREAD_COND_INITIALIZER,
        .end = &registry.first,
    };
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL); /* every thread inherits it; they are waited for below */

    weft_listener *listener;
    if (pthread_create(&registry.thread, NULL, run_registry, &registry) != 0) return 1;
    if (serve(&listener, &registry, (uint16_t)port) != WEFT_OK) return 1;
    printf("weft-c-members: listening on ws://127.0.0.1:%" PRIu16 "/members?name=...\n",
           weft_listener_port(listener));
    fflush(stdout);

    int signal_number;
    sigwait(&signals, &signal_number);
    weft_listener_stop(listener, STOP_TIMEOUT_MS);
    pthread_join(registry.thread, NULL);
    weft_listener_release(listener);
    return 0;
}
