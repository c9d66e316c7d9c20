#ifndef WEFT_NET_LOOP_INTERNAL_H
#define WEFT_NET_LOOP_INTERNAL_H

#include "net/exit_guard.h"
#include "net/loop.h"

#include <uv.h>

enum {
    WEFT__RECEIVE_BUFFER = 256 * 1024,   /**< One read of the loop; small enough to stay in a core's cache. */
    WEFT__LITTLE_READ = 16 * 1024,       /**< One read of a stream whose owner may have to keep it. */
    WEFT__SPARE_BUFFERS = 64,            /**< Output buffers that a loop keeps between turns. */
    WEFT__SPARE_BUFFER_MAX = 128 * 1024, /**< The largest block worth keeping. */
};

/** A task posted from the loop's own thread. */
typedef struct weft__posted {
    weft_loop_task task;
    void *context;
} weft__posted;

/** Tasks of the current turn, first in first out. */
typedef struct weft__task_ring {
    weft__posted *items;
    size_t first;
    size_t count;
    size_t capacity; /**< A power of two, or 0. */
} weft__task_ring;

struct weft_loop {
    /* fixed after open */
    uv_loop_t *uv;
    bool owns_thread;
    uv_thread_t thread;
    void *data;

    /* any thread */
    _Atomic size_t holders;
    atomic_bool is_closing;
    weft__guarded_loop guarded; /**< Under the guard's lock; of a loop with a thread of its own. */
    _Atomic unsigned senders;   /**< Threads that may be about to touch `wake`. */
    weft__mailbox mailbox;

    /* loop thread only */
    uv_async_t wake;
    uv_timer_t alarm;
    uint64_t alarm_due_ms; /* UINT64_MAX: the alarm is not set */
    size_t holds;          /* on the alarm, of an attached loop */
    weft__wheel wheel;
    unsigned turn_depth;
    weft_loop *outer; /* whose turn this thread was in when ours began, or NULL */
    uint64_t now_ms;  /* of the current turn */
    bool is_shut;     /**< Takes no posts any more. */
    weft__task_ring tasks;
    weft__link turn_end_hooks;
    weft__link members;
    unsigned handles_open; /* of `wake` and `alarm` */
    weft__loop_tenant *tenant;
    size_t spare_count;
    weft__buffer *spares[WEFT__SPARE_BUFFERS];
    uv_loop_t own_uv;
    uint8_t receive_buffer[WEFT__RECEIVE_BUFFER];
};

#endif
