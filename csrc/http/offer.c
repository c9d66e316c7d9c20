#include "http/offer.h"

#include "http/request_writer.h"

#include <openssl/crypto.h>

enum {
    MAX_INTERIM_ANSWERS = 16
};

static bool list_holds(weft_string list, weft_string wanted)
{
    weft_string element;
    while (weft__list_next(&list, &element)) {
        if (weft__string_is_same(element, wanted)) return true;
    }
    return false;
}

bool weft__upgrade_is_subprotocol_list(weft_string list)
{
    weft_string element;
    if (weft__string_trim(list).length != list.length) return false;
    while (weft__list_next(&list, &element)) {
        if (!weft__is_token(element) || list_holds(list, element)) return false;
    }
    return true;
}

weft_status weft__upgrade_write_request(weft__buffer *out, const weft__upgrade_offer *offer,
                                        const char key[WEFT__KEY_LENGTH + 1])
{
    char extensions[WEFT__EXTENSION_MAX];
    weft__writer writer = weft__writer_begin(out);
    weft__request_write_start(&writer, weft__string("GET"), offer->url, offer->fields, offer->field_count);
    weft__writer_text(&writer, "Upgrade: websocket\r\nConnection: Upgrade\r\n");
    weft__writer_optional(&writer, "Sec-WebSocket-Key", weft__string(key));
    weft__writer_text(&writer, "Sec-WebSocket-Version: 13\r\n");
    weft__writer_optional(&writer, "Sec-WebSocket-Protocol", offer->subprotocols);
    if (offer->compression)
        weft__writer_optional(&writer, "Sec-WebSocket-Extensions",
                              weft__compression_write_offer(extensions, offer->compression));
    weft__request_write_fields(&writer, offer->fields, offer->field_count);
    weft__writer_text(&writer, "\r\n");
    return weft__writer_end(&writer);
}

static const char *check_subprotocol(const weft__head *answer, weft_string offered, weft_string *chosen)
{
    size_t count = weft__fields_count(&answer->fields, "Sec-WebSocket-Protocol");
    if (count > 1) return "answer repeats Sec-WebSocket-Protocol";
    if (count == 0) return offered.length == 0 ? NULL : "answer chooses none of the offered subprotocols";
    weft_string value = weft__fields_find(&answer->fields, "Sec-WebSocket-Protocol")->value;
    if (!list_holds(offered, value)) return "answer chooses a subprotocol that was not offered";
    *chosen = value;
    return NULL;
}

static const char *check_accept(const weft__head *answer, const char *expected)
{
    size_t count = weft__fields_count(&answer->fields, "Sec-WebSocket-Accept");
    if (count == 0) return "answer has no Sec-WebSocket-Accept";
    if (count > 1) return "answer repeats Sec-WebSocket-Accept";
    weft_string value = weft__fields_find(&answer->fields, "Sec-WebSocket-Accept")->value;
    bool is_right =
        value.length == WEFT__ACCEPT_LENGTH && CRYPTO_memcmp(value.bytes, expected, WEFT__ACCEPT_LENGTH) == 0;
    return is_right ? NULL : "Sec-WebSocket-Accept does not belong to the key that was sent";
}

static const char *check_upgrade(const weft__head *answer)
{
    const weft_field *upgrade = weft__fields_find(&answer->fields, "Upgrade");
    if (answer->minor_version == 0) return "answer is HTTP/1.0, which has no upgrade";
    /* The value itself is websocket, no list that goes on to another protocol. */
    if (weft__fields_count(&answer->fields, "Upgrade") != 1 ||
        !weft__string_equals_ignoring_case(upgrade->value, "websocket")) {
        return "answer does not upgrade to websocket";
    }
    if (!weft__fields_list_token(&answer->fields, "Connection", "Upgrade")) {
        return "Connection of the answer does not list Upgrade";
    }
    return NULL;
}

weft_status weft__upgrade_check_answer(const weft__head *answer, const weft__upgrade_offer *offer,
                                       const char key[WEFT__KEY_LENGTH + 1], weft_string *subprotocol,
                                       weft_compression *agreed, weft__problem *problem)
{
    static const weft_compression no_offer = {0};
    char expected[WEFT__ACCEPT_LENGTH + 1];
    weft_string chosen = {0};
    *subprotocol = chosen;
    *agreed = no_offer;
    if (answer->status != 101) {
        weft__problem_set(problem, answer->status, "server answered %u instead of 101",
                          (unsigned)answer->status);
        return WEFT_EHANDSHAKE;
    }
    weft_status status = weft__upgrade_accept_key(expected, weft__string(key));
    if (status != WEFT_OK) return status;

    const char *fault = check_upgrade(answer);
    if (!fault) fault = check_accept(answer, expected);
    if (!fault) fault = check_subprotocol(answer, offer->subprotocols, &chosen);
    if (fault) {
        weft__problem_set(problem, answer->status, "%s", fault);
        return WEFT_EHANDSHAKE;
    }
    const weft_compression *offered = offer->compression ? offer->compression : &no_offer;
    status = weft__compression_read_answer(agreed, &answer->fields, offered, problem);
    problem->http_status = answer->status;
    if (status == WEFT_OK) *subprotocol = chosen;
    return status;
}

bool weft__upgrade_answer_is_interim(const weft__head *answer)
{
    return answer->status < 200 && answer->status != 101;
}

weft_status weft__upgrade_pass_interim(unsigned *count, weft__problem *problem)
{
    if (++*count <= MAX_INTERIM_ANSWERS) return WEFT_OK;
    weft__problem_set(problem, 0, "the server sent more than %d interim answers", MAX_INTERIM_ANSWERS);
    return WEFT_EHANDSHAKE;
}
