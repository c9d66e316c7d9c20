#ifndef WEFT_NET_LOOP_H
#define WEFT_NET_LOOP_H

#include "base/buffer.h"
#include "net/mailbox.h"
#include "net/timers.h"

#include <assert.h>

/** Functions below are for the loop's own thread unless they say otherwise. */
#define weft__assert_on_loop(loop) assert(weft_loop_is_current(loop))

/** One more holder of the struct; it outlives weft_loop_close until the last one. Thread: any. */
void weft__loop_retain(weft_loop *loop);

/** One holder less. Thread: any. */
void weft__loop_release(weft_loop *loop);

/** Sends a letter; false when the loop is closed, and then the letter stays the caller's. Thread: any. */
bool weft__loop_send(weft_loop *loop, weft__mail *mail);

/** True once weft_loop_close was asked for. */
bool weft__loop_is_closing(const weft_loop *loop);

/** Milliseconds of the loop's clock, read once a turn. */
uint64_t weft__loop_now(const weft_loop *loop);

/** Starts or restarts a timer of the loop's wheel. */
void weft__loop_start_timer(weft_loop *loop, weft__timer *timer, uint64_t delay_ms);

/**
 * Brackets everything that handles one event. When the outermost turn ends, posted tasks run and then
 * all output that streams have gathered is sent, one system call for each stream.
 */
void weft__turn_begin(weft_loop *loop);
void weft__turn_end(weft_loop *loop);

/** The loop whose turn this thread is in, the innermost where turns of several loops nest, or NULL. */
extern _Thread_local weft_loop *weft__turn_here __attribute__((tls_model("initial-exec")));

/** Something to do when the turn ends, after the posted tasks; embedded in its owner. */
typedef struct weft__turn_end_hook {
    weft__link link;
    void (*run)(struct weft__turn_end_hook *hook); /**< The hook is out of the list by then. */
} weft__turn_end_hook;

/** Asks for one run of `hook`; asking twice is fine. Only inside a turn. */
void weft__turn_at_end(weft_loop *loop, weft__turn_end_hook *hook);

/** An empty buffer with a block of some size from the loop's stock, or NULL. */
weft__buffer *weft__loop_borrow_buffer(weft_loop *loop);

/** Takes a buffer back, whatever it holds. */
void weft__loop_return_buffer(weft_loop *loop, weft__buffer *buffer);

/** What weft_loop_close does to everything that lives on the loop; embedded in its owner. */
typedef struct weft__loop_member {
    weft__link link;
    void (*abort)(struct weft__loop_member *member); /**< Ends the member; it leaves the list. */
} weft__loop_member;

/** What an upper floor keeps with a loop for all that lives there; embedded in its owner. */
typedef struct weft__loop_tenant {
    void (*free)(struct weft__loop_tenant *tenant); /**< The loop has no holder any more. Any thread. */
} weft__loop_tenant;

/** The one tenant of the loop, or NULL; set once. */
weft__loop_tenant *weft__loop_get_tenant(const weft_loop *loop);
void weft__loop_set_tenant(weft_loop *loop, weft__loop_tenant *tenant);

/** Adds a member; it removes itself with weft__link_remove(&member->link). */
void weft__loop_join(weft_loop *loop, weft__loop_member *member);

/**
 * While somebody holds it, a loop that was attached keeps its user's uv_run going as long as a timer of the
 * wheel runs, though nothing else may be under way.
 */
void weft__loop_hold(weft_loop *loop);
void weft__loop_let_go(weft_loop *loop);

#endif
