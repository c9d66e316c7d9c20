#ifndef WEFT_BASE_ALLOCATOR_H
#define WEFT_BASE_ALLOCATOR_H

#include "weft/allocator.h"

/** Uninitialised memory, or NULL. */
void *weft__alloc(size_t size);

/** Zeroed memory, or NULL. */
void *weft__alloc_zeroed(size_t size);

/** As `realloc`; on NULL the old block is untouched. */
void *weft__realloc(void *block, size_t size);

/** Gives a block back; NULL is fine. */
void weft__free(void *block);

#endif
