#include "net/timers.h"

void weft__wheel_init(weft__wheel *wheel, uint64_t now_ms)
{
    for (size_t i = 0; i < WEFT__WHEEL_SLOTS; i++)
        weft__link_init(&wheel->slots[i]);
    for (size_t i = 0; i < WEFT__WHEEL_SLOTS / 64; i++)
        wheel->filled[i] = 0;
    wheel->next_tick = now_ms / WEFT__TICK_MS;
}

void weft__timer_init(weft__timer *timer, void (*fire)(weft__timer *timer))
{
    weft__link_init(&timer->link);
    timer->due_ms = 0;
    timer->fire = fire;
}

/* The first tick whose start is not before `due_ms`, so that no timer fires early. */
static uint64_t tick_of(uint64_t due_ms)
{
    return due_ms / WEFT__TICK_MS + (due_ms % WEFT__TICK_MS ? 1 : 0);
}

static void put(weft__wheel *wheel, weft__timer *timer)
{
    uint64_t tick = tick_of(timer->due_ms);
    if (tick < wheel->next_tick) tick = wheel->next_tick;
    size_t slot = (size_t)(tick % WEFT__WHEEL_SLOTS);
    weft__list_append(&wheel->slots[slot], &timer->link);
    wheel->filled[slot / 64] |= UINT64_C(1) << slot % 64;
}

void weft__wheel_start(weft__wheel *wheel, weft__timer *timer, uint64_t now_ms, uint64_t delay_ms)
{
    weft__link_remove(&timer->link);
    timer->due_ms = delay_ms > UINT64_MAX / 2 - now_ms ? UINT64_MAX / 2 : now_ms + delay_ms;
    put(wheel, timer);
}

void weft__timer_stop(weft__timer *timer)
{
    weft__link_remove(&timer->link);
}

static void move_all(weft__link *to, weft__link *from)
{
    weft__link_init(to);
    while (!weft__link_is_alone(from)) {
        weft__link *link = from->next;
        weft__link_remove(link);
        weft__list_append(to, link);
    }
}

static void visit_slot(weft__wheel *wheel, size_t slot, uint64_t now_ms)
{
    weft__link visited;
    move_all(&visited, &wheel->slots[slot]);
    wheel->filled[slot / 64] &= ~(UINT64_C(1) << slot % 64);
    while (!weft__link_is_alone(&visited)) {
        weft__timer *timer = WEFT__CONTAINER(visited.next, weft__timer, link);
        weft__link_remove(&timer->link);
        if (timer->due_ms <= now_ms) {
            timer->fire(timer);
        } else {
            put(wheel, timer);
        }
    }
}

void weft__wheel_advance(weft__wheel *wheel, uint64_t now_ms)
{
    uint64_t last = now_ms / WEFT__TICK_MS;
    /* After a long sleep one turn of the wheel sees every timer. */
    if (last >= wheel->next_tick + WEFT__WHEEL_SLOTS) wheel->next_tick = last - WEFT__WHEEL_SLOTS + 1;
    while (wheel->next_tick <= last) {
        size_t slot = (size_t)(wheel->next_tick++ % WEFT__WHEEL_SLOTS);
        if (wheel->filled[slot / 64] >> slot % 64 & 1) visit_slot(wheel, slot, now_ms);
    }
}

uint64_t weft__wheel_wait(const weft__wheel *wheel, uint64_t now_ms)
{
    for (uint64_t ahead = 0; ahead < WEFT__WHEEL_SLOTS;) {
        size_t slot = (size_t)((wheel->next_tick + ahead) % WEFT__WHEEL_SLOTS);
        uint64_t bits = wheel->filled[slot / 64] >> slot % 64;
        if (!bits) {
            ahead += 64 - slot % 64;
            continue;
        }
        ahead += (uint64_t)__builtin_ctzll(bits);
        uint64_t start_ms = (wheel->next_tick + ahead) * WEFT__TICK_MS;
        return start_ms > now_ms ? start_ms - now_ms : 0;
    }
    return UINT64_MAX;
}
