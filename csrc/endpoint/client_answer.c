/* What a client does with the server's answer to its opening handshake. */
#include "endpoint/client.h"

#include "http/response.h"

#include <stdio.h>
#include <string.h>

static const weft__chunked_limits chunked_limits = {
    .max_body = UINT64_MAX,
    .max_extensions = WEFT__CHUNK_EXTENSIONS_MAX,
    .max_trailers = WEFT__TRAILERS_MAX,
};

static void fail_plainly(weft_client *client, weft_status status)
{
    weft__client_fail(client, status, weft_status_text(status));
}

/* -- what opens -------------------------------------------------------------------------------- */

static void tell_answer(weft_client *client, const weft__head *head)
{
    weft_answer answer = {.status = head->status};
    answer.fields = head->fields.items;
    answer.field_count = head->fields.count;
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
        fail_plainly(client, WEFT_ENOMEM);
        return;
    }
    weft__client_leave_loop(client);
    client->stream = NULL;
    client->plan = NULL;
    tell_answer(client, head);
    weft__connection_run(connection, weft__buffer_front(&client->input) + client->head_length,
                         weft__buffer_length(&client->input) - client->head_length);
    weft_connection_release(connection);
    weft_client_release(client);
}

/* -- what refuses ------------------------------------------------------------------------------ */

static size_t body_length(const weft_client *client)
{
    return weft__buffer_length(&client->input) - client->head_length;
}

void weft__client_finish_refusal(weft_client *client)
{
    weft_answer answer = {.status = client->head.status};
    answer.fields = client->head.fields.items;
    answer.field_count = client->head.fields.count;
    answer.body.bytes = (const char *)weft__buffer_front(&client->input) + client->head_length;
    answer.body.length = body_length(client);
    weft__client_fail_with_answer(client, &answer);
}

/* Of the body, as far as it is told; UINT64_MAX: up to the end of TCP, or to the last chunk. */
static uint64_t announced_length(const weft__head *head)
{
    if (!weft__response_has_body(head->status)) return 0;
    return head->chunked || head->content_length < 0 ? UINT64_MAX : (uint64_t)head->content_length;
}

/* Keeps a piece behind what there is, from which it may stem; the head's views point into the input, so it
 * never grows now. */
static void keep_body(weft_client *client, const uint8_t *bytes, size_t length)
{
    uint64_t announced = announced_length(&client->head);
    size_t most = announced < WEFT__REFUSAL_BODY ? (size_t)announced : WEFT__REFUSAL_BODY;
    size_t room = most - body_length(client);
    if (length > room) length = room;
    if (length) memmove(client->input.bytes + client->input.end, bytes, length);
    weft__buffer_commit(&client->input, length);
    if (body_length(client) == most) client->body_is_whole = true;
}

static void take_chunks(weft_client *client, const uint8_t *bytes, size_t length)
{
    while (length > 0 && !client->body_is_whole) {
        weft_string data;
        weft__problem problem;
        int64_t used = weft__chunked_take(&client->chunks, (const char *)bytes, length, &data, &problem);
        if (used >= 0) keep_body(client, (const uint8_t *)data.bytes, data.length);
        if (used < 0 || weft__chunked_is_done(&client->chunks)) client->body_is_whole = true;
        bytes += used < 0 ? 0 : used;
        length -= used < 0 ? 0 : (size_t)used;
    }
}

static void take_body(weft_client *client, const uint8_t *bytes, size_t length)
{
    if (client->head.chunked && weft__response_has_body(client->head.status)) {
        take_chunks(client, bytes, length);
    } else {
        keep_body(client, bytes, length);
    }
    if (client->body_is_whole) weft__client_finish_refusal(client);
}

/* Takes the head over, and what has come of the body already. */
static void begin_refusal(weft_client *client, weft__head *head)
{
    client->state = WEFT__CLIENT_REFUSED;
    client->head = *head;
    client->body_is_whole = false;
    weft__chunked_init(&client->chunks, &chunked_limits);
    size_t arrived = body_length(client);
    client->input.end -= arrived;
    take_body(client, client->input.bytes + client->input.end, arrived);
}

/* -- the answer -------------------------------------------------------------------------------- */

static void take_answer(weft_client *client, weft__head *head)
{
    weft__upgrade_offer offer = weft__client_offer(client);
    weft_string subprotocol;
    weft_compression agreed;
    weft_status status =
        weft__upgrade_check_answer(head, &offer, client->key, &subprotocol, &agreed, &client->refusal);
    if (status == WEFT_OK) {
        weft__plan_agree(client->plan, &agreed);
        open_connection(client, head, subprotocol);
        weft__head_clear(head);
    } else {
        begin_refusal(client, head);
    }
}

/* What comes behind the proxy's head is the server's. */
static void take_proxys_answer(weft_client *client, weft__head *head)
{
    if (weft__proxy_check_answer(head, &client->refusal) != WEFT_OK) {
        begin_refusal(client, head);
        return;
    }
    weft__head_clear(head);
    weft__buffer_consume(&client->input, client->head_length);
    client->interim_answers = 0;
    if (client->server.tls && weft__buffer_length(&client->input)) {
        weft__client_fail(client, WEFT_EHANDSHAKE, "the proxy sent more than its answer before TLS began");
        return;
    }
    weft_status status = weft__client_reach_server(client);
    if (status != WEFT_OK) fail_plainly(client, status);
}

static void pass_over_interim(weft_client *client, weft__head *head, size_t length)
{
    weft__head_clear(head);
    weft__buffer_consume(&client->input, length);
    weft__problem problem;
    if (weft__upgrade_pass_interim(&client->interim_answers, &problem) == WEFT_OK) return;
    weft__client_fail(client, WEFT_EHANDSHAKE, problem.text);
}

static void fail_as_no_http(weft_client *client, const weft__problem *problem)
{
    char detail[sizeof problem->text + 32];
    const char *whose = client->state == WEFT__CLIENT_TUNNELLING ? "the answer of the proxy: " : "";
    snprintf(detail, sizeof detail, "%s%s", whose, problem->text);
    weft__client_fail(client, WEFT_EHANDSHAKE, detail);
}

static bool is_awaiting_head(const weft_client *client)
{
    return client->state == WEFT__CLIENT_TUNNELLING || client->state == WEFT__CLIENT_AWAITING;
}

static void read_answer(weft_client *client)
{
    while (is_awaiting_head(client)) {
        weft__head head;
        weft__problem problem;
        const char *bytes = (const char *)weft__buffer_front(&client->input);
        size_t arrived = weft__buffer_length(&client->input);
        if (!weft__head_is_worth_parsing(bytes, arrived, client->length_parsed, &weft__answer_limits)) return;
        int64_t length = weft__head_parse_response(&head, bytes, arrived, &weft__answer_limits, &problem);
        client->length_parsed = length == 0 ? arrived : 0;
        if (length == 0) return;
        if (length == WEFT_ENOMEM) {
            fail_plainly(client, WEFT_ENOMEM);
        } else if (length < 0) {
            fail_as_no_http(client, &problem);
        } else if (weft__upgrade_answer_is_interim(&head)) {
            pass_over_interim(client, &head, (size_t)length);
        } else {
            client->head_length = (size_t)length;
            if (client->state == WEFT__CLIENT_TUNNELLING) {
                take_proxys_answer(client, &head);
            } else {
                take_answer(client, &head);
            }
        }
    }
}

/* Behind a head there is always room for the body of a refusal. */
static bool keep_answer(weft_client *client, const uint8_t *bytes, size_t length)
{
    return weft__buffer_append(&client->input, bytes, length, SIZE_MAX) == WEFT_OK &&
           weft__buffer_reserve(&client->input, WEFT__REFUSAL_BODY, SIZE_MAX);
}

static void on_read(void *owner, uint8_t *bytes, size_t length)
{
    weft_client *client = owner;
    weft_client_retain(client);
    if (client->state == WEFT__CLIENT_REFUSED) {
        take_body(client, bytes, length);
    } else if (keep_answer(client, bytes, length)) {
        read_answer(client);
    } else {
        fail_plainly(client, WEFT_ENOMEM);
    }
    weft_client_release(client);
}

static void on_end(void *owner, weft_status status, const char *detail)
{
    weft_client *client = owner;
    if (client->state == WEFT__CLIENT_REFUSED) {
        weft__client_finish_refusal(client);
        return;
    }
    const char *early = client->state == WEFT__CLIENT_TUNNELLING
                            ? "the proxy ended the connection before its answer"
                            : "the server ended the connection before its answer";
    if (client->state == WEFT__CLIENT_SECURING) early = "the server ended TLS before its handshake was done";
    weft__client_fail(client, status == WEFT_OK ? WEFT_ELOST : status, status == WEFT_OK ? early : detail);
}

static void on_drain(void *owner)
{
    (void)owner;
}

static void on_secure(void *owner)
{
    weft__client_secured(owner);
}

static const weft__stream_events stream_events = {
    .on_read = on_read,
    .on_end = on_end,
    .on_drain = on_drain,
    .on_secure = on_secure,
};

void weft__client_read_answers(weft_client *client)
{
    weft__stream_set_owner(client->stream, &stream_events, client);
    weft__stream_start_reading(client->stream);
}
