#include "endpoint/client.h"

#include "base/allocator.h"
#include "base/config.h"

#include <stdio.h>

void weft_client_config_init_sized(weft_client_config *config, size_t size)
{
    const weft_client_config defaults = {.handshake_timeout_ms = 300000};
    weft__config_init(config, size, &defaults, sizeof defaults);
}

void weft_client_release(weft_client *client)
{
    if (!client) return;
    if (atomic_fetch_sub_explicit(&client->holders, 1, memory_order_acq_rel) > 1) return;
    weft__head_clear(&client->head);
    weft__buffer_wipe(&client->request);
    weft__buffer_wipe(&client->authorized_request);
    weft__buffer_clear(&client->input);
    weft__proxy_clear(&client->proxy);
    weft__destination_clear(&client->server);
    weft__plan_release(client->plan);
    weft__loop_release(client->loop);
    weft__free(client->subprotocols);
    weft__free(client);
}

void weft_client_retain(weft_client *client)
{
    atomic_fetch_add_explicit(&client->holders, 1, memory_order_relaxed);
}

/* -- the ends of an attempt -------------------------------------------------------------------- */

static void drop_transport(weft_client *client)
{
    weft__timer_stop(&client->timer);
    weft__revocation_check_cancel(client->revocation_check);
    client->revocation_check = NULL;
    weft__dialer_cancel(client->dialer);
    client->dialer = NULL;
    weft__stream_close(client->stream);
    client->stream = NULL;
}

void weft__client_leave_loop(weft_client *client)
{
    client->state = WEFT__CLIENT_DONE;
    weft__timer_stop(&client->timer);
    weft__link_remove(&client->member.link);
    if (client->holds_loop) weft__loop_let_go(client->loop);
    client->holds_loop = false;
}

/* True when the attempt that failed is not the last one. */
static bool wait_for_next(weft_client *client, weft_status status, const char *detail)
{
    const weft__head *answer = client->state == WEFT__CLIENT_REFUSED ? &client->head : NULL;
    uint32_t wait_ms;
    if (weft__loop_is_closing(client->loop) || !weft_retry_is_worthwhile(status, answer ? answer->status : 0))
        return false;
    uint64_t least_ms = answer ? weft__retry_after_ms(answer) : client->retry_after_ms;
    if (!weft__retry_next(&client->retry, least_ms, &wait_ms)) return false;
    drop_transport(client);
    client->state = WEFT__CLIENT_WAITING;
    weft__loop_start_timer(client->loop, &client->timer, wait_ms);
    if (client->on_retry) client->on_retry(client->context, client->retry.done, status, detail, wait_ms);
    return true;
}

static void end_attempt(weft_client *client, weft_status status, const char *detail,
                        const weft_answer *answer)
{
    if (client->state == WEFT__CLIENT_DONE || wait_for_next(client, status, detail)) return;
    drop_transport(client);
    weft__client_leave_loop(client);
    if (answer && client->on_answer) client->on_answer(client->context, answer);
    if (client->on_failure) client->on_failure(client->context, status, detail);
    if (client->plan->service.on_release) client->plan->service.on_release(client->context);
    weft_client_release(client);
}

void weft__client_fail(weft_client *client, weft_status status, const char *detail)
{
    end_attempt(client, status, detail, NULL);
}

void weft__client_fail_with_answer(weft_client *client, const weft_answer *answer)
{
    end_attempt(client, WEFT_EHANDSHAKE, client->refusal.text, answer);
}

static void on_loop_closing(weft__loop_member *member)
{
    weft_client *client = WEFT__CONTAINER(member, weft_client, member);
    weft__client_fail(client, WEFT_ECLOSED, "the event loop was closed");
}

/* -- an attempt -------------------------------------------------------------------------------- */

/* From where it is: a copy would have its secrets too. Of a peer that has gone the stream tells, once it has
 * read what that one said last. */
static weft_status write_out(weft_client *client, const weft__buffer *request)
{
    const weft__span span = {weft__buffer_front(request), weft__buffer_length(request)};
    weft_status status = weft__stream_write(client->stream, &span, 1);
    return status == WEFT_ELOST ? WEFT_OK : status;
}

weft_status weft__client_send_request(weft_client *client)
{
    client->state = WEFT__CLIENT_AWAITING;
    return write_out(client, client->on_authorize ? &client->authorized_request : &client->request);
}

static weft_status ask_proxy(weft_client *client)
{
    client->state = WEFT__CLIENT_TUNNELLING;
    return write_out(client, &client->proxy.request);
}

/* `detail` names the proxy's addresses, as if they were the server's. */
static void fail_before_proxy(weft_client *client, weft_status status, const char *detail)
{
    char sentence[600];
    snprintf(sentence, sizeof sentence, "the proxy cannot be reached: %s", detail);
    weft__client_fail(client, status, sentence);
}

static void on_dialled(void *owner, weft__stream *stream, weft_status status, const char *detail)
{
    weft_client *client = owner;
    client->dialer = NULL;
    client->stream = stream;
    if (stream) {
        weft__client_read_answers(client);
        status = client->proxy.is_wanted ? ask_proxy(client) : weft__client_reach_server(client);
    }
    if (status == WEFT_OK) {
        return;
    } else if (stream) {
        weft__client_fail(client, status, weft_status_text(status));
    } else if (client->proxy.is_wanted) {
        fail_before_proxy(client, status, detail);
    } else {
        weft__client_fail(client, status, detail);
    }
}

weft_status weft__client_dial(weft_client *client)
{
    weft_loop *loop = client->loop;
    const weft__proxy *proxy = &client->proxy;
    client->state = WEFT__CLIENT_DIALLING;
    if (!proxy->is_wanted)
        return weft__destination_dial(&client->server, &client->dialer, loop, on_dialled, client);
    return weft__dialer_start(&client->dialer, loop, proxy->host, proxy->port, on_dialled, client);
}

static void begin_attempt(weft_client *client)
{
    weft__head_clear(&client->head);
    weft__buffer_reset(&client->input);
    client->length_parsed = 0;
    client->interim_answers = 0;
    client->retry_after_ms = 0;
    if (client->handshake_timeout_ms)
        weft__loop_start_timer(client->loop, &client->timer, client->handshake_timeout_ms);
    if (client->on_authorize) {
        weft__client_ask_authorization(client);
        return;
    }
    weft_status status = weft__client_dial(client);
    if (status != WEFT_OK) weft__client_fail(client, status, weft_status_text(status));
}

static void begin_another(weft_client *client)
{
    weft_status status = weft__client_renew_key(client);
    if (status == WEFT_OK) {
        begin_attempt(client);
    } else {
        weft__client_fail(client, status, weft_status_text(status));
    }
}

static void time_out(weft_client *client)
{
    char detail[80];
    bool is_proxys = client->state == WEFT__CLIENT_TUNNELLING;
    bool is_of_tls = weft__client_times_tls(client);
    uint32_t limit_ms = is_of_tls ? client->server.tls->handshake_timeout_ms : client->handshake_timeout_ms;
    const char *what = is_of_tls ? "TLS handshake was not done" : "connection was not open";
    if (is_proxys) what = "tunnel through the proxy was not open";
    if (client->state == WEFT__CLIENT_AUTHORIZING) what = "authorization was not there";
    snprintf(detail, sizeof detail, "the %s after %g s", what, (double)limit_ms / 1000);
    weft__client_fail(client, WEFT_ETIMEDOUT, detail);
}

static void on_timer(weft__timer *timer)
{
    weft_client *client = WEFT__CONTAINER(timer, weft_client, timer);
    switch ((weft__client_state)client->state) {
    case WEFT__CLIENT_WAITING: begin_another(client); break;
    case WEFT__CLIENT_REFUSED: weft__client_finish_refusal(client); break; /* what came of the body will do */
    case WEFT__CLIENT_AUTHORIZING:
    case WEFT__CLIENT_DIALLING:
    case WEFT__CLIENT_TUNNELLING:
    case WEFT__CLIENT_SECURING:
    case WEFT__CLIENT_AWAITING: time_out(client); break;
    case WEFT__CLIENT_POSTED:
    case WEFT__CLIENT_DONE: break; /* no timer runs */
    }
}

/* -- letters ----------------------------------------------------------------------------------- */

static void start(weft_client *client)
{
    if (weft__loop_is_closing(client->loop)) {
        weft__client_fail(client, WEFT_ECLOSED, "the event loop was closed");
        return;
    }
    weft__loop_join(client->loop, &client->member);
    weft__loop_hold(client->loop);
    client->holds_loop = true;
    begin_attempt(client);
}

static void open_start_mail(weft_loop *loop, weft__mail *mail)
{
    weft_client *client = WEFT__CONTAINER(mail, weft_client, start);
    (void)loop;
    if (client->state != WEFT__CLIENT_DONE) start(client); /* else it was cancelled first */
    weft_client_release(client);
}

static void open_cancel_mail(weft_loop *loop, weft__mail *mail)
{
    weft_client *client = WEFT__CONTAINER(mail, weft_client, cancel);
    (void)loop;
    weft__client_fail(client, WEFT_ECLOSED, "the attempt to connect was cancelled");
    weft_client_release(client);
}

/* -- on the caller's thread -------------------------------------------------------------------- */

static weft_client *new_client(const weft_client_config *config)
{
    weft_client *client = weft__alloc_zeroed(sizeof *client);
    if (!client) return NULL;
    client->loop = config->loop;
    client->context = config->context;
    client->on_answer = config->on_answer;
    client->on_failure = config->on_failure;
    client->on_retry = config->on_retry;
    client->on_authorize = config->on_authorize;
    client->handshake_timeout_ms = config->handshake_timeout_ms;
    client->holders = 1;
    client->start.open = open_start_mail;
    client->cancel.open = open_cancel_mail;
    client->member.abort = on_loop_closing;
    weft__link_init(&client->member.link);
    weft__timer_init(&client->timer, on_timer);
    weft__loop_retain(config->loop);
    return client;
}

weft_status weft_client_connect(weft_client **out, const weft_client_config *given, char *detail,
                                size_t detail_size)
{
    *out = NULL;
    weft_client_config config;
    weft_client_config_init(&config);
    weft_status taken = weft__config_take(&config, given, sizeof config);
    if (taken == WEFT_OK && !config.loop) taken = WEFT_EINVAL;
    weft_client *client = taken == WEFT_OK ? new_client(&config) : NULL;
    if (taken == WEFT_OK && !client) taken = WEFT_ENOMEM;
    if (detail_size) snprintf(detail, detail_size, "%s", taken == WEFT_OK ? "" : weft_status_text(taken));
    if (taken != WEFT_OK) return taken;

    weft__problem problem;
    weft_status status = weft__client_take_config(client, &config, &problem);
    if (status == WEFT_OK) {
        weft_client_retain(client); /* the loop's */
        weft_client_retain(client); /* the letter's */
        if (weft__loop_send(client->loop, &client->start)) {
            *out = client;
            return WEFT_OK;
        }
        status = WEFT_ECLOSED;
        weft__problem_set(&problem, 0, "the event loop is closed");
        weft_client_release(client);
        weft_client_release(client);
    }
    if (detail_size) snprintf(detail, detail_size, "%s", problem.text);
    weft_client_release(client);
    return status;
}

void weft_client_cancel(weft_client *client)
{
    if (atomic_exchange(&client->is_cancel_posted, true)) return;
    weft_client_retain(client);
    if (!weft__loop_send(client->loop, &client->cancel)) weft_client_release(client);
}
