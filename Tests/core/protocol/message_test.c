#include "check.h"

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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
