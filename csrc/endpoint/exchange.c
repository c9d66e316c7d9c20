#include "endpoint/exchange.h"

#include "base/allocator.h"
#include "base/config.h"
#include "net/tls_stream.h"

#include <openssl/crypto.h>
#include <stdio.h>

void weft_exchange_release(weft_exchange *exchange)
{
    if (!exchange) return;
    if (atomic_fetch_sub_explicit(&exchange->holders, 1, memory_order_acq_rel) > 1) return;
    weft__response_reader_clear(&exchange->answer);
    weft__buffer_wipe(&exchange->request);
    weft__destination_clear(&exchange->server);
    weft__loop_release(exchange->loop);
    weft__free(exchange);
}

static void retain(weft_exchange *exchange)
{
    atomic_fetch_add_explicit(&exchange->holders, 1, memory_order_relaxed);
}

/* -- the ends ---------------------------------------------------------------------------------- */

/* Behind a request TLS is ended in good order, whatever came of it (RFC 9112 section 9.8). */
static void leave_loop(weft_exchange *exchange)
{
    if (exchange->state == WEFT__EXCHANGE_AWAITING) weft__stream_shut_down(exchange->stream);
    exchange->state = WEFT__EXCHANGE_DONE;
    weft__timer_stop(&exchange->timer);
    weft__timer_stop(&exchange->tls_timer);
    weft__revocation_check_cancel(exchange->revocation_check);
    exchange->revocation_check = NULL;
    weft__dialer_cancel(exchange->dialer);
    exchange->dialer = NULL;
    weft__stream_close(exchange->stream);
    exchange->stream = NULL;
    weft__link_remove(&exchange->member.link);
    if (exchange->holds_loop) weft__loop_let_go(exchange->loop);
    exchange->holds_loop = false;
}

/* `cause` lives until return; the sentence says in front of it whose it is. */
static void fail(weft_exchange *exchange, weft_status status, const char *cause)
{
    char detail[WEFT__MAX_HOST + 640];
    const weft__url *url = &exchange->server.url;
    if (exchange->state == WEFT__EXCHANGE_DONE) return;
    leave_loop(exchange);
    snprintf(detail, sizeof detail, url->host_is_ipv6 ? "%s://[%s]:%u: %s" : "%s://%s:%u: %s",
             url->secure ? "https" : "http", exchange->server.host, (unsigned)url->port, cause);
    if (exchange->on_failure) exchange->on_failure(exchange->context, status, detail);
    weft_exchange_release(exchange);
}

static void fail_plainly(weft_exchange *exchange, weft_status status)
{
    fail(exchange, status, weft_status_text(status));
}

static void succeed(weft_exchange *exchange)
{
    const weft__head *head = &exchange->answer.head;
    const weft__buffer *body = &exchange->answer.body;
    leave_loop(exchange);
    const weft_answer answer = {
        .status = head->status,
        .fields = head->fields.items,
        .field_count = head->fields.count,
        .body = {(const char *)weft__buffer_front(body), weft__buffer_length(body)},
    };
    if (exchange->on_answer) exchange->on_answer(exchange->context, &answer);
    weft_exchange_release(exchange);
}

static void on_loop_closing(weft__loop_member *member)
{
    fail(WEFT__CONTAINER(member, weft_exchange, member), WEFT_ECLOSED, "the event loop was closed");
}

static void on_timer(weft__timer *timer)
{
    char cause[80];
    weft_exchange *exchange = WEFT__CONTAINER(timer, weft_exchange, timer);
    snprintf(cause, sizeof cause, "the answer was not whole after %g s", (double)exchange->timeout_ms / 1000);
    fail(exchange, WEFT_ETIMEDOUT, cause);
}

static void on_tls_timer(weft__timer *timer)
{
    char cause[80];
    weft_exchange *exchange = WEFT__CONTAINER(timer, weft_exchange, tls_timer);
    uint32_t limit_ms = exchange->server.tls->handshake_timeout_ms;
    snprintf(cause, sizeof cause, "the TLS handshake was not done after %g s", (double)limit_ms / 1000);
    fail(exchange, WEFT_ETIMEDOUT, cause);
}

/* -- the answer -------------------------------------------------------------------------------- */

static void on_read(void *owner, uint8_t *bytes, size_t length)
{
    weft__problem problem;
    weft_exchange *exchange = owner;
    weft_status status = weft__response_reader_take(&exchange->answer, bytes, length, &problem);
    OPENSSL_cleanse(bytes, length); /* they may be a token, and lie where the loop reads everything */
    if (status != WEFT_OK) {
        fail(exchange, status, problem.text);
    } else if (exchange->answer.part == WEFT__RESPONSE_WHOLE) {
        succeed(exchange);
    }
}

static void on_end(void *owner, weft_status status, const char *detail)
{
    weft__problem problem;
    weft_exchange *exchange = owner;
    if (status != WEFT_OK) {
        fail(exchange, status, detail);
        return;
    }
    if (exchange->state == WEFT__EXCHANGE_SECURING) {
        fail(exchange, WEFT_ELOST, "the server ended TLS before its handshake was done");
        return;
    }
    status = weft__response_reader_end(&exchange->answer, &problem);
    if (status == WEFT_OK) {
        succeed(exchange);
    } else {
        fail(exchange, status, problem.text);
    }
}

static void on_drain(void *owner)
{
    (void)owner;
}

/* -- the request ------------------------------------------------------------------------------- */

static void send_request(weft_exchange *exchange)
{
    const weft__span span = {weft__buffer_front(&exchange->request), weft__buffer_length(&exchange->request)};
    exchange->state = WEFT__EXCHANGE_AWAITING;
    weft_status status = weft__stream_write(exchange->stream, &span, 1);
    weft__buffer_wipe(&exchange->request);
    /* Of a peer that has gone the stream tells, once it has read what that one said last. */
    if (status != WEFT_OK && status != WEFT_ELOST) fail_plainly(exchange, status);
}

static void on_verdict(void *owner, weft_status status, const char *detail)
{
    weft_exchange *exchange = owner;
    exchange->revocation_check = NULL;
    if (status != WEFT_OK) {
        fail(exchange, status, detail);
        return;
    }
    weft__timer_stop(&exchange->tls_timer);
    weft__stream_start_reading(exchange->stream);
    send_request(exchange);
}

static void on_secure(void *owner)
{
    weft_exchange *exchange = owner;
    weft_status status =
        weft__revocation_check_start(&exchange->revocation_check, exchange->loop,
                                     weft__stream_tls(exchange->stream), on_verdict, exchange);
    if (exchange->revocation_check) {
        weft__stream_stop_reading(exchange->stream);
    } else {
        on_verdict(exchange, status, weft_status_text(status));
    }
}

static const weft__stream_events stream_events = {
    .on_read = on_read,
    .on_end = on_end,
    .on_drain = on_drain,
    .on_secure = on_secure,
};

static void secure(weft_exchange *exchange)
{
    weft_tls *tls = exchange->server.tls;
    exchange->state = WEFT__EXCHANGE_SECURING;
    if (tls->handshake_timeout_ms)
        weft__loop_start_timer(exchange->loop, &exchange->tls_timer, tls->handshake_timeout_ms);
    weft_status status =
        weft__stream_secure(exchange->stream, tls, exchange->server.host, exchange->server.url.port);
    if (status != WEFT_OK) fail_plainly(exchange, status);
}

static void on_dialled(void *owner, weft__stream *stream, weft_status status, const char *detail)
{
    weft_exchange *exchange = owner;
    exchange->dialer = NULL;
    exchange->stream = stream;
    if (!stream) {
        fail(exchange, status, detail);
        return;
    }
    weft__stream_set_owner(stream, &stream_events, exchange);
    weft__stream_start_reading(stream);
    if (exchange->server.tls) {
        secure(exchange);
    } else {
        send_request(exchange);
    }
}

/* -- letters ----------------------------------------------------------------------------------- */

static void start(weft_exchange *exchange)
{
    weft_loop *loop = exchange->loop;
    if (weft__loop_is_closing(loop)) {
        fail(exchange, WEFT_ECLOSED, "the event loop was closed");
        return;
    }
    weft__loop_join(loop, &exchange->member);
    weft__loop_hold(loop);
    exchange->holds_loop = true;
    exchange->state = WEFT__EXCHANGE_DIALLING;
    if (exchange->timeout_ms) weft__loop_start_timer(loop, &exchange->timer, exchange->timeout_ms);
    weft_status status =
        weft__destination_dial(&exchange->server, &exchange->dialer, loop, on_dialled, exchange);
    if (status != WEFT_OK) fail_plainly(exchange, status);
}

static void open_start_mail(weft_loop *loop, weft__mail *mail)
{
    weft_exchange *exchange = WEFT__CONTAINER(mail, weft_exchange, start);
    (void)loop;
    if (exchange->state != WEFT__EXCHANGE_DONE) start(exchange); /* else it was cancelled first */
    weft_exchange_release(exchange);
}

static void open_cancel_mail(weft_loop *loop, weft__mail *mail)
{
    weft_exchange *exchange = WEFT__CONTAINER(mail, weft_exchange, cancel);
    (void)loop;
    fail(exchange, WEFT_ECLOSED, "the exchange was cancelled");
    weft_exchange_release(exchange);
}

/* -- on the caller's thread -------------------------------------------------------------------- */

static weft_exchange *new_exchange(const weft_exchange_config *config)
{
    weft_exchange *exchange = weft__alloc_zeroed(sizeof *exchange);
    if (!exchange) return NULL;
    exchange->loop = config->loop;
    exchange->context = config->context;
    exchange->on_answer = config->on_answer;
    exchange->on_failure = config->on_failure;
    exchange->timeout_ms = config->timeout_ms;
    exchange->holders = 1;
    exchange->start.open = open_start_mail;
    exchange->cancel.open = open_cancel_mail;
    exchange->member.abort = on_loop_closing;
    weft__link_init(&exchange->member.link);
    weft__timer_init(&exchange->timer, on_timer);
    weft__timer_init(&exchange->tls_timer, on_tls_timer);
    weft__loop_retain(config->loop);
    return exchange;
}

static weft_status post(weft_exchange *exchange, weft__problem *problem)
{
    retain(exchange); /* the loop's */
    retain(exchange); /* the letter's */
    if (weft__loop_send(exchange->loop, &exchange->start)) return WEFT_OK;
    weft_exchange_release(exchange);
    weft_exchange_release(exchange);
    weft__problem_set(problem, 0, "the event loop is closed");
    return WEFT_ECLOSED;
}

weft_status weft_exchange_start(weft_exchange **out, const weft_exchange_config *given, char *detail,
                                size_t detail_size)
{
    *out = NULL;
    weft_exchange_config config;
    weft_exchange_config_init(&config);
    weft_status status = weft__config_take(&config, given, sizeof config);
    if (status == WEFT_OK && !config.loop) status = WEFT_EINVAL;
    weft_exchange *exchange = status == WEFT_OK ? new_exchange(&config) : NULL;
    if (status == WEFT_OK && !exchange) status = WEFT_ENOMEM;
    weft__problem problem = {0};
    if (status != WEFT_OK) weft__problem_set(&problem, 0, "%s", weft_status_text(status));
    if (status == WEFT_OK) status = weft__exchange_take_config(exchange, &config, &problem);
    if (status == WEFT_OK) status = post(exchange, &problem);
    if (detail_size) snprintf(detail, detail_size, "%s", status == WEFT_OK ? "" : problem.text);
    if (status == WEFT_OK) {
        *out = exchange;
    } else {
        weft_exchange_release(exchange);
    }
    return status;
}

void weft_exchange_cancel(weft_exchange *exchange)
{
    if (atomic_exchange(&exchange->is_cancel_posted, true)) return;
    retain(exchange);
    if (!weft__loop_send(exchange->loop, &exchange->cancel)) weft_exchange_release(exchange);
}
