/* When a connection that could not be opened is tried again. */
#ifndef WEFT_ENDPOINT_RETRY_H
#define WEFT_ENDPOINT_RETRY_H

#include "http/head.h"
#include "weft/client.h"

/** What is left of the attempts. All zero: none. */
typedef struct weft__retry {
    bool is_wanted;
    bool has_limit;
    uint32_t left; /**< Of retries, where there is a limit. */
    uint32_t done; /**< Attempts that have failed. */
    double next_ms;
    double factor;
    uint32_t max_wait_ms;
} weft__retry;

/** Takes the settings; NULL: one attempt. WEFT_EINVAL with `*problem`, static, naming the setting. */
weft_status weft__retry_init(weft__retry *retry, const weft_retry_config *given, const char **problem);

/** The Retry-After field in milliseconds; 0 where there is none in seconds, and at most 2^32 - 1 s (RFC 9110
 * section 10.2.3). */
uint64_t weft__retry_after_ms(const weft__head *answer);

/**
 * Counts a failed attempt. True when another one follows, after `*wait_ms`: any time up to the back-off with
 * equal probability, so that many clients of one server do not come back at once, and at least
 * `least_ms`, which is cut at the longest wait.
 */
bool weft__retry_next(weft__retry *retry, uint64_t least_ms, uint32_t *wait_ms);

#endif
