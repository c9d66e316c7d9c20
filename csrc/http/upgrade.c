#include "http/upgrade.h"

#include "http/extension.h"
#include "http/writer.h"

bool weft__upgrade_is_asked(const weft__head *request)
{
    return weft__fields_list_token(&request->fields, "Upgrade", "websocket") ||
           weft__fields_find(&request->fields, "Sec-WebSocket-Key") != NULL;
}

/* RFC 6455 section 4.2.1, items 1, 3 and 4. */
static weft_status check_upgrade(const weft__head *request, weft__problem *problem)
{
    if (!weft__string_equals(request->method, "GET")) {
        return weft__problem_set(problem, 405, "method of an upgrade request is not GET");
    }
    if (request->minor_version == 0) return weft__problem_set(problem, 400, "HTTP/1.0 has no upgrade");
    if (!weft__fields_list_token(&request->fields, "Upgrade", "websocket")) {
        return weft__problem_set(problem, 400, "Upgrade does not list websocket");
    }
    if (!weft__fields_list_token(&request->fields, "Connection", "Upgrade")) {
        return weft__problem_set(problem, 400, "Connection does not list Upgrade");
    }
    /* A body would be read as frames by one side and as a body by the other. */
    if (request->chunked || request->content_length > 0) {
        return weft__problem_set(problem, 400, "upgrade request has a body");
    }
    return WEFT_OK;
}

/* Item 6, and RFC 6455 section 4.4 for the answer 426. */
static weft_status check_version(const weft__fields *fields, weft__problem *problem)
{
    size_t count = weft__fields_count(fields, "Sec-WebSocket-Version");
    if (count == 0) return weft__problem_set(problem, 426, "Sec-WebSocket-Version is missing");
    if (count > 1) return weft__problem_set(problem, 426, "Sec-WebSocket-Version is repeated");
    if (!weft__string_equals(weft__fields_find(fields, "Sec-WebSocket-Version")->value, "13")) {
        return weft__problem_set(problem, 426, "Sec-WebSocket-Version is not 13");
    }
    return WEFT_OK;
}

/* Item 5. */
static weft_status check_key(const weft__fields *fields, weft__problem *problem)
{
    size_t count = weft__fields_count(fields, "Sec-WebSocket-Key");
    if (count == 0) return weft__problem_set(problem, 400, "Sec-WebSocket-Key is missing");
    if (count > 1) return weft__problem_set(problem, 400, "Sec-WebSocket-Key is repeated");
    if (!weft__upgrade_is_key(weft__fields_find(fields, "Sec-WebSocket-Key")->value)) {
        return weft__problem_set(problem, 400, "Sec-WebSocket-Key is not 16 bytes of base64");
    }
    return WEFT_OK;
}

static weft__list_walk subprotocols_of(const weft__fields *fields)
{
    return (weft__list_walk){.fields = fields, .name = "Sec-WebSocket-Protocol"};
}

/* Item 8: the elements are tokens (RFC 6455 section 4.3). */
static weft_status check_subprotocols(const weft__fields *fields, weft__problem *problem)
{
    weft__list_walk walk = subprotocols_of(fields);
    weft_string element;
    while (weft__list_walk_next(&walk, &element)) {
        if (weft__is_token(element)) continue;
        return weft__problem_set(problem, 400, "Sec-WebSocket-Protocol lists something that is no token");
    }
    return WEFT_OK;
}

/* Item 9, and RFC 6455 section 9.1: what breaks the grammar ends the handshake. */
static weft_status check_extensions(const weft__fields *fields, weft__problem *problem)
{
    if (weft__extensions_are_well_formed(fields)) return WEFT_OK;
    return weft__problem_set(problem, 400, "Sec-WebSocket-Extensions is malformed");
}

weft_status weft__upgrade_check_request(const weft__head *request, weft__problem *problem)
{
    weft_status status = check_upgrade(request, problem);
    if (status == WEFT_OK) status = check_version(&request->fields, problem);
    if (status == WEFT_OK) status = check_key(&request->fields, problem);
    if (status == WEFT_OK) status = check_subprotocols(&request->fields, problem);
    if (status == WEFT_OK) status = check_extensions(&request->fields, problem);
    return status;
}

const weft_field *weft__upgrade_refusal_fields(uint16_t http_status, size_t *count)
{
    static const weft_field allowed = {{"Allow", 5}, {"GET", 3}};
    static const weft_field upgrade[WEFT__REFUSAL_FIELDS] = {
        {{"Upgrade", 7}, {"websocket", 9}},
        {{"Sec-WebSocket-Version", 21}, {"13", 2}},
    };
    *count = http_status == 426 ? WEFT__REFUSAL_FIELDS : http_status == 405;
    return http_status == 426 ? upgrade : &allowed;
}

const char *weft__upgrade_refusal_connection(uint16_t http_status)
{
    return http_status == 426 ? "Upgrade, close" : "close";
}

weft_string weft__upgrade_find_subprotocol(const weft__head *request, weft_string subprotocol)
{
    weft__list_walk walk = subprotocols_of(&request->fields);
    weft_string element;
    while (weft__list_walk_next(&walk, &element)) {
        if (weft__string_is_same(element, subprotocol)) return element;
    }
    return (weft_string){0};
}

bool weft__upgrade_offers_subprotocol(const weft__head *request, weft_string subprotocol)
{
    return weft__upgrade_find_subprotocol(request, subprotocol).length > 0;
}

weft_string weft__upgrade_choose_subprotocol(const weft__head *request, const weft_string *supported,
                                             size_t count)
{
    weft__list_walk walk = subprotocols_of(&request->fields);
    weft_string element;
    while (weft__list_walk_next(&walk, &element)) {
        for (size_t i = 0; i < count; i++) {
            if (weft__string_equals(supported[i], "*")) return element;
            if (weft__string_is_same(supported[i], element)) return element;
        }
    }
    return (weft_string){0};
}

static bool is_owned(weft_string name)
{
    static const char *const owned[] = {"Upgrade", "Connection", "Content-Length", "Transfer-Encoding"};
    const weft_string family = weft__string("Sec-WebSocket-");
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) {
        if (weft__string_equals_ignoring_case(name, owned[i])) return true;
    }
    if (name.length < family.length) return false;
    return weft__string_is_same_ignoring_case((weft_string){name.bytes, family.length}, family);
}

/* What is wrong with a field, given those before it; NULL when nothing is. */
static const char *field_fault(const weft_field *field, size_t *hosts, size_t *origins)
{
    if (!weft__is_token(field->name)) return "is no valid field name";
    if (!weft__is_field_value(field->value)) return "has a value with a control character";
    if (is_owned(field->name)) return "is a field that only Weft itself may write";
    if (weft__string_equals_ignoring_case(field->name, "Host") && ++*hosts > 1) return "is repeated";
    if (weft__string_equals_ignoring_case(field->name, "Origin") && ++*origins > 1) return "is repeated";
    return NULL;
}

weft_status weft__upgrade_check_fields(const weft_field *fields, size_t count, weft__problem *problem)
{
    const size_t longest_quoted = 64;
    size_t hosts = 0, origins = 0;
    if (!fields && count > 0) {
        weft__problem_set(problem, 0, "fields are missing");
        return WEFT_EINVAL;
    }
    for (size_t i = 0; i < count; i++) {
        const char *fault = field_fault(&fields[i], &hosts, &origins);
        if (!fault) continue;
        weft_string name = fields[i].name;
        int length = (int)(name.length < longest_quoted ? name.length : longest_quoted);
        weft__problem_set(problem, 0, "\"%.*s\" %s", length, length ? name.bytes : "", fault);
        return WEFT_EINVAL;
    }
    return WEFT_OK;
}

weft_status weft__upgrade_write_answer(weft__buffer *out, const weft__head *request,
                                       const weft__upgrade_answer *answer)
{
    char accept[WEFT__ACCEPT_LENGTH + 1];
    const weft_field *key = weft__fields_find(&request->fields, "Sec-WebSocket-Key");
    if (!key) return WEFT_EINVAL;
    weft_status status = weft__upgrade_accept_key(accept, key->value);
    if (status != WEFT_OK) return status;

    weft__writer writer = weft__writer_begin(out);
    weft__writer_text(&writer,
                      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n");
    weft__writer_optional(&writer, "Sec-WebSocket-Accept", weft__string(accept));
    weft__writer_optional(&writer, "Sec-WebSocket-Protocol", answer->subprotocol);
    weft__writer_optional(&writer, "Sec-WebSocket-Extensions", answer->extensions);
    weft__writer_optional(&writer, "Server", answer->server);
    weft__writer_fields(&writer, answer->fields, answer->field_count);
    weft__writer_text(&writer, "\r\n");
    return weft__writer_end(&writer);
}
