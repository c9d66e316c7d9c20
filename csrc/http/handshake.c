#include "weft/handshake.h"

#include "base/allocator.h"
#include "base/config.h"
#include "http/upgrade.h"

#include <string.h>

/* The defaults of a listener, as the public header has them. */
static const weft__head_limits limits = {
    .max_uri_length = 4096,
    .max_header_size = 8192,
    .max_fields = WEFT__MOST_FIELDS,
};

enum {
    /* More than the limits let through: the target and the fields, then an empty line before the request,
     * the method, the version and the line ends. The parser refuses before the input is full. */
    LONGEST_HEAD = 4096 + 8192 + 128,
};

struct weft_handshake {
    weft_handshake_state state;
    bool is_client;
    uint16_t http_status;
    weft__buffer input; /* the peer's head; taken from its front are only interim answers */
    unsigned interim_answers;
    weft__buffer output;
    weft__head head;              /* views into `input`, all zero before it is whole */
    weft_string subprotocol;      /* the chosen one, a view into `input` */
    weft_compression compression; /* settings; once open, what was agreed */
    weft__problem problem;

    /* Client only, fixed after new. */
    char *copies; /* what `url` and `offer` point into */
    weft__url url;
    weft__upgrade_offer offer;
    char key[WEFT__KEY_LENGTH + 1];
};

void weft_handshake_client_config_init_sized(weft_handshake_client_config *config, size_t size)
{
    const weft_handshake_client_config defaults = {0};
    weft__config_init(config, size, &defaults, sizeof defaults);
}

weft_status weft_handshake_new_server(weft_handshake **out)
{
    *out = weft__alloc_zeroed(sizeof **out);
    return *out ? WEFT_OK : WEFT_ENOMEM;
}

void weft_handshake_free(weft_handshake *handshake)
{
    if (!handshake) return;
    weft__head_clear(&handshake->head);
    weft__buffer_clear(&handshake->input);
    weft__buffer_clear(&handshake->output);
    weft__free(handshake->copies);
    weft__free(handshake);
}

static weft_string copy(char **end, weft_string string)
{
    weft_string copied = {*end, string.length};
    if (string.length > 0) memcpy(*end, string.bytes, string.length);
    *end += string.length;
    return copied;
}

/* The URL and the subprotocols outlive the config: the answer is checked against them. */
static weft_status copy_config(weft_handshake *client, const weft_handshake_client_config *config)
{
    weft__problem *problem = &client->problem;
    if (config->url.length > SIZE_MAX - config->subprotocols.length) return WEFT_EINVAL;
    client->copies = weft__alloc(config->url.length + config->subprotocols.length);
    if (!client->copies) return WEFT_ENOMEM;
    char *end = client->copies;
    weft_string url = copy(&end, config->url);
    client->offer.subprotocols = copy(&end, config->subprotocols);
    client->offer.url = &client->url;
    client->offer.compression = &client->compression;
    return weft__url_parse(&client->url, url, problem);
}

static weft_status start_client(weft_handshake *client, const weft_handshake_client_config *config)
{
    weft_status status = copy_config(client, config);
    if (status != WEFT_OK) return status;
    if (!weft__upgrade_is_subprotocol_list(config->subprotocols)) return WEFT_EINVAL;
    status = weft__upgrade_check_fields(config->fields, config->field_count, &client->problem);
    if (status != WEFT_OK) return status;
    if (config->compression) {
        status =
            weft__compression_take(&client->compression, config->compression, WEFT_CLIENT, &client->problem);
        if (status != WEFT_OK) return status;
    }
    status = weft__upgrade_make_key(client->key);
    if (status != WEFT_OK) return status;

    weft__upgrade_offer offer = client->offer;
    offer.fields = config->fields;
    offer.field_count = config->field_count;
    return weft__upgrade_write_request(&client->output, &offer, client->key);
}

weft_status weft_handshake_new_client(weft_handshake **out, const weft_handshake_client_config *given)
{
    *out = NULL;
    weft_handshake_client_config config;
    weft_handshake_client_config_init(&config);
    if (weft__config_take(&config, given, sizeof config) != WEFT_OK) return WEFT_EINVAL;
    weft_handshake *client = weft__alloc_zeroed(sizeof *client);
    if (!client) return WEFT_ENOMEM;
    client->is_client = true;
    weft_status status = start_client(client, &config);
    if (status != WEFT_OK) {
        weft_handshake_free(client);
        return status;
    }
    *out = client;
    return WEFT_OK;
}

/* A server's plain answer to a request that is not upgraded. */
static weft_status write_refusal(weft_handshake *server, uint16_t http_status, weft_string body)
{
    const weft_field text = {weft__string("Content-Type"), weft__string("text/plain; charset=utf-8")};
    weft_field fields[1 + WEFT__REFUSAL_FIELDS] = {text};
    size_t count;
    const weft_field *required = weft__upgrade_refusal_fields(http_status, &count);
    memcpy(fields + 1, required, count * sizeof *required);
    weft__response response = {
        .status = http_status,
        .connection = weft__string(weft__upgrade_refusal_connection(http_status)),
        .body = body,
        .fields = fields,
        .field_count = count + 1,
    };
    response.head_request = weft__string_equals(server->head.method, "HEAD");
    return weft__response_write(&server->output, &response);
}

/* Both sides give up; `reason` is handed back unless even the refusal has no room. */
static weft_status fail(weft_handshake *handshake, weft_status reason)
{
    const weft__problem *problem = &handshake->problem;
    if (!handshake->is_client) {
        weft_status status = write_refusal(handshake, problem->http_status, weft__string(problem->text));
        if (status != WEFT_OK) return status;
    }
    handshake->state = WEFT_HANDSHAKE_FAILED;
    handshake->http_status = problem->http_status;
    return reason;
}

static weft_status decide_as_server(weft_handshake *server)
{
    if (weft__upgrade_check_request(&server->head, &server->problem) != WEFT_OK) {
        return fail(server, WEFT_EHANDSHAKE);
    }
    server->state = WEFT_HANDSHAKE_DECIDING;
    return WEFT_OK;
}

static weft_status decide_as_client(weft_handshake *client)
{
    weft_compression agreed;
    weft_status status = weft__upgrade_check_answer(&client->head, &client->offer, client->key,
                                                    &client->subprotocol, &agreed, &client->problem);
    if (status == WEFT_EHANDSHAKE) return fail(client, status);
    if (status != WEFT_OK) return status;
    client->compression = agreed;
    client->http_status = client->head.status;
    client->state = WEFT_HANDSHAKE_OPEN;
    return WEFT_OK;
}

/* True when the head was an interim answer, which is gone then; too many of them fail the handshake. */
static bool passes_interim(weft_handshake *handshake, size_t used, weft_status *status)
{
    if (!handshake->is_client || !weft__upgrade_answer_is_interim(&handshake->head)) return false;
    weft__head_clear(&handshake->head);
    handshake->input.start += used;
    *status = weft__upgrade_pass_interim(&handshake->interim_answers, &handshake->problem);
    if (*status != WEFT_OK) fail(handshake, *status);
    return true;
}

/* Parses what has arrived and acts on a whole head, behind which the input then ends. */
static weft_status read_head(weft_handshake *handshake)
{
    weft__buffer *input = &handshake->input;
    weft_status status = WEFT_OK;
    while (status == WEFT_OK) {
        const char *bytes = (const char *)weft__buffer_front(input);
        size_t length = weft__buffer_length(input);
        int64_t used =
            handshake->is_client
                ? weft__head_parse_response(&handshake->head, bytes, length, &limits, &handshake->problem)
                : weft__head_parse_request(&handshake->head, bytes, length, &limits, &handshake->problem);
        if (used == WEFT_EHTTP) return fail(handshake, WEFT_EHTTP);
        if (used <= 0) return (weft_status)used;
        if (passes_interim(handshake, (size_t)used, &status)) continue;
        input->end = input->start + (size_t)used;
        return handshake->is_client ? decide_as_client(handshake) : decide_as_server(handshake);
    }
    return status;
}

weft_status weft_handshake_receive(weft_handshake *handshake, const uint8_t *bytes, size_t length,
                                   size_t *used)
{
    *used = 0;
    if (handshake->state != WEFT_HANDSHAKE_READING) return WEFT_ESTATE;
    size_t held = weft__buffer_length(&handshake->input);
    size_t taken = length < LONGEST_HEAD - held ? length : LONGEST_HEAD - held;
    weft_status status = weft__buffer_append(&handshake->input, bytes, taken, LONGEST_HEAD);
    if (status != WEFT_OK) return status;

    size_t start = handshake->input.start;
    unsigned interim_answers = handshake->interim_answers;
    status = read_head(handshake);
    if (handshake->state == WEFT_HANDSHAKE_READING && status != WEFT_OK) {
        /* Memory ran out: as if nothing had come. */
        weft__head_clear(&handshake->head);
        handshake->input.start = start;
        handshake->input.end = start + held;
        handshake->interim_answers = interim_answers;
        return status;
    }
    *used = handshake->input.end - start - held;
    return status;
}

weft_handshake_state weft_handshake_get_state(const weft_handshake *handshake)
{
    return handshake->state;
}

weft_status weft_handshake_set_compression(weft_handshake *handshake, const weft_compression *compression)
{
    weft__problem problem;
    weft_compression taken;
    bool may_still_agree =
        handshake->state == WEFT_HANDSHAKE_READING || handshake->state == WEFT_HANDSHAKE_DECIDING;
    if (handshake->is_client || !may_still_agree) return WEFT_ESTATE;
    weft_status status = weft__compression_take(&taken, compression, WEFT_SERVER, &problem);
    if (status == WEFT_OK) handshake->compression = taken;
    return status;
}

weft_status weft_handshake_accept(weft_handshake *handshake, weft_string subprotocol,
                                  const weft_field *fields, size_t field_count)
{
    weft__problem problem;
    weft_compression agreed;
    char extensions[WEFT__EXTENSION_MAX];
    if (handshake->state != WEFT_HANDSHAKE_DECIDING) return WEFT_ESTATE;
    weft_string chosen = weft__upgrade_find_subprotocol(&handshake->head, subprotocol);
    if (chosen.length != subprotocol.length) return WEFT_EINVAL;
    if (weft__upgrade_check_fields(fields, field_count, &problem) != WEFT_OK) return WEFT_EINVAL;
    weft__upgrade_answer answer = {.subprotocol = chosen, .fields = fields, .field_count = field_count};
    answer.extensions =
        weft__compression_accept(extensions, &agreed, &handshake->head.fields, &handshake->compression);
    weft_status status = weft__upgrade_write_answer(&handshake->output, &handshake->head, &answer);
    if (status != WEFT_OK) return status;
    handshake->subprotocol = chosen;
    handshake->compression = agreed;
    handshake->http_status = 101;
    handshake->state = WEFT_HANDSHAKE_OPEN;
    return WEFT_OK;
}

weft_status weft_handshake_reject(weft_handshake *handshake, uint16_t status, weft_string body)
{
    if (handshake->state != WEFT_HANDSHAKE_DECIDING) return WEFT_ESTATE;
    if (status < 400 || status > 599) return WEFT_EINVAL;
    weft_status written = write_refusal(handshake, status, body);
    if (written != WEFT_OK) return written;
    weft__problem_set(&handshake->problem, status, "rejected with %u", (unsigned)status);
    handshake->http_status = status;
    handshake->state = WEFT_HANDSHAKE_FAILED;
    return WEFT_OK;
}

void weft_handshake_output(const weft_handshake *handshake, const uint8_t **bytes, size_t *length)
{
    *length = weft__buffer_length(&handshake->output);
    *bytes = *length ? weft__buffer_front(&handshake->output) : NULL;
}

void weft_handshake_consume_output(weft_handshake *handshake, size_t length)
{
    weft__buffer_consume(&handshake->output, length);
}

weft_string weft_handshake_target(const weft_handshake *handshake)
{
    return handshake->head.target;
}

weft_string weft_handshake_field(const weft_handshake *handshake, const char *name)
{
    const weft_field *field = weft__fields_find(&handshake->head.fields, name);
    return field ? field->value : (weft_string){0};
}

weft_string weft_handshake_subprotocol(const weft_handshake *handshake)
{
    return handshake->subprotocol;
}

const weft_compression *weft_handshake_compression(const weft_handshake *handshake)
{
    bool is_agreed = handshake->state == WEFT_HANDSHAKE_OPEN && handshake->compression.enabled;
    return is_agreed ? &handshake->compression : NULL;
}

uint16_t weft_handshake_http_status(const weft_handshake *handshake)
{
    return handshake->http_status;
}

const char *weft_handshake_detail(const weft_handshake *handshake)
{
    return handshake->state == WEFT_HANDSHAKE_FAILED ? handshake->problem.text : "";
}
