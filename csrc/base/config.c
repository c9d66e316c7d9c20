#include "base/config.h"

#include <string.h>

void weft__config_init(void *out, size_t size, const void *defaults, size_t library_size)
{
    memset(out, 0, size);
    memcpy(out, defaults, size < library_size ? size : library_size);
    memcpy(out, &size, sizeof size);
}

weft_status weft__config_take(void *out, const void *given, size_t library_size)
{
    size_t size;
    memcpy(&size, given, sizeof size);
    if (size < sizeof size || size > library_size) return WEFT_EINVAL;
    memcpy(out, given, size);
    memcpy(out, &library_size, sizeof library_size);
    return WEFT_OK;
}
