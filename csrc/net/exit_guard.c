#include "net/exit_guard.h"

#include "base/random.h"
#include "net/loop_internal.h"

#include <stdlib.h>
#include <unistd.h>

enum {
    WAIT_MS = 2000
}; /* for a loop that is inside a callback which does not return */

static uv_once_t once = UV_ONCE_INIT;
static weft_status setup_status;
static uv_mutex_t mutex; /* guards what follows */
static uv_cond_t is_news;
static weft__link loops;
static atomic_bool has_begun;

static weft_loop *loop_of(weft__link *link)
{
    weft__guarded_loop *guarded = WEFT__CONTAINER(link, weft__guarded_loop, link);
    return WEFT__CONTAINER(guarded, weft_loop, guarded);
}

static bool all_are_halted(void)
{
    for (weft__link *link = loops.next; link != &loops; link = link->next) {
        weft_loop *loop = loop_of(link);
        if (!loop->guarded.is_halted && !weft_loop_is_current(loop)) return false;
    }
    return true;
}

static void halt_all(void)
{
    uint64_t deadline = uv_hrtime() + WAIT_MS * UINT64_C(1000000);
    uv_mutex_lock(&mutex);
    atomic_store_explicit(&has_begun, true, memory_order_release);
    for (weft__link *link = loops.next; link != &loops; link = link->next)
        uv_async_send(&loop_of(link)->wake);
    while (!all_are_halted()) {
        uint64_t now = uv_hrtime();
        if (now >= deadline) break;
        uv_cond_timedwait(&is_news, &mutex, deadline - now);
    }
    uv_mutex_unlock(&mutex);
}

static void set_up(void)
{
    /* The first random byte makes OpenSSL register its own handler, which has to stand before ours. */
    uint8_t byte;
    setup_status = weft__random_fill(&byte, 1);
    weft__link_init(&loops);
    bool is_ready = uv_mutex_init(&mutex) == 0 && uv_cond_init(&is_news) == 0 && atexit(halt_all) == 0;
    if (!is_ready) setup_status = WEFT_ESYSTEM;
}

weft_status weft__exit_guard_add(weft__guarded_loop *guarded)
{
    uv_once(&once, set_up);
    if (setup_status != WEFT_OK) return setup_status;
    uv_mutex_lock(&mutex);
    guarded->is_halted = false;
    weft__list_append(&loops, &guarded->link);
    uv_mutex_unlock(&mutex);
    return WEFT_OK;
}

void weft__exit_guard_remove(weft__guarded_loop *guarded)
{
    uv_mutex_lock(&mutex);
    weft__link_remove(&guarded->link);
    uv_cond_signal(&is_news);
    uv_mutex_unlock(&mutex);
}

void weft__exit_guard_pass(weft__guarded_loop *guarded)
{
    if (!weft__exit_guard_has_begun()) return;
    uv_mutex_lock(&mutex);
    guarded->is_halted = true;
    uv_cond_signal(&is_news);
    uv_mutex_unlock(&mutex);
    for (;;)
        pause();
}

bool weft__exit_guard_has_begun(void)
{
    return atomic_load_explicit(&has_begun, memory_order_acquire);
}
