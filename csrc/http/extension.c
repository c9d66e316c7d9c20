#include "http/extension.h"

#include "base/config.h"
#include "http/bytes.h"

#include <stdio.h>
#include <string.h>

static const char deflate_name[] = "permessage-deflate";

/* -- settings ---------------------------------------------------------------------------------- */

enum {
    FEWEST_BITS = 8, /* that the protocol knows; zlib's raw streams begin with FEWEST_ZLIB_BITS */
    FEWEST_ZLIB_BITS = 9,
    MOST_BITS = 15,
};

void weft_compression_init_sized(weft_compression *compression, weft_role role, size_t size)
{
    const weft_compression defaults = {
        .enabled = true,
        .level = 2,
        .server_max_window_bits = MOST_BITS,
        .client_max_window_bits = MOST_BITS,
        .memory = role == WEFT_SERVER ? WEFT_COMPRESSION_SHARED : WEFT_COMPRESSION_DEDICATED,
        .threshold = 64,
    };
    weft__config_init(compression, size, &defaults, sizeof defaults);
}

static const char *settings_fault(const weft_compression *settings)
{
    unsigned server_bits = settings->server_max_window_bits, client_bits = settings->client_max_window_bits;
    if (server_bits < FEWEST_ZLIB_BITS || server_bits > MOST_BITS)
        return "server_max_window_bits is not in 9 to 15";
    if (client_bits < FEWEST_ZLIB_BITS || client_bits > MOST_BITS)
        return "client_max_window_bits is not in 9 to 15";
    if (settings->level < 1 || settings->level > 9) return "level is not in 1 to 9";
    bool memory_is_known =
        settings->memory == WEFT_COMPRESSION_SHARED || settings->memory == WEFT_COMPRESSION_DEDICATED;
    return memory_is_known ? NULL : "memory is neither shared nor dedicated";
}

weft_status weft__compression_take(weft_compression *out, const weft_compression *given, weft_role role,
                                   weft__problem *problem)
{
    weft_compression_init(out, role);
    const char *fault = NULL;
    if (given && weft__config_take(out, given, sizeof *out) != WEFT_OK) {
        fault = "weft_compression_init was not called";
    }
    if (!fault) fault = settings_fault(out);
    if (fault) {
        weft__problem_set(problem, 0, "compression: %s", fault);
        return WEFT_EINVAL;
    }
    if (out->memory == WEFT_COMPRESSION_SHARED) {
        out->server_no_context_takeover = out->client_no_context_takeover = true;
    }
    return WEFT_OK;
}

/* -- the grammar of RFC 6455 section 9.1 ------------------------------------------------------- */

/* A parameter. A value is kept without quotes and escapes as far as it fits; none that is known is longer. */
typedef struct parameter {
    weft_string name;
    bool has_value;
    size_t value_length;
    char value[4];
} parameter;

static void skip_blanks(weft_string *rest)
{
    while (rest->length > 0 && (rest->bytes[0] == ' ' || rest->bytes[0] == '\t')) {
        rest->bytes++;
        rest->length--;
    }
}

static bool skip(weft_string *rest, char byte)
{
    skip_blanks(rest);
    if (rest->length == 0 || rest->bytes[0] != byte) return false;
    rest->bytes++;
    rest->length--;
    return true;
}

static bool take_token(weft_string *rest, weft_string *token)
{
    size_t length = 0;
    skip_blanks(rest);
    while (length < rest->length && weft__byte_is_token(rest->bytes[length]))
        length++;
    *token = (weft_string){rest->bytes, length};
    *rest = (weft_string){rest->bytes + length, rest->length - length};
    return length > 0;
}

/* False for a byte that a value may not have, quoted or not: what the quotes hold must be a token too. */
static bool keep(parameter *parameter, char byte)
{
    if (!weft__byte_is_token(byte)) return false;
    if (parameter->value_length < sizeof parameter->value) parameter->value[parameter->value_length] = byte;
    parameter->value_length++;
    return true;
}

static bool take_quoted(weft_string *rest, parameter *parameter)
{
    for (size_t i = 0; i < rest->length; i++) {
        char byte = rest->bytes[i];
        if (byte == '"') {
            *rest = (weft_string){rest->bytes + i + 1, rest->length - i - 1};
            return parameter->value_length > 0;
        }
        if (byte == '\\' && ++i < rest->length) byte = rest->bytes[i];
        if (!keep(parameter, byte)) return false;
    }
    return false;
}

static bool take_value(weft_string *rest, parameter *parameter)
{
    weft_string token;
    parameter->has_value = true;
    if (skip(rest, '"')) return take_quoted(rest, parameter);
    if (!take_token(rest, &token)) return false;
    for (size_t i = 0; i < token.length; i++)
        keep(parameter, token.bytes[i]);
    return true;
}

/* What a walk through the parameters of one extension has found. */
typedef enum found {
    FOUND_PARAMETER,
    FOUND_END,
    FOUND_FAULT,
} found;

static found next_parameter(weft_string *rest, parameter *parameter)
{
    *parameter = (struct parameter){0};
    skip_blanks(rest);
    if (rest->length == 0) return FOUND_END;
    if (!skip(rest, ';') || !take_token(rest, &parameter->name)) return FOUND_FAULT;
    if (skip(rest, '=') && !take_value(rest, parameter)) return FOUND_FAULT;
    return FOUND_PARAMETER;
}

static bool is_well_formed(weft_string extension)
{
    weft_string name;
    parameter parameter;
    found found = FOUND_FAULT;
    if (!take_token(&extension, &name)) return false;
    do {
        found = next_parameter(&extension, &parameter);
    } while (found == FOUND_PARAMETER);
    return found == FOUND_END;
}

static weft__list_walk extensions_of(const weft__fields *fields)
{
    return (weft__list_walk){.fields = fields, .name = "Sec-WebSocket-Extensions"};
}

bool weft__extensions_are_well_formed(const weft__fields *fields)
{
    weft__list_walk walk = extensions_of(fields);
    weft_string extension;
    while (weft__list_walk_next(&walk, &extension)) {
        if (!is_well_formed(extension)) return false;
    }
    return true;
}

/* -- the parameters of permessage-deflate ------------------------------------------------------ */

/* What one offer or answer says; bits 0: the parameter is absent. */
typedef struct terms {
    bool server_no_context_takeover;
    bool client_no_context_takeover;
    bool offers_client_bits; /* client_max_window_bits is there, with a value or without */
    uint8_t server_bits;
    uint8_t client_bits;
} terms;

/* 8 to 15 in decimal without leading zeros (RFC 7692 section 7.1.2), else 0. */
static uint8_t read_bits(const parameter *parameter)
{
    const char *value = parameter->value;
    if (parameter->value_length == 1 && (value[0] == '8' || value[0] == '9'))
        return (uint8_t)(value[0] - '0');
    if (parameter->value_length != 2 || value[0] != '1') return 0;
    return value[1] >= '0' && value[1] <= '5' ? (uint8_t)(10 + value[1] - '0') : 0;
}

static const char *take_flag(bool *flag, const parameter *parameter)
{
    if (*flag) return "is repeated";
    if (parameter->has_value) return "has a value, where none may stand";
    *flag = true;
    return NULL;
}

static const char *take_bits(uint8_t *bits, const parameter *parameter)
{
    if (*bits) return "is repeated";
    if (!parameter->has_value) return "has no value";
    *bits = read_bits(parameter);
    return *bits ? NULL : "has a value that is not in 8 to 15";
}

/* A client may offer client_max_window_bits without a value; an answer has one (section 7.1.2.2). */
static const char *take_client_bits(terms *terms, const parameter *parameter, bool is_offer)
{
    if (terms->offers_client_bits) return "is repeated";
    terms->offers_client_bits = true;
    if (is_offer && !parameter->has_value) return NULL;
    return take_bits(&terms->client_bits, parameter);
}

static const char *take_parameter(terms *terms, const parameter *parameter, bool is_offer)
{
    if (weft__string_equals(parameter->name, "server_no_context_takeover"))
        return take_flag(&terms->server_no_context_takeover, parameter);
    if (weft__string_equals(parameter->name, "client_no_context_takeover"))
        return take_flag(&terms->client_no_context_takeover, parameter);
    if (weft__string_equals(parameter->name, "server_max_window_bits"))
        return take_bits(&terms->server_bits, parameter);
    if (weft__string_equals(parameter->name, "client_max_window_bits"))
        return take_client_bits(terms, parameter, is_offer);
    return "is not known";
}

/* The fault of the first wrong parameter (RFC 7692 section 7.1), whose name is `at`, or NULL. */
static const char *read_terms(terms *terms, weft_string parameters, bool is_offer, weft_string *at)
{
    parameter parameter;
    found found;
    *terms = (struct terms){0};
    while ((found = next_parameter(&parameters, &parameter)) == FOUND_PARAMETER) {
        *at = parameter.name;
        const char *fault = take_parameter(terms, &parameter, is_offer);
        if (fault) return fault;
    }
    *at = (weft_string){0};
    return found == FOUND_END ? NULL : "are malformed";
}

/* Writes the parameters; bits without a value are written for a client that takes any. */
static weft_string write_terms(char text[WEFT__EXTENSION_MAX], const terms *terms)
{
    char server_bits[32] = "", client_bits[32] = "";
    if (terms->server_bits)
        snprintf(server_bits, sizeof server_bits, "; server_max_window_bits=%u", terms->server_bits);
    if (terms->client_bits)
        snprintf(client_bits, sizeof client_bits, "; client_max_window_bits=%u", terms->client_bits);
    else if (terms->offers_client_bits)
        snprintf(client_bits, sizeof client_bits, "; client_max_window_bits");
    int length = snprintf(text, WEFT__EXTENSION_MAX, "%s%s%s%s%s", deflate_name,
                          terms->server_no_context_takeover ? "; server_no_context_takeover" : "",
                          terms->client_no_context_takeover ? "; client_no_context_takeover" : "",
                          server_bits, client_bits);
    return (weft_string){text, (size_t)length};
}

/* 15 bits are what holds without the parameter. */
static uint8_t unless_all(uint8_t bits)
{
    return bits < MOST_BITS ? bits : 0;
}

static uint8_t fewer(uint8_t bits, uint8_t wanted)
{
    return bits && bits < wanted ? bits : wanted;
}

/* -- the server's side ------------------------------------------------------------------------- */

/* RFC 7692 section 7.1: an offer that asks for what cannot be is declined as a whole. */
static bool accept_offer(terms *answer, weft_compression *agreed, weft_string parameters,
                         const weft_compression *settings)
{
    terms offer;
    weft_string at;
    if (read_terms(&offer, parameters, true, &at)) return false;
    if (offer.server_bits && offer.server_bits < FEWEST_ZLIB_BITS) return false;
    *agreed = *settings;
    agreed->server_no_context_takeover |= offer.server_no_context_takeover;
    agreed->client_no_context_takeover |= offer.client_no_context_takeover;
    agreed->server_max_window_bits = fewer(offer.server_bits, settings->server_max_window_bits);
    agreed->client_max_window_bits = MOST_BITS;
    if (offer.offers_client_bits)
        agreed->client_max_window_bits = fewer(offer.client_bits, settings->client_max_window_bits);
    *answer = (terms){
        .server_no_context_takeover = agreed->server_no_context_takeover,
        .client_no_context_takeover = agreed->client_no_context_takeover,
        .server_bits = unless_all(agreed->server_max_window_bits),
        .client_bits = unless_all(agreed->client_max_window_bits),
    };
    if (offer.server_bits) answer->server_bits = agreed->server_max_window_bits; /* section 7.1.2.1 */
    return true;
}

weft_string weft__compression_accept(char text[WEFT__EXTENSION_MAX], weft_compression *agreed,
                                     const weft__fields *request, const weft_compression *settings)
{
    weft__list_walk walk = extensions_of(request);
    weft_string extension, name;
    terms answer;
    while (settings->enabled && weft__list_walk_next(&walk, &extension)) {
        take_token(&extension, &name);
        bool is_ours = weft__string_equals(name, deflate_name);
        if (is_ours && accept_offer(&answer, agreed, extension, settings)) return write_terms(text, &answer);
    }
    *agreed = *settings;
    agreed->enabled = false;
    return (weft_string){0};
}

/* -- the client's side ------------------------------------------------------------------------- */

static terms offer_of(const weft_compression *settings)
{
    return (terms){
        .server_no_context_takeover = settings->server_no_context_takeover,
        .client_no_context_takeover = settings->client_no_context_takeover,
        .server_bits = unless_all(settings->server_max_window_bits),
        .offers_client_bits = true,
        .client_bits = unless_all(settings->client_max_window_bits),
    };
}

weft_string weft__compression_write_offer(char text[WEFT__EXTENSION_MAX], const weft_compression *settings)
{
    if (!settings->enabled) return (weft_string){0};
    const terms offer = offer_of(settings);
    return write_terms(text, &offer);
}

/* What an answer may not say to this offer, though each parameter is well-formed; or NULL. */
static const char *compare_terms(const terms *answer, const weft_compression *settings, const char **at)
{
    const terms offer = offer_of(settings);
    *at = "server_no_context_takeover";
    if (offer.server_no_context_takeover && !answer->server_no_context_takeover)
        return "was offered and is missing";
    *at = "server_max_window_bits";
    if (offer.server_bits && !answer->server_bits) return "was offered and is missing";
    if (offer.server_bits && answer->server_bits > offer.server_bits) return "is larger than offered";
    *at = "client_max_window_bits";
    if (offer.client_bits && answer->client_bits > offer.client_bits) return "is larger than offered";
    return NULL;
}

static weft_status refuse(weft__problem *problem, weft_string at, const char *fault)
{
    const size_t longest_quoted = 40;
    int length = (int)(at.length < longest_quoted ? at.length : longest_quoted);
    weft__problem_set(problem, 0, "parameter %.*s of permessage-deflate in the answer %s", length,
                      length ? at.bytes : "", fault);
    return WEFT_EHANDSHAKE;
}

static weft_status agree(weft_compression *agreed, weft_string parameters, const weft_compression *settings,
                         weft__problem *problem)
{
    terms answer;
    weft_string at;
    const char *fault = read_terms(&answer, parameters, false, &at);
    if (fault) return refuse(problem, at, fault);
    const char *name;
    fault = compare_terms(&answer, settings, &name);
    if (fault) return refuse(problem, weft__string(name), fault);
    *agreed = *settings;
    agreed->server_no_context_takeover = answer.server_no_context_takeover;
    agreed->client_no_context_takeover |= answer.client_no_context_takeover;
    agreed->server_max_window_bits = fewer(answer.server_bits, MOST_BITS);
    agreed->client_max_window_bits = fewer(answer.client_bits, settings->client_max_window_bits);
    return WEFT_OK;
}

weft_status weft__compression_read_answer(weft_compression *agreed, const weft__fields *answer,
                                          const weft_compression *settings, weft__problem *problem)
{
    weft__list_walk walk = extensions_of(answer);
    weft_string extension, name, chosen = {0};
    *agreed = *settings;
    agreed->enabled = false;
    while (weft__list_walk_next(&walk, &extension)) {
        const char *fault = NULL;
        if (!is_well_formed(extension)) fault = "answer has a malformed Sec-WebSocket-Extensions";
        take_token(&extension, &name);
        bool is_offered = settings->enabled && weft__string_equals(name, deflate_name);
        if (!fault && !is_offered) fault = "answer uses an extension that was not offered";
        if (!fault && chosen.bytes) fault = "answer repeats permessage-deflate";
        if (fault) {
            weft__problem_set(problem, 0, "%s", fault);
            return WEFT_EHANDSHAKE;
        }
        chosen = extension;
    }
    return chosen.bytes ? agree(agreed, chosen, settings, problem) : WEFT_OK;
}
