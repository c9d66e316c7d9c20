#ifndef WEFT_BASE_LIST_H
#define WEFT_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

/** A link of a circular, intrusive list; the head is a link too. */
typedef struct weft__link {
    struct weft__link *previous;
    struct weft__link *next;
} weft__link;

/** The struct of `type` whose `member` is `link`. */
#define WEFT__CONTAINER(link, type, member) ((type *)(void *)((char *)(link) - offsetof(type, member)))

/** Makes `link` an empty list, or a link that is in no list. */
static inline void weft__link_init(weft__link *link)
{
    link->previous = link->next = link;
}

/** True for an empty list and for a link that is in no list. */
static inline bool weft__link_is_alone(const weft__link *link)
{
    return link->next == link;
}

/** Puts `link`, which is in no list, at the end of the list `head`. */
static inline void weft__list_append(weft__link *head, weft__link *link)
{
    link->previous = head->previous;
    link->next = head;
    head->previous->next = link;
    head->previous = link;
}

/** Takes `link` out of its list; a link that is in none stays so. */
static inline void weft__link_remove(weft__link *link)
{
    link->previous->next = link->next;
    link->next->previous = link->previous;
    weft__link_init(link);
}

#endif
