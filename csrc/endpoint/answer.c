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

struct weft__answer {
    weft__mail mail;
    weft_request *request;  /* one hold */
    weft__buffer bytes;     /* a whole 101, or a response that lacks its Connection field */
    const char *connection; /* its value, where the answer is the library's own; else NULL */
    weft__plan *plan;       /* of an accepted upgrade, else NULL */
    void *context;
    weft__buffer subprotocol;
};

/* -- on the loop --------------------------------------------------------------------------------- */

static weft_status open_connection(weft__answer *answer)
{
    weft__http_connection *http = answer->request->connection;
    weft__site *site = answer->request->site;
    weft__connection_start start = {
        .plan = answer->plan,
        .context = answer->context,
        .stream = http->stream,
        .host = &site->host,
        .subprotocol = {(const char *)weft__buffer_front(&answer->subprotocol),
                        weft__buffer_length(&answer->subprotocol)},
    };
    weft_connection *connection;
    weft__buffer *output = weft__stream_output(http->stream);
    if (!output) return WEFT_ENOMEM;
    size_t length = weft__buffer_length(&answer->bytes);
    weft_status status = weft__buffer_append(output, weft__buffer_front(&answer->bytes), length, SIZE_MAX);
    if (status == WEFT_OK) status = weft__connection_new(&connection, &start);
    if (status != WEFT_OK) return status;

    answer->plan = NULL;
    weft__http_connection_hand_over(http);
    weft__site_move_connection(http->site, site);
    weft__connection_run(connection, weft__buffer_front(&http->input), weft__buffer_length(&http->input));
    if (site->is_stopping) weft__site_stop_connection(site, connection);
    weft_connection_release(connection);
    return WEFT_OK;
}

static weft_status send_response(weft__answer *answer, bool is_last)
{
    weft_request *request = answer->request;
    weft__buffer *output = weft__stream_output(request->connection->stream);
    const char *connection = answer->connection;
    if (!connection) connection = weft__response_connection(!is_last, request->head.minor_version);
    weft_status status = output ? weft__response_append(output, &answer->bytes, connection) : WEFT_ENOMEM;
    if (status == WEFT_OK) weft__request_leave(request);
    return status;
}

static void free_answer(weft__answer *answer)
{
    weft__plan_release(answer->plan);
    weft__buffer_clear(&answer->bytes);
    weft__buffer_clear(&answer->subprotocol);
    weft__free(answer);
}

void weft__answer_discard(weft__answer *answer)
{
    weft_request *request = answer->request;
    if (answer->plan && answer->plan->service.on_release) answer->plan->service.on_release(answer->context);
    free_answer(answer);
    weft__request_release(request);
}

bool weft__answer_send(weft_request *request, bool is_last)
{
    weft__answer *answer = request->answer;
    request->answer = NULL;
    weft_status status = answer->plan ? open_connection(answer) : send_response(answer, is_last);
    weft__answer_discard(answer); /* an opened connection has taken the plan */
    return status == WEFT_OK;
}

static void open_answer_mail(weft_loop *loop, weft__mail *mail)
{
    weft__answer *answer = WEFT__CONTAINER(mail, weft__answer, mail);
    weft_request *request = answer->request;
    weft__turn_begin(loop);
    if (request->state == WEFT__REQUEST_DECIDING) {
        request->state = WEFT__REQUEST_ANSWERED;
        request->answer = answer;
        weft__http_connection_send_answers(request->connection);
    } else {
        weft__answer_discard(answer);
    }
    weft__turn_end(loop);
}

static void send_to_loop(weft__answer *answer)
{
    weft_loop *loop = answer->request->loop;
    if (weft_loop_is_current(loop)) {
        open_answer_mail(loop, &answer->mail);
    } else if (!weft__loop_send(loop, &answer->mail)) {
        weft__answer_discard(answer);
    }
}

static void open_drop_mail(weft_loop *loop, weft__mail *mail)
{
    weft_request *request = WEFT__CONTAINER(mail, weft_request, drop_mail);
    weft__turn_begin(loop);
    if (request->connection) weft__http_connection_abort(request->connection);
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
    if (detail) snprintf(detail, size, "%s", text);
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
    put_detail(detail, detail_size, "subprotocol: the client did not offer it");
    return WEFT_EINVAL;
}

/* Settings of the acceptance's own, or the listener's. */
static weft_status compression_of(weft_compression *out, const weft_request *request,
                                  const weft_acceptance *acceptance, char *detail, size_t detail_size)
{
    weft__problem problem;
    *out = request->listener->compression;
    if (!acceptance->compression) return WEFT_OK;
    weft_status status = weft__compression_take(out, acceptance->compression, WEFT_SERVER, &problem);
    if (status != WEFT_OK) put_detail(detail, detail_size, problem.text);
    return status;
}

static weft_status write_acceptance(weft__answer *answer, const weft_acceptance *acceptance, char *detail,
                                    size_t detail_size)
{
    weft_request *request = answer->request;
    weft_service no_service;
    weft_service_init(&no_service);
    char extensions[WEFT__EXTENSION_MAX];
    weft_compression settings, agreed;
    weft_status status = compression_of(&settings, request, acceptance, detail, detail_size);
    if (status != WEFT_OK) return status;
    weft_string extension = weft__compression_accept(extensions, &agreed, &request->head.fields, &settings);
    const weft_service *service = acceptance->service ? acceptance->service : &no_service;
    status = weft__plan_share(&answer->plan, &request->route->last_plan, WEFT_SERVER, service,
                              acceptance->config, &agreed);
    if (status == WEFT_EINVAL)
        put_detail(detail, detail_size, weft__plan_problem(service, acceptance->config));
    if (status != WEFT_OK) return status;
    weft__upgrade_answer head = {
        .subprotocol = acceptance->subprotocol,
        .extensions = extension,
        .server = weft__string(request->listener->server),
        .fields = acceptance->fields,
        .field_count = acceptance->field_count,
    };
    status = weft__upgrade_write_answer(&answer->bytes, &request->head, &head);
    if (status != WEFT_OK) return status;
    return weft__buffer_append(&answer->subprotocol, acceptance->subprotocol.bytes,
                               acceptance->subprotocol.length, SIZE_MAX);
}

static weft__answer *new_answer(weft_request *request)
{
    weft__answer *answer = weft__alloc_zeroed(sizeof *answer);
    if (!answer) return NULL;
    answer->mail.open = open_answer_mail;
    answer->request = request;
    return answer;
}

/* One that could not be written leaves the request unanswered, and so held. */
static weft_status send_if_written(weft__answer *answer, weft_status status)
{
    if (status == WEFT_OK) {
        send_to_loop(answer);
    } else {
        free_answer(answer);
    }
    return status;
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

    weft__answer *answer = new_answer(request);
    if (!answer) return WEFT_ENOMEM;
    answer->context = acceptance.context;
    return send_if_written(answer, write_acceptance(answer, &acceptance, detail, detail_size));
}

void weft_response_init_sized(weft_response *response, size_t size)
{
    const weft_response defaults = {.status = 200};
    weft__config_init(response, size, &defaults, sizeof defaults);
}

static weft_status write_response(weft__answer *answer, const weft_response *response)
{
    const weft_request *request = answer->request;
    const weft__response whole = {
        .status = response->status,
        .head_request = weft__string_equals(request->head.method, "HEAD"),
        .server = weft__string(request->listener->server),
        .body = response->body,
        .fields = response->fields,
        .field_count = response->field_count,
    };
    return weft__response_write(&answer->bytes, &whole);
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
    weft__answer *answer = new_answer(request);
    if (!answer) return WEFT_ENOMEM;
    return send_if_written(answer, write_response(answer, &response));
}

weft__answer *weft__answer_refuse(weft_request *request, const weft__problem *problem)
{
    weft__answer *answer = new_answer(request);
    if (!answer) return NULL;
    weft_field fields[1 + WEFT__REFUSAL_FIELDS] = {
        {weft__string("Content-Type"), weft__string("text/plain; charset=utf-8")}};
    size_t count;
    const weft_field *required = weft__upgrade_refusal_fields(problem->http_status, &count);
    memcpy(fields + 1, required, count * sizeof *required);
    const weft_response response = {
        .status = problem->http_status,
        .fields = fields,
        .field_count = count + 1,
        .body = weft__string(problem->text),
    };
    answer->connection = weft__upgrade_refusal_connection(problem->http_status);
    if (write_response(answer, &response) != WEFT_OK) {
        free_answer(answer);
        return NULL;
    }
    weft__request_retain(request); /* as the application's hold passes to its answer */
    return answer;
}
