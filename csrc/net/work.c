#include "net/work.h"

#include "base/allocator.h"
#include "net/loop_internal.h"

#include <openssl/crypto.h>

typedef struct work {
    uv_work_t request;
    weft_loop *loop;
    void (*run)(void *context);
    void (*done)(void *context);
    void *context;
} work;

static void on_pool(uv_work_t *request)
{
    const work *work = request->data;
    work->run(work->context);
    OPENSSL_thread_stop(); /* when the pool's threads end, OpenSSL has forgotten what it keeps for them */
}

static void on_done(uv_work_t *request, int status)
{
    work *work = request->data;
    weft_loop *loop = work->loop;
    (void)status; /* nobody cancels it */
    weft__turn_begin(loop);
    work->done(work->context);
    weft__free(work);
    weft__turn_end(loop);
    weft__loop_release(loop);
}

weft_status weft__work_start(weft_loop *loop, void (*run)(void *context), void (*done)(void *context),
                             void *context)
{
    work *made = weft__alloc(sizeof *made);
    if (!made) return WEFT_ENOMEM;
    *made = (work){.loop = loop, .run = run, .done = done, .context = context};
    made->request.data = made;
    if (uv_queue_work(loop->uv, &made->request, on_pool, on_done) != 0) {
        weft__free(made);
        return WEFT_ESYSTEM;
    }
    weft__loop_retain(loop);
    return WEFT_OK;
}
