#include "endpoint/compression.h"

#include "base/allocator.h"

typedef struct loop_contexts {
    weft__loop_tenant tenant;
    weft_loop *loop;
    weft__deflate_pool pool;
    weft__timer timer; /* runs while contexts rest */
} loop_contexts;

static void free_contexts(weft__loop_tenant *tenant)
{
    loop_contexts *contexts = WEFT__CONTAINER(tenant, loop_contexts, tenant);
    weft__deflate_pool_clear(&contexts->pool);
    weft__free(contexts);
}

static void watch(loop_contexts *contexts)
{
    weft__loop_start_timer(contexts->loop, &contexts->timer, WEFT__CONTEXT_REST_MS);
}

static void on_timer(weft__timer *timer)
{
    loop_contexts *contexts = WEFT__CONTAINER(timer, loop_contexts, timer);
    if (weft__deflate_pool_age(&contexts->pool)) watch(contexts);
}

static void on_first_rest(weft__deflate_pool *pool)
{
    loop_contexts *contexts = WEFT__CONTAINER(pool, loop_contexts, pool);
    if (!weft__timer_is_running(&contexts->timer)) watch(contexts);
}

weft__deflate_pool *weft__loop_deflate_pool(weft_loop *loop)
{
    weft__assert_on_loop(loop);
    weft__loop_tenant *tenant = weft__loop_get_tenant(loop);
    if (tenant) return &WEFT__CONTAINER(tenant, loop_contexts, tenant)->pool;
    loop_contexts *contexts = weft__alloc(sizeof *contexts);
    if (!contexts) return NULL;
    contexts->tenant.free = free_contexts;
    contexts->loop = loop;
    weft__deflate_pool_init(&contexts->pool);
    contexts->pool.on_first_rest = on_first_rest;
    weft__timer_init(&contexts->timer, on_timer);
    weft__loop_set_tenant(loop, &contexts->tenant);
    return &contexts->pool;
}

bool weft__compression_is_same(const weft_compression *one, const weft_compression *other)
{
    if (!one || !other) return one == other;
    return one->server_no_context_takeover == other->server_no_context_takeover &&
           one->client_no_context_takeover == other->client_no_context_takeover &&
           one->level == other->level && one->server_max_window_bits == other->server_max_window_bits &&
           one->client_max_window_bits == other->client_max_window_bits && one->threshold == other->threshold;
}
