#ifndef WEFT_NET_WORK_H
#define WEFT_NET_WORK_H

#include "weft/loop.h"

/**
 * Has something that takes long done by a thread of libuv's pool: `run` there, then `done` on the loop's
 * thread, inside a turn, in every case. Closing the loop waits for it. WEFT_ENOMEM and WEFT_ESYSTEM call
 * nothing. For the loop's own thread.
 */
weft_status weft__work_start(weft_loop *loop, void (*run)(void *context), void (*done)(void *context),
                             void *context);

#endif
