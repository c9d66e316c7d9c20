#include "net/guest.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>

enum {
    LARGE = 3000000
};

/* -- reading ------------------------------------------------------------------------------------------ */

static void note_bytes_read(void *context)
{
    size_t *count = ((void **)context)[1];
    *count = ((lab *)((void **)context)[0])->bytes_read;
}

static void await_bytes(lab *lab, size_t wanted)
{
    size_t count = 0;
    void *both[] = {lab, &count};
    for (;;) {
        int reads = gate_count(&lab->read);
        on_loop(lab->loop, note_bytes_read, both);
        if (count >= wanted) break;
        gate_await(&lab->read, reads + 1);
    }
    assert_int_equal(count, wanted);
}

static void test_what_the_peer_says_arrives(void **state)
{
    (void)state;
    lab lab;
    lab_open(&lab);
    guest guest = guest_open(&lab, false);
    assert_int_equal(SSL_write(guest.ssl, "hello", 5), 5);
    await_bytes(&lab, 5);
    assert_memory_equal(lab.first_bytes, "hello", 5);
    static uint8_t bytes[LARGE];
    assert_int_equal(SSL_write(guest.ssl, bytes, LARGE), LARGE);
    await_bytes(&lab, 5 + LARGE);
    guest_leave(&guest);
    lab_close(&lab);
}

/* All that comes in one read of the socket goes up in one piece. */
static void test_many_records_go_up_together(void **state)
{
    (void)state;
    lab lab;
    lab_open(&lab);
    guest guest = guest_open(&lab, false);
    BIO *memory = BIO_new(BIO_s_mem());
    SSL_set0_wbio(guest.ssl, memory);
    for (int i = 0; i < 100; i++)
        assert_int_equal(SSL_write(guest.ssl, "0123456789", 10), 10);
    send_from(memory, guest.socket);
    await_bytes(&lab, 1000);
    assert_true(gate_count(&lab.read) <= 2); /* one, unless the system cut it */
    guest_leave(&guest);
    lab_close(&lab);
}

static void test_records_cut_anywhere_arrive(void **state)
{
    (void)state;
    lab lab;
    lab_open(&lab);
    guest guest = guest_open(&lab, false);
    BIO *memory = BIO_new(BIO_s_mem());
    SSL_set0_wbio(guest.ssl, memory);
    static uint8_t bytes[40000];
    assert_int_equal(SSL_write(guest.ssl, bytes, sizeof bytes), sizeof bytes);
    char *records;
    long length = BIO_get_mem_data(memory, &records);
    for (long at = 0; at < length;) {
        long piece = at < 300 ? 1 : 7919;
        if (piece > length - at) piece = length - at;
        peer_send(guest.socket, records + at, (size_t)piece);
        at += piece;
    }
    await_bytes(&lab, sizeof bytes);
    guest_leave(&guest);
    lab_close(&lab);
}

/* -- writing ------------------------------------------------------------------------------------------ */

/* In turn copied, gathered, and both, of lengths around those of records. */
static void write_pattern(void *context)
{
    lab *lab = context;
    static uint8_t bytes[LARGE];
    for (size_t i = 0; i < LARGE; i++)
        bytes[i] = pattern_at(i);
    size_t at = 0;
    for (size_t round = 0; at < LARGE; round++) {
        size_t length = 1 + round * 7919 % 50000, half;
        if (length > LARGE - at) length = LARGE - at;
        half = length / 2;
        weft__span spans[] = {{bytes + at, half}, {bytes + at + half, length - half}};
        if (round % 3 == 0) {
            weft__buffer *output = weft__stream_output(lab->stream);
            assert_int_equal(weft__buffer_append(output, bytes + at, length, SIZE_MAX), WEFT_OK);
        } else {
            assert_int_equal(weft__stream_write(lab->stream, spans, 2), WEFT_OK);
        }
        at += length;
    }
}

static void shut_down(void *context)
{
    lab *lab = context;
    weft__stream_shut_down(lab->stream);
}

static void expect_pattern_and_end(guest *guest)
{
    static uint8_t bytes[65536];
    size_t at = 0;
    for (int count; (count = SSL_read(guest->ssl, bytes, sizeof bytes)) > 0;) {
        for (int i = 0; i < count; i++, at++) {
            if (bytes[i] != pattern_at(at)) fail_msg("byte %zu is wrong", at);
        }
    }
    assert_int_equal(at, LARGE);
    assert_int_equal(SSL_get_error(guest->ssl, 0), SSL_ERROR_ZERO_RETURN); /* close_notify */
}

static void test_what_is_written_arrives_in_order_before_the_end(void **state)
{
    (void)state;
    for (int is_slow = 0; is_slow < 2; is_slow++) {
        lab lab;
        lab_open(&lab);
        guest guest = guest_open(&lab, is_slow);
        on_loop(lab.loop, write_pattern, &lab);
        on_loop(lab.loop, shut_down, &lab);
        expect_pattern_and_end(&guest);
        guest_leave(&guest);
        lab_close(&lab);
    }
}

static void write_often(void *context)
{
    lab *lab = context;
    for (int i = 0; i < 500; i++) {
        weft__buffer *output = weft__stream_output(lab->stream);
        assert_int_equal(weft__buffer_append(output, "0123456789", 10, SIZE_MAX), WEFT_OK);
    }
}

static void test_many_writes_of_a_turn_are_one_record(void **state)
{
    (void)state;
    lab lab;
    lab_open(&lab);
    guest guest = guest_open(&lab, false);
    on_loop(lab.loop, write_often, &lab);
    char bytes[8192];
    assert_int_equal(SSL_read(guest.ssl, bytes, sizeof bytes), 5000);
    guest_leave(&guest);
    lab_close(&lab);
}

static void write_early(void *context)
{
    secure_stream(context);
    write_often(context);
}

static void test_what_is_written_before_the_handshake_is_never_sent_in_the_clear(void **state)
{
    (void)state;
    lab lab;
    lab_open(&lab);
    int peer = lab_connect(&lab, false);
    on_loop(lab.loop, write_early, &lab);
    on_loop(lab.loop, shut_down, &lab);
    peer_expect_end(peer);
    close(peer);
    lab_close(&lab);
}

/* -- ends --------------------------------------------------------------------------------------------- */

static void test_close_notify_is_an_orderly_end_told_once(void **state)
{
    (void)state;
    lab lab;
    lab_open(&lab);
    guest guest = guest_open(&lab, false);
    assert_int_equal(SSL_write(guest.ssl, "last", 4), 4);
    assert_int_equal(SSL_shutdown(guest.ssl), 0);
    gate_await(&lab.ended, 1);
    assert_int_equal(lab.end, WEFT_OK);
    assert_int_equal(lab.bytes_read, 4);
    on_loop(lab.loop, write_often, &lab); /* our direction goes on */
    on_loop(lab.loop, shut_down, &lab);
    char bytes[8192];
    assert_int_equal(SSL_read(guest.ssl, bytes, sizeof bytes), 5000);
    assert_int_equal(SSL_shutdown(guest.ssl), 1);
    guest_leave(&guest);
    on_loop(lab.loop, start_reading, &lab); /* and sees the end of TCP */
    on_loop(lab.loop, stop_reading, &lab);
    assert_int_equal(gate_count(&lab.ended), 1);
    lab_close(&lab);
}

static void test_a_cut_connection_is_lost(void **state)
{
    (void)state;
    lab lab;
    lab_open(&lab);
    guest guest = guest_open(&lab, false);
    assert_int_equal(SSL_write(guest.ssl, "half of", 7), 7);
    shutdown(guest.socket, SHUT_WR);
    gate_await(&lab.ended, 1);
    assert_int_equal(lab.end, WEFT_ELOST);
    assert_string_equal(lab.end_detail, "TCP ended without the close_notify of TLS");
    assert_int_equal(lab.bytes_read, 7);
    guest_leave(&guest);
    lab_close(&lab);
}

static void pause_on_read(void *owner, uint8_t *bytes, size_t length)
{
    lab_on_read(owner, bytes, length);
    stop_reading(owner);
}

static void pause_from_now_on(void *context)
{
    static const weft__stream_events events = {
        .on_read = pause_on_read, .on_end = lab_on_end, .on_drain = lab_on_drain};
    lab *lab = context;
    weft__stream_set_owner(lab->stream, &events, lab);
}

static void test_an_end_behind_a_pause_is_told_after_it(void **state)
{
    (void)state;
    lab lab;
    lab_open(&lab);
    guest guest = guest_open(&lab, false);
    on_loop(lab.loop, pause_from_now_on, &lab);
    BIO *memory = BIO_new(BIO_s_mem());
    SSL_set0_wbio(guest.ssl, memory); /* both in one packet */
    assert_int_equal(SSL_write(guest.ssl, "last", 4), 4);
    SSL_shutdown(guest.ssl);
    send_from(memory, guest.socket);
    gate_await(&lab.read, 1);
    assert_int_equal(gate_count(&lab.ended), 0);
    on_loop(lab.loop, start_reading, &lab);
    gate_await(&lab.ended, 1);
    assert_int_equal(lab.end, WEFT_OK);
    guest_leave(&guest);
    lab_close(&lab);
}

static void stop_when_secure(void *owner)
{
    stop_reading(owner);
    lab_on_secure(owner);
}

static void pause_when_secure(void *context)
{
    static const weft__stream_events events = {.on_read = lab_on_read,
                                               .on_end = lab_on_end,
                                               .on_drain = lab_on_drain,
                                               .on_secure = stop_when_secure};
    lab *lab = context;
    weft__stream_set_owner(lab->stream, &events, lab);
}

/* The last records of the handshake, the first of the client's own and its end come in one packet. */
static void test_what_comes_with_the_handshake_waits_for_its_owner(void **state)
{
    (void)state;
    lab lab;
    lab_open(&lab);
    guest guest = guest_connect(&lab, false);
    on_loop(lab.loop, pause_when_secure, &lab);
    BIO *memory = BIO_new(BIO_s_mem()), *socket = BIO_new_socket(guest.socket, BIO_NOCLOSE);
    SSL_set_bio(guest.ssl, socket, memory);
    SSL_set_connect_state(guest.ssl);
    fcntl(guest.socket, F_SETFL, O_NONBLOCK);
    SSL_do_handshake(guest.ssl);
    send_from(memory, guest.socket); /* its hello */
    while (SSL_do_handshake(guest.ssl) != 1)
        assert_true(peer_is_readable(guest.socket, PEER_DEADLINE_MS));
    assert_int_equal(SSL_write(guest.ssl, "eager", 5), 5);
    SSL_shutdown(guest.ssl);
    send_from(memory, guest.socket);
    gate_await(&lab.secured, 1);
    assert_int_equal(gate_count(&lab.read), 0);
    assert_int_equal(gate_count(&lab.ended), 0);
    on_loop(lab.loop, start_reading, &lab);
    gate_await(&lab.ended, 1);
    assert_int_equal(lab.end, WEFT_OK);
    assert_int_equal(lab.bytes_read, 5);
    assert_memory_equal(lab.first_bytes, "eager", 5);
    guest_leave(&guest);
    lab_close(&lab);
}

/* -- what is wrong ------------------------------------------------------------------------------------ */

static void test_a_peer_that_speaks_no_tls_gets_an_alert(void **state)
{
    (void)state;
    lab lab;
    lab_open(&lab);
    int peer = lab_connect(&lab, false);
    on_loop(lab.loop, secure_stream, &lab);
    const uint8_t bytes[] = {0x16, 3, 1, 0, 5, 1, 0, 0, 1, 9}; /* a ClientHello of one byte */
    peer_send(peer, bytes, sizeof bytes);
    gate_await(&lab.ended, 1);
    assert_int_equal(lab.end, WEFT_ETLS);
    assert_memory_equal(lab.end_detail, "the TLS handshake failed: ", 26);
    uint8_t alert[7];
    assert_int_equal(peer_receive(peer, alert, sizeof alert), 7);
    assert_int_equal(alert[0], 0x15);
    close(peer);
    lab_close(&lab);
}

static void test_an_end_during_the_handshake_is_named(void **state)
{
    (void)state;
    lab lab;
    lab_open(&lab);
    int peer = lab_connect(&lab, false);
    on_loop(lab.loop, secure_stream, &lab);
    close(peer);
    gate_await(&lab.ended, 1);
    assert_int_equal(lab.end, WEFT_ETLS);
    assert_string_equal(lab.end_detail, "the peer ended TCP during the TLS handshake");
    lab_close(&lab);
}

static void test_a_damaged_record_ends_the_stream_behind_the_good_ones(void **state)
{
    (void)state;
    lab lab;
    lab_open(&lab);
    guest guest = guest_open(&lab, false);
    BIO *memory = BIO_new(BIO_s_mem());
    SSL_set0_wbio(guest.ssl, memory);
    assert_int_equal(SSL_write(guest.ssl, "good", 4), 4);
    assert_int_equal(SSL_write(guest.ssl, "bad", 3), 3);
    char *records;
    long length = BIO_get_mem_data(memory, &records);
    records[length - 1] ^= 1;
    peer_send(guest.socket, records, (size_t)length);
    gate_await(&lab.ended, 1);
    assert_int_equal(lab.end, WEFT_ETLS);
    assert_string_equal(lab.end_detail, "TLS failed: decryption failed or bad record mac");
    assert_int_equal(lab.bytes_read, 4);
    guest_leave(&guest);
    lab_close(&lab);
}

static void read_and_write(void *context)
{
    lab *lab = context;
    weft__span span = {(const uint8_t *)"anyone?", 7};
    weft__stream_start_reading(lab->stream);
    assert_int_equal(weft__stream_write(lab->stream, &span, 1), WEFT_ELOST);
}

/* A peer that refuses in the midst of what we say resets TCP behind its alert. */
static void test_an_alert_outlives_a_failed_write(void **state)
{
    (void)state;
    lab lab;
    lab_open(&lab);
    guest guest = guest_open(&lab, false);
    on_loop(lab.loop, stop_reading, &lab);
    BIO *memory = BIO_new(BIO_s_mem());
    SSL_set_bio(guest.ssl, memory, memory);
    BIO_write(memory, "\x17\x03\x03\x00\x11no record of ours", 22);
    assert_int_equal(SSL_read(guest.ssl, (char[8]){0}, 8), -1); /* and an alert says so */
    send_from(memory, guest.socket);
    peer_reset(guest.socket);
    guest.socket = -1;
    on_loop(lab.loop, read_and_write, &lab);
    gate_await(&lab.ended, 1);
    assert_int_equal(lab.end, WEFT_ETLS);
    assert_string_equal(lab.end_detail, "TLS failed: the peer sent the alert \"bad record mac\" (20)");
    guest_leave(&guest);
    lab_close(&lab);
}

/* Each asks for an answer, and the peer reads none of them. */
static void test_a_flood_of_key_updates_ends_the_stream(void **state)
{
    (void)state;
    lab lab;
    lab_open(&lab);
    guest guest = guest_open(&lab, true);
    on_loop(lab.loop, limit_send_buffer, &lab);
    struct timeval limit = {.tv_usec = 100000}; /* nobody reads any more when it has ended */
    setsockopt(guest.socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    for (int i = 0; gate_count(&lab.ended) == 0 && i < 1000000; i++) {
        ERR_clear_error();
        SSL_key_update(guest.ssl, SSL_KEY_UPDATE_REQUESTED);
        if (SSL_write(guest.ssl, "x", 1) != 1) break;
    }
    gate_await(&lab.ended, 1);
    assert_int_not_equal(lab.end, WEFT_OK);
    guest_leave(&guest);
    lab_close(&lab);
}

/* -- in single bytes ---------------------------------------------------------------------------------- */

static void talk_in_single_bytes(lab *lab, guest *guest)
{
    BIO *memory = BIO_new(BIO_s_mem());
    int one = 1;
    SSL_set0_wbio(guest->ssl, memory);
    setsockopt(guest->socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(guest->socket, F_SETFL, O_NONBLOCK);
    while (SSL_do_handshake(guest->ssl) != 1) {
        send_single_bytes(memory, guest->socket);
        assert_true(peer_is_readable(guest->socket, PEER_DEADLINE_MS));
    }
    static uint8_t bytes[700];
    assert_int_equal(SSL_write(guest->ssl, "hello", 5), 5);
    assert_int_equal(SSL_write(guest->ssl, bytes, sizeof bytes), sizeof bytes);
    SSL_shutdown(guest->ssl);
    send_single_bytes(memory, guest->socket);
    gate_await(&lab->secured, 1);
    gate_await(&lab->ended, 1);
    assert_int_equal(lab->end, WEFT_OK);
    assert_int_equal(lab->bytes_read, 5 + sizeof bytes);
    assert_memory_equal(lab->first_bytes, "hello", 5);
}

static void test_all_of_it_may_come_in_single_bytes(void **state)
{
    (void)state;
    const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (int i = 0; i < 4; i++) {
        lab lab;
        lab_open(&lab);
        guest guest = (i & 1 ? guest_serve : guest_call)(&lab, versions[i / 2]);
        talk_in_single_bytes(&lab, &guest);
        assert_int_equal(SSL_version(guest.ssl), versions[i / 2]);
        guest_leave(&guest);
        lab_close(&lab);
    }
}

/* -- renegotiation ------------------------------------------------------------------------------------ */

static void test_a_client_refuses_renegotiation(void **state)
{
    (void)state;
    lab lab;
    lab_open(&lab);
    guest guest = guest_serve(&lab, TLS1_2_VERSION);
    assert_int_equal(SSL_accept(guest.ssl), 1);
    gate_await(&lab.secured, 1);
    assert_int_equal(SSL_renegotiate(guest.ssl), 1);
    assert_int_equal(SSL_do_handshake(guest.ssl), 1); /* only asks */
    assert_int_not_equal(SSL_read(guest.ssl, (char[8]){0}, 8), 1);
    assert_int_equal(ERR_GET_REASON(ERR_peek_last_error()), SSL_R_NO_RENEGOTIATION);
    guest_leave(&guest);
    lab_close(&lab);
}

static void test_renegotiation_is_refused(void **state)
{
    (void)state;
    lab lab;
    lab_open(&lab);
    guest guest = guest_connect(&lab, false);
    SSL_set_max_proto_version(guest.ssl, TLS1_2_VERSION);
    assert_int_equal(SSL_connect(guest.ssl), 1);
    gate_await(&lab.secured, 1);
    assert_int_equal(SSL_renegotiate(guest.ssl), 1);
    assert_int_not_equal(SSL_do_handshake(guest.ssl), 1);
    assert_int_equal(ERR_GET_REASON(ERR_peek_last_error()), SSL_R_NO_RENEGOTIATION);
    guest_leave(&guest);
    lab_close(&lab);
}

static void close_on_secure(void *owner)
{
    lab *lab = owner;
    weft__stream_close(lab->stream);
    lab->stream = NULL;
    gate_pass(&lab->secured);
}

static void close_on_read(void *owner, uint8_t *bytes, size_t length)
{
    lab *lab = owner;
    lab_on_read(owner, bytes, length);
    weft__stream_close(lab->stream);
    lab->stream = NULL;
}

static const weft__stream_events closing_when_secure = {.on_read = lab_on_read, .on_secure = close_on_secure};
static const weft__stream_events closing_when_read = {.on_read = close_on_read, .on_secure = lab_on_secure};

static void close_when_secure(void *context)
{
    weft__stream_set_owner(((lab *)context)->stream, &closing_when_secure, context);
}

static void close_when_read(void *context)
{
    weft__stream_set_owner(((lab *)context)->stream, &closing_when_read, context);
}

static void test_the_owner_may_close_inside_any_event(void **state)
{
    (void)state;
    lab lab;
    lab_open(&lab);
    guest guest = guest_connect(&lab, false);
    on_loop(lab.loop, close_when_secure, &lab);
    SSL_connect(guest.ssl);
    gate_await(&lab.secured, 1);
    guest_leave(&guest);
    guest = guest_connect(&lab, false);
    on_loop(lab.loop, close_when_read, &lab);
    assert_int_equal(SSL_connect(guest.ssl), 1);
    assert_int_equal(SSL_write(guest.ssl, "bye", 3), 3);
    gate_await(&lab.read, 1);
    guest_leave(&guest);
    lab_close(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_the_peer_says_arrives),
        cmocka_unit_test(test_many_records_go_up_together),
        cmocka_unit_test(test_records_cut_anywhere_arrive),
        cmocka_unit_test(test_what_is_written_arrives_in_order_before_the_end),
        cmocka_unit_test(test_many_writes_of_a_turn_are_one_record),
        cmocka_unit_test(test_what_is_written_before_the_handshake_is_never_sent_in_the_clear),
        cmocka_unit_test(test_close_notify_is_an_orderly_end_told_once),
        cmocka_unit_test(test_a_cut_connection_is_lost),
        cmocka_unit_test(test_an_end_behind_a_pause_is_told_after_it),
        cmocka_unit_test(test_what_comes_with_the_handshake_waits_for_its_owner),
        cmocka_unit_test(test_a_peer_that_speaks_no_tls_gets_an_alert),
        cmocka_unit_test(test_an_end_during_the_handshake_is_named),
        cmocka_unit_test(test_a_damaged_record_ends_the_stream_behind_the_good_ones),
        cmocka_unit_test(test_an_alert_outlives_a_failed_write),
        cmocka_unit_test(test_a_flood_of_key_updates_ends_the_stream),
        cmocka_unit_test(test_all_of_it_may_come_in_single_bytes),
        cmocka_unit_test(test_a_client_refuses_renegotiation),
        cmocka_unit_test(test_renegotiation_is_refused),
        cmocka_unit_test(test_the_owner_may_close_inside_any_event),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
