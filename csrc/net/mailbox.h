#ifndef WEFT_NET_MAILBOX_H
#define WEFT_NET_MAILBOX_H

#include "weft/loop.h"

#include <stdatomic.h>

/** One letter from any thread to a loop; embedded in what it carries. */
typedef struct weft__mail {
    struct weft__mail *next;
    void (*open)(weft_loop *loop,
                 struct weft__mail *mail); /**< Runs on the loop's thread; owns the letter. */
} weft__mail;

/** Letters of many senders for one reader. All zero is empty and open. */
typedef struct weft__mailbox {
    _Atomic(weft__mail *) newest;
} weft__mailbox;

/** What weft__mailbox_push found. */
typedef enum weft__mailbox_was {
    WEFT__MAILBOX_WAS_EMPTY,  /**< The reader must be woken. */
    WEFT__MAILBOX_WAS_FILLED, /**< Somebody has woken it already. */
    WEFT__MAILBOX_WAS_CLOSED, /**< Not taken; the letter is still the sender's. */
} weft__mailbox_was;

/** Adds a letter. Thread: any. */
weft__mailbox_was weft__mailbox_push(weft__mailbox *mailbox, weft__mail *mail);

/** Takes all letters, oldest first, or NULL. Thread: the reader's. */
weft__mail *weft__mailbox_take_all(weft__mailbox *mailbox);

/** Takes all letters and refuses new ones from now on. Thread: the reader's. */
weft__mail *weft__mailbox_close(weft__mailbox *mailbox);

#endif
