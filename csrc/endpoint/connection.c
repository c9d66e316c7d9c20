#include "endpoint/connection.h"

#include "base/allocator.h"
#include "base/config.h"
#include "endpoint/compression.h"

#include <stdio.h>
#include <string.h>

void weft_service_init_sized(weft_service *service, size_t size)
{
    const weft_service defaults = {0};
    weft__config_init(service, size, &defaults, sizeof defaults);
}

void weft_connection_config_init_sized(weft_connection_config *config, size_t size)
{
    weft_session_config session;
    weft_session_config_init(&session);
    const weft_connection_config defaults = {
        .max_frame_size = session.max_frame_size,
        .max_message_size = session.max_message_size,
        .max_fragments = session.max_fragments,
        .keep_alive_interval_ms = 60000,
        .keep_alive_timeout_ms = 30000,
        .close_timeout_ms = 60000,
        .send_queue_limit = 16 << 20,
        .high_water = 64 << 10,
    };
    weft__config_init(config, size, &defaults, sizeof defaults);
}

/* -- plans ------------------------------------------------------------------------------------- */

/* NULL when every field is in its range. */
static const char *range_problem(const weft_connection_config *config)
{
    if (!config->keep_alive_timeout_ms) return "keep_alive_timeout_ms is 0";
    if (!config->close_timeout_ms) return "close_timeout_ms is 0";
    if (!config->send_queue_limit) return "send_queue_limit is 0";
    if (!config->max_frame_size || config->max_frame_size > PTRDIFF_MAX)
        return "max_frame_size is 0 or more than half of the address space";
    if (!config->max_message_size || config->max_message_size > PTRDIFF_MAX)
        return "max_message_size is 0 or more than half of the address space";
    if (!config->max_fragments) return "max_fragments is 0";
    return NULL;
}

static weft_status check_plan(const weft__plan *plan)
{
    return range_problem(&plan->config) ? WEFT_EINVAL : weft__session_config_check(&plan->session);
}

static weft_status fill_plan(weft__plan *plan, weft_role role, const weft_service *service,
                             const weft_connection_config *config)
{
    plan->compression = (weft_compression){0};
    weft_service_init(&plan->service);
    weft_connection_config_init(&plan->config);
    weft_status status = weft__config_take(&plan->service, service, sizeof plan->service);
    if (status == WEFT_OK && config) status = weft__config_take(&plan->config, config, sizeof plan->config);
    if (status != WEFT_OK) return status;
    plan->session = (weft_session_config){
        .size = sizeof plan->session,
        .role = role,
        .max_frame_size = plan->config.max_frame_size,
        .max_message_size = plan->config.max_message_size,
        .max_fragments = plan->config.max_fragments,
    };
    return check_plan(plan);
}

const char *weft__plan_problem(const weft_service *service, const weft_connection_config *given)
{
    weft_service taken;
    weft_connection_config config;
    weft_service_init(&taken);
    weft_connection_config_init(&config);
    if (weft__config_take(&taken, service, sizeof taken) != WEFT_OK) return "service is not initialised";
    if (given && weft__config_take(&config, given, sizeof config) != WEFT_OK)
        return "the settings of the connection are not initialised";
    return range_problem(&config);
}

void weft__plan_agree(weft__plan *plan, const weft_compression *agreed)
{
    plan->compression = *agreed;
    plan->session.compression = agreed->enabled ? &plan->compression : NULL;
}

static weft__plan *copy_plan(const weft__plan *plan)
{
    weft__plan *copy = weft__alloc(sizeof *copy);
    if (!copy) return NULL;
    atomic_init(&copy->holders, 1);
    copy->service = plan->service;
    copy->config = plan->config;
    copy->session = plan->session;
    weft__plan_agree(copy, &plan->compression);
    return copy;
}

weft_status weft__plan_new(weft__plan **out, weft_role role, const weft_service *service,
                           const weft_connection_config *config)
{
    *out = NULL;
    weft__plan plan;
    weft_status status = fill_plan(&plan, role, service, config);
    if (status != WEFT_OK) return status;
    *out = copy_plan(&plan);
    return *out ? WEFT_OK : WEFT_ENOMEM;
}

static bool says_the_same(const weft__plan *one, const weft__plan *other)
{
    const weft_connection_config *a = &one->config, *b = &other->config;
    return memcmp(&one->service, &other->service, sizeof one->service) == 0 &&
           weft__compression_is_same(one->session.compression, other->session.compression) &&
           one->session.role == other->session.role && a->max_frame_size == b->max_frame_size &&
           a->max_message_size == b->max_message_size && a->max_fragments == b->max_fragments &&
           a->idle_timeout_ms == b->idle_timeout_ms &&
           a->keep_alive_interval_ms == b->keep_alive_interval_ms &&
           a->keep_alive_timeout_ms == b->keep_alive_timeout_ms &&
           a->close_timeout_ms == b->close_timeout_ms && a->send_queue_limit == b->send_queue_limit &&
           a->high_water == b->high_water;
}

weft_status weft__plan_share(weft__plan **out, _Atomic(weft__plan *) *kept, weft_role role,
                             const weft_service *service, const weft_connection_config *config,
                             const weft_compression *agreed)
{
    *out = NULL;
    weft__plan wanted;
    weft_status status = fill_plan(&wanted, role, service, config);
    if (status != WEFT_OK) return status;
    weft__plan_agree(&wanted, agreed);
    /* Whoever takes the kept plan out owns it until it is put back; meanwhile others make their own. */
    weft__plan *plan = atomic_exchange(kept, NULL);
    if (!plan || !says_the_same(plan, &wanted)) {
        weft__plan_release(plan);
        plan = copy_plan(&wanted);
        if (!plan) return WEFT_ENOMEM;
    }
    atomic_fetch_add_explicit(&plan->holders, 1, memory_order_relaxed);
    *out = plan;
    weft__plan_release(atomic_exchange(kept, plan));
    return WEFT_OK;
}

void weft__plan_release(weft__plan *plan)
{
    if (plan && atomic_fetch_sub_explicit(&plan->holders, 1, memory_order_acq_rel) == 1) weft__free(plan);
}

/* -- life -------------------------------------------------------------------------------------- */

weft_connection *weft_connection_retain(weft_connection *connection)
{
    atomic_fetch_add_explicit(&connection->holders, 1, memory_order_relaxed);
    return connection;
}

void weft_connection_release(weft_connection *connection)
{
    if (!connection) return;
    if (atomic_fetch_sub_explicit(&connection->holders, 1, memory_order_acq_rel) > 1) return;
    weft__plan_release((weft__plan *)connection->plan);
    weft__loop_release(connection->loop);
    weft__free(connection);
}

void weft__connection_end_with_loop(weft_connection *connection)
{
    weft__connection_lose(connection, WEFT_ECLOSED, "the event loop was closed");
}

static void on_loop_closing(weft__loop_member *member)
{
    weft__connection_end_with_loop(WEFT__CONTAINER(member, weft_connection, member));
}

static char *subprotocol_of(const weft_connection *connection)
{
    return (char *)(connection->deflate + (weft_connection_is_compressed(connection) ? 1 : 0));
}

/* With all that it has for as long as it lives; zeroed, so that the subprotocol ends with a NUL. */
static weft_connection *allocate(const weft__connection_start *start)
{
    size_t size = sizeof(weft_connection);
    if (start->plan->session.compression) size += sizeof(weft__deflate);
    if (start->subprotocol.length) size += start->subprotocol.length + 1;
    weft_connection *connection = weft__alloc_zeroed(size);
    if (!connection) return NULL;
    connection->plan = start->plan;
    connection->has_subprotocol = start->subprotocol.length > 0;
    if (connection->has_subprotocol)
        memcpy(subprotocol_of(connection), start->subprotocol.bytes, start->subprotocol.length);
    return connection;
}

static uint64_t next_id(void)
{
    static _Atomic uint64_t last;
    return atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
}

static void on_timer(weft__timer *timer);

weft_status weft__connection_new(weft_connection **out, const weft__connection_start *start)
{
    *out = NULL;
    weft__deflate_pool *pool = NULL;
    if (start->plan->session.compression) {
        pool = weft__loop_deflate_pool(weft__stream_loop(start->stream));
        if (!pool) return WEFT_ENOMEM;
    }
    weft_connection *connection = allocate(start);
    if (!connection) return WEFT_ENOMEM;
    connection->context = start->context;
    connection->stream = start->stream;
    connection->loop = weft__stream_loop(start->stream);
    connection->id = next_id();
    connection->holders = 2; /* the caller and the loop */
    connection->is_open = true;
    connection->may_send = true;
    connection->is_secure = weft__stream_tls(start->stream) != NULL;
    connection->abort_mail.open = weft__connection_open_abort_mail;
    connection->last_read_ms = connection->last_activity_ms = weft__loop_now(connection->loop);
    weft__session_init(&connection->session, &start->plan->session);
    if (pool) weft__session_use_pool(&connection->session, connection->deflate, pool);
    weft__timer_init(&connection->timer, on_timer);
    weft__loop_retain(connection->loop);
    connection->has_host = start->host != NULL;
    if (start->host) {
        connection->host = start->host;
        weft__list_append(&start->host->connections, &connection->host_link);
    } else {
        connection->member.abort = on_loop_closing;
        weft__loop_join(connection->loop, &connection->member);
    }
    weft__stream_set_owner(start->stream, &weft__connection_stream_events, connection);
    weft__stream_share_unsent(start->stream, &connection->unsent);
    *out = connection;
    return WEFT_OK;
}

void weft__connection_run(weft_connection *connection, uint8_t *bytes, size_t length)
{
    const weft_service *service = &connection->plan->service;
    weft_connection_retain(connection);
    weft__connection_watch(connection);
    if (service->on_open) service->on_open(connection->context, connection);
    if (length) weft__connection_stream_events.on_read(connection, bytes, length);
    weft__connection_read_on(connection);
    weft_connection_release(connection);
}

/* -- time -------------------------------------------------------------------------------------- */

static const char keep_alive_payload[] = "weft keep-alive";

bool weft__connection_is_keep_alive(const uint8_t *bytes, size_t length)
{
    return length == sizeof keep_alive_payload - 1 && memcmp(bytes, keep_alive_payload, length) == 0;
}

static uint64_t sooner(uint64_t one, uint64_t other)
{
    return one < other ? one : other;
}

/* When the peer's silence or the service's becomes remarkable; UINT64_MAX: never. */
static uint64_t next_deadline(const weft_connection *connection)
{
    const weft_connection_config *config = &connection->plan->config;
    uint64_t due = UINT64_MAX;
    if (config->keep_alive_interval_ms) {
        uint64_t wait = config->keep_alive_interval_ms;
        if (connection->awaits_pong) wait += config->keep_alive_timeout_ms;
        due = connection->last_read_ms + wait;
    }
    if (config->idle_timeout_ms) due = sooner(due, connection->last_activity_ms + config->idle_timeout_ms);
    return due;
}

void weft__connection_watch(weft_connection *connection)
{
    uint64_t due = next_deadline(connection), now = weft__loop_now(connection->loop);
    if (due == UINT64_MAX) return;
    /* What is overdue has its turn after what the peer has sent. */
    weft__loop_start_timer(connection->loop, &connection->timer, due > now ? due - now : 1);
}

/* Whom we do not read from cannot show that he lives; a slow reader shows it by taking bytes. */
static bool silence_is_ours(weft_connection *connection)
{
    if (connection->is_paused) return true;
    if (!weft__connection_is_choked(connection)) return false;
    uint32_t unsent = (uint32_t)weft__stream_unsent(connection->stream);
    bool has_moved = unsent != connection->last_unsent;
    connection->last_unsent = unsent;
    return has_moved;
}

static void check_keep_alive(weft_connection *connection, uint64_t now)
{
    const weft_connection_config *config = &connection->plan->config;
    uint64_t silence = now - connection->last_read_ms;
    if (!config->keep_alive_interval_ms || silence < config->keep_alive_interval_ms) return;
    if (silence_is_ours(connection)) {
        connection->last_read_ms = now;
        connection->awaits_pong = false;
    } else if (!connection->awaits_pong) {
        connection->awaits_pong = true;
        connection->pong_is_late = false;
        /* A loop that was held up pings late: the peer has the whole time to answer nevertheless. */
        connection->last_read_ms = now - config->keep_alive_interval_ms;
        weft__connection_write_control(connection, WEFT_OPCODE_PING, (const uint8_t *)keep_alive_payload,
                                       sizeof keep_alive_payload - 1);
    } else if (silence < (uint64_t)config->keep_alive_interval_ms + config->keep_alive_timeout_ms) {
        return;
    } else if (!connection->pong_is_late) {
        connection->pong_is_late = true; /* a loop that was held up looks at the time before it reads */
    } else {
        char detail[48];
        snprintf(detail, sizeof detail, "no pong in %g s", (double)config->keep_alive_timeout_ms / 1000);
        weft__connection_lose(connection, WEFT_ETIMEDOUT, detail);
    }
}

static void check_idle(weft_connection *connection, uint64_t now)
{
    uint32_t timeout = connection->plan->config.idle_timeout_ms;
    if (!timeout || now - connection->last_activity_ms < timeout) return;
    connection->last_activity_ms = now;
    const weft_service *service = &connection->plan->service;
    if (service->on_idle) service->on_idle(connection->context, connection);
}

static void check_silence(weft_connection *connection)
{
    uint64_t now = weft__loop_now(connection->loop);
    check_keep_alive(connection, now);
    if (connection->state == WEFT__CONNECTION_OPEN) check_idle(connection, now);
    if (connection->state == WEFT__CONNECTION_OPEN) weft__connection_watch(connection);
}

static void on_timer(weft__timer *timer)
{
    weft_connection *connection = WEFT__CONTAINER(timer, weft_connection, timer);
    weft_connection_retain(connection);
    switch ((weft__connection_state)connection->state) {
    case WEFT__CONNECTION_OPEN: check_silence(connection); break;
    case WEFT__CONNECTION_CLOSING:
        weft__connection_lose(connection, WEFT_ETIMEDOUT, "the peer did not answer the close frame in time");
        break;
    case WEFT__CONNECTION_ANSWERING: weft__connection_answer(connection); break;
    case WEFT__CONNECTION_LINGERING: weft__connection_vanish(connection); break;
    case WEFT__CONNECTION_FAILING:
    case WEFT__CONNECTION_GONE: break;
    }
    weft_connection_release(connection);
}

/* -- what a handle tells ----------------------------------------------------------------------- */

bool weft_connection_is_open(const weft_connection *connection)
{
    return atomic_load_explicit(&connection->is_open, memory_order_acquire);
}

uint64_t weft_connection_id(const weft_connection *connection)
{
    return connection->id;
}

weft_loop *weft_connection_loop(const weft_connection *connection)
{
    return connection->loop;
}

weft_string weft_connection_subprotocol(const weft_connection *connection)
{
    if (!connection->has_subprotocol) return (weft_string){0};
    const char *subprotocol = subprotocol_of(connection);
    return (weft_string){subprotocol, strlen(subprotocol)};
}

bool weft_connection_is_secure(const weft_connection *connection)
{
    return connection->is_secure;
}

bool weft_connection_is_compressed(const weft_connection *connection)
{
    return connection->plan->session.compression != NULL;
}

static weft_status tell_address(const weft_connection *connection, char *host, size_t size, uint16_t *port,
                                weft_status (*get)(const weft__stream *, weft__endpoint_address *))
{
    weft__endpoint_address address;
    if (connection->state == WEFT__CONNECTION_GONE) return WEFT_ECLOSED;
    weft_status status = get(connection->stream, &address);
    if (status != WEFT_OK) return status;
    size_t length = strlen(address.host) + 1;
    if (length > size) return WEFT_EINVAL;
    memcpy(host, address.host, length);
    *port = address.port;
    return WEFT_OK;
}

weft_status weft_connection_remote_address(const weft_connection *connection, char *host, size_t size,
                                           uint16_t *port)
{
    return tell_address(connection, host, size, port, weft__stream_remote_address);
}

weft_status weft_connection_local_address(const weft_connection *connection, char *host, size_t size,
                                          uint16_t *port)
{
    return tell_address(connection, host, size, port, weft__stream_local_address);
}
