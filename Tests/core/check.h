#ifndef WEFT_TESTS_CHECK_H
#define WEFT_TESTS_CHECK_H

/* cmocka needs these three before its own header. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "weft/allocator.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* An allocator that counts what it holds and can fail the n-th request, for any number of threads. */
typedef struct counting_allocator {
    _Atomic size_t requests; /* allocations and reallocations so far */
    _Atomic size_t blocks;   /* blocks held now */
    _Atomic size_t bytes;    /* bytes held now, as asked for */
    _Atomic size_t fail_at;  /* this request (from 1) and those after it fail; 0: none */
    atomic_bool fails_once;  /* only that one fails */
} counting_allocator;

/* Each block carries its size in a header of 16 bytes, which keeps the alignment of malloc. */
static void *counting_reallocate(void *context, void *block, size_t size)
{
    counting_allocator *counter = context;
    size_t request = ++counter->requests, fail_at = counter->fail_at;
    bool fails = counter->fails_once ? request == fail_at : request >= fail_at;
    if (fail_at && fails) return NULL;
    size_t *header = block ? (size_t *)block - 2 : NULL;
    size_t old_size = header ? header[0] : 0;
    size_t *grown = realloc(header, size + 2 * sizeof(size_t));
    if (!grown) return NULL;
    grown[0] = size;
    counter->bytes += size - old_size;
    counter->blocks += block ? 0 : 1;
    return grown + 2;
}

static inline void *counting_allocate(void *context, size_t size)
{
    return counting_reallocate(context, NULL, size);
}

static inline void counting_release(void *context, void *block)
{
    counting_allocator *counter = context;
    size_t *header = (size_t *)block - 2;
    counter->bytes -= header[0];
    counter->blocks--;
    free(header);
}

/* Installs the counter; allocator_restore asserts that nothing is held any more. */
static inline void allocator_count(counting_allocator *counter)
{
    weft_allocator hook = {counter, counting_allocate, counting_reallocate, counting_release};
    memset(counter, 0, sizeof *counter);
    assert_int_equal(weft_set_allocator(&hook), WEFT_OK);
}

static inline void allocator_restore(counting_allocator *counter)
{
    assert_int_equal(weft_set_allocator(NULL), WEFT_OK);
    assert_int_equal(counter->blocks, 0);
    assert_int_equal(counter->bytes, 0);
}

#endif
