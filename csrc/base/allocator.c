#include "base/allocator.h"

#include <stdlib.h>
#include <string.h>

static void *libc_allocate(void *context, size_t size)
{
    (void)context;
    return malloc(size);
}

static void *libc_reallocate(void *context, void *block, size_t size)
{
    (void)context;
    return realloc(block, size);
}

static void libc_release(void *context, void *block)
{
    (void)context;
    free(block);
}

static const weft_allocator libc_allocator = {
    .allocate = libc_allocate,
    .reallocate = libc_reallocate,
    .release = libc_release,
};

static weft_allocator current = {
    .allocate = libc_allocate,
    .reallocate = libc_reallocate,
    .release = libc_release,
};

weft_status weft_set_allocator(const weft_allocator *allocator)
{
    if (!allocator) allocator = &libc_allocator;
    if (!allocator->allocate || !allocator->reallocate || !allocator->release) return WEFT_EINVAL;
    current = *allocator;
    return WEFT_OK;
}

void *weft__alloc(size_t size)
{
    return current.allocate(current.context, size ? size : 1);
}

void *weft__alloc_zeroed(size_t size)
{
    void *block = weft__alloc(size);
    if (block) memset(block, 0, size);
    return block;
}

void *weft__realloc(void *block, size_t size)
{
    return current.reallocate(current.context, block, size ? size : 1);
}

void weft__free(void *block)
{
    if (block) current.release(current.context, block);
}
