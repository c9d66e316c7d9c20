#include "endpoint/retry.h"

#include "base/config.h"
#include "base/random.h"
#include "http/bytes.h"

void weft_retry_config_init_sized(weft_retry_config *config, size_t size)
{
    const weft_retry_config defaults = {
        .interval_ms = 1000,
        .back_off_factor = 2,
        .max_wait_interval_ms = 30000,
    };
    weft__config_init(config, size, &defaults, sizeof defaults);
}

weft_status weft__retry_init(weft__retry *retry, const weft_retry_config *given, const char **problem)
{
    *retry = (weft__retry){0};
    if (!given) return WEFT_OK;
    weft_retry_config config;
    weft_retry_config_init(&config);
    *problem = "retry is not initialised";
    if (weft__config_take(&config, given, sizeof config) != WEFT_OK) return WEFT_EINVAL;
    *problem = "retry.interval_ms is 0";
    if (!config.interval_ms) return WEFT_EINVAL;
    *problem = "retry.back_off_factor is not in 1 to 1000";
    if (!(config.back_off_factor >= 1 && config.back_off_factor <= 1000)) return WEFT_EINVAL; /* nor a NaN */
    *problem = "retry.max_wait_interval_ms is 0";
    if (!config.max_wait_interval_ms) return WEFT_EINVAL;
    *retry = (weft__retry){
        .is_wanted = true,
        .has_limit = config.max_count > 0,
        .left = config.max_count,
        .next_ms = config.interval_ms,
        .factor = config.back_off_factor,
        .max_wait_ms = config.max_wait_interval_ms,
    };
    return WEFT_OK;
}

bool weft_retry_is_worthwhile(weft_status failure, uint16_t http_status)
{
    switch (failure) {
    case WEFT_ERESOLVE:
    case WEFT_EREFUSED:
    case WEFT_ELOST:
    case WEFT_ETIMEDOUT:
    case WEFT_ESYSTEM: return true; /* as a network that is out of reach */
    case WEFT_EHANDSHAKE: break;
    default: return false;
    }
    switch (http_status) {
    case 408:
    case 425:
    case 429:
    case 503: return true;
    default: return false;
    }
}

uint64_t weft__retry_after_ms(const weft__head *answer)
{
    const weft_field *field = answer ? weft__fields_find(&answer->fields, "Retry-After") : NULL;
    if (!field) return 0;
    uint64_t seconds = 0;
    for (size_t i = 0; i < field->value.length; i++) {
        char byte = field->value.bytes[i];
        if (!weft__byte_is_digit(byte)) return 0; /* a date */
        seconds = seconds * 10 + (uint64_t)(byte - '0');
        if (seconds > UINT32_MAX) seconds = UINT32_MAX;
    }
    return seconds * 1000;
}

/* From 0 to `most`; the whole of it where the system's generator gives nothing. */
static uint32_t random_up_to(uint32_t most)
{
    uint32_t drawn;
    if (weft__random_fill(&drawn, sizeof drawn) != WEFT_OK) return most;
    return (uint32_t)(((uint64_t)drawn * ((uint64_t)most + 1)) >> 32);
}

bool weft__retry_next(weft__retry *retry, uint64_t least_ms, uint32_t *wait_ms)
{
    if (!retry->is_wanted || (retry->has_limit && retry->left == 0)) return false;
    if (retry->has_limit) retry->left--;
    if (retry->done < UINT32_MAX) retry->done++;
    if (retry->next_ms > retry->max_wait_ms) retry->next_ms = retry->max_wait_ms;
    uint32_t wait = random_up_to((uint32_t)retry->next_ms);
    if (least_ms > retry->max_wait_ms) least_ms = retry->max_wait_ms;
    *wait_ms = wait < least_ms ? (uint32_t)least_ms : wait;
    retry->next_ms *= retry->factor;
    return true;
}
