#include "protocol/session.h"

#include "base/allocator.h"
#include "base/config.h"
#include "protocol/deflate.h"
#include "protocol/incoming.h"
#include "protocol/outgoing.h"

#include <string.h>

/* What a session has beside, where compression was agreed. */
typedef struct compressing {
    weft_compression agreed;
    weft__deflate_pool pool;
    weft__deflate deflate;
} compressing;

struct weft_session {
    weft__session core;
    weft_session_config config;
    compressing *compressing; /* NULL: not agreed */
    weft__buffer output;
};

void weft__session_init(weft__session *session, const weft_session_config *config)
{
    *session = (weft__session){.config = config};
}

void weft__session_forget_pending(weft__session *session)
{
    weft__free(session->pending);
    session->pending = NULL;
    session->pending_length = 0;
}

void weft__session_use_pool(weft__session *session, weft__deflate *deflate, weft__deflate_pool *pool)
{
    if (!session->config->compression) return;
    *deflate = (weft__deflate){.pool = pool};
    session->deflate = deflate;
}

void weft__session_drop_message(weft__session *session)
{
    if (session->message.is_compressed) {
        weft__deflate_return_payload(session->deflate, session->message.payload);
        session->message.payload = NULL;
    }
    weft__message_clear(&session->message);
}

void weft__session_clear(weft__session *session)
{
    weft__session_drop_message(session);
    weft__session_forget_pending(session);
    if (session->deflate) weft__deflate_clear(session->deflate);
}

void weft_session_config_init_sized(weft_session_config *config, size_t size)
{
    const weft_session_config defaults = {
        .role = WEFT_SERVER,
        .max_frame_size = 65536,
        .max_message_size = 1 << 20,
        .max_fragments = 131072,
    };
    weft__config_init(config, size, &defaults, sizeof defaults);
}

static bool bits_fit(uint8_t bits)
{
    return bits >= 8 && bits <= 15; /* RFC 7692 section 7.1.2 */
}

static bool compression_fits(const weft_compression *agreed)
{
    if (!agreed) return true;
    return bits_fit(agreed->server_max_window_bits) && bits_fit(agreed->client_max_window_bits) &&
           agreed->level >= 1 && agreed->level <= 9;
}

weft_status weft__session_config_check(const weft_session_config *config)
{
    bool role_is_known = config->role == WEFT_CLIENT || config->role == WEFT_SERVER;
    bool limits_are_positive = config->max_frame_size && config->max_message_size && config->max_fragments;
    /* Half of the address space is more than any machine holds, and keeps sums of lengths from wrapping. */
    bool limits_fit = config->max_frame_size <= PTRDIFF_MAX && config->max_message_size <= PTRDIFF_MAX;
    bool all_fit = role_is_known && limits_are_positive && limits_fit;
    return all_fit && compression_fits(config->compression) ? WEFT_OK : WEFT_EINVAL;
}

/* What was agreed is copied; agreed to be off is as good as not there. */
static weft_status take_compression(weft_compression *agreed, weft_session_config *config)
{
    weft_compression_init(agreed, config->role);
    if (!config->compression) return WEFT_OK;
    weft_status status = weft__config_take(agreed, config->compression, sizeof *agreed);
    config->compression = agreed->enabled ? agreed : NULL;
    return status;
}

static weft_status start_compressing(weft_session *session, const weft_compression *agreed)
{
    compressing *compressing = weft__alloc(sizeof *compressing);
    if (!compressing) return WEFT_ENOMEM;
    compressing->agreed = *agreed;
    weft__deflate_pool_init(&compressing->pool);
    session->compressing = compressing;
    session->config.compression = &compressing->agreed;
    weft__session_use_pool(&session->core, &compressing->deflate, &compressing->pool);
    return WEFT_OK;
}

weft_status weft_session_new(weft_session **out, const weft_session_config *config)
{
    *out = NULL;
    weft_session_config whole;
    weft_session_config_init(&whole);
    if (weft__config_take(&whole, config, sizeof whole) != WEFT_OK) return WEFT_EINVAL;
    weft_compression agreed;
    if (take_compression(&agreed, &whole) != WEFT_OK) return WEFT_EINVAL;
    if (weft__session_config_check(&whole) != WEFT_OK) return WEFT_EINVAL;

    weft_session *session = weft__alloc_zeroed(sizeof *session);
    if (!session) return WEFT_ENOMEM;
    session->config = whole;
    weft__session_init(&session->core, &session->config);
    if (whole.compression && start_compressing(session, &agreed) != WEFT_OK) {
        weft__free(session);
        return WEFT_ENOMEM;
    }
    *out = session;
    return WEFT_OK;
}

void weft_session_free(weft_session *session)
{
    if (!session) return;
    weft__session_clear(&session->core);
    if (session->compressing) weft__deflate_pool_clear(&session->compressing->pool);
    weft__free(session->compressing);
    weft__buffer_clear(&session->output);
    weft__free(session);
}

void weft_session_trim(weft_session *session)
{
    if (session->compressing) {
        weft__deflate_pool_age(&session->compressing->pool); /* notes what rests */
        weft__deflate_pool_age(&session->compressing->pool); /* gives it back */
    }
    if (weft__buffer_length(&session->output) == 0) weft__buffer_clear(&session->output);
}

weft_status weft_session_next(weft_session *session, weft_event *event, uint8_t *bytes, size_t length,
                              size_t *used)
{
    weft__session_next(&session->core, event, bytes, length, used);
    if (event->type != WEFT_EVENT_FAILURE || session->core.phase == WEFT__SESSION_OVER) return WEFT_OK;
    return weft_session_close(session, event->close_code, event->detail, strlen(event->detail));
}

weft_status weft_session_send(weft_session *session, weft_message_type type, const uint8_t *bytes,
                              size_t length)
{
    if (type != WEFT_TEXT && type != WEFT_BINARY) return WEFT_EINVAL;
    if (type == WEFT_TEXT && !weft__utf8_is_valid(bytes, length)) return WEFT_EPAYLOAD;
    return weft__session_write_message(&session->core, &session->output, type, bytes, length);
}

weft_status weft_session_ping(weft_session *session, const uint8_t *bytes, size_t length)
{
    return weft__session_write_control(&session->core, &session->output, WEFT_OPCODE_PING, bytes, length);
}

weft_status weft_session_pong(weft_session *session, const uint8_t *bytes, size_t length)
{
    return weft__session_write_control(&session->core, &session->output, WEFT_OPCODE_PONG, bytes, length);
}

weft_status weft_session_close(weft_session *session, uint16_t code, const char *reason, size_t length)
{
    return weft__session_write_close(&session->core, &session->output, code, reason, length);
}

void weft_session_output(const weft_session *session, const uint8_t **bytes, size_t *length)
{
    *bytes = weft__buffer_front(&session->output);
    *length = weft__buffer_length(&session->output);
}

void weft_session_consume_output(weft_session *session, size_t length)
{
    weft__buffer_consume(&session->output, length);
}

bool weft_session_is_over(const weft_session *session)
{
    /* A failure counts even when memory for its close frame ran out: there is nothing to wait for. */
    return session->core.phase >= WEFT__SESSION_FAILED;
}
