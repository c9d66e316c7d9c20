/* Two sides of permessage-deflate and some text to press through it. */
#ifndef WEFT_TESTS_SQUEEZE_H
#define WEFT_TESTS_SQUEEZE_H

#include "check.h"

#include "protocol/deflate.h"

#include <stdio.h>
#include <string.h>

/* One side: its settings, its pool and what it has of it. Must not move. */
typedef struct side {
    weft_compression agreed;
    weft_session_config config;
    weft__deflate_pool pool;
    weft__deflate deflate;
} side;

static inline weft_compression agreement(bool takes_over, uint8_t bits)
{
    weft_compression agreed;
    weft_compression_init(&agreed, WEFT_CLIENT);
    agreed.server_no_context_takeover = agreed.client_no_context_takeover = !takes_over;
    agreed.server_max_window_bits = agreed.client_max_window_bits = bits;
    agreed.threshold = 0;
    return agreed;
}

static inline void side_init(side *side, weft_role role, weft_compression agreed)
{
    *side = (struct side){.agreed = agreed};
    weft_session_config_init(&side->config);
    side->config.role = role;
    side->config.compression = &side->agreed;
    weft__deflate_pool_init(&side->pool);
    side->deflate.pool = &side->pool;
}

static inline void side_clear(side *side)
{
    weft__deflate_clear(&side->deflate);
    weft__deflate_pool_clear(&side->pool);
}

static inline size_t list_length(const weft__link *list)
{
    size_t count = 0;
    for (const weft__link *link = list->next; link != list; link = link->next)
        count++;
    return count;
}

/* Sentences that differ and repeat words, so that they compress well; returns the length. */
static inline size_t write_prose(char *out, size_t size, unsigned seed)
{
    static const char *const words[] = {"warp",    "weft",   "thread",  "loom",
                                        "shuttle", "heddle", "selvage", "bobbin"};
    size_t length = 0;
    while (length + 16 < size) {
        seed = seed * 1664525 + 1013904223;
        length += (size_t)snprintf(out + length, size - length, "%s %u ", words[seed >> 29], seed >> 16 & 31);
    }
    return length;
}

static inline void write_noise(uint8_t *out, size_t size, uint32_t seed)
{
    for (size_t i = 0; i < size; i++) {
        seed = seed * 1664525 + 1013904223;
        out[i] = (uint8_t)(seed >> 24);
    }
}

#endif
