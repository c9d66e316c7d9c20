/* Whatever a client offers, the answer is one that a client with that offer, or a greedier one, may take;
 * whatever a server answers, what is agreed is within the rules; and any settings of ours agree with any. */
#include "http/extension.h"

#include <stdlib.h>
#include <string.h>

enum {
    CHOICES = 5
};

static weft_compression settings_of(const uint8_t *data, weft_role role)
{
    weft_compression settings, taken;
    weft__problem problem;
    weft_compression_init(&settings, role);
    settings.server_no_context_takeover = data[0] & 1;
    settings.client_no_context_takeover = data[0] & 2;
    settings.memory = data[0] & 4 ? WEFT_COMPRESSION_SHARED : WEFT_COMPRESSION_DEDICATED;
    settings.server_max_window_bits = (uint8_t)(9 + data[1] % 7);
    settings.client_max_window_bits = (uint8_t)(9 + data[2] % 7);
    if (weft__compression_take(&taken, &settings, role, &problem) != WEFT_OK) abort();
    return taken;
}

/* The input in two fields, cut where it says. */
static weft__fields fields_of(weft_field items[2], const uint8_t *data, size_t size, size_t cut)
{
    const weft_string name = weft__string("Sec-WebSocket-Extensions");
    size_t first = size ? cut % (size + 1) : 0;
    items[0] = (weft_field){name, {(const char *)data, first}};
    items[1] = (weft_field){name, {(const char *)data + first, size - first}};
    return (weft__fields){.items = items, .count = 2, .capacity = 2};
}

static void check_agreed(const weft_compression *agreed)
{
    if (agreed->server_max_window_bits < 8 || agreed->server_max_window_bits > 15) abort();
    if (agreed->client_max_window_bits < 8 || agreed->client_max_window_bits > 15) abort();
}

/* What a server answered must be taken by the client of these settings, and be the same agreement. */
static void require_mirrored(weft_string answer, const weft_compression *agreed,
                             const weft_compression *settings)
{
    weft_compression mirrored;
    weft__problem problem;
    weft_field field = {weft__string("sec-websocket-extensions"), answer};
    weft__fields fields = {.items = &field, .count = 1, .capacity = 1};
    if (!weft__extensions_are_well_formed(&fields)) abort();
    if (weft__compression_read_answer(&mirrored, &fields, settings, &problem) != WEFT_OK) abort();
    if (mirrored.server_max_window_bits != agreed->server_max_window_bits ||
        mirrored.client_max_window_bits != agreed->client_max_window_bits ||
        mirrored.server_no_context_takeover != agreed->server_no_context_takeover ||
        mirrored.client_no_context_takeover != agreed->client_no_context_takeover)
        abort();
}

static void check_server(const weft__fields *request, const weft_compression *settings)
{
    char text[WEFT__EXTENSION_MAX];
    weft_compression agreed, greedy = settings_of((const uint8_t *)"\0\6\6", WEFT_CLIENT);
    weft_string answer = weft__compression_accept(text, &agreed, request, settings);
    if (agreed.enabled != (answer.length > 0)) abort();
    if (!agreed.enabled) return;
    check_agreed(&agreed);
    if (agreed.server_max_window_bits > settings->server_max_window_bits) abort();
    if (settings->server_no_context_takeover && !agreed.server_no_context_takeover) abort();
    require_mirrored(answer, &agreed, &greedy);
}

static void check_client(const weft__fields *answer, const weft_compression *settings)
{
    weft_compression agreed;
    weft__problem problem;
    weft_status status = weft__compression_read_answer(&agreed, answer, settings, &problem);
    if (status != WEFT_OK) {
        if (status != WEFT_EHANDSHAKE || agreed.enabled || !problem.text[0]) abort();
    } else if (agreed.enabled) {
        check_agreed(&agreed);
        if (!weft__extensions_are_well_formed(answer)) abort();
        if (agreed.server_max_window_bits > settings->server_max_window_bits) abort();
        if (agreed.client_max_window_bits > settings->client_max_window_bits) abort();
        if (settings->server_no_context_takeover && !agreed.server_no_context_takeover) abort();
    }
}

static void check_each_other(const weft_compression *client, const weft_compression *server)
{
    char offer[WEFT__EXTENSION_MAX], text[WEFT__EXTENSION_MAX];
    weft_compression agreed;
    weft_field field = {weft__string("Sec-WebSocket-Extensions"),
                        weft__compression_write_offer(offer, client)};
    weft__fields fields = {.items = &field, .count = 1, .capacity = 1};
    weft_string answer = weft__compression_accept(text, &agreed, &fields, server);
    if (!agreed.enabled || agreed.client_max_window_bits > client->client_max_window_bits ||
        agreed.server_max_window_bits > client->server_max_window_bits)
        abort();
    require_mirrored(answer, &agreed, client);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < CHOICES) return 0;
    weft_field items[2];
    weft_compression server = settings_of(data, WEFT_SERVER), client = settings_of(data, WEFT_CLIENT);
    size_t cut = (size_t)data[3] << 8 | data[4];
    weft__fields fields = fields_of(items, data + CHOICES, size - CHOICES, cut);
    check_server(&fields, &server);
    check_client(&fields, &client);
    client = settings_of(data + 2, WEFT_CLIENT);
    check_each_other(&client, &server);
    return 0;
}
