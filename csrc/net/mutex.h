#ifndef WEFT_NET_MUTEX_H
#define WEFT_NET_MUTEX_H

#include "weft/status.h"

/** A lock for rooms that know no threads themselves. */
typedef struct weft__mutex weft__mutex;

/** A free lock, or NULL. */
weft__mutex *weft__mutex_new(void);
void weft__mutex_free(weft__mutex *mutex);
void weft__mutex_lock(weft__mutex *mutex);
void weft__mutex_unlock(weft__mutex *mutex);

#endif
