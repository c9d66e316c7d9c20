#ifndef WEFT_LOOP_H
#define WEFT_LOOP_H

#include "weft/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct uv_loop_s;

/**
 * An event loop on one thread. Connections, listeners and timers live on one loop each, and their
 * callbacks run on its thread.
 */
typedef struct weft_loop weft_loop;

/**
 * Starts a loop on a thread of its own, with all signals blocked there.
 * Returns WEFT_ENOMEM or WEFT_ESYSTEM with `*out` NULL. End with weft_loop_close. Thread: any.
 */
WEFT_API weft_status weft_loop_open(weft_loop **out);

/**
 * Uses a libuv loop of the caller's, who goes on running it; `uv` outlives the weft_loop. Call on the
 * thread that runs `uv`; SIGPIPE is blocked on it from now on, as sockets need.
 * Returns WEFT_ENOMEM or WEFT_ESYSTEM with `*out` NULL. End with weft_loop_close on the same thread.
 */
WEFT_API weft_status weft_loop_attach(weft_loop **out, struct uv_loop_s *uv);

/**
 * Ends a loop: what is posted already still runs, connections that are left end with 1006, handles
 * kept past this answer WEFT_ECLOSED. Returns when the thread has ended; called on the loop's own
 * thread it returns at once and the thread ends by itself. An attached loop needs its uv_run to go on
 * until its handles are closed. NULL is fine. The handle is invalid afterwards. Thread: any (attached: its
 * own).
 */
WEFT_API void weft_loop_close(weft_loop *loop);

/** What weft_loop_post runs on the loop's thread. */
typedef void (*weft_loop_task)(weft_loop *loop, void *context);

/**
 * Runs `task` on the loop's thread, soon and after what was posted before from the same thread. From the
 * loop's own thread it allocates nothing in the steady state, and runs before the current turn's output is
 * sent. Returns WEFT_ENOMEM, or WEFT_ECLOSED when the loop is closing; then the task never runs. Thread: any.
 */
WEFT_API weft_status weft_loop_post(weft_loop *loop, weft_loop_task task, void *context);

/** True on the loop's own thread. Thread: any. */
WEFT_API bool weft_loop_is_current(const weft_loop *loop);

/** Keeps a pointer of the user's with the loop. Thread: any, before the loop is used. */
WEFT_API void weft_loop_set_data(weft_loop *loop, void *data);

/** The pointer of weft_loop_set_data, or NULL. Thread: any. */
WEFT_API void *weft_loop_get_data(const weft_loop *loop);

#ifdef __cplusplus
}
#endif

#endif
