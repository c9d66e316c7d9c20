#include "net/mailbox.h"

/* The address that says "closed"; never opened. */
static weft__mail closed_mark;

weft__mailbox_was weft__mailbox_push(weft__mailbox *mailbox, weft__mail *mail)
{
    weft__mail *newest = atomic_load_explicit(&mailbox->newest, memory_order_relaxed);
    do {
        if (newest == &closed_mark) return WEFT__MAILBOX_WAS_CLOSED;
        mail->next = newest;
    } while (!atomic_compare_exchange_weak_explicit(&mailbox->newest, &newest, mail, memory_order_release,
                                                    memory_order_relaxed));
    return newest ? WEFT__MAILBOX_WAS_FILLED : WEFT__MAILBOX_WAS_EMPTY;
}

static weft__mail *reversed(weft__mail *newest)
{
    weft__mail *oldest = NULL;
    while (newest) {
        weft__mail *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

static weft__mail *exchange(weft__mailbox *mailbox, weft__mail *with)
{
    weft__mail *newest = atomic_exchange_explicit(&mailbox->newest, with, memory_order_acquire);
    return newest == &closed_mark ? NULL : reversed(newest);
}

weft__mail *weft__mailbox_take_all(weft__mailbox *mailbox)
{
    if (!atomic_load_explicit(&mailbox->newest, memory_order_relaxed)) return NULL;
    return exchange(mailbox, NULL);
}

weft__mail *weft__mailbox_close(weft__mailbox *mailbox)
{
    return exchange(mailbox, &closed_mark);
}
