/* What a client copies on its caller's thread before the first attempt. */
#include "endpoint/client.h"

#include "base/allocator.h"
#include "http/upgrade.h"

#include <string.h>

weft__upgrade_offer weft__client_offer(const weft_client *client)
{
    return (weft__upgrade_offer){
        .url = &client->server.url,
        .subprotocols = weft__string(client->subprotocols),
        .compression = &client->compression,
    };
}

weft_status weft__client_renew_key(weft_client *client)
{
    char key[WEFT__KEY_LENGTH + 1];
    weft_status status = weft__upgrade_make_key(key);
    if (status != WEFT_OK) return status;
    uint8_t *place = weft__buffer_front(&client->request);
    while (memcmp(place, client->key, WEFT__KEY_LENGTH) != 0)
        place++; /* it is there, and random enough to be nothing else */
    memcpy(place, key, WEFT__KEY_LENGTH);
    memcpy(client->key, key, sizeof key);
    return WEFT_OK;
}

static weft_status take_subprotocols(weft_client *client, weft_string list, weft__problem *problem)
{
    if (!list.length) return WEFT_OK;
    if (!weft__upgrade_is_subprotocol_list(list)) {
        weft__problem_set(problem, 0, "subprotocols: one is not a token, or is repeated");
        return WEFT_EINVAL;
    }
    client->subprotocols = weft__alloc(list.length + 1);
    if (!client->subprotocols) return WEFT_ENOMEM;
    memcpy(client->subprotocols, list.bytes, list.length);
    client->subprotocols[list.length] = '\0';
    return WEFT_OK;
}

/* Two of them would leave it to the server whom it believes. */
static weft_status check_authorization(const weft_client_config *config, weft__problem *problem)
{
    for (size_t i = 0; config->on_authorize && i < config->field_count; i++) {
        if (!weft__string_equals_ignoring_case(config->fields[i].name, "Authorization")) continue;
        weft__problem_set(problem, 0, "on_authorize: the fields have an Authorization already");
        return WEFT_EINVAL;
    }
    return WEFT_OK;
}

static weft_status write_request(weft_client *client, const weft_client_config *config,
                                 weft__problem *problem)
{
    weft_status status = weft__upgrade_check_fields(config->fields, config->field_count, problem);
    if (status == WEFT_OK) status = check_authorization(config, problem);
    if (status != WEFT_OK) return status;
    weft__upgrade_offer offer = weft__client_offer(client);
    offer.fields = config->fields;
    offer.field_count = config->field_count;
    status = weft__upgrade_make_key(client->key);
    if (status == WEFT_OK) status = weft__upgrade_write_request(&client->request, &offer, client->key);
    if (status != WEFT_OK) weft__problem_set(problem, 0, "%s", weft_status_text(status));
    return status;
}

static weft_status take_retry(weft_client *client, const weft_retry_config *config, weft__problem *problem)
{
    const char *wrong;
    weft_status status = weft__retry_init(&client->retry, config, &wrong);
    if (status != WEFT_OK) weft__problem_set(problem, 0, "%s", wrong);
    return status;
}

static weft_status take_service(weft_client *client, const weft_client_config *config, weft__problem *problem)
{
    weft_service no_service;
    weft_service_init(&no_service);
    const weft_service *service = config->service ? config->service : &no_service;
    weft_status status = weft__plan_new(&client->plan, WEFT_CLIENT, service, config->connection);
    if (status == WEFT_EINVAL)
        weft__problem_set(problem, 0, "%s", weft__plan_problem(service, config->connection));
    return status;
}

weft_status weft__client_take_config(weft_client *client, const weft_client_config *config,
                                     weft__problem *problem)
{
    weft_status status =
        weft__destination_init(&client->server, config->url, weft__url_parse, config->tls, problem);
    if (status == WEFT_OK) status = take_subprotocols(client, config->subprotocols, problem);
    if (status == WEFT_OK)
        status = weft__compression_take(&client->compression, config->compression, WEFT_CLIENT, problem);
    if (status == WEFT_OK) status = write_request(client, config, problem);
    if (status == WEFT_OK) status = take_retry(client, config->retry, problem);
    if (status == WEFT_OK)
        status = weft__proxy_init(&client->proxy, config->proxy, &client->server.url, problem);
    if (status == WEFT_OK) status = take_service(client, config, problem);
    if (status == WEFT_ENOMEM) weft__problem_set(problem, 0, "%s", weft_status_text(status));
    return status;
}
