/* What the application says to a request: an answer is written on the caller's thread and sent on the loop's.
 */

#include "base/allocator.h"
#include "base/config.h"
#include "endpoint/connection.h"
#include "endpoint/request.h"
#include "http/response.h"
#include "http/upgrade.h"

#include <stdio.h>
#include <string.h>

/* An answer on its way to the loop. */
typedef struct answer_mail {
    weft__mail mail;
    weft_request *request;
    weft__buffer answer;
    bool keep_alive;
    weft__plan *plan; /* of an accepted upgrade, else NULL */
    void *context;
    weft__buffer subprotocol;
} answer_mail;

/* -- what a request tells ------------------------------------------------------------------------ */

bool weft_request_is_upgrade(const weft_request *request)
{
    return request->is_upgrade;
}

weft_string weft_request_method(const weft_request *request)
{
    return request->head.method;
}

weft_string weft_request_target(const weft_request *request)
{
    return request->head.target;
}

weft_string weft_request_path(const weft_request *request)
{
    return request->head.path;
}

weft_string weft_request_query(const weft_request *request)
{
    return request->head.query;
}

const weft_field *weft_request_fields(const weft_request *request, size_t *count)
{
    *count = request->head.fields.count;
    return request->head.fields.items;
}

weft_string weft_request_field(const weft_request *request, const char *name)
{
    const weft_field *field = weft__fields_find(&request->head.fields, name);
    return field ? field->value : (weft_string){0};
}

weft_loop *weft_request_loop(const weft_request *request)
{
    return request->loop;
}

const char *weft_request_remote_host(const weft_request *request, uint16_t *port)
{
    *port = request->remote_address.port;
    return request->remote_address.host;
}

const char *weft_request_local_host(const weft_request *request, uint16_t *port)
{
    *port = request->local_address.port;
    return request->local_address.host;
}

weft_string weft_request_choose_subprotocol(const weft_request *request, const weft_string *supported,
                                            size_t count)
{
    return weft__upgrade_choose_subprotocol(&request->head, supported, count);
}

/* -- on the loop --------------------------------------------------------------------------------- */

static weft_status open_connection(answer_mail *letter)
{
    weft_request *request = letter->request;
    weft__site *site = request->site;
    weft__connection_start start = {
        .plan = letter->plan,
        .context = letter->context,
        .stream = request->stream,
        .host = &site->host,
        .subprotocol = {(const char *)weft__buffer_front(&letter->subprotocol),
                        weft__buffer_length(&letter->subprotocol)},
    };
    weft_connection *connection;
    weft__buffer *output = weft__stream_output(request->stream);
    if (!output) return WEFT_ENOMEM;
    size_t length = weft__buffer_length(&letter->answer);
    weft_status status = weft__buffer_append(output, weft__buffer_front(&letter->answer), length, SIZE_MAX);
    if (status == WEFT_OK) status = weft__connection_new(&connection, &start);
    if (status != WEFT_OK) return status;

    letter->plan = NULL;
    weft__request_hand_over(request);
    weft__connection_run(connection, weft__buffer_front(&request->input) + request->head_length,
                         weft__buffer_length(&request->input) - request->head_length);
    if (site->is_stopping) weft_connection_close(connection, WEFT_CLOSE_GOING_AWAY, "", 0, 1000);
    weft_connection_release(connection);
    return WEFT_OK;
}

static void give_context_back(const answer_mail *letter)
{
    if (letter->plan && letter->plan->service.on_release) letter->plan->service.on_release(letter->context);
}

static void free_letter(answer_mail *letter)
{
    weft__request_release(letter->request);
    weft__plan_release(letter->plan);
    weft__buffer_clear(&letter->answer);
    weft__buffer_clear(&letter->subprotocol);
    weft__free(letter);
}

static void open_answer_mail(weft_loop *loop, weft__mail *mail)
{
    answer_mail *letter = WEFT__CONTAINER(mail, answer_mail, mail);
    weft_request *request = letter->request;
    bool is_awaited = request->state == WEFT__REQUEST_DECIDING;
    weft__turn_begin(loop);
    if (is_awaited && !letter->plan) {
        weft__request_send_answer(request, &letter->answer, letter->keep_alive);
    } else if (!is_awaited || open_connection(letter) != WEFT_OK) {
        give_context_back(letter);
        if (is_awaited) weft__request_abort(&request->link);
    }
    free_letter(letter);
    weft__turn_end(loop);
}

static void send_letter(answer_mail *letter)
{
    weft_loop *loop = letter->request->loop;
    if (weft_loop_is_current(loop)) {
        open_answer_mail(loop, &letter->mail);
    } else if (!weft__loop_send(loop, &letter->mail)) {
        give_context_back(letter);
        free_letter(letter);
    }
}

static void open_drop_mail(weft_loop *loop, weft__mail *mail)
{
    weft_request *request = WEFT__CONTAINER(mail, weft_request, drop_mail);
    weft__turn_begin(loop);
    if (request->state == WEFT__REQUEST_DECIDING) weft__request_abort(&request->link);
    weft__request_release(request);
    weft__turn_end(loop);
}

void weft_request_drop(weft_request *request)
{
    request->drop_mail.open = open_drop_mail;
    if (weft_loop_is_current(request->loop)) {
        open_drop_mail(request->loop, &request->drop_mail);
    } else if (!weft__loop_send(request->loop, &request->drop_mail)) {
        weft__request_release(request);
    }
}

/* -- on the caller's thread ---------------------------------------------------------------------- */

static void put_detail(char *detail, size_t size, const char *text)
{
    if (size) snprintf(detail, size, "%s", text);
}

void weft_acceptance_init_sized(weft_acceptance *acceptance, size_t size)
{
    const weft_acceptance defaults = {0};
    weft__config_init(acceptance, size, &defaults, sizeof defaults);
}

static weft_status check_acceptance(const weft_request *request, const weft_acceptance *acceptance,
                                    char *detail, size_t detail_size)
{
    weft__problem problem;
    weft_status status = weft__upgrade_check_fields(acceptance->fields, acceptance->field_count, &problem);
    if (status != WEFT_OK) {
        put_detail(detail, detail_size, problem.text);
        return status;
    }
    if (!acceptance->subprotocol.length) return WEFT_OK;
    if (weft__upgrade_offers_subprotocol(&request->head, acceptance->subprotocol)) return WEFT_OK;
    put_detail(detail, detail_size, "the client did not offer this subprotocol");
    return WEFT_EINVAL;
}

static weft_status write_acceptance(answer_mail *letter, const weft_acceptance *acceptance, char *detail,
                                    size_t detail_size)
{
    weft_request *request = letter->request;
    weft_service no_service;
    weft_service_init(&no_service);
    weft_status status =
        weft__plan_share(&letter->plan, &request->route->last_plan, WEFT_SERVER,
                         acceptance->service ? acceptance->service : &no_service, acceptance->config);
    if (status == WEFT_EINVAL) put_detail(detail, detail_size, "a setting of the connection is out of range");
    if (status != WEFT_OK) return status;
    weft__upgrade_answer answer = {
        .subprotocol = acceptance->subprotocol,
        .server = weft__string(request->listener->server),
        .fields = acceptance->fields,
        .field_count = acceptance->field_count,
    };
    status = weft__upgrade_write_answer(&letter->answer, &request->head, &answer);
    if (status != WEFT_OK) return status;
    return weft__buffer_append(&letter->subprotocol, acceptance->subprotocol.bytes,
                               acceptance->subprotocol.length, SIZE_MAX);
}

/* A letter that failed leaves the request unanswered, and so held. */
static void drop_letter(answer_mail *letter)
{
    weft__plan_release(letter->plan);
    weft__buffer_clear(&letter->answer);
    weft__buffer_clear(&letter->subprotocol);
    weft__free(letter);
}

weft_status weft_request_accept(weft_request *request, const weft_acceptance *given, char *detail,
                                size_t detail_size)
{
    weft_acceptance acceptance;
    weft_acceptance_init(&acceptance);
    put_detail(detail, detail_size, "");
    if (weft__config_take(&acceptance, given, sizeof acceptance) != WEFT_OK) return WEFT_EINVAL;
    if (!request->is_upgrade) return WEFT_ESTATE;
    weft_status status = check_acceptance(request, &acceptance, detail, detail_size);
    if (status != WEFT_OK) return status;

    answer_mail *letter = weft__alloc_zeroed(sizeof *letter);
    if (!letter) return WEFT_ENOMEM;
    letter->mail.open = open_answer_mail;
    letter->request = request;
    letter->context = acceptance.context;
    status = write_acceptance(letter, &acceptance, detail, detail_size);
    if (status == WEFT_OK) {
        send_letter(letter);
    } else {
        drop_letter(letter);
    }
    return status;
}

void weft_response_init_sized(weft_response *response, size_t size)
{
    const weft_response defaults = {.status = 200};
    weft__config_init(response, size, &defaults, sizeof defaults);
}

static weft_status write_response(answer_mail *letter, const weft_response *response)
{
    const weft_request *request = letter->request;
    letter->keep_alive = request->head.keep_alive && !request->is_upgrade;
    weft__response answer = {
        .status = response->status,
        .keep_alive = letter->keep_alive,
        .head_request = weft__string_equals(request->head.method, "HEAD"),
        .minor_version = request->head.minor_version,
        .server = weft__string(request->listener->server),
        .body = response->body,
        .fields = response->fields,
        .field_count = response->field_count,
    };
    return weft__response_write(&letter->answer, &answer);
}

weft_status weft_request_respond(weft_request *request, const weft_response *given, char *detail,
                                 size_t detail_size)
{
    weft_response response;
    weft_response_init(&response);
    put_detail(detail, detail_size, "");
    if (weft__config_take(&response, given, sizeof response) != WEFT_OK) return WEFT_EINVAL;
    if (response.status < 200 || response.status > 599) {
        put_detail(detail, detail_size, "the status is not in 200 to 599");
        return WEFT_EINVAL;
    }
    weft__problem problem;
    weft_status status = weft__upgrade_check_fields(response.fields, response.field_count, &problem);
    if (status != WEFT_OK) {
        put_detail(detail, detail_size, problem.text);
        return status;
    }
    answer_mail *letter = weft__alloc_zeroed(sizeof *letter);
    if (!letter) return WEFT_ENOMEM;
    letter->mail.open = open_answer_mail;
    letter->request = request;
    status = write_response(letter, &response);
    if (status == WEFT_OK) {
        send_letter(letter);
    } else {
        drop_letter(letter);
    }
    return status;
}
