/* An allocator that notices secrets in memory that is given back. */
#ifndef WEFT_TESTS_SECRETS_H
#define WEFT_TESTS_SECRETS_H

#include "check.h"

#define SECRET "s3cr3t"
#define SECRET_IN_BASE64 "zM2NyM3" /* of it behind five bytes, as in "user:s3cr3t" */

static _Atomic size_t secrets_freed;

static inline void count_secrets(const char *bytes, size_t size)
{
    static const char *const forms[] = {SECRET, SECRET_IN_BASE64};
    for (size_t form = 0; form < 2; form++) {
        size_t length = strlen(forms[form]);
        for (size_t i = 0; i + length <= size; i++)
            secrets_freed += memcmp(bytes + i, forms[form], length) == 0;
    }
}

/* Filled, since all of it will be read. */
static inline void *fill_and_allocate(void *context, size_t size)
{
    void *block = counting_allocate(context, size);
    return block ? memset(block, 0, size) : NULL;
}

/* A block that grows moves, and leaves behind what it had. */
static inline void *fill_and_reallocate(void *context, void *block, size_t size)
{
    size_t held = block ? ((const size_t *)block)[-2] : 0;
    if (size > held) count_secrets(block, held);
    char *bytes = counting_reallocate(context, block, size);
    if (bytes && size > held) memset(bytes + held, 0, size - held);
    return bytes;
}

static inline void search_and_release(void *context, void *block)
{
    count_secrets(block, ((const size_t *)block)[-2]);
    counting_release(context, block);
}

/* Like allocator_count: until secrets_expect_none. */
static inline void secrets_watch(counting_allocator *counter)
{
    const weft_allocator hook = {counter, fill_and_allocate, fill_and_reallocate, search_and_release};
    memset(counter, 0, sizeof *counter);
    assert_int_equal(weft_set_allocator(&hook), WEFT_OK);
}

static inline void secrets_expect_none(counting_allocator *counter)
{
    allocator_restore(counter);
    assert_int_equal(secrets_freed, 0);
}

#endif
