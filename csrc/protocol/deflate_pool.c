#include "protocol/deflate_pool.h"

#include "base/allocator.h"

#include <string.h>

enum {
    /* Any decompressor takes any window; what its peer may refer to is cut when the window is kept. */
    WIDEST_WINDOW_BITS = 15,
    /* Tables of 16 KiB instead of zlib's usual 128 KiB: for messages of up to some KiB that is faster, since
     * they stay in the cache and are cleared for each message that stands alone. */
    MEMORY_LEVEL = 5,
};

void weft__deflate_pool_init(weft__deflate_pool *pool)
{
    *pool = (weft__deflate_pool){0};
    weft__link_init(&pool->resting);
}

static weft__context *context_of(weft__link *link)
{
    return WEFT__CONTAINER(link, weft__context, link);
}

/* -- one context ------------------------------------------------------------------------------- */

static voidpf allocate(voidpf opaque, uInt items, uInt size)
{
    (void)opaque;
    return size && items > SIZE_MAX / size ? Z_NULL : weft__alloc((size_t)items * size);
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
                          : inflateInit2(&context->stream, -WIDEST_WINDOW_BITS);
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
    for (weft__link *link = pool->resting.previous; link != &pool->resting; link = link->previous) {
        weft__context *context = context_of(link);
        if (context->owner || context->compresses != compresses) continue;
        bool fits = !compresses || (context->window_bits == window_bits && context->level == level);
        if (!fits) continue;
        leave(pool, context);
        context->window_bits = window_bits;
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

void weft__deflate_pool_rest(weft__deflate_pool *pool, weft__context *context, weft__deflate *owner)
{
    context->owner = owner;
    context->has_rested = false;
    if (!owner) {
        if (pool->spare_count == WEFT__SPARE_CONTEXTS) {
            end(context);
            return;
        }
        pool->spare_count++;
        (context->compresses ? deflateReset : inflateReset)(&context->stream);
    }
    bool is_first = weft__link_is_alone(&pool->resting);
    weft__list_append(&pool->resting, &context->link);
    if (is_first && pool->on_first_rest) pool->on_first_rest(pool);
}

/* -- giving back -------------------------------------------------------------------------------- */

/* The end of what the context remembers, as much of it as the peer may refer to; NULL without memory. */
static weft__window *copy_window(weft__context *context)
{
    uInt length = 0;
    inflateGetDictionary(&context->stream, NULL, &length);
    weft__window *window = weft__alloc(sizeof *window + length);
    if (!window) return NULL;
    inflateGetDictionary(&context->stream, window->bytes, &length);
    size_t most = (size_t)1 << context->window_bits;
    window->history.is_live = false;
    window->length = length < most ? length : most;
    if (window->length == length) return window;
    memmove(window->bytes, window->bytes + (length - window->length), window->length);
    weft__window *smaller = weft__realloc(window, sizeof *window + window->length);
    return smaller ? smaller : window;
}

/* False when there is no memory for what has to stay: then the context stays. */
static bool give_back(weft__deflate_pool *pool, weft__context *context)
{
    weft__deflate *owner = context->owner;
    if (owner && context->compresses) {
        owner->compressor = NULL; /* its window is our own business: the next message begins anew */
    } else if (owner) {
        weft__window *window = copy_window(context);
        if (!window) return false;
        owner->incoming = &window->history;
    }
    leave(pool, context);
    end(context);
    return true;
}

static void clear_buffers(weft__deflate_pool *pool)
{
    weft__buffer_clear(&pool->output);
    weft__buffer_clear(&pool->payload);
}

bool weft__deflate_pool_age(weft__deflate_pool *pool)
{
    weft__link *next;
    for (weft__link *link = pool->resting.next; link != &pool->resting; link = next) {
        weft__context *context = context_of(link);
        next = link->next;
        if (context->has_rested) {
            give_back(pool, context);
        } else {
            context->has_rested = true;
        }
    }
    if (!weft__link_is_alone(&pool->resting)) return true;
    clear_buffers(pool);
    return false;
}

void weft__deflate_pool_clear(weft__deflate_pool *pool)
{
    while (!weft__link_is_alone(&pool->resting)) {
        weft__context *context = context_of(pool->resting.next);
        leave(pool, context);
        end(context);
    }
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
