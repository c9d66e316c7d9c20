#ifndef WEFT_ALLOCATOR_H
#define WEFT_ALLOCATOR_H

#include "weft/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Where the library takes memory from. All three members behave as their namesakes
 * in the C library and may be called from any thread; `reallocate` of NULL allocates.
 */
typedef struct weft_allocator {
    void *context;                                 /**< Handed to each call. */
    void *(*allocate)(void *context, size_t size); /**< As malloc; NULL: memory ran out. */
    /** As realloc; NULL: memory ran out, and `block` is as it was. */
    void *(*reallocate)(void *context, void *block, size_t size);
    void (*release)(void *context, void *block); /**< As free; `block` may be NULL. */
} weft_allocator;

/**
 * Replaces the C library's allocator for everything that Weft itself allocates
 * (libuv, OpenSSL and zlib have hooks of their own). NULL brings the C library's back.
 *
 * Copies `allocator`. Returns WEFT_EINVAL when a member is missing.
 * Thread: any, before every other call of the library or after its last handle is gone.
 */
WEFT_API weft_status weft_set_allocator(const weft_allocator *allocator);

#ifdef __cplusplus
}
#endif

#endif
