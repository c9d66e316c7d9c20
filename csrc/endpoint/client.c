#include "weft/client.h"

#include "base/allocator.h"
#include "base/config.h"
#include "endpoint/connection.h"
#include "http/key.h"
#include "http/offer.h"
#include "http/upgrade.h"
#include "net/dialer.h"

#include <stdio.h>
#include <string.h>

enum {
    MAX_BODY = 8192, /* of a refusal */
    MAX_HOST = 255,
};

static const weft__head_limits answer_limits = {
    .max_uri_length = 8192,
    .max_header_size = 65536,
    .max_fields = 256,
};

/** How far an attempt is. */
typedef enum client_state {
    CLIENT_POSTED,   /* on its way to the loop */
    CLIENT_DIALLING, /* the name, then TCP */
    CLIENT_AWAITING, /* the request is out, the head of the answer is awaited */
    CLIENT_REFUSED,  /* the head is there and refuses; its body is awaited */
    CLIENT_DONE,
} client_state;

struct weft_client {
    /* fixed after connect */
    weft_loop *loop;
    char *url_text;
    weft__url url;
    char *subprotocols;
    char host[MAX_HOST + 1];
    char key[WEFT__KEY_LENGTH + 1];
    weft__plan *plan;
    void *context;
    void (*on_answer)(void *context, const weft_answer *answer);
    void (*on_failure)(void *context, weft_status status, const char *detail);
    uint32_t handshake_timeout_ms;

    _Atomic size_t holders; /* the user and the loop */

    /* loop thread only */
    uint8_t state; /* a client_state */
    weft__buffer request;
    weft__dialer *dialer;
    weft__stream *stream;
    weft__buffer input;
    weft__head head; /* of a refusal */
    size_t head_length;
    weft__problem refusal;
    weft__timer timer;
    weft__loop_member member;
    weft__mail start;

    /* any thread */
    atomic_bool is_cancel_posted;
    weft__mail cancel; /* a part of the handle, so that giving up needs no memory */
};

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
    weft__buffer_clear(&client->request);
    weft__buffer_clear(&client->input);
    weft__plan_release(client->plan);
    weft__loop_release(client->loop);
    weft__free(client->url_text);
    weft__free(client->subprotocols);
    weft__free(client);
}

static void retain(weft_client *client)
{
    atomic_fetch_add_explicit(&client->holders, 1, memory_order_relaxed);
}

/* -- the ends of an attempt -------------------------------------------------------------------- */

static void leave_loop(weft_client *client)
{
    client->state = CLIENT_DONE;
    weft__timer_stop(&client->timer);
    weft__link_remove(&client->member.link);
    weft__dialer_cancel(client->dialer);
    client->dialer = NULL;
}

static void fail(weft_client *client, weft_status status, const char *detail)
{
    if (client->state == CLIENT_DONE) return;
    leave_loop(client);
    weft__stream_close(client->stream);
    client->stream = NULL;
    if (client->on_failure) client->on_failure(client->context, status, detail);
    if (client->plan->service.on_release) client->plan->service.on_release(client->context);
    weft_client_release(client);
}

static void tell_answer(weft_client *client, const weft__head *head, weft_string body)
{
    weft_answer answer = {head->status, head->fields.items, head->fields.count, body};
    if (client->on_answer) client->on_answer(client->context, &answer);
}

static void open_connection(weft_client *client, const weft__head *head, weft_string subprotocol)
{
    weft__connection_start start = {
        .plan = client->plan,
        .context = client->context,
        .stream = client->stream,
        .subprotocol = subprotocol,
    };
    weft_connection *connection;
    if (weft__connection_new(&connection, &start) != WEFT_OK) {
        fail(client, WEFT_ENOMEM, weft_status_text(WEFT_ENOMEM));
        return;
    }
    leave_loop(client);
    client->stream = NULL;
    client->plan = NULL;
    tell_answer(client, head, (weft_string){0});
    weft__connection_run(connection, weft__buffer_front(&client->input) + client->head_length,
                         weft__buffer_length(&client->input) - client->head_length);
    weft_connection_release(connection);
    weft_client_release(client);
}

static void on_loop_closing(weft__loop_member *member)
{
    fail(WEFT__CONTAINER(member, weft_client, member), WEFT_ECLOSED, "the event loop was closed");
}

/* -- the answer -------------------------------------------------------------------------------- */

static weft__upgrade_offer offer_of(const weft_client *client)
{
    return (weft__upgrade_offer){.url = &client->url, .subprotocols = weft__string(client->subprotocols)};
}

/* Of the body, as far as it is kept; negative: up to the end of TCP. */
static int64_t announced_length(const weft__head *head)
{
    bool has_none =
        head->status == 101 || head->status == 204 || head->status == 304; /* RFC 9112 section 6.3 */
    return has_none || head->chunked ? 0 : head->content_length;
}

static void finish_refusal(weft_client *client)
{
    size_t length = weft__buffer_length(&client->input) - client->head_length;
    int64_t announced = announced_length(&client->head);
    if (announced >= 0 && (uint64_t)announced < length) length = (size_t)announced;
    if (length > MAX_BODY) length = MAX_BODY;
    weft_string body = {(const char *)weft__buffer_front(&client->input) + client->head_length, length};
    tell_answer(client, &client->head, body);
    fail(client, WEFT_EHANDSHAKE, client->refusal.text);
}

static void on_timer(weft__timer *timer)
{
    weft_client *client = WEFT__CONTAINER(timer, weft_client, timer);
    if (client->state == CLIENT_REFUSED) { /* what came of the body will do */
        finish_refusal(client);
        return;
    }
    char detail[80];
    snprintf(detail, sizeof detail, "the connection was not open after %g s",
             (double)client->handshake_timeout_ms / 1000);
    fail(client, WEFT_ETIMEDOUT, detail);
}

/* Waits for as much of the body as will be kept. */
static void read_refusal(weft_client *client)
{
    size_t arrived = weft__buffer_length(&client->input) - client->head_length;
    int64_t announced = announced_length(&client->head);
    bool is_whole = announced >= 0 && (uint64_t)announced <= arrived;
    if (is_whole || arrived >= MAX_BODY) finish_refusal(client);
}

static bool is_interim(const weft__head *head)
{
    return head->status < 200 && head->status != 101; /* RFC 9110 section 15.2 */
}

static void take_answer(weft_client *client, weft__head *head)
{
    weft__upgrade_offer offer = offer_of(client);
    weft_string subprotocol;
    weft_compression agreed;
    weft_status status =
        weft__upgrade_check_answer(head, &offer, client->key, &subprotocol, &agreed, &client->refusal);
    if (status == WEFT_OK) {
        open_connection(client, head, subprotocol);
        weft__head_clear(head);
    } else {
        client->state = CLIENT_REFUSED;
        client->head = *head;
        if (head->status == 101) {
            finish_refusal(client);
        } else {
            read_refusal(client);
        }
    }
}

static void read_answer(weft_client *client)
{
    while (client->state == CLIENT_AWAITING) {
        weft__head head;
        weft__problem problem;
        const char *bytes = (const char *)weft__buffer_front(&client->input);
        size_t arrived = weft__buffer_length(&client->input);
        int64_t length = weft__head_parse_response(&head, bytes, arrived, &answer_limits, &problem);
        if (length == 0) return;
        if (length < 0) {
            bool no_memory = length == WEFT_ENOMEM;
            fail(client, no_memory ? WEFT_ENOMEM : WEFT_EHANDSHAKE,
                 no_memory ? weft_status_text(WEFT_ENOMEM) : problem.text);
        } else if (is_interim(&head)) {
            weft__head_clear(&head);
            weft__buffer_consume(&client->input, (size_t)length);
        } else {
            client->head_length = (size_t)length;
            take_answer(client, &head);
        }
    }
}

static void on_read(void *owner, uint8_t *bytes, size_t length)
{
    weft_client *client = owner;
    retain(client);
    if (client->state == CLIENT_REFUSED) {
        /* The views of the head point into the input, so it must not move: the body gets what room is left.
         */
        size_t room = client->input.capacity - client->input.end;
        weft__buffer_append(&client->input, bytes, length < room ? length : room, SIZE_MAX);
        if (length > room) {
            finish_refusal(client);
        } else {
            read_refusal(client);
        }
    } else if (weft__buffer_append(&client->input, bytes, length, SIZE_MAX) != WEFT_OK) {
        fail(client, WEFT_ENOMEM, weft_status_text(WEFT_ENOMEM));
    } else {
        read_answer(client);
    }
    weft_client_release(client);
}

static void on_end(void *owner, weft_status status, const char *detail)
{
    weft_client *client = owner;
    if (client->state == CLIENT_REFUSED) {
        finish_refusal(client);
    } else {
        fail(client, WEFT_ELOST,
             status == WEFT_OK ? "the server ended the connection before its answer" : detail);
    }
}

static void on_drain(void *owner)
{
    (void)owner;
}

static const weft__stream_events stream_events = {on_read, on_end, on_drain};

/* -- the way there ----------------------------------------------------------------------------- */

static void on_dialled(void *owner, weft__stream *stream, weft_status status, const char *detail)
{
    weft_client *client = owner;
    client->dialer = NULL;
    client->stream = stream;
    weft__buffer *output = stream ? weft__stream_output(stream) : NULL;
    if (stream) {
        size_t length = weft__buffer_length(&client->request);
        status = output ? weft__buffer_append(output, weft__buffer_front(&client->request), length, SIZE_MAX)
                        : WEFT_ENOMEM;
    }
    if (status != WEFT_OK) {
        fail(client, status, stream ? weft_status_text(status) : detail);
        return;
    }
    /* The input never moves once a refusal's head points into it. */
    if (!weft__buffer_reserve(&client->input, MAX_BODY, SIZE_MAX)) {
        fail(client, WEFT_ENOMEM, weft_status_text(WEFT_ENOMEM));
        return;
    }
    client->state = CLIENT_AWAITING;
    weft__stream_set_owner(stream, &stream_events, client);
    weft__stream_start_reading(stream);
}

static void start_to_dial(weft_client *client)
{
    weft_loop *loop = client->loop;
    if (weft__loop_is_closing(loop)) {
        fail(client, WEFT_ECLOSED, "the event loop was closed");
        return;
    }
    client->state = CLIENT_DIALLING;
    weft__loop_join(loop, &client->member);
    if (client->handshake_timeout_ms) {
        weft__loop_start_timer(loop, &client->timer, client->handshake_timeout_ms);
    }
    weft_status status =
        weft__dialer_start(&client->dialer, loop, client->host, client->url.port, on_dialled, client);
    if (status != WEFT_OK) fail(client, status, weft_status_text(status));
}

static void open_start_mail(weft_loop *loop, weft__mail *mail)
{
    weft_client *client = WEFT__CONTAINER(mail, weft_client, start);
    (void)loop;
    if (client->state != CLIENT_DONE) start_to_dial(client); /* else it was cancelled first */
    weft_client_release(client);
}

static void open_cancel_mail(weft_loop *loop, weft__mail *mail)
{
    weft_client *client = WEFT__CONTAINER(mail, weft_client, cancel);
    (void)loop;
    fail(client, WEFT_ECLOSED, "the attempt to connect was cancelled");
    weft_client_release(client);
}

/* -- on the caller's thread -------------------------------------------------------------------- */

static weft_status take_url(weft_client *client, weft_string text, weft__problem *problem)
{
    weft__problem_set(problem, 0, "%s", weft_status_text(WEFT_ENOMEM));
    client->url_text = weft__alloc(text.length + 1);
    if (!client->url_text) return WEFT_ENOMEM;
    if (text.length) memcpy(client->url_text, text.bytes, text.length);
    client->url_text[text.length] = '\0';
    weft_status status = weft__url_parse(&client->url, (weft_string){client->url_text, text.length}, problem);
    if (status != WEFT_OK) return status;

    const char *wrong = NULL;
    if (client->url.unix_socket) wrong = "ws+unix URLs cannot be dialled by this version";
    if (client->url.secure) wrong = "wss URLs cannot be dialled by this version: it has no TLS";
    if (client->url.host.length > MAX_HOST) wrong = "the host name is longer than 255 characters";
    if (wrong) {
        weft__problem_set(problem, 0, "%s", wrong);
        return WEFT_EURL;
    }
    memcpy(client->host, client->url.host.bytes, client->url.host.length);
    return WEFT_OK;
}

static weft_status take_subprotocols(weft_client *client, weft_string list, weft__problem *problem)
{
    if (!list.length) return WEFT_OK;
    if (!weft__upgrade_is_subprotocol_list(list)) {
        weft__problem_set(problem, 0, "a subprotocol is not a token, or is repeated");
        return WEFT_EINVAL;
    }
    client->subprotocols = weft__alloc(list.length + 1);
    if (!client->subprotocols) return WEFT_ENOMEM;
    memcpy(client->subprotocols, list.bytes, list.length);
    client->subprotocols[list.length] = '\0';
    return WEFT_OK;
}

static weft_status write_request(weft_client *client, const weft_client_config *config,
                                 weft__problem *problem)
{
    weft_status status = weft__upgrade_check_fields(config->fields, config->field_count, problem);
    if (status != WEFT_OK) return status;
    weft__upgrade_offer offer = offer_of(client);
    offer.fields = config->fields;
    offer.field_count = config->field_count;
    status = weft__upgrade_make_key(client->key);
    if (status == WEFT_OK) status = weft__upgrade_write_request(&client->request, &offer, client->key);
    if (status != WEFT_OK) weft__problem_set(problem, 0, "%s", weft_status_text(status));
    return status;
}

static weft_status take_config(weft_client *client, const weft_client_config *config, weft__problem *problem)
{
    weft_service no_service;
    weft_service_init(&no_service);
    weft_status status = take_url(client, config->url, problem);
    if (status == WEFT_OK) status = take_subprotocols(client, config->subprotocols, problem);
    if (status == WEFT_OK) status = write_request(client, config, problem);
    if (status != WEFT_OK) return status;
    weft__problem_set(problem, 0, "a setting of the connection is out of range");
    return weft__plan_new(&client->plan, WEFT_CLIENT, config->service ? config->service : &no_service,
                          config->connection);
}

static weft_client *new_client(const weft_client_config *config)
{
    weft_client *client = weft__alloc_zeroed(sizeof *client);
    if (!client) return NULL;
    client->loop = config->loop;
    client->context = config->context;
    client->on_answer = config->on_answer;
    client->on_failure = config->on_failure;
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
    weft_status status = take_config(client, &config, &problem);
    if (status == WEFT_OK) {
        retain(client); /* the loop's */
        retain(client); /* the letter's */
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
    retain(client);
    if (!weft__loop_send(client->loop, &client->cancel)) weft_client_release(client);
}
