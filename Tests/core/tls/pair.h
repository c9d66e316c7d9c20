/* Two sides of TLS whose records go from one to the other in memory. */
#ifndef WEFT_TESTS_TLS_PAIR_H
#define WEFT_TESTS_TLS_PAIR_H

#include "tls/test_papers.h"

#include "tls/engine.h"

/* Two sides whose records go from one to the other in pieces of a given size. */
typedef struct pair {
    weft__tls_engine *client, *server;
    weft__buffer to_server, to_client;
    size_t piece;
    weft_status client_status, server_status;
} pair;

static inline void pair_open(pair *pair, weft_tls *client, weft_tls *server, size_t piece)
{
    *pair = (struct pair){.piece = piece};
    assert_int_equal(weft__tls_engine_new(&pair->client, client, "localhost", 443), WEFT_OK);
    assert_int_equal(weft__tls_engine_new(&pair->server, server, NULL, 0), WEFT_OK);
    weft_tls_release(client);
    weft_tls_release(server);
}

static inline void pair_close(pair *pair)
{
    weft__tls_engine_free(pair->client);
    weft__tls_engine_free(pair->server);
    weft__buffer_clear(&pair->to_server);
    weft__buffer_clear(&pair->to_client);
}

/* Feeds at most one piece; false when there is none. */
static inline bool hand_on(weft__tls_engine *to, weft__buffer *records, size_t piece, weft__buffer *answers,
                           weft_status *status)
{
    size_t length = weft__buffer_length(records);
    if (length > piece) length = piece;
    if (!length) return false;
    weft__tls_engine_feed(to, weft__buffer_front(records), length);
    *status = weft__tls_engine_shake_hands(to, answers);
    weft__buffer_consume(records, length - to->input_length);
    return true;
}

static inline void shake_hands(pair *pair)
{
    pair->client_status = weft__tls_engine_shake_hands(pair->client, &pair->to_server);
    bool goes_on = true;
    while (goes_on && !(pair->client->is_open && pair->server->is_open)) {
        goes_on =
            pair->server_status == WEFT_OK && !pair->server->is_open &&
            hand_on(pair->server, &pair->to_server, pair->piece, &pair->to_client, &pair->server_status);
        goes_on |=
            pair->client_status == WEFT_OK && !pair->client->is_open &&
            hand_on(pair->client, &pair->to_client, pair->piece, &pair->to_server, &pair->client_status);
    }
}

/* Everything that the records hold, piece by piece. */
static inline weft_status receive(weft__tls_engine *to, weft__buffer *records, size_t piece,
                                  weft__buffer *plain, weft__buffer *answers)
{
    weft_status status = WEFT_OK;
    while (status == WEFT_OK && weft__buffer_length(records)) {
        size_t length = weft__buffer_length(records);
        if (length > piece) length = piece;
        weft__tls_engine_feed(to, weft__buffer_front(records), length);
        size_t count = 1;
        while (status == WEFT_OK && count) {
            uint8_t bytes[4096];
            status = weft__tls_engine_read(to, bytes, sizeof bytes, &count, answers);
            assert_int_equal(weft__buffer_append(plain, bytes, count, SIZE_MAX), WEFT_OK);
        }
        weft__buffer_consume(records, length);
    }
    return status;
}

static inline void expect_talk(pair *pair)
{
    static uint8_t long_text[50000];
    for (size_t i = 0; i < sizeof long_text; i++)
        long_text[i] = (uint8_t)(i * 31 >> 3);
    weft__buffer plain = {0};
    assert_int_equal(weft__tls_engine_write(pair->client, long_text, sizeof long_text, &pair->to_server),
                     WEFT_OK);
    assert_int_equal(receive(pair->server, &pair->to_server, pair->piece, &plain, &pair->to_client), WEFT_OK);
    assert_int_equal(weft__buffer_length(&plain), sizeof long_text);
    assert_memory_equal(weft__buffer_front(&plain), long_text, sizeof long_text);
    weft__buffer_reset(&plain);
    assert_int_equal(weft__tls_engine_write(pair->server, (const uint8_t *)"back", 4, &pair->to_client),
                     WEFT_OK);
    assert_int_equal(receive(pair->client, &pair->to_client, pair->piece, &plain, &pair->to_server), WEFT_OK);
    assert_int_equal(weft__buffer_length(&plain), 4);
    weft__buffer_clear(&plain);
}

/* Neither side opens, and each says why. */
static inline void expect_refusal(pair *pair, const char *clients_sentence, const char *servers_sentence)
{
    shake_hands(pair);
    assert_int_equal(pair->client_status, WEFT_ETLS);
    assert_string_equal(pair->client->problem->text, clients_sentence);
    assert_int_equal(pair->server_status, WEFT_ETLS);
    assert_string_equal(pair->server->problem->text, servers_sentence);
    pair_close(pair);
}

#endif
