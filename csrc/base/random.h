#ifndef WEFT_BASE_RANDOM_H
#define WEFT_BASE_RANDOM_H

#include "weft/status.h"

/** Fills `out` from the system's strong generator. WEFT_ESYSTEM when it gives nothing. */
weft_status weft__random_fill(void *out, size_t length);

#endif
