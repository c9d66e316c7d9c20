#include "check.h"

#include "protocol/mask.h"
#include "protocol/message.h"

#include <string.h>

static const weft_session_config limits = {.max_frame_size = 100, .max_message_size = 10, .max_fragments = 3};

static weft_status begin(weft__message *message, weft_opcode opcode, uint64_t length)
{
    weft_frame_header header = {.opcode = (uint8_t)opcode, .payload_length = length};
    return weft__message_begin_frame(message, &header, &limits);
}

static weft_status add(weft__message *message, const char *text)
{
    return weft__message_append(message, (const uint8_t *)text, strlen(text));
}

static void test_a_message_is_under_way_from_its_first_frame_until_cleared(void **state)
{
    (void)state;
    weft__message message = {0};
    assert_false(weft__message_is_under_way(&message));
    assert_int_equal(begin(&message, WEFT_OPCODE_TEXT, 0), WEFT_OK);
    assert_true(weft__message_is_under_way(&message));
    weft__message_clear(&message);
    assert_false(weft__message_is_under_way(&message));
}

static void test_fragments_are_put_together(void **state)
{
    (void)state;
    weft__message message = {0};
    assert_int_equal(begin(&message, WEFT_OPCODE_BINARY, 3), WEFT_OK);
    assert_int_equal(add(&message, "ab"), WEFT_OK);
    assert_int_equal(add(&message, "c"), WEFT_OK);
    assert_int_equal(begin(&message, WEFT_OPCODE_CONTINUATION, 2), WEFT_OK);
    assert_int_equal(add(&message, "de"), WEFT_OK);
    assert_int_equal(weft__message_finish(&message), WEFT_OK);
    assert_int_equal(message.type, WEFT_BINARY);
    assert_int_equal(weft__message_length(&message), 5);
    assert_memory_equal(weft__buffer_front(message.payload), "abcde", 5);
    weft__message_clear(&message);
}

static void test_a_continuation_needs_a_message_and_a_message_needs_an_end(void **state)
{
    (void)state;
    weft__message message = {0};
    assert_int_equal(begin(&message, WEFT_OPCODE_CONTINUATION, 0), WEFT_ECONTINUATION);
    assert_int_equal(begin(&message, WEFT_OPCODE_TEXT, 1), WEFT_OK);
    assert_int_equal(begin(&message, WEFT_OPCODE_TEXT, 1), WEFT_ECONTINUATION);
    assert_int_equal(begin(&message, WEFT_OPCODE_BINARY, 1), WEFT_ECONTINUATION);
    assert_int_equal(begin(&message, WEFT_OPCODE_CONTINUATION, 1), WEFT_OK);
    weft__message_clear(&message);
}

static void test_the_limit_holds_for_the_sum_of_the_fragments(void **state)
{
    (void)state;
    weft__message message = {0};
    assert_int_equal(begin(&message, WEFT_OPCODE_BINARY, 11), WEFT_ETOOBIG);
    assert_int_equal(begin(&message, WEFT_OPCODE_BINARY, 6), WEFT_OK);
    assert_int_equal(add(&message, "sixsix"), WEFT_OK);
    assert_int_equal(begin(&message, WEFT_OPCODE_CONTINUATION, 5), WEFT_ETOOBIG);
    assert_int_equal(begin(&message, WEFT_OPCODE_CONTINUATION, 4), WEFT_OK);
    assert_int_equal(add(&message, "four"), WEFT_OK);
    assert_int_equal(begin(&message, WEFT_OPCODE_CONTINUATION, 1), WEFT_ETOOBIG);
    assert_int_equal(begin(&message, WEFT_OPCODE_CONTINUATION, 0), WEFT_OK);
    weft__message_clear(&message);
}

static void test_a_second_fragment_of_any_length_cannot_wrap_the_sum(void **state)
{
    (void)state;
    static const uint64_t lengths[] = {INT64_MAX, INT64_MAX - 1, UINT64_MAX, UINT64_MAX - 2, UINT32_MAX};
    weft__message message = {0};
    assert_int_equal(begin(&message, WEFT_OPCODE_BINARY, 3), WEFT_OK);
    assert_int_equal(add(&message, "abc"), WEFT_OK);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        assert_int_equal(begin(&message, WEFT_OPCODE_CONTINUATION, lengths[i]), WEFT_ETOOBIG);
    }
    weft__message_clear(&message);
}

static void test_empty_fragments_count(void **state)
{
    (void)state;
    weft__message message = {0};
    assert_int_equal(begin(&message, WEFT_OPCODE_TEXT, 0), WEFT_OK);
    assert_int_equal(begin(&message, WEFT_OPCODE_CONTINUATION, 0), WEFT_OK);
    assert_int_equal(begin(&message, WEFT_OPCODE_CONTINUATION, 0), WEFT_OK);
    assert_int_equal(begin(&message, WEFT_OPCODE_CONTINUATION, 0), WEFT_ETOOBIG);
    weft__message_clear(&message);
}

static void test_a_refused_frame_changes_nothing(void **state)
{
    (void)state;
    weft__message message = {0};
    assert_int_equal(begin(&message, WEFT_OPCODE_BINARY, 11), WEFT_ETOOBIG);
    assert_int_equal(begin(&message, WEFT_OPCODE_CONTINUATION, 1), WEFT_ECONTINUATION);
    assert_false(weft__message_is_under_way(&message));
    assert_int_equal(begin(&message, WEFT_OPCODE_TEXT, 10), WEFT_OK);
    assert_int_equal(message.fragments, 1);
    weft__message_clear(&message);
}

static void test_text_is_wrong_with_its_wrong_byte(void **state)
{
    (void)state;
    weft__message message = {0};
    assert_int_equal(begin(&message, WEFT_OPCODE_TEXT, 9), WEFT_OK);
    assert_int_equal(add(&message, "\xE2"), WEFT_OK);
    assert_int_equal(add(&message, "\x82"), WEFT_OK);
    assert_int_equal(add(&message, "("), WEFT_EPAYLOAD);
    weft__message_clear(&message);
}

static void test_text_that_ends_inside_a_character_is_wrong(void **state)
{
    (void)state;
    weft__message message = {0};
    assert_int_equal(begin(&message, WEFT_OPCODE_TEXT, 3), WEFT_OK);
    assert_int_equal(add(&message, "\xF0\x9F\x92"), WEFT_OK);
    assert_int_equal(weft__message_finish(&message), WEFT_EPAYLOAD);
    assert_int_equal(begin(&message, WEFT_OPCODE_CONTINUATION, 1), WEFT_OK);
    assert_int_equal(add(&message, "\xA9"), WEFT_OK);
    assert_int_equal(weft__message_finish(&message), WEFT_OK);
    weft__message_clear(&message);
}

static void test_binary_may_hold_any_byte(void **state)
{
    (void)state;
    weft__message message = {0};
    assert_int_equal(begin(&message, WEFT_OPCODE_BINARY, 3), WEFT_OK);
    assert_int_equal(add(&message, "\xFF\xC0\xE2"), WEFT_OK);
    assert_int_equal(weft__message_finish(&message), WEFT_OK);
    weft__message_clear(&message);
}

static void test_memory_follows_the_bytes_that_arrived(void **state)
{
    (void)state;
    weft_session_config generous = {.max_message_size = INT64_MAX, .max_fragments = 1};
    weft_frame_header huge = {.opcode = WEFT_OPCODE_BINARY, .payload_length = INT64_MAX};
    counting_allocator counter;
    allocator_count(&counter);
    weft__message message = {0};
    assert_int_equal(weft__message_begin_frame(&message, &huge, &generous), WEFT_OK);
    assert_int_equal(counter.requests, 0);
    assert_int_equal(add(&message, "few"), WEFT_OK);
    assert_true(counter.bytes <= 1024);
    weft__message_clear(&message);
    allocator_restore(&counter);
}

static void test_an_append_without_memory_says_so_and_leaks_nothing(void **state)
{
    (void)state;
    for (size_t fail_at = 1; fail_at <= 2; fail_at++) {
        counting_allocator counter;
        allocator_count(&counter);
        weft__message message = {0};
        assert_int_equal(begin(&message, WEFT_OPCODE_BINARY, 10), WEFT_OK);
        counter.fail_at = fail_at;
        assert_int_equal(add(&message, "abc"), WEFT_ENOMEM);
        assert_int_equal(weft__message_length(&message), 0);
        weft__message_clear(&message);
        assert_int_equal(counter.blocks, 0);
        allocator_restore(&counter);
    }
}

static const uint8_t mask_key[4] = {0x37, 0xFA, 0x21, 0x3D};
static const weft_session_config roomy = {
    .max_frame_size = 1000, .max_message_size = 1000, .max_fragments = 3};

/* One frame of that payload, masked, in two pieces. */
static weft_status add_masked_in_two(weft__message *message, const char *text, size_t length, size_t cut)
{
    uint8_t masked[300];
    weft__mask_copy(masked, (const uint8_t *)text, length, mask_key, 0);
    weft_status status = weft__message_append_masked(message, masked, cut, mask_key, 0);
    if (status != WEFT_OK) return status;
    return weft__message_append_masked(message, masked + cut, length - cut, mask_key, cut);
}

static void test_masked_payload_is_unmasked_into_the_message_however_it_is_cut(void **state)
{
    (void)state;
    char text[280];
    for (size_t i = 0; i < sizeof text; i += 4)
        memcpy(text + i, "\xF0\x9F\x92\xA9", 4);
    static const weft_opcode opcodes[] = {WEFT_OPCODE_TEXT, WEFT_OPCODE_BINARY};
    for (size_t i = 0; i < 2; i++) {
        for (size_t cut = 0; cut <= sizeof text; cut++) {
            weft__message message = {0};
            weft_frame_header header = {.opcode = (uint8_t)opcodes[i], .payload_length = sizeof text};
            assert_int_equal(weft__message_begin_frame(&message, &header, &roomy), WEFT_OK);
            assert_int_equal(add_masked_in_two(&message, text, sizeof text, cut), WEFT_OK);
            assert_int_equal(weft__message_finish(&message), WEFT_OK);
            assert_int_equal(weft__message_length(&message), sizeof text);
            assert_memory_equal(weft__buffer_front(message.payload), text, sizeof text);
            weft__message_clear(&message);
        }
    }
}

static void test_masked_text_is_wrong_with_its_wrong_byte_and_masked_bytes_may_be_any(void **state)
{
    (void)state;
    char text[200];
    memset(text, 'a', sizeof text);
    text[150] = '\xFF';
    for (size_t cut = 0; cut <= sizeof text; cut++) {
        weft__message message = {0};
        weft_frame_header header = {.opcode = WEFT_OPCODE_TEXT, .payload_length = sizeof text};
        assert_int_equal(weft__message_begin_frame(&message, &header, &roomy), WEFT_OK);
        assert_int_equal(add_masked_in_two(&message, text, sizeof text, cut), WEFT_EPAYLOAD);
        assert_int_equal(weft__message_length(&message), cut <= 150 ? cut : 0);
        weft__message_clear(&message);

        header.opcode = WEFT_OPCODE_BINARY;
        assert_int_equal(weft__message_begin_frame(&message, &header, &roomy), WEFT_OK);
        assert_int_equal(add_masked_in_two(&message, text, sizeof text, cut), WEFT_OK);
        weft__message_clear(&message);
    }
}

static void test_a_masked_append_without_memory_says_so_and_leaks_nothing(void **state)
{
    (void)state;
    for (size_t fail_at = 1; fail_at <= 2; fail_at++) {
        counting_allocator counter;
        allocator_count(&counter);
        weft__message message = {0};
        assert_int_equal(begin(&message, WEFT_OPCODE_TEXT, 10), WEFT_OK);
        counter.fail_at = fail_at;
        assert_int_equal(add_masked_in_two(&message, "abc", 3, 3), WEFT_ENOMEM);
        assert_int_equal(weft__message_length(&message), 0);
        weft__message_clear(&message);
        assert_int_equal(counter.blocks, 0);
        allocator_restore(&counter);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_message_is_under_way_from_its_first_frame_until_cleared),
        cmocka_unit_test(test_fragments_are_put_together),
        cmocka_unit_test(test_a_continuation_needs_a_message_and_a_message_needs_an_end),
        cmocka_unit_test(test_the_limit_holds_for_the_sum_of_the_fragments),
        cmocka_unit_test(test_a_second_fragment_of_any_length_cannot_wrap_the_sum),
        cmocka_unit_test(test_empty_fragments_count),
        cmocka_unit_test(test_a_refused_frame_changes_nothing),
        cmocka_unit_test(test_text_is_wrong_with_its_wrong_byte),
        cmocka_unit_test(test_text_that_ends_inside_a_character_is_wrong),
        cmocka_unit_test(test_binary_may_hold_any_byte),
        cmocka_unit_test(test_memory_follows_the_bytes_that_arrived),
        cmocka_unit_test(test_an_append_without_memory_says_so_and_leaks_nothing),
        cmocka_unit_test(test_masked_payload_is_unmasked_into_the_message_however_it_is_cut),
        cmocka_unit_test(test_masked_text_is_wrong_with_its_wrong_byte_and_masked_bytes_may_be_any),
        cmocka_unit_test(test_a_masked_append_without_memory_says_so_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
