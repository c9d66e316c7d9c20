#ifndef WEFT_NET_TIMERS_H
#define WEFT_NET_TIMERS_H

#include "base/list.h"

#include <stdint.h>

/**
 * A deadline; embedded in what it watches. Starting and stopping one costs a few stores, so a connection
 * may do it often. It fires up to WEFT__TICK_MS late, never early.
 */
typedef struct weft__timer {
    weft__link link;
    uint64_t due_ms;
    void (*fire)(struct weft__timer *timer); /**< Runs on the loop's thread; the timer is stopped by then. */
} weft__timer;

enum {
    WEFT__TICK_MS = 16,
    WEFT__WHEEL_SLOTS = 1024, /**< One turn of the wheel is 16 s; longer deadlines stay for several turns. */
};

/** All deadlines of one loop, by the tick in which they are due. Times are milliseconds of one clock. */
typedef struct weft__wheel {
    weft__link slots[WEFT__WHEEL_SLOTS];
    uint64_t filled[WEFT__WHEEL_SLOTS / 64]; /**< A bit per slot that may hold timers. */
    uint64_t next_tick;                      /**< The first tick that was not looked at. */
} weft__wheel;

/** An empty wheel that starts at `now_ms`. */
void weft__wheel_init(weft__wheel *wheel, uint64_t now_ms);

/** A stopped timer. */
void weft__timer_init(weft__timer *timer, void (*fire)(weft__timer *timer));

/** Starts or restarts; due `delay_ms` from now. */
void weft__wheel_start(weft__wheel *wheel, weft__timer *timer, uint64_t now_ms, uint64_t delay_ms);

/** Stops; a stopped timer is fine. */
void weft__timer_stop(weft__timer *timer);

/** True between start and stop or firing. */
static inline bool weft__timer_is_running(const weft__timer *timer)
{
    return !weft__link_is_alone(&timer->link);
}

/** Fires everything that is due; timers may be started and stopped meanwhile. */
void weft__wheel_advance(weft__wheel *wheel, uint64_t now_ms);

/** Milliseconds until the wheel should be advanced again; UINT64_MAX when it is empty. */
uint64_t weft__wheel_wait(const weft__wheel *wheel, uint64_t now_ms);

#endif
