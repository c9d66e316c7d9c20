#include "protocol/deflate_pool.h"

#include "base/allocator.h"

#include <assert.h>

enum {
    /* Tables of 16 KiB instead of zlib's usual 128 KiB: for messages of up to some KiB that is faster, since
     * they stay in the cache and are cleared for each message that stands alone. */
    MEMORY_LEVEL = 5,
};

void weft__deflate_pool_init(weft__deflate_pool *pool)
{
    *pool = (weft__deflate_pool){0};
    weft__link_init(&pool->spare);
    weft__link_init(&pool->owned);
}

static weft__context *context_of(weft__link *link)
{
    return WEFT__CONTAINER(link, weft__context, link);
}

/* -- one context ------------------------------------------------------------------------------- */

static voidpf allocate(voidpf opaque, uInt items, uInt size)
{
    (void)opaque;
    return weft__alloc((size_t)items * size); /* windows and tables, 64 KiB at most */
}

static void release(voidpf opaque, voidpf block)
{
    (void)opaque;
    weft__free(block);
}

static void end(weft__context *context)
{
    (context->compresses ? deflateEnd : inflateEnd)(&context->stream);
    weft__free(context);
}

static weft__context *begin(bool compresses, uint8_t window_bits, uint8_t level)
{
    weft__context *context = weft__alloc_zeroed(sizeof *context);
    if (!context) return NULL;
    context->history.is_live = true;
    context->compresses = compresses;
    context->window_bits = window_bits;
    context->level = level;
    context->stream.zalloc = allocate;
    context->stream.zfree = release;
    weft__link_init(&context->link);
    int code = compresses ? deflateInit2(&context->stream, level, Z_DEFLATED, -window_bits, MEMORY_LEVEL,
                                         Z_DEFAULT_STRATEGY)
                          : inflateInit2(&context->stream, -window_bits);
    if (code == Z_OK) return context;
    weft__free(context); /* zlib has given back what it got */
    return NULL;
}

/* -- taking and giving ------------------------------------------------------------------------- */

static void leave(weft__deflate_pool *pool, weft__context *context)
{
    weft__link_remove(&context->link);
    if (!context->owner) pool->spare_count--;
}

static weft__context *take(weft__deflate_pool *pool, bool compresses, uint8_t window_bits, uint8_t level)
{
    for (weft__link *link = pool->spare.previous; link != &pool->spare; link = link->previous) {
        weft__context *context = context_of(link);
        bool fits = context->compresses == compresses && context->window_bits == window_bits &&
                    context->level == level;
        if (!fits) continue;
        leave(pool, context);
        return context;
    }
    return begin(compresses, window_bits, level);
}

weft__context *weft__deflate_pool_take_compressor(weft__deflate_pool *pool, uint8_t window_bits,
                                                  uint8_t level)
{
    return take(pool, true, window_bits, level);
}

weft__context *weft__deflate_pool_take_decompressor(weft__deflate_pool *pool, uint8_t window_bits)
{
    return take(pool, false, window_bits, 0);
}

void weft__deflate_pool_wake(weft__deflate_pool *pool, weft__context *context)
{
    leave(pool, context);
}

static bool nothing_rests(const weft__deflate_pool *pool)
{
    return weft__link_is_alone(&pool->spare) && weft__link_is_alone(&pool->owned);
}

static void end_first(weft__deflate_pool *pool, weft__link *list)
{
    weft__context *context = context_of(list->next);
    leave(pool, context);
    end(context);
}

/* The one that has rested longest makes room: which kinds are asked for changes. */
static void make_spare(weft__deflate_pool *pool, weft__context *context)
{
    if (pool->spare_count == WEFT__SPARE_CONTEXTS) end_first(pool, &pool->spare);
    (context->compresses ? deflateReset : inflateReset)(&context->stream);
    weft__list_append(&pool->spare, &context->link);
    pool->spare_count++;
}

void weft__deflate_pool_rest(weft__deflate_pool *pool, weft__context *context, weft__deflate *owner)
{
    bool is_first = nothing_rests(pool);
    context->owner = owner;
    context->has_rested = false;
    if (owner) {
        weft__list_append(&pool->owned, &context->link);
    } else {
        make_spare(pool, context);
    }
    if (is_first && pool->on_first_rest) pool->on_first_rest(pool);
}

/* -- giving back -------------------------------------------------------------------------------- */

/* What the context remembers; NULL without memory. */
static weft__window *copy_window(weft__context *context)
{
    uInt length = 0;
    inflateGetDictionary(&context->stream, NULL, &length);
    weft__window *window = weft__alloc(sizeof *window + length);
    if (!window) return NULL;
    inflateGetDictionary(&context->stream, window->bytes, &length);
    window->history.is_live = false;
    window->length = length;
    return window;
}

/* Without memory for what has to stay the context stays. */
static void give_back(weft__deflate_pool *pool, weft__context *context)
{
    weft__deflate *owner = context->owner;
    if (owner && context->compresses) {
        owner->compressor = NULL; /* its window is our own business: the next message begins anew */
    } else if (owner) {
        weft__window *window = copy_window(context);
        if (!window) return;
        owner->incoming = &window->history;
    }
    leave(pool, context);
    end(context);
}

static void clear_buffers(weft__deflate_pool *pool)
{
    weft__buffer_clear(&pool->output);
    if (pool->payload) weft__buffer_clear(pool->payload);
    weft__free(pool->payload);
    pool->payload = NULL;
}

static void age(weft__deflate_pool *pool, weft__link *list)
{
    weft__link *next;
    for (weft__link *link = list->next; link != list; link = next) {
        weft__context *context = context_of(link);
        next = link->next;
        if (context->has_rested) {
            give_back(pool, context);
        } else {
            context->has_rested = true;
        }
    }
}

bool weft__deflate_pool_age(weft__deflate_pool *pool)
{
    age(pool, &pool->spare);
    age(pool, &pool->owned);
    if (!nothing_rests(pool)) return true;
    clear_buffers(pool);
    return false;
}

void weft__deflate_pool_clear(weft__deflate_pool *pool)
{
    assert(weft__link_is_alone(&pool->owned));
    while (!weft__link_is_alone(&pool->spare))
        end_first(pool, &pool->spare);
    clear_buffers(pool);
}

static void forget(weft__deflate_pool *pool, weft__context *context)
{
    if (!weft__link_is_alone(&context->link)) leave(pool, context);
    weft__deflate_pool_rest(pool, context, NULL);
}

void weft__deflate_forget_compressor(weft__deflate *deflate)
{
    if (deflate->compressor) forget(deflate->pool, deflate->compressor);
    deflate->compressor = NULL;
}

void weft__deflate_clear(weft__deflate *deflate)
{
    weft__deflate_forget_compressor(deflate);
    if (deflate->incoming && deflate->incoming->is_live) {
        forget(deflate->pool, (weft__context *)deflate->incoming);
    } else {
        weft__free(deflate->incoming);
    }
    deflate->incoming = NULL;
}
