#include "squeeze.h"

#include "protocol/incoming.h"
#include "protocol/outgoing.h"

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
    weft__context *smaller = weft__deflate_pool_take_decompressor(&pool, 9);
    assert_true(smaller != incoming);
    weft__deflate_pool_rest(&pool, smaller, NULL);
    assert_ptr_equal(weft__deflate_pool_take_decompressor(&pool, 12), incoming);
    weft__deflate_pool_rest(&pool, incoming, NULL);
    weft__deflate_pool_rest(&pool, one, NULL);
    weft__deflate_pool_rest(&pool, other_bits, NULL);
    weft__deflate_pool_rest(&pool, other_level, NULL);
    assert_int_equal(pool.spare_count, 5);
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
    assert_int_equal(list_length(&pool.spare), WEFT__SPARE_CONTEXTS);
    weft__deflate_pool_clear(&pool);
    allocator_restore(&counter);
}

static void test_kinds_that_nobody_asks_for_make_room(void **state)
{
    (void)state;
    counting_allocator counter;
    allocator_count(&counter);
    weft__deflate_pool pool;
    weft__deflate_pool_init(&pool);
    weft__context *contexts[WEFT__SPARE_CONTEXTS];
    for (uint8_t i = 0; i < WEFT__SPARE_CONTEXTS; i++)
        assert_non_null(contexts[i] = weft__deflate_pool_take_compressor(&pool, 9, (uint8_t)(1 + i)));
    weft__context *wanted = weft__deflate_pool_take_compressor(&pool, 15, 2);
    for (int i = 0; i < WEFT__SPARE_CONTEXTS; i++)
        weft__deflate_pool_rest(&pool, contexts[i], NULL);
    weft__deflate_pool_rest(&pool, wanted, NULL);
    size_t requests = counter.requests;
    assert_ptr_equal(weft__deflate_pool_take_compressor(&pool, 15, 2), wanted);
    assert_ptr_equal(weft__deflate_pool_take_compressor(&pool, 9, 2), contexts[1]);
    assert_int_equal(counter.requests, requests);
    assert_int_equal(pool.spare_count, WEFT__SPARE_CONTEXTS - 2);
    weft__context *oldest = weft__deflate_pool_take_compressor(&pool, 9, 1);
    assert_true(counter.requests > requests);
    weft__deflate_pool_rest(&pool, oldest, NULL);
    weft__deflate_pool_rest(&pool, contexts[1], NULL);
    weft__deflate_pool_rest(&pool, wanted, NULL);
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
            assert_true(counter.bytes > 50000);
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

static void test_a_decompressor_is_as_large_as_its_window(void **state)
{
    (void)state;
    static const uint8_t hello[] = {0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00};
    size_t rest_of_it = 0; /* what does not depend on the window */
    for (uint8_t bits = 8; bits <= 15; bits++) {
        counting_allocator counter;
        side server;
        allocator_count(&counter);
        side_init(&server, WEFT_SERVER, agreement(true, bits));
        weft__buffer out = {0};
        assert_int_equal(weft__deflate_inflate(&server.deflate, &server.config, &out, hello, sizeof hello),
                         WEFT_OK);
        assert_int_equal(weft__deflate_finish(&server.deflate, &server.config), WEFT_OK);
        weft__buffer_clear(&out);
        size_t window = (size_t)1 << bits;
        if (bits == 8) rest_of_it = counter.bytes - window;
        assert_int_equal(counter.bytes - window, rest_of_it);
        assert_true(rest_of_it < 10000);
        side_clear(&server);
        allocator_restore(&counter);
    }
}

static void test_messages_that_stand_alone_share_one_decompressor(void **state)
{
    (void)state;
    side server, client;
    side_init(&server, WEFT_SERVER, agreement(false, 15));
    side_init(&client, WEFT_CLIENT, agreement(false, 9));
    for (uint8_t bits = 9; bits <= 15; bits++) {
        server.agreed.client_max_window_bits = bits;
        talk(&client, &server, 2000, bits);
        assert_int_equal(server.pool.spare_count, 1);
    }
    side_clear(&server);
    side_clear(&client);
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
    assert_int_equal(server.pool.spare_count, list_length(&server.pool.spare));
    side_clear(&server);
}

/* -- many connections of one pool, whatever happens to them -------------------------------------- */

enum {
    LINES = 4,
    TEXT_MAX = 3000
};

/* One end, and what it has written and the other not read yet. */
typedef struct end {
    weft__deflate deflate;
    weft_session_config config;
    weft__session session;
    weft__buffer output;
    unsigned sent, received; /* messages */
} end;

/* A connection: its client is on the pool under test, its server on one of its own. Must not move. */
typedef struct line {
    weft_compression agreed;
    weft__deflate_pool far_pool;
    end client, server;
    bool is_damaged; /* the client gets other bytes than were sent */
} line;

typedef struct crowd {
    counting_allocator counter;
    weft__deflate_pool pool;
    line lines[LINES];
    uint32_t noise;
    size_t fail_in; /* this request of a client's from now on fails; 0: none, or it has */
    unsigned read_count;
} crowd;

static unsigned pick(crowd *crowd, unsigned below)
{
    crowd->noise = crowd->noise * 1664525 + 1013904223;
    return (crowd->noise >> 8) % below;
}

static size_t text_of(char text[TEXT_MAX], unsigned number)
{
    return write_prose(text, 20 + number * 371 % (TEXT_MAX - 20), number % 5);
}

static void end_init(end *end, weft_role role, const weft_compression *agreed, weft__deflate_pool *pool,
                     uint64_t frame_size)
{
    *end = (struct end){0};
    weft_session_config_init(&end->config);
    end->config.role = role;
    end->config.compression = agreed;
    weft__session_init(&end->session, &end->config);
    weft__session_use_pool(&end->session, &end->deflate, pool);
    end->config.max_frame_size = frame_size;
}

static void line_open(crowd *crowd, line *line, bool takes_over, uint8_t bits)
{
    *line = (struct line){.agreed = agreement(takes_over, bits)};
    weft__deflate_pool_init(&line->far_pool);
    uint64_t frame_size = 1 + pick(crowd, 300);
    end_init(&line->client, WEFT_CLIENT, &line->agreed, &crowd->pool, frame_size);
    end_init(&line->server, WEFT_SERVER, &line->agreed, &line->far_pool, frame_size);
}

static void line_close(line *line)
{
    weft__session_clear(&line->client.session);
    weft__session_clear(&line->server.session);
    weft__deflate_pool_clear(&line->far_pool);
    weft__buffer_clear(&line->client.output);
    weft__buffer_clear(&line->server.output);
}

static void line_reopen(crowd *crowd, line *line)
{
    const weft_compression agreed = line->agreed;
    line_close(line);
    line_open(crowd, line, !agreed.server_no_context_takeover, agreed.server_max_window_bits);
}

/* From here to the end of what a client does, a request for memory may fail. */
static size_t begin_failing(crowd *crowd)
{
    size_t before = crowd->counter.requests;
    crowd->counter.fail_at = crowd->fail_in ? before + crowd->fail_in : 0;
    crowd->counter.fails_once = true;
    return before;
}

/* True when one has. */
static bool end_failing(crowd *crowd, size_t before)
{
    size_t made = crowd->counter.requests - before;
    bool has_failed = crowd->fail_in > 0 && made >= crowd->fail_in;
    crowd->fail_in -= made < crowd->fail_in ? made : crowd->fail_in;
    crowd->counter.fail_at = 0;
    return has_failed;
}

/* The server sends frames, with pings between some of them. */
static void server_says(crowd *crowd, line *line)
{
    char text[TEXT_MAX];
    weft__outgoing_frame frame;
    size_t length = text_of(text, line->server.sent++);
    weft__session *session = &line->server.session;
    weft__buffer *out = &line->server.output;
    weft__outgoing message = weft__session_begin_message(session, WEFT_TEXT, (uint8_t *)text, length);
    while (!message.is_done) {
        assert_int_equal(weft__session_next_frame(session, &message, &frame), WEFT_OK);
        weft__buffer_append(out, frame.header, frame.header_length, SIZE_MAX);
        weft__buffer_append(out, frame.payload, frame.payload_length, SIZE_MAX);
        if (pick(crowd, 4) == 0)
            weft__session_write_control(session, out, WEFT_OPCODE_PING, (const uint8_t *)"p", 1);
    }
    weft__session_end_message(session, &message);
}

/* False after a failure. */
static bool read_events(crowd *crowd, end *to, uint8_t *bytes, size_t length, bool is_damaged)
{
    weft_event event = {.type = WEFT_EVENT_PING};
    for (size_t at = 0, used; event.type != WEFT_EVENT_NONE; at += used) {
        weft__session_next(&to->session, &event, bytes + at, length - at, &used);
        if (event.type == WEFT_EVENT_FAILURE || event.type == WEFT_EVENT_CLOSE) return false;
        if (event.type != WEFT_EVENT_TEXT || is_damaged) continue;
        char text[TEXT_MAX];
        assert_int_equal(event.length, text_of(text, to->received++));
        assert_memory_equal(event.bytes, text, event.length);
        crowd->read_count++;
    }
    return true;
}

static void client_reads(crowd *crowd, line *line)
{
    weft__buffer *wire = &line->server.output;
    size_t length = weft__buffer_length(wire);
    if (length == 0) return;
    length = pick(crowd, 3) ? 1 + pick(crowd, (unsigned)length) : length;
    uint8_t *bytes = malloc(length);
    assert_non_null(bytes);
    memcpy(bytes, weft__buffer_front(wire), length);
    weft__buffer_consume(wire, length);
    size_t before = begin_failing(crowd);
    bool goes_on = read_events(crowd, &line->client, bytes, length, line->is_damaged);
    bool has_failed = end_failing(crowd, before);
    free(bytes);
    if (!goes_on) assert_true(has_failed || line->is_damaged);
    if (!goes_on) line_reopen(crowd, line);
}

static void client_says(crowd *crowd, line *line)
{
    char text[TEXT_MAX];
    end *client = &line->client;
    size_t length = text_of(text, client->sent), before = begin_failing(crowd);
    weft_status status =
        weft__session_write_message(&client->session, &client->output, WEFT_TEXT, (uint8_t *)text, length);
    bool has_failed = end_failing(crowd, before);
    assert_true(status == WEFT_OK || (status == WEFT_ENOMEM && has_failed));
    if (status == WEFT_OK) client->sent++;
    assert_true(read_events(crowd, &line->server, weft__buffer_front(&client->output),
                            weft__buffer_length(&client->output), false));
    weft__buffer_reset(&client->output);
    assert_int_equal(line->server.received, client->sent);
}

static void damage(crowd *crowd, line *line)
{
    size_t length = weft__buffer_length(&line->server.output);
    if (length == 0) return;
    weft__buffer_front(&line->server.output)[pick(crowd, (unsigned)length)] ^= 1 << pick(crowd, 8);
    line->is_damaged = true;
}

static void step(crowd *crowd)
{
    line *line = &crowd->lines[pick(crowd, LINES)];
    switch (pick(crowd, 32)) {
    case 0: damage(crowd, line); return;
    case 1: line_reopen(crowd, line); return;
    case 2:
    case 3: {
        size_t before = begin_failing(crowd);
        weft__deflate_pool_age(&crowd->pool);
        end_failing(crowd, before);
        return;
    }
    default: break;
    }
    unsigned choice = pick(crowd, 8);
    if (choice < 2) {
        server_says(crowd, line);
    } else if (choice < 4) {
        client_says(crowd, line);
    } else {
        client_reads(crowd, line);
    }
}

/* Returns how many messages were read; `fail_in` is 0 afterwards if a request has failed. */
static unsigned run_crowd(size_t *fail_in, bool takes_over, uint32_t seed, int steps)
{
    static crowd crowd;
    memset(&crowd, 0, sizeof crowd);
    allocator_count(&crowd.counter);
    crowd.noise = seed;
    crowd.fail_in = *fail_in;
    weft__deflate_pool_init(&crowd.pool);
    for (int i = 0; i < LINES; i++)
        line_open(&crowd, &crowd.lines[i], takes_over, (uint8_t)(9 + 2 * i));
    for (int i = 0; i < steps; i++)
        step(&crowd);
    for (int i = 0; i < LINES; i++)
        line_close(&crowd.lines[i]);
    assert_int_equal(crowd.pool.spare_count, list_length(&crowd.pool.spare));
    assert_true(crowd.pool.spare_count <= WEFT__SPARE_CONTEXTS);
    weft__deflate_pool_clear(&crowd.pool);
    allocator_restore(&crowd.counter);
    *fail_in = crowd.fail_in;
    return crowd.read_count;
}

static void test_what_happens_to_one_connection_is_not_felt_by_another(void **state)
{
    (void)state;
    for (int takes_over = 0; takes_over <= 1; takes_over++) {
        for (uint32_t seed = 1; seed <= 20; seed++) {
            size_t never = 0;
            assert_true(run_crowd(&never, takes_over, seed, 400) > 40);
        }
    }
}

static void test_any_request_for_memory_may_fail(void **state)
{
    (void)state;
    for (int takes_over = 0; takes_over <= 1; takes_over++) {
        size_t fail_in = 0;
        for (size_t n = 1; fail_in == 0; n++) {
            fail_in = n;
            run_crowd(&fail_in, takes_over, 7, 120);
            assert_true(n < 2000);
        }
    }
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
        cmocka_unit_test(test_kinds_that_nobody_asks_for_make_room),
        cmocka_unit_test(test_an_idle_connection_keeps_only_the_window),
        cmocka_unit_test(test_a_decompressor_is_as_large_as_its_window),
        cmocka_unit_test(test_messages_that_stand_alone_share_one_decompressor),
        cmocka_unit_test(test_contexts_in_use_are_not_given_back),
        cmocka_unit_test(test_without_memory_for_the_window_the_context_stays),
        cmocka_unit_test(test_connections_of_one_pool_do_not_mix),
        cmocka_unit_test(test_what_happens_to_one_connection_is_not_felt_by_another),
        cmocka_unit_test(test_any_request_for_memory_may_fail),
        cmocka_unit_test(test_the_beginning_of_rest_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
