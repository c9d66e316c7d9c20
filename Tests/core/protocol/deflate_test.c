#include "squeeze.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Inflates a whole message in pieces of `piece` bytes; `out` has what came. */
static weft_status inflate_in_pieces(side *side, weft__buffer *out, const uint8_t *bytes, size_t length,
                                     size_t piece)
{
    for (size_t at = 0, now; at < length; at += now) {
        now = length - at < piece ? length - at : piece;
        uint8_t *copy = malloc(now); /* of just its size */
        assert_non_null(copy);
        memcpy(copy, bytes + at, now);
        weft_status status = weft__deflate_inflate(&side->deflate, &side->config, out, copy, now);
        free(copy);
        if (status != WEFT_OK) return status;
    }
    return weft__deflate_finish(&side->deflate, &side->config);
}

static void expect_message(side *from, side *to, const void *message, size_t length, size_t piece)
{
    const uint8_t *bytes = message;
    size_t wire_length = length;
    weft__buffer out = {0};
    assert_true(weft__deflate_compress(&from->deflate, &from->config, &bytes, &wire_length));
    assert_true(wire_length < length);
    assert_int_equal(inflate_in_pieces(to, &out, bytes, wire_length, piece), WEFT_OK);
    assert_int_equal(weft__buffer_length(&out), length);
    assert_memory_equal(weft__buffer_front(&out), message, length);
    weft__deflate_forget_output(&from->deflate);
    weft__buffer_clear(&out);
}

static void test_what_one_side_compresses_the_other_inflates(void **state)
{
    (void)state;
    static char text[70000];
    static const size_t lengths[] = {100, 1000, 4096, 33000, 70000}, pieces[] = {1, 7, 1000, SIZE_MAX};
    for (uint8_t bits = 9; bits <= 15; bits++) {
        for (int takes_over = 0; takes_over <= 1; takes_over++) {
            side server, client;
            side_init(&server, WEFT_SERVER, agreement(takes_over, bits));
            side_init(&client, WEFT_CLIENT, agreement(takes_over, bits));
            for (size_t i = 0; i < COUNT(lengths); i++) {
                size_t length = write_prose(text, lengths[i], (unsigned)i);
                expect_message(&server, &client, text, length, pieces[i % COUNT(pieces)]);
                expect_message(&client, &server, text, length, pieces[bits % COUNT(pieces)]);
            }
            side_clear(&server);
            side_clear(&client);
        }
    }
}

static void test_the_window_is_as_small_as_agreed(void **state)
{
    (void)state;
    static uint8_t twice[2048];
    write_noise(twice, 1024, 1);
    memcpy(twice + 1024, twice, 1024);
    for (uint8_t bits = 9; bits <= 11; bits++) {
        side server;
        side_init(&server, WEFT_SERVER, agreement(false, bits));
        const uint8_t *bytes = twice;
        size_t length = sizeof twice;
        bool reaches_back = bits == 11;
        assert_int_equal(weft__deflate_compress(&server.deflate, &server.config, &bytes, &length),
                         reaches_back);
        side_clear(&server);
    }
}

static size_t compressed_length(side *side, const char *text)
{
    const uint8_t *bytes = (const uint8_t *)text;
    size_t length = strlen(text);
    assert_true(weft__deflate_compress(&side->deflate, &side->config, &bytes, &length));
    return length;
}

static void test_context_is_taken_over_only_where_agreed(void **state)
{
    (void)state;
    static const char text[] = "the quick brown fox jumps over the lazy dog, and over it again";
    for (int takes_over = 0; takes_over <= 1; takes_over++) {
        side server;
        side_init(&server, WEFT_SERVER, agreement(takes_over, 15));
        size_t first = compressed_length(&server, text), second = compressed_length(&server, text);
        if (takes_over) {
            assert_true(second < 10);
        } else {
            assert_int_equal(first, second);
        }
        assert_int_equal(server.deflate.compressor != NULL, takes_over);
        side_clear(&server);
    }
}

static void test_what_would_not_pay_goes_as_it_is(void **state)
{
    (void)state;
    static uint8_t noise[100000];
    static const char text[] = "abcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabc";
    side server, client;
    side_init(&server, WEFT_SERVER, agreement(true, 15));
    side_init(&client, WEFT_CLIENT, agreement(true, 15));
    write_noise(noise, sizeof noise, 2);
    expect_message(&server, &client, text, sizeof text - 1, 5);
    static const size_t lengths[] = {0, 1, 2, 5, 100, sizeof noise};
    for (size_t i = 0; i < COUNT(lengths); i++) {
        const uint8_t *bytes = noise;
        size_t length = lengths[i];
        assert_false(weft__deflate_compress(&server.deflate, &server.config, &bytes, &length));
        assert_ptr_equal(bytes, noise);
        assert_int_equal(length, lengths[i]);
        /* The client has not seen it, so what follows must not refer to it. */
        expect_message(&server, &client, text, sizeof text - 1, 5);
    }
    server.agreed.threshold = sizeof text;
    const uint8_t *bytes = (const uint8_t *)text;
    size_t length = sizeof text - 1;
    assert_false(weft__deflate_compress(&server.deflate, &server.config, &bytes, &length));
    server.agreed.threshold = sizeof text - 1;
    assert_true(weft__deflate_compress(&server.deflate, &server.config, &bytes, &length));
    side_clear(&server);
    side_clear(&client);
}

static void test_a_window_of_256_bytes_is_not_compressed_with(void **state)
{
    (void)state;
    static char text[1000];
    side client, server;
    side_init(&client, WEFT_CLIENT, agreement(true, 8));
    side_init(&server, WEFT_SERVER, agreement(true, 8));
    size_t length = write_prose(text, sizeof text, 1);
    const uint8_t *bytes = (const uint8_t *)text;
    assert_false(weft__deflate_compress(&client.deflate, &client.config, &bytes, &length));
    side_clear(&client);
    side_init(&client, WEFT_CLIENT, agreement(true, 9)); /* some other library, whose window fits */
    expect_message(&client, &server, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 38, 3);
    side_clear(&client);
    side_clear(&server);
}

/* -- what peers send ----------------------------------------------------------------------------- */

typedef struct incoming_case {
    const char *bytes;
    size_t length;
    const char *text; /* NULL: refused with WEFT_EPAYLOAD */
} incoming_case;

#define BYTES(text) text, sizeof text - 1

static void expect_incoming(const incoming_case *c)
{
    for (size_t piece = 1; piece <= c->length + 1; piece++) {
        side server;
        weft__buffer out = {0};
        side_init(&server, WEFT_SERVER, agreement(true, 15));
        weft_status status = inflate_in_pieces(&server, &out, (const uint8_t *)c->bytes, c->length, piece);
        assert_int_equal(status, c->text ? WEFT_OK : WEFT_EPAYLOAD);
        if (c->text) {
            assert_int_equal(weft__buffer_length(&out), strlen(c->text));
            if (c->text[0]) assert_memory_equal(weft__buffer_front(&out), c->text, strlen(c->text));
        }
        weft__buffer_clear(&out);
        side_clear(&server);
    }
}

static void test_the_examples_of_the_rfc_are_read(void **state)
{
    (void)state;
    static const incoming_case cases[] = {
        {BYTES("\xf2\x48\xcd\xc9\xc9\x07\x00"), "Hello"},                         /* 7.2.3.1 */
        {BYTES("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"), "Hello"},         /* 7.2.3.3 */
        {BYTES("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), "Hello"},                     /* 7.2.3.4 */
        {BYTES("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"), "Hello"}, /* 7.2.3.5 */
        {BYTES("\x00"), ""},                                                      /* 7.2.3.6 */
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        expect_incoming(&cases[i]);
}

static void test_blocks_behind_a_final_one_count(void **state)
{
    (void)state;
    static const incoming_case cases[] = {
        {BYTES("\xf3\x48\xcd\xc9\xc9\x07\x00\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), "HelloHello"},
        {BYTES("\x03\x00\x03\x00\xf2\x48\xcd\xc9\xc9\x07\x00"), "Hello"},
        {BYTES("\xf3\x48\xcd\xc9\xc9\x07\x00\x02\x13\x00\x00"), "HelloHello"}, /* refers to before it */
        {BYTES("\xf2\x48\xcd\xc9\xc9\x07\x04"), "Hello"}, /* the empty block at the end is the final one */
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        expect_incoming(&cases[i]);
}

static void test_a_message_after_a_final_empty_block_is_read(void **state)
{
    (void)state;
    side server;
    side_init(&server, WEFT_SERVER, agreement(true, 15));
    for (int i = 0; i < 3; i++) {
        weft__buffer out = {0};
        const uint8_t *message = (const uint8_t *)"\xf2\x48\xcd\xc9\xc9\x07\x04";
        assert_int_equal(inflate_in_pieces(&server, &out, message, 7, 3), WEFT_OK);
        assert_int_equal(weft__buffer_length(&out), 5);
        weft__buffer_clear(&out);
    }
    side_clear(&server);
}

static void test_damaged_data_is_refused(void **state)
{
    (void)state;
    static const incoming_case cases[] = {
        {BYTES(""), NULL},                                             /* not even an empty block (7.2.3.6) */
        {BYTES("\x07"), NULL},                                         /* a kind of block that there is not */
        {BYTES("\xf2\x48\xcd\xc9\xc9\x07"), NULL},                     /* cut in its last block */
        {BYTES("\xf2\x48\xcd"), NULL},                                 /* cut in a code */
        {BYTES("\x00\x05\x00\xfa\xff\x48"), NULL},                     /* a stored block that lacks bytes */
        {BYTES("\x00\x04\x00\xfb\xff"), NULL},                         /* ... which the tail would fill up */
        {BYTES("\x00\x05\x00\xfa\xfe\x48"), NULL},                     /* length and complement differ */
        {BYTES("\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff"), NULL}, /* the tail itself */
        {BYTES("\xf3\x48\xcd\xc9\xc9\x07\x00"), NULL},                 /* final, and then nothing that ends */
        {BYTES("\xf3\x48\xcd\xc9\xc9\x07\x00\x55"), NULL},             /* garbage behind a final block */
        {BYTES("\x02\x13\x00\x00"), NULL},                             /* refers to what never came */
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        expect_incoming(&cases[i]);
}

static void test_a_reference_beyond_a_message_needs_takeover(void **state)
{
    (void)state;
    for (int takes_over = 0; takes_over <= 1; takes_over++) {
        side server, client;
        char text[200];
        size_t length = write_prose(text, sizeof text, 3);
        side_init(&server, WEFT_SERVER, agreement(takes_over, 15));
        side_init(&client, WEFT_CLIENT, agreement(true, 15));
        expect_message(&client, &server, text, length, 9);
        const uint8_t *bytes = (const uint8_t *)text;
        weft__buffer out = {0};
        assert_true(weft__deflate_compress(&client.deflate, &client.config, &bytes, &length));
        weft_status status = inflate_in_pieces(&server, &out, bytes, length, 3);
        assert_int_equal(status, takes_over ? WEFT_OK : WEFT_EPAYLOAD);
        weft__buffer_clear(&out);
        side_clear(&server);
        side_clear(&client);
    }
}

/* What is kept between messages is what was agreed, whether the connection was idle or not. */
static void test_a_reference_to_before_the_window_is_refused(void **state)
{
    (void)state;
    static char text[1000];
    size_t length = write_prose(text, sizeof text, 3); /* and that far back the second message refers */
    assert_true(length > 512);
    for (uint8_t bits = 8; bits <= 15; bits++) {
        for (int is_idle = 0; is_idle <= 1; is_idle++) {
            side server, client;
            side_init(&server, WEFT_SERVER, agreement(true, bits));
            side_init(&client, WEFT_CLIENT, agreement(true, 15));
            for (int message = 0; message <= 1; message++) {
                const uint8_t *bytes = (const uint8_t *)text;
                size_t wire_length = length;
                weft__buffer out = {0};
                assert_true(weft__deflate_compress(&client.deflate, &client.config, &bytes, &wire_length));
                weft_status status = inflate_in_pieces(&server, &out, bytes, wire_length, SIZE_MAX);
                assert_int_equal(status, message == 0 || bits >= 10 ? WEFT_OK : WEFT_EPAYLOAD);
                weft__buffer_clear(&out);
                for (int i = 0; i < 2 && is_idle; i++)
                    weft__deflate_pool_age(&server.pool);
            }
            side_clear(&server);
            side_clear(&client);
        }
    }
}

/* -- zlib itself ----------------------------------------------------------------------------------- */

/* A peer that uses all that zlib has: kinds of blocks, flushes in a message, final blocks. */
typedef struct zlib_peer {
    z_stream deflating, inflating;
    bool takes_over;
    uint32_t noise;
} zlib_peer;

static unsigned pick(zlib_peer *peer, unsigned below)
{
    peer->noise = peer->noise * 1664525 + 1013904223;
    return (peer->noise >> 8) % below;
}

static void peer_init(zlib_peer *peer, bool takes_over, int bits, uint32_t seed)
{
    *peer = (zlib_peer){.takes_over = takes_over, .noise = seed};
    int level = (int)pick(peer, 10), memory = 1 + (int)pick(peer, 9), strategy = (int)pick(peer, 5);
    assert_int_equal(deflateInit2(&peer->deflating, level, Z_DEFLATED, -bits, memory, strategy), Z_OK);
    assert_int_equal(inflateInit2(&peer->inflating, -bits), Z_OK);
}

static size_t random_message(zlib_peer *peer, uint8_t *out, size_t size)
{
    size_t length = 1 + pick(peer, 4) * pick(peer, (unsigned)size / 4), half = length / 2;
    if (pick(peer, 4) == 0) {
        write_noise(out, length, peer->noise);
    } else {
        length = write_prose((char *)out, length + 16, pick(peer, 3));
    }
    if (pick(peer, 3) == 0 && half < length) memset(out + half, 'x', length - half);
    return length;
}

/* Puts a message on the wire as RFC 7692 section 7.2.1 says; returns its length there. */
static size_t peer_compress(zlib_peer *peer, const uint8_t *bytes, size_t length, uint8_t *wire, size_t size)
{
    static const int flushes[] = {Z_NO_FLUSH, Z_PARTIAL_FLUSH, Z_SYNC_FLUSH, Z_FULL_FLUSH, Z_BLOCK, Z_FINISH};
    z_stream *stream = &peer->deflating;
    stream->next_in = (z_const Bytef *)bytes;
    stream->next_out = wire;
    stream->avail_out = (uInt)size;
    while (length > 0) {
        stream->avail_in = 1 + pick(peer, (unsigned)length);
        length -= stream->avail_in;
        int flush = length == 0 && pick(peer, 2) ? Z_SYNC_FLUSH : flushes[pick(peer, COUNT(flushes))];
        assert_true(deflate(stream, flush) >= Z_OK);
        if (flush == Z_FINISH) deflateReset(stream);
    }
    /* Empty where the last flush was one: then the block that ends the message is made by hand. */
    uInt before = stream->avail_out;
    deflate(stream, Z_SYNC_FLUSH);
    bool has_ended = before != stream->avail_out;
    size_t wire_length = size - stream->avail_out;
    if (has_ended || (wire_length >= 4 && memcmp(wire + wire_length - 4, "\0\0\xff\xff", 4) == 0)) {
        wire_length -= 4;
    } else {
        wire[wire_length++] = 0;
    }
    if (!peer->takes_over) deflateReset(stream);
    return wire_length;
}

static void expect_from_peer(zlib_peer *peer, side *server, const uint8_t *bytes, size_t length)
{
    static uint8_t wire[200000];
    weft__buffer out = {0};
    size_t wire_length = peer_compress(peer, bytes, length, wire, sizeof wire);
    size_t piece = pick(peer, 2) ? 1 + pick(peer, 300) : wire_length;
    assert_int_equal(inflate_in_pieces(server, &out, wire, wire_length, piece), WEFT_OK);
    assert_int_equal(weft__buffer_length(&out), length);
    assert_memory_equal(weft__buffer_front(&out), bytes, length);
    weft__buffer_clear(&out);
}

static void expect_at_peer(zlib_peer *peer, side *server, const uint8_t *bytes, size_t length)
{
    static uint8_t out[70000];
    const uint8_t *wire = bytes;
    size_t wire_length = length;
    if (!weft__deflate_compress(&server->deflate, &server->config, &wire, &wire_length)) return;
    z_stream *stream = &peer->inflating;
    stream->next_out = out;
    stream->avail_out = sizeof out;
    stream->next_in = (z_const Bytef *)wire;
    stream->avail_in = (uInt)wire_length;
    assert_int_equal(inflate(stream, Z_SYNC_FLUSH), Z_OK);
    stream->next_in = (z_const Bytef *)"\0\0\xff\xff";
    stream->avail_in = 4;
    assert_int_equal(inflate(stream, Z_SYNC_FLUSH), Z_OK);
    assert_int_equal(sizeof out - stream->avail_out, length);
    assert_memory_equal(out, bytes, length);
    if (!peer->takes_over) inflateReset(stream);
}

static void test_zlib_and_this_understand_each_other(void **state)
{
    (void)state;
    static uint8_t message[65536];
    for (uint32_t seed = 1; seed <= 150; seed++) {
        bool takes_over = seed % 2;
        uint8_t bits = (uint8_t)(9 + seed / 2 % 7);
        zlib_peer peer;
        side server;
        side_init(&server, WEFT_SERVER, agreement(takes_over, bits));
        peer_init(&peer, takes_over, bits, seed);
        for (int i = 0; i < 12; i++) {
            server.agreed.level = (uint8_t)(1 + pick(&peer, 9));
            expect_from_peer(&peer, &server, message, random_message(&peer, message, 40000));
            expect_at_peer(&peer, &server, message, random_message(&peer, message, 40000));
            if (pick(&peer, 3) == 0) weft__deflate_pool_age(&server.pool);
        }
        deflateEnd(&peer.deflating);
        inflateEnd(&peer.inflating);
        side_clear(&server);
    }
}

/* -- limits -------------------------------------------------------------------------------------- */

static void test_the_limit_holds_while_inflating(void **state)
{
    (void)state;
    enum {
        BOMB = 1 << 20
    };
    static uint8_t zeros[BOMB];
    side client, server;
    side_init(&client, WEFT_CLIENT, agreement(false, 15));
    const uint8_t *bytes = zeros;
    size_t length = BOMB;
    assert_true(weft__deflate_compress(&client.deflate, &client.config, &bytes, &length));
    assert_true(length < BOMB / 200);
    static const uint64_t limits[] = {1, 2, 1000, 65536, BOMB - 1, BOMB, BOMB + 1};
    for (size_t i = 0; i < COUNT(limits); i++) {
        counting_allocator counter;
        allocator_count(&counter);
        weft__buffer out = {0};
        side_init(&server, WEFT_SERVER, agreement(false, 15));
        server.config.max_message_size = limits[i];
        weft_status status = inflate_in_pieces(&server, &out, bytes, length, i % 2 ? 1 : SIZE_MAX);
        assert_int_equal(status, limits[i] >= BOMB ? WEFT_OK : WEFT_ETOOBIG);
        assert_true(weft__buffer_length(&out) <= limits[i]);
        assert_true(counter.bytes <= 2 * limits[i] + 50000);
        weft__buffer_clear(&out);
        side_clear(&server);
        allocator_restore(&counter);
    }
    side_clear(&client);
}

/* -- memory -------------------------------------------------------------------------------------- */

static void test_without_memory_a_message_goes_as_it_is(void **state)
{
    (void)state;
    static char text[5000];
    size_t length = write_prose(text, sizeof text, 4);
    bool has_worked = false;
    for (size_t fail_at = 1; !has_worked; fail_at++) {
        counting_allocator counter;
        side server;
        allocator_count(&counter);
        counter.fail_at = fail_at;
        side_init(&server, WEFT_SERVER, agreement(true, 15));
        const uint8_t *bytes = (const uint8_t *)text;
        size_t wire_length = length;
        has_worked = weft__deflate_compress(&server.deflate, &server.config, &bytes, &wire_length);
        if (!has_worked) assert_ptr_equal(bytes, text);
        assert_int_equal(server.deflate.compressor != NULL, has_worked);
        side_clear(&server);
        allocator_restore(&counter);
        assert_true(fail_at < 50);
    }
}

static void test_every_failed_allocation_of_inflating_is_an_answer(void **state)
{
    (void)state;
    static char text[5000];
    size_t length = write_prose(text, sizeof text, 5);
    side client;
    side_init(&client, WEFT_CLIENT, agreement(false, 15));
    const uint8_t *bytes = (const uint8_t *)text;
    assert_true(weft__deflate_compress(&client.deflate, &client.config, &bytes, &length));
    weft_status status = WEFT_ENOMEM;
    for (size_t fail_at = 1; status == WEFT_ENOMEM; fail_at++) {
        counting_allocator counter;
        side server;
        weft__buffer out = {0};
        allocator_count(&counter);
        side_init(&server, WEFT_SERVER, agreement(true, 15));
        for (int round = 0; round < 2; round++) { /* the second one brings its window back */
            counter.fail_at = round ? counter.requests + fail_at : 0;
            weft__deflate_pool_age(&server.pool);
            weft__deflate_pool_age(&server.pool);
            status = inflate_in_pieces(&server, &out, bytes, length, 100);
            counter.fail_at = 0;
            weft__buffer_clear(&out);
        }
        assert_true(status == WEFT_OK || status == WEFT_ENOMEM);
        side_clear(&server);
        allocator_restore(&counter);
        assert_true(fail_at < 50);
    }
    side_clear(&client);
}

static void test_warm_contexts_allocate_nothing(void **state)
{
    (void)state;
    char text[2000];
    size_t length = write_prose(text, sizeof text, 6), requests = 0;
    for (int takes_over = 0; takes_over <= 1; takes_over++) {
        counting_allocator counter;
        side server, client;
        allocator_count(&counter);
        side_init(&server, WEFT_SERVER, agreement(takes_over, 15));
        side_init(&client, WEFT_CLIENT, agreement(takes_over, 15));
        for (int round = 0; round < 5; round++) {
            const uint8_t *bytes = (const uint8_t *)text;
            size_t wire_length = length;
            requests = counter.requests;
            weft__buffer *out = weft__deflate_borrow_payload(&server.deflate);
            assert_true(weft__deflate_compress(&client.deflate, &client.config, &bytes, &wire_length));
            weft_status status =
                weft__deflate_inflate(&server.deflate, &server.config, out, bytes, wire_length);
            assert_int_equal(status, WEFT_OK);
            assert_int_equal(weft__deflate_finish(&server.deflate, &server.config), WEFT_OK);
            weft__deflate_forget_output(&client.deflate);
            weft__deflate_return_payload(&server.deflate, out);
        }
        assert_int_equal(counter.requests, requests);
        side_clear(&server);
        side_clear(&client);
        allocator_restore(&counter);
    }
}

static void test_large_blocks_are_not_kept(void **state)
{
    (void)state;
    side server;
    side_init(&server, WEFT_SERVER, agreement(false, 15));
    weft__buffer *large = weft__deflate_borrow_payload(&server.deflate);
    weft__buffer *small = weft__deflate_borrow_payload(&server.deflate);
    assert_non_null(weft__buffer_reserve(large, WEFT__SPARE_BLOCK_MAX + 1, SIZE_MAX));
    assert_non_null(weft__buffer_reserve(small, 1000, SIZE_MAX));
    weft__deflate_return_payload(&server.deflate, large);
    assert_int_equal(server.pool.payload->capacity, 0);
    weft__deflate_return_payload(&server.deflate, small);
    assert_true(server.pool.payload->capacity >= 1000);
    side_clear(&server);
}

static void test_a_compressing_session_without_memory_is_none(void **state)
{
    (void)state;
    weft_session *session;
    weft_compression agreed;
    weft_session_config config;
    counting_allocator counter;
    weft_session_config_init(&config);
    weft_compression_init(&agreed, WEFT_SERVER);
    config.compression = &agreed;
    allocator_count(&counter);
    for (size_t n = 1; n <= 2; n++) {
        counter.fail_at = counter.requests + n;
        assert_int_equal(weft_session_new(&session, &config), WEFT_ENOMEM);
        assert_null(session);
    }
    allocator_restore(&counter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_one_side_compresses_the_other_inflates),
        cmocka_unit_test(test_the_window_is_as_small_as_agreed),
        cmocka_unit_test(test_context_is_taken_over_only_where_agreed),
        cmocka_unit_test(test_what_would_not_pay_goes_as_it_is),
        cmocka_unit_test(test_a_window_of_256_bytes_is_not_compressed_with),
        cmocka_unit_test(test_the_examples_of_the_rfc_are_read),
        cmocka_unit_test(test_blocks_behind_a_final_one_count),
        cmocka_unit_test(test_a_message_after_a_final_empty_block_is_read),
        cmocka_unit_test(test_damaged_data_is_refused),
        cmocka_unit_test(test_a_reference_beyond_a_message_needs_takeover),
        cmocka_unit_test(test_a_reference_to_before_the_window_is_refused),
        cmocka_unit_test(test_zlib_and_this_understand_each_other),
        cmocka_unit_test(test_the_limit_holds_while_inflating),
        cmocka_unit_test(test_without_memory_a_message_goes_as_it_is),
        cmocka_unit_test(test_every_failed_allocation_of_inflating_is_an_answer),
        cmocka_unit_test(test_warm_contexts_allocate_nothing),
        cmocka_unit_test(test_large_blocks_are_not_kept),
        cmocka_unit_test(test_a_compressing_session_without_memory_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
