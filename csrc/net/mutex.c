#include "net/mutex.h"

#include "base/allocator.h"

#include <uv.h>

struct weft__mutex {
    uv_mutex_t uv;
};

weft__mutex *weft__mutex_new(void)
{
    weft__mutex *mutex = weft__alloc(sizeof *mutex);
    if (!mutex) return NULL;
    if (uv_mutex_init(&mutex->uv) == 0) return mutex;
    weft__free(mutex);
    return NULL;
}

void weft__mutex_free(weft__mutex *mutex)
{
    if (!mutex) return;
    uv_mutex_destroy(&mutex->uv);
    weft__free(mutex);
}

void weft__mutex_lock(weft__mutex *mutex)
{
    uv_mutex_lock(&mutex->uv);
}

void weft__mutex_unlock(weft__mutex *mutex)
{
    uv_mutex_unlock(&mutex->uv);
}
