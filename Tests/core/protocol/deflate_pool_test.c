#include "squeeze.h"

static int first_rests;

static void note_first_rest(weft__deflate_pool *pool)
{
    (void)pool;
    first_rests++;
}

static void test_spare_contexts_serve_everybody_in_turn(void **state)
{
    (void)state;
    weft__deflate_pool pool;
    weft__deflate_pool_init(&pool);
    weft__context *one = weft__deflate_pool_take_compressor(&pool, 12, 2);
    assert_non_null(one);
    weft__deflate_pool_rest(&pool, one, NULL);
    weft__context *other_bits = weft__deflate_pool_take_compressor(&pool, 13, 2);
    weft__context *other_level = weft__deflate_pool_take_compressor(&pool, 12, 3);
    weft__context *incoming = weft__deflate_pool_take_decompressor(&pool, 12);
    assert_true(other_bits != one && other_level != one && incoming != one);
    assert_ptr_equal(weft__deflate_pool_take_compressor(&pool, 12, 2), one);
    assert_int_equal(pool.spare_count, 0);
    weft__deflate_pool_rest(&pool, incoming, NULL);
    assert_ptr_equal(weft__deflate_pool_take_decompressor(&pool, 9), incoming);
    weft__deflate_pool_rest(&pool, incoming, NULL);
    weft__deflate_pool_rest(&pool, one, NULL);
    weft__deflate_pool_rest(&pool, other_bits, NULL);
    weft__deflate_pool_rest(&pool, other_level, NULL);
    assert_int_equal(pool.spare_count, 4);
    weft__deflate_pool_clear(&pool);
    assert_int_equal(pool.spare_count, 0);
}

static void test_no_more_than_some_spare_contexts_are_kept(void **state)
{
    (void)state;
    enum {
        MANY = WEFT__SPARE_CONTEXTS + 3
    };
    counting_allocator counter;
    allocator_count(&counter);
    weft__deflate_pool pool;
    weft__context *contexts[MANY];
    weft__deflate_pool_init(&pool);
    for (int i = 0; i < MANY; i++)
        assert_non_null(contexts[i] = weft__deflate_pool_take_decompressor(&pool, 15));
    for (int i = 0; i < MANY; i++)
        weft__deflate_pool_rest(&pool, contexts[i], NULL);
    assert_int_equal(resting(&pool), WEFT__SPARE_CONTEXTS);
    weft__deflate_pool_clear(&pool);
    allocator_restore(&counter);
}

/* Sends prose from `from` to `to`, so that both remember it. */
static void talk(side *from, side *to, size_t length, unsigned seed)
{
    char *text = malloc(length);
    assert_non_null(text);
    size_t wire_length = length = write_prose(text, length, seed);
    const uint8_t *bytes = (const uint8_t *)text;
    weft__buffer out = {0};
    assert_true(weft__deflate_compress(&from->deflate, &from->config, &bytes, &wire_length));
    assert_int_equal(weft__deflate_inflate(&to->deflate, &to->config, &out, bytes, wire_length), WEFT_OK);
    assert_int_equal(weft__deflate_finish(&to->deflate, &to->config), WEFT_OK);
    assert_int_equal(weft__buffer_length(&out), length);
    assert_memory_equal(weft__buffer_front(&out), text, length);
    weft__buffer_clear(&out);
    free(text);
}

static void test_an_idle_connection_keeps_only_the_window(void **state)
{
    (void)state;
    static const size_t lengths[] = {100, 700, 40000};
    for (uint8_t bits = 9; bits <= 15; bits += 3) {
        for (size_t i = 0; i < 3; i++) {
            counting_allocator counter;
            side client, server;
            allocator_count(&counter);
            side_init(&server, WEFT_SERVER, agreement(true, bits));
            side_init(&client, WEFT_CLIENT, agreement(true, bits));
            talk(&client, &server, lengths[i], 2);
            talk(&server, &client, lengths[i], 3);
            assert_true(counter.bytes > 100000);
            for (int age = 0; age < 2; age++) {
                weft__deflate_pool_age(&client.pool);
                weft__deflate_pool_age(&server.pool);
            }
            size_t window = (size_t)1 << bits;
            size_t most = (lengths[i] < window ? lengths[i] : window) + sizeof(weft__window);
            assert_true(counter.blocks == 2 && counter.bytes <= 2 * most);
            talk(&client, &server, lengths[i], 4); /* and still they understand each other */
            talk(&server, &client, lengths[i], 5);
            side_clear(&server);
            side_clear(&client);
            allocator_restore(&counter);
        }
    }
}

static void test_contexts_in_use_are_not_given_back(void **state)
{
    (void)state;
    side client, server;
    side_init(&client, WEFT_CLIENT, agreement(true, 15));
    side_init(&server, WEFT_SERVER, agreement(true, 15));
    talk(&client, &server, 500, 1);
    weft__context *compressor = client.deflate.compressor;
    for (int i = 0; i < 5; i++) { /* never two ages without a message */
        assert_true(weft__deflate_pool_age(&client.pool));
        assert_true(weft__deflate_pool_age(&server.pool));
        talk(&client, &server, 500, 2);
        assert_ptr_equal(client.deflate.compressor, compressor);
        assert_true(server.deflate.incoming->is_live);
    }
    /* Inside a message, however long it takes. */
    const uint8_t half[] = {0xf2, 0x48, 0xcd}, rest[] = {0xc9, 0xc9, 0x07, 0x00};
    weft__buffer out = {0};
    assert_int_equal(weft__deflate_inflate(&server.deflate, &server.config, &out, half, sizeof half),
                     WEFT_OK);
    for (int i = 0; i < 3; i++)
        assert_false(weft__deflate_pool_age(&server.pool));
    assert_int_equal(weft__deflate_inflate(&server.deflate, &server.config, &out, rest, sizeof rest),
                     WEFT_OK);
    assert_int_equal(weft__deflate_finish(&server.deflate, &server.config), WEFT_OK);
    assert_int_equal(weft__buffer_length(&out), 5);
    weft__buffer_clear(&out);
    side_clear(&client);
    side_clear(&server);
}

static void test_without_memory_for_the_window_the_context_stays(void **state)
{
    (void)state;
    counting_allocator counter;
    side client, server;
    allocator_count(&counter);
    side_init(&client, WEFT_CLIENT, agreement(true, 15));
    side_init(&server, WEFT_SERVER, agreement(true, 15));
    talk(&client, &server, 500, 1);
    weft__deflate_pool_age(&server.pool);
    counter.fail_at = 1;
    assert_true(weft__deflate_pool_age(&server.pool));
    counter.fail_at = 0;
    assert_true(server.deflate.incoming->is_live);
    assert_false(weft__deflate_pool_age(&server.pool));
    assert_false(server.deflate.incoming->is_live);
    talk(&client, &server, 500, 2);
    side_clear(&client);
    side_clear(&server);
    allocator_restore(&counter);
}

static void test_connections_of_one_pool_do_not_mix(void **state)
{
    (void)state;
    side clients[3], server;
    weft__deflate at_server[3] = {{0}};
    side_init(&server, WEFT_SERVER, agreement(true, 15));
    for (int i = 0; i < 3; i++) {
        side_init(&clients[i], WEFT_CLIENT, agreement(true, 15));
        at_server[i].pool = &server.pool;
    }
    for (int round = 0; round < 12; round++) {
        int which = round * 7 % 3;
        char text[300];
        size_t length = write_prose(text, sizeof text, (unsigned)which), wire_length = length;
        const uint8_t *bytes = (const uint8_t *)text;
        weft__buffer out = {0};
        side *client = &clients[which];
        assert_true(weft__deflate_compress(&client->deflate, &client->config, &bytes, &wire_length));
        weft_status status =
            weft__deflate_inflate(&at_server[which], &server.config, &out, bytes, wire_length);
        assert_int_equal(status, WEFT_OK);
        assert_int_equal(weft__deflate_finish(&at_server[which], &server.config), WEFT_OK);
        assert_memory_equal(weft__buffer_front(&out), text, length);
        weft__buffer_clear(&out);
        if (round % 4 == 3) weft__deflate_pool_age(&server.pool);
    }
    for (int i = 0; i < 3; i++) {
        weft__deflate_clear(&at_server[i]);
        side_clear(&clients[i]);
    }
    assert_int_equal(server.pool.spare_count, resting(&server.pool));
    side_clear(&server);
}

static void test_the_beginning_of_rest_is_told(void **state)
{
    (void)state;
    weft__deflate_pool pool;
    weft__deflate_pool_init(&pool);
    pool.on_first_rest = note_first_rest;
    first_rests = 0;
    weft__context *one = weft__deflate_pool_take_decompressor(&pool, 15);
    weft__context *other = weft__deflate_pool_take_decompressor(&pool, 15);
    weft__deflate_pool_rest(&pool, one, NULL);
    weft__deflate_pool_rest(&pool, other, NULL);
    assert_int_equal(first_rests, 1);
    assert_true(weft__deflate_pool_age(&pool));
    assert_false(weft__deflate_pool_age(&pool));
    weft__deflate_pool_rest(&pool, weft__deflate_pool_take_decompressor(&pool, 15), NULL);
    assert_int_equal(first_rests, 2);
    weft__deflate_pool_clear(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spare_contexts_serve_everybody_in_turn),
        cmocka_unit_test(test_no_more_than_some_spare_contexts_are_kept),
        cmocka_unit_test(test_an_idle_connection_keeps_only_the_window),
        cmocka_unit_test(test_contexts_in_use_are_not_given_back),
        cmocka_unit_test(test_without_memory_for_the_window_the_context_stays),
        cmocka_unit_test(test_connections_of_one_pool_do_not_mix),
        cmocka_unit_test(test_the_beginning_of_rest_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
