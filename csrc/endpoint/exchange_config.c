/* What an exchange copies on its caller's thread before it starts. */
#include "endpoint/exchange.h"

#include "base/config.h"
#include "http/request_writer.h"
#include "http/upgrade.h"

#include <stdio.h>

enum {
    MAX_BODY_SIZE = 1024 * 1024,
    TIMEOUT_MS = 30000
};

void weft_exchange_config_init_sized(weft_exchange_config *config, size_t size)
{
    const weft_exchange_config defaults = {
        .method = {"GET", 3},
        .max_body_size = MAX_BODY_SIZE,
        .timeout_ms = TIMEOUT_MS,
    };
    weft__config_init(config, size, &defaults, sizeof defaults);
}

static weft_status check(const weft_exchange_config *config, weft__problem *problem)
{
    const char *wrong = NULL;
    if (!weft__request_is_method(config->method))
        wrong = "method is not a token of at most 32 characters other than CONNECT";
    if (config->body.length && !config->body.bytes) wrong = "body is missing";
    if (!wrong) return weft__upgrade_check_fields(config->fields, config->field_count, problem);
    weft__problem_set(problem, 0, "%s", wrong);
    return WEFT_EINVAL;
}

static weft_status take_server(weft__destination *server, const weft_exchange_config *config,
                               weft__problem *problem)
{
    return weft__destination_init(server, config->url, weft__url_parse_http, config->tls, problem);
}

weft_status weft_exchange_check(const weft_exchange_config *given, char *detail, size_t detail_size)
{
    weft_exchange_config config;
    weft__destination server = {0};
    weft__problem problem;
    weft_exchange_config_init(&config);
    weft_status status = weft__config_take(&config, given, sizeof config);
    weft__problem_set(&problem, 0, "%s", weft_status_text(status));
    if (status == WEFT_OK) status = check(&config, &problem);
    if (status == WEFT_OK) status = take_server(&server, &config, &problem);
    weft__destination_clear(&server);
    if (detail_size) snprintf(detail, detail_size, "%s", status == WEFT_OK ? "" : problem.text);
    return status;
}

static weft_status write_request(weft_exchange *exchange, const weft_exchange_config *config,
                                 weft__problem *problem)
{
    const weft__plain_request request = {
        .method = config->method,
        .url = &exchange->server.url,
        .fields = config->fields,
        .field_count = config->field_count,
        .body = config->body,
    };
    weft_status status = weft__request_write(&exchange->request, &request);
    if (status != WEFT_OK) weft__problem_set(problem, 0, "%s", weft_status_text(status));
    return status;
}

weft_status weft__exchange_take_config(weft_exchange *exchange, const weft_exchange_config *config,
                                       weft__problem *problem)
{
    bool is_head = weft__string_equals(config->method, "HEAD");
    weft__response_reader_init(&exchange->answer, is_head, config->max_body_size);
    weft_status status = check(config, problem);
    if (status == WEFT_OK) status = take_server(&exchange->server, config, problem);
    return status == WEFT_OK ? write_request(exchange, config, problem) : status;
}
