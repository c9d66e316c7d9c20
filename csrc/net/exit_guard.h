#ifndef WEFT_NET_EXIT_GUARD_H
#define WEFT_NET_EXIT_GUARD_H

#include "net/loop.h"

/*
 * exit() takes OpenSSL and libuv apart while other threads still run, so a loop that is busy just then would
 * crash the program at its very end. So loops with threads of their own are halted first: by a handler that
 * is registered behind those of the libraries, and therefore runs before them.
 */

/** A loop as the guard knows it; embedded in it. */
typedef struct weft__guarded_loop {
    weft__link link;
    bool is_halted;
} weft__guarded_loop;

/** Guards a loop that has a thread of its own, before the thread starts. WEFT_ESYSTEM, WEFT_ENOMEM. Thread:
 * any. */
weft_status weft__exit_guard_add(weft__guarded_loop *guarded);

/** The loop's thread ends by itself. */
void weft__exit_guard_remove(weft__guarded_loop *guarded);

/** On the loop's thread, each time it is woken: never returns once exit() has begun. */
void weft__exit_guard_pass(weft__guarded_loop *guarded);

/** True once exit() has begun: threads of loops are not to be waited for any more. Thread: any. */
bool weft__exit_guard_has_begun(void);

#endif
