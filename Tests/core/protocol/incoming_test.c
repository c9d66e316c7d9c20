#include "check.h"

#include "protocol/transcript.h"

static void test_whole_messages_and_control_frames_are_delivered(void **state)
{
    (void)state;
    expect((frame[]){{TEXT, "Hello"}, {BINARY, "\xFF\xFE"}, {PING, "are you there"}, {PONG, "yes"}, {0}},
           "text Hello\nbinary \xFF\xFE\nping are you there\npong yes\n");
}

static void test_empty_frames_are_frames(void **state)
{
    (void)state;
    expect((frame[]){{TEXT, ""}, {BINARY, ""}, {PING, ""}, {PONG, ""}, {0}},
           "text \nbinary \nping \npong \n");
    expect((frame[]){{FIRST_TEXT, ""}, {MIDDLE, ""}, {LAST, ""}, {TEXT, "next"}, {0}}, "text \ntext next\n");
    expect((frame[]){{FIRST_TEXT, ""}, {MIDDLE, "a"}, {MIDDLE, ""}, {LAST, ""}, {0}}, "text a\n");
}

static void test_fragments_become_one_message(void **state)
{
    (void)state;
    expect((frame[]){{FIRST_TEXT, "fra"}, {MIDDLE, "gmen"}, {LAST, "ted"}, {TEXT, "whole"}, {0}},
           "text fragmented\ntext whole\n");
    expect((frame[]){{FIRST_BINARY, "\xC3"}, {LAST, "("}, {0}}, "binary \xC3(\n");
}

static void test_control_frames_pass_inside_a_fragmented_message(void **state)
{
    (void)state;
    expect(
        (frame[]){
            {FIRST_TEXT, "one "}, {PING, "1"}, {MIDDLE, ""}, {PONG, ""}, {PING, "2"}, {LAST, "text"}, {0}},
        "ping 1\npong \nping 2\ntext one text\n");
    expect((frame[]){{FIRST_TEXT, "\xE2"}, {PING, "\x82"}, {LAST, "\x82\xAC"}, {0}},
           "ping \x82\ntext \xE2\x82\xAC\n");
    expect((frame[]){{FIRST_TEXT, "never finished"}, {CLOSE, "\x03\xE8"}, {LAST, "dropped"}, {0}},
           "close 1000 \n");
}

static void test_fragments_out_of_order_are_refused(void **state)
{
    (void)state;
    expect((frame[]){{LAST, "of nothing"}, {0}}, "failure 1002 ECONTINUATION\n");
    expect((frame[]){{MIDDLE, "of nothing"}, {0}}, "failure 1002 ECONTINUATION\n");
    expect((frame[]){{TEXT, "done"}, {LAST, ""}, {0}}, "text done\nfailure 1002 ECONTINUATION\n");
    expect((frame[]){{FIRST_TEXT, "a"}, {TEXT, "b"}, {0}}, "failure 1002 ECONTINUATION\n");
    expect((frame[]){{FIRST_BINARY, ""}, {FIRST_BINARY, "b"}, {0}}, "failure 1002 ECONTINUATION\n");
}

static void test_reserved_bits_are_refused_on_every_frame(void **state)
{
    (void)state;
    static const uint8_t bits[] = {RSV1, RSV2, RSV3, RSV1 | RSV2 | RSV3};
    static const uint8_t firsts[] = {TEXT, FIRST_BINARY, PING, PONG, CLOSE, LAST};
    for (size_t i = 0; i < COUNT(bits) * COUNT(firsts); i++) {
        uint8_t first = bits[i % COUNT(bits)] | firsts[i / COUNT(bits)];
        expect((frame[]){{first, "xy"}, {TEXT, "dropped"}, {0}}, "failure 1002 EPROTOCOL\n");
    }
}

static void test_wrong_headers_fail_the_session(void **state)
{
    (void)state;
    static const struct {
        uint8_t bytes[10];
        const char *expected;
    } cases[] = {
        {{0x83, 0}, "failure 1002 EPROTOCOL\n"},
        {{0x8B, 0}, "failure 1002 EPROTOCOL\n"},
        {{0x0F, 0}, "failure 1002 EPROTOCOL\n"},
        {{0x09, 0}, "failure 1002 EPROTOCOL\n"},
        {{0x89, 126, 0, 126}, "failure 1002 ECONTROL\n"},
        {{0x88, 127}, "failure 1002 ECONTROL\n"},
        {{0x82, 126, 0, 125}, "failure 1002 EPROTOCOL\n"},
        {{0x82, 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF}, "failure 1002 EPROTOCOL\n"},
        {{0x82, 127, 0x80}, "failure 1002 EPROTOCOL\n"},
    };
    for (size_t i = 0; i < COUNT(cases) * 2; i++) {
        wire wire = {.to = i & 1 ? WEFT_SERVER : WEFT_CLIENT};
        weft_session_config config = config_for(wire.to);
        put_bytes(&wire, cases[i / 2].bytes, sizeof cases[i / 2].bytes);
        if (wire.to == WEFT_SERVER) wire.bytes[1] |= 0x80;
        expect_wire(&config, &wire, cases[i / 2].expected);
    }
}

static void test_only_clients_mask(void **state)
{
    (void)state;
    for (int role = WEFT_CLIENT; role <= WEFT_SERVER; role++) {
        weft_session_config config = config_for((weft_role)role);
        for (uint8_t first = WEFT_OPCODE_TEXT; first <= WEFT_OPCODE_PING; first += 8) {
            wire wire = {.to = role == WEFT_SERVER ? WEFT_CLIENT : WEFT_SERVER};
            put_frame(&wire, FIN | first, "Hello", 5);
            expect_wire(&config, &wire, "failure 1002 EPROTOCOL\n");
        }
    }
}

/* A message of `length` bytes in one frame, cut at `cut`, arrives as it was sent. */
static void check_length(weft_role role, size_t length, size_t cut)
{
    weft_session_config config = config_for(role);
    config.max_frame_size = 65536;
    uint8_t *bytes = malloc(length + WEFT_FRAME_HEADER_MAX);
    assert_non_null(bytes);
    wire start = {.to = role};
    put_header(&start, BINARY, length);
    memcpy(bytes, start.bytes, start.length);
    for (size_t i = 0; i < length; i++) {
        uint8_t key = role == WEFT_SERVER ? start.bytes[start.length - 4 + i % 4] : 0;
        bytes[start.length + i] = (uint8_t)(i * 7) ^ key;
    }
    size_t total = start.length + length, used;
    if (cut > total) cut = total;
    weft__session session;
    weft__session_init(&session, &config);
    weft_event event;
    weft__session_next(&session, &event, bytes, cut, &used);
    assert_int_equal(used, cut);
    if (cut < total) {
        assert_int_equal(event.type, WEFT_EVENT_NONE);
        weft__session_next(&session, &event, bytes + cut, total - cut, &used);
        assert_int_equal(used, total - cut);
    }
    assert_int_equal(event.type, WEFT_EVENT_BINARY);
    assert_int_equal(event.length, length);
    for (size_t i = 0; i < length; i++)
        assert_true(event.bytes[i] == (uint8_t)(i * 7));
    weft__session_clear(&session);
    free(bytes);
}

static void test_every_length_encoding_arrives_at_every_cut_of_its_header(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 125, 126, 127, 65535, 65536};
    for (size_t i = 0; i < COUNT(lengths); i++) {
        for (size_t cut = 0; cut <= 20; cut++) {
            check_length(WEFT_CLIENT, lengths[i], cut);
            check_length(WEFT_SERVER, lengths[i], cut);
        }
        check_length(WEFT_CLIENT, lengths[i], lengths[i]);
        check_length(WEFT_SERVER, lengths[i], SIZE_MAX);
    }
}

static void test_a_frame_at_its_limit_passes_and_one_byte_more_does_not(void **state)
{
    (void)state;
    weft_session_config limits = config_for(WEFT_SERVER);
    limits.max_frame_size = 5;
    expect_within(limits, (frame[]){{TEXT, "12345"}, {FIRST_TEXT, "12345"}, {LAST, "12345"}, {0}},
                  "text 12345\ntext 1234512345\n");
    expect_within(limits, (frame[]){{TEXT, "123456"}, {TEXT, "dropped"}, {0}}, "failure 1009 ETOOBIG\n");
    expect_within(limits, (frame[]){{FIRST_TEXT, "1"}, {LAST, "123456"}, {0}}, "failure 1009 ETOOBIG\n");
}

/* They are at most 125 bytes anyway, and a close must get through (RFC 6455 section 5.5). */
static void test_control_frames_have_no_other_limit_than_their_own(void **state)
{
    (void)state;
    weft_session_config limits = config_for(WEFT_SERVER);
    limits.max_frame_size = limits.max_message_size = limits.max_fragments = 1;
    expect_within(limits,
                  (frame[]){{PING, "longer"},
                            {PONG, "than one"},
                            {CLOSE, "\x03\xE9"
                                    "going"},
                            {0}},
                  "ping longer\npong than one\nclose 1001 going\n");
}

static void test_a_message_at_its_limit_passes_and_one_byte_more_does_not(void **state)
{
    (void)state;
    weft_session_config limits = config_for(WEFT_SERVER);
    limits.max_message_size = 6;
    expect_within(limits, (frame[]){{TEXT, "123456"}, {0}}, "text 123456\n");
    expect_within(limits, (frame[]){{FIRST_TEXT, "123"}, {MIDDLE, "456"}, {LAST, ""}, {TEXT, "6 more"}, {0}},
                  "text 123456\ntext 6 more\n");
    expect_within(limits, (frame[]){{TEXT, "1234567"}, {0}}, "failure 1009 ETOOBIG\n");
    expect_within(limits, (frame[]){{FIRST_TEXT, "123"}, {MIDDLE, "456"}, {LAST, "7"}, {0}},
                  "failure 1009 ETOOBIG\n");
}

static void test_every_fragment_counts_even_an_empty_one(void **state)
{
    (void)state;
    weft_session_config limits = config_for(WEFT_SERVER);
    limits.max_fragments = 3;
    expect_within(limits, (frame[]){{FIRST_TEXT, ""}, {MIDDLE, ""}, {LAST, "3"}, {TEXT, "new"}, {0}},
                  "text 3\ntext new\n");
    expect_within(limits, (frame[]){{FIRST_TEXT, ""}, {PING, ""}, {MIDDLE, ""}, {PING, ""}, {LAST, "3"}, {0}},
                  "ping \nping \ntext 3\n");
    expect_within(limits, (frame[]){{FIRST_TEXT, ""}, {MIDDLE, ""}, {MIDDLE, ""}, {LAST, ""}, {0}},
                  "failure 1009 ETOOBIG\n");
}

static void test_a_second_fragment_of_2_63_minus_1_bytes_is_over_the_limit(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        weft_session_config config = config_for(i & 1 ? WEFT_SERVER : WEFT_CLIENT);
        if (i & 2) config.max_frame_size = config.max_message_size = PTRDIFF_MAX;
        wire wire = {.to = config.role};
        put_frame(&wire, FIRST_BINARY, "some", 4);
        put_header(&wire, LAST, INT64_MAX);
        expect_wire(&config, &wire, "failure 1009 ETOOBIG\n");
    }
}

static void test_an_announced_length_takes_no_memory(void **state)
{
    (void)state;
    weft_session_config config = config_for(WEFT_CLIENT);
    config.max_frame_size = config.max_message_size = PTRDIFF_MAX;
    wire wire = {.to = WEFT_CLIENT};
    put_frame(&wire, FIRST_BINARY, "", 0);
    put_header(&wire, LAST, PTRDIFF_MAX);
    put_bytes(&wire, "ten bytes.", 10);
    counting_allocator counter;
    allocator_count(&counter);
    weft__session session;
    weft__session_init(&session, &config);
    transcript found = {0};
    feed(&session, &found, wire.bytes, wire.length);
    assert_string_equal(found.text, "");
    assert_true(counter.bytes <= 1024);
    weft__session_clear(&session);
    allocator_restore(&counter);
}

static void test_text_may_be_cut_inside_a_character(void **state)
{
    (void)state;
    expect((frame[]){{TEXT, "\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x92\xA9"}, {0}},
           "text \xC3\xA9 \xE2\x82\xAC \xF0\x9F\x92\xA9\n");
    expect(
        (frame[]){
            {FIRST_TEXT, "\xF0"}, {MIDDLE, "\x9F"}, {MIDDLE, ""}, {MIDDLE, "\x92"}, {LAST, "\xA9"}, {0}},
        "text \xF0\x9F\x92\xA9\n");
}

static void test_text_that_is_not_utf_8_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "\x80",  "\xC0\x80", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xF8\x88",
        "a\xFF", "\xE2\x82", "\xF0\x9F\x92", "\xC3(", /* the first two of this line end too early */
    };
    for (size_t i = 0; i < COUNT(wrong); i++) {
        expect((frame[]){{TEXT, wrong[i]}, {TEXT, "dropped"}, {0}}, "failure 1007 EPAYLOAD\n");
        expect((frame[]){{FIRST_TEXT, "well "}, {LAST, wrong[i]}, {0}}, "failure 1007 EPAYLOAD\n");
        expect((frame[]){{FIRST_TEXT, wrong[i]}, {LAST, ""}, {0}}, "failure 1007 EPAYLOAD\n");
    }
}

static void test_wrong_text_fails_with_the_byte_that_makes_it_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t wrong_at;
    } cases[] = {{"\xCE\xBA\xED\xA0", 3}, {"abc\xFF", 3}, {"\xF4\x90", 1}, {"\xE2\x82(", 2}, {"\xC0", 0}};
    for (size_t i = 0; i < COUNT(cases) * 2; i++) {
        weft_session_config config = config_for(i & 1 ? WEFT_SERVER : WEFT_CLIENT);
        wire wire = {.to = config.role};
        put_header(&wire, FIRST_TEXT, 1000);
        size_t header_length = wire.length;
        put_payload(&wire, cases[i / 2].text, strlen(cases[i / 2].text));
        wire.length = header_length + cases[i / 2].wrong_at;
        expect_wire(&config, &wire, "");
        wire.length++;
        expect_wire(&config, &wire, "failure 1007 EPAYLOAD\n");
    }
}

static void test_close_frames_carry_a_code_and_a_reason_or_neither(void **state)
{
    (void)state;
    char longest[126] = "\x0F\xA0", expected[160];
    memset(longest + 2, 'r', WEFT_CLOSE_REASON_MAX);
    snprintf(expected, sizeof expected, "close 4000 %s\n", longest + 2);
    expect((frame[]){{CLOSE, ""}, {TEXT, "dropped"}, {0}}, "close 1005 \n");
    expect((frame[]){{CLOSE, "\x03\xE8"}, {PING, "dropped"}, {0}}, "close 1000 \n");
    expect((frame[]){{CLOSE, "\x03\xE9"
                             "bye \xE2\x82\xAC"},
                     {CLOSE, ""},
                     {0}},
           "close 1001 bye \xE2\x82\xAC\n");
    expect((frame[]){{CLOSE, longest}, {0}}, expected);
    expect((frame[]){{CLOSE, "\x03"}, {TEXT, "dropped"}, {0}}, "failure 1002 EPROTOCOL\n");
}

static void test_a_close_reason_is_utf_8(void **state)
{
    (void)state;
    expect((frame[]){{CLOSE, "\x03\xE8\xFF"}, {0}}, "failure 1007 EPAYLOAD\n");
    expect((frame[]){{CLOSE, "\x03\xE8 cut \xE2\x82"}, {0}}, "failure 1007 EPAYLOAD\n");
    expect((frame[]){{CLOSE, "\x03\xE8\xED\xA0\x80"}, {0}}, "failure 1007 EPAYLOAD\n");
}

static void test_a_whole_message_is_lent_where_it_lies(void **state)
{
    (void)state;
    weft_session_config config = config_for(WEFT_SERVER);
    weft__session session;
    weft__session_init(&session, &config);
    uint8_t bytes[] = {TEXT, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58, /* section 5.7 */
                       PING, 0x80, 0,    0,    0,    0};
    size_t used;
    weft_event event;
    weft__session_next(&session, &event, bytes, sizeof bytes, &used);
    assert_int_equal(used, 11);
    assert_ptr_equal(event.bytes, bytes + 6);
    assert_memory_equal(bytes + 6, "Hello", 5);
    weft__session_next(&session, &event, bytes + used, sizeof bytes - used, &used);
    assert_int_equal(used, 6);
    assert_int_equal(event.type, WEFT_EVENT_PING);
}

static void put_long_scenario(wire *wire)
{
    char kilobyte[1000];
    memset(kilobyte, 'k', sizeof kilobyte);
    put_frame(wire, TEXT, "whole", 5);
    put_frame(wire, FIRST_BINARY, kilobyte, 600);
    put_frame(wire, PING, kilobyte, 125);
    put_frame(wire, MIDDLE, kilobyte, 1000);
    put_frame(wire, LAST, "", 0);
    put_frame(wire, PONG, "late", 4);
}

static void test_whole_messages_in_one_read_allocate_nothing(void **state)
{
    (void)state;
    for (int role = WEFT_CLIENT; role <= WEFT_SERVER; role++) {
        weft_session_config config = config_for((weft_role)role);
        wire wire = {.to = config.role};
        put_frame(&wire, TEXT, "one", 3);
        put_frame(&wire, BINARY, "", 0);
        put_frame(&wire, PING, "two", 3);
        put_frame(&wire, TEXT, "three", 5);
        put_frame(&wire, CLOSE, "\x03\xE8", 2);
        counting_allocator counter;
        allocator_count(&counter);
        weft__session session;
        weft__session_init(&session, &config);
        transcript found = {0};
        feed(&session, &found, wire.bytes, wire.length);
        assert_string_equal(found.text, "text one\nbinary \nping two\ntext three\nclose 1000 \n");
        assert_int_equal(counter.requests, 0);
        allocator_restore(&counter);
    }
}

/* Fails the n-th allocation of the scenario cut at `cut`; true when it needed fewer. */
static bool survives_failure(const wire *wire, size_t cut, size_t fail_at)
{
    weft_session_config config = config_for(wire->to);
    counting_allocator counter;
    allocator_count(&counter);
    counter.fail_at = fail_at;
    weft__session session;
    weft__session_init(&session, &config);
    transcript found = {0};
    feed(&session, &found, wire->bytes, cut);
    feed(&session, &found, wire->bytes + cut, wire->length - cut);
    bool was_enough = counter.requests < fail_at;
    assert_int_equal(strstr(found.text, "failure 1011 ENOMEM\n") == NULL, was_enough);
    assert_int_equal(strstr(found.text, "pong late\n") != NULL, was_enough);
    assert_int_equal(counter.blocks, 0);
    weft__session_clear(&session);
    allocator_restore(&counter);
    return was_enough;
}

static void test_running_out_of_memory_anywhere_fails_with_1011_and_leaks_nothing(void **state)
{
    (void)state;
    for (int role = WEFT_CLIENT; role <= WEFT_SERVER; role++) {
        wire wire = {.to = (weft_role)role};
        put_long_scenario(&wire);
        for (size_t cut = 0; cut <= wire.length; cut++) {
            size_t fail_at = 1;
            while (!survives_failure(&wire, cut, fail_at))
                fail_at++;
            assert_true(fail_at > 1);
        }
    }
}

/* -- permessage-deflate (RFC 7692) --------------------------------------------------------------- */

#define HELLO "\xf2\x48\xcd\xc9\xc9\x07\x00"
#define HELLO_AGAIN "\xf2\x00\x11\x00\x00" /* with the window of the first */

/* A frame whose payload may have any byte. */
typedef struct raw_frame {
    uint8_t first;
    const char *payload; /* NULL ends a list of frames */
    size_t length;
} raw_frame;

#define RAW(first, payload) {first, payload, sizeof payload - 1}

/* Both roles read the frames, with compression agreed, within the limits. */
static void expect_inflated_within(weft_session_config limits, bool takes_over, const raw_frame *frames,
                                   const char *expected)
{
    weft_compression agreed;
    weft_compression_init(&agreed, WEFT_CLIENT);
    agreed.server_no_context_takeover = agreed.client_no_context_takeover = !takes_over;
    limits.compression = &agreed;
    for (int role = WEFT_CLIENT; role <= WEFT_SERVER; role++) {
        limits.role = (weft_role)role;
        wire wire = {.to = limits.role};
        for (const raw_frame *frame = frames; frame->payload; frame++)
            put_frame(&wire, frame->first, frame->payload, frame->length);
        expect_wire(&limits, &wire, expected);
    }
}

static void expect_inflated(const raw_frame *frames, const char *expected)
{
    expect_inflated_within(config_for(WEFT_SERVER), true, frames, expected);
}

static void test_compressed_messages_are_inflated(void **state)
{
    (void)state;
    expect_inflated((raw_frame[]){RAW(TEXT | RSV1, HELLO), RAW(BINARY | RSV1, HELLO_AGAIN), {0}},
                    "text Hello\nbinary Hello\n");
    expect_inflated((raw_frame[]){RAW(TEXT | RSV1, HELLO),
                                  RAW(TEXT, "plain"),
                                  RAW(TEXT | RSV1, "\0"),
                                  RAW(TEXT | RSV1, HELLO_AGAIN),
                                  {0}},
                    "text Hello\ntext plain\ntext \ntext Hello\n");
    expect_inflated_within(config_for(WEFT_SERVER), false,
                           (raw_frame[]){RAW(TEXT | RSV1, HELLO), RAW(TEXT | RSV1, HELLO_AGAIN), {0}},
                           "text Hello\nfailure 1007 EPAYLOAD\n");
}

static void test_control_frames_pass_between_compressed_fragments(void **state)
{
    (void)state;
    expect_inflated((raw_frame[]){RAW(FIRST_TEXT | RSV1, "\xf2\x48"),
                                  RAW(PING, "p"),
                                  RAW(MIDDLE, ""),
                                  RAW(MIDDLE, "\xcd\xc9"),
                                  RAW(PONG, "q"),
                                  RAW(LAST, "\xc9\x07\0"),
                                  RAW(TEXT, "next"),
                                  {0}},
                    "ping p\npong q\ntext Hello\ntext next\n");
    expect_inflated((raw_frame[]){RAW(FIRST_TEXT | RSV1, HELLO), RAW(LAST, ""), {0}}, "text Hello\n");
    expect_inflated((raw_frame[]){RAW(FIRST_TEXT | RSV1, HELLO), RAW(CLOSE, "\x03\xe8"), {0}},
                    "close 1000 \n");
}

static void test_only_the_first_frame_of_a_message_is_marked(void **state)
{
    (void)state;
    static const uint8_t wrong[] = {PING | RSV1, CLOSE | RSV1, LAST | RSV1,
                                    TEXT | RSV2, TEXT | RSV3,  TEXT | RSV1 | RSV2};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        expect_inflated((raw_frame[]){{wrong[i], "", 0}, {0}}, "failure 1002 EPROTOCOL\n");
    }
    expect_inflated((raw_frame[]){RAW(FIRST_TEXT | RSV1, HELLO), RAW(LAST | RSV1, ""), {0}},
                    "failure 1002 EPROTOCOL\n");
    expect_inflated((raw_frame[]){RAW(FIRST_TEXT, "a"), RAW(LAST | RSV1, HELLO), {0}},
                    "failure 1002 EPROTOCOL\n");
    expect_inflated((raw_frame[]){RAW(FIRST_TEXT | RSV1, HELLO), RAW(TEXT | RSV1, HELLO), {0}},
                    "failure 1002 ECONTINUATION\n");
}

static void test_damaged_messages_end_the_session(void **state)
{
    (void)state;
    static const char cut[] = "\xf2\x48\xcd";
    expect_inflated((raw_frame[]){RAW(TEXT | RSV1, cut), RAW(TEXT, "smuggled"), {0}},
                    "failure 1007 EPAYLOAD\n");
    expect_inflated((raw_frame[]){RAW(FIRST_TEXT | RSV1, cut), RAW(LAST, ""), {0}},
                    "failure 1007 EPAYLOAD\n");
    expect_inflated((raw_frame[]){RAW(BINARY | RSV1, ""), {0}}, "failure 1007 EPAYLOAD\n");
    expect_inflated((raw_frame[]){RAW(BINARY | RSV1, "\x07"), {0}}, "failure 1007 EPAYLOAD\n");
}

/* A stored block in which any bytes stand as they are; it ends with the empty block. */
#define STORED_3(bytes) "\x00\x03\x00\xfc\xff" bytes "\x00"

static void test_inflated_text_is_utf8(void **state)
{
    (void)state;
    expect_inflated((raw_frame[]){RAW(TEXT | RSV1, STORED_3("\xe2\x82\xac")), {0}}, "text \xe2\x82\xac\n");
    expect_inflated((raw_frame[]){RAW(BINARY | RSV1, STORED_3("\xff\xff\xff")), {0}},
                    "binary \xff\xff\xff\n");
    expect_inflated((raw_frame[]){RAW(TEXT | RSV1, STORED_3("a\xff"
                                                            "b")),
                                  {0}},
                    "failure 1007 EPAYLOAD\n");
    expect_inflated((raw_frame[]){RAW(TEXT | RSV1, STORED_3("ab\xe2")), {0}}, "failure 1007 EPAYLOAD\n");
}

static void test_limits_count_what_is_inflated(void **state)
{
    (void)state;
    weft_session_config limits = config_for(WEFT_SERVER);
    limits.max_message_size = 5;
    expect_inflated_within(limits, true, (raw_frame[]){RAW(TEXT | RSV1, HELLO), {0}}, "text Hello\n");
    limits.max_message_size = 4;
    expect_inflated_within(limits, true, (raw_frame[]){RAW(TEXT | RSV1, HELLO), {0}},
                           "failure 1009 ETOOBIG\n");
    /* What is wrong first counts, however the bytes are cut. */
    expect_inflated_within(limits, true,
                           (raw_frame[]){RAW(TEXT | RSV1, STORED_3("\xff"
                                                                   "ab")),
                                         {0}},
                           "failure 1007 EPAYLOAD\n");
    limits.max_message_size = 3; /* fewer than the frame has */
    expect_inflated_within(limits, true, (raw_frame[]){RAW(BINARY | RSV1, STORED_3("abc")), {0}},
                           "binary abc\n");
    limits.max_frame_size = 6;
    expect_inflated_within(limits, true, (raw_frame[]){RAW(TEXT | RSV1, HELLO), {0}},
                           "failure 1009 ETOOBIG\n");
    limits.max_fragments = 2;
    expect_inflated_within(limits, true,
                           (raw_frame[]){RAW(FIRST_TEXT | RSV1, "\0"), RAW(MIDDLE, "\0"), RAW(LAST, ""), {0}},
                           "failure 1009 ETOOBIG\n");
}

/* The only frame that a message may have is not one too many when it inflates to too much. */
static void test_the_limit_that_was_passed_is_named(void **state)
{
    (void)state;
    weft_compression agreed;
    weft__deflate_pool pool;
    weft__deflate deflate;
    weft__session session;
    weft_event event;
    size_t used;
    weft_session_config limits = config_for(WEFT_CLIENT);
    weft_compression_init(&agreed, WEFT_CLIENT);
    limits.compression = &agreed;
    limits.max_fragments = 1;
    limits.max_message_size = 4;
    weft__deflate_pool_init(&pool);
    weft__session_init(&session, &limits);
    weft__session_use_pool(&session, &deflate, &pool);
    uint8_t frame[] = {TEXT | RSV1, 7, 0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00};
    weft__session_next(&session, &event, frame, sizeof frame, &used);
    assert_string_equal(event.detail, "a compressed message inflates to more than maxMessageSize 4");
    weft__session_clear(&session);
    weft__deflate_pool_clear(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_messages_and_control_frames_are_delivered),
        cmocka_unit_test(test_empty_frames_are_frames),
        cmocka_unit_test(test_fragments_become_one_message),
        cmocka_unit_test(test_control_frames_pass_inside_a_fragmented_message),
        cmocka_unit_test(test_fragments_out_of_order_are_refused),
        cmocka_unit_test(test_reserved_bits_are_refused_on_every_frame),
        cmocka_unit_test(test_wrong_headers_fail_the_session),
        cmocka_unit_test(test_only_clients_mask),
        cmocka_unit_test(test_every_length_encoding_arrives_at_every_cut_of_its_header),
        cmocka_unit_test(test_a_frame_at_its_limit_passes_and_one_byte_more_does_not),
        cmocka_unit_test(test_control_frames_have_no_other_limit_than_their_own),
        cmocka_unit_test(test_a_message_at_its_limit_passes_and_one_byte_more_does_not),
        cmocka_unit_test(test_every_fragment_counts_even_an_empty_one),
        cmocka_unit_test(test_a_second_fragment_of_2_63_minus_1_bytes_is_over_the_limit),
        cmocka_unit_test(test_an_announced_length_takes_no_memory),
        cmocka_unit_test(test_text_may_be_cut_inside_a_character),
        cmocka_unit_test(test_text_that_is_not_utf_8_is_refused),
        cmocka_unit_test(test_wrong_text_fails_with_the_byte_that_makes_it_wrong),
        cmocka_unit_test(test_close_frames_carry_a_code_and_a_reason_or_neither),
        cmocka_unit_test(test_a_close_reason_is_utf_8),
        cmocka_unit_test(test_a_whole_message_is_lent_where_it_lies),
        cmocka_unit_test(test_whole_messages_in_one_read_allocate_nothing),
        cmocka_unit_test(test_running_out_of_memory_anywhere_fails_with_1011_and_leaks_nothing),
        cmocka_unit_test(test_compressed_messages_are_inflated),
        cmocka_unit_test(test_control_frames_pass_between_compressed_fragments),
        cmocka_unit_test(test_only_the_first_frame_of_a_message_is_marked),
        cmocka_unit_test(test_damaged_messages_end_the_session),
        cmocka_unit_test(test_inflated_text_is_utf8),
        cmocka_unit_test(test_limits_count_what_is_inflated),
        cmocka_unit_test(test_the_limit_that_was_passed_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
