#ifndef WEFT_BASE_CONFIG_H
#define WEFT_BASE_CONFIG_H

#include "weft/status.h"

/*
 * Structs that users fill in begin with `size_t size`, and later versions add fields at their end. So a
 * program and a library of different versions know different sizes of one struct.
 */

/** Writes as much of `defaults` as the program's struct of `size` bytes holds, and its size. */
void weft__config_init(void *out, size_t size, const void *defaults, size_t library_size);

/**
 * Puts what the program gave over the defaults in `out`, which has `library_size` bytes. WEFT_EINVAL when the
 * program's struct is not initialised, or of a later version than the library.
 */
weft_status weft__config_take(void *out, const void *given, size_t library_size);

#endif
