#include "check.h"

#include "http/fields.h"
#include "http/path.h"

static void expect_segments(const char *path, const char *joined)
{
    char out[128] = "";
    weft_string rest = weft__string(path), segment;
    while (weft__path_next(&rest, &segment)) {
        strncat(out, segment.bytes, segment.length);
        strcat(out, "|");
    }
    assert_string_equal(out, joined);
}

static void test_segments_stand_between_slashes(void **state)
{
    (void)state;
    expect_segments("", "");
    expect_segments("/", "|");
    expect_segments("/a", "a|");
    expect_segments("/a/", "a||");
    expect_segments("//a/b", "|a|b|");
    expect_segments("/a%2Fb/../.", "a%2Fb|..|.|");
}

static void test_escapes_need_two_digits(void **state)
{
    (void)state;
    static const char *const good[] = {"", "/", "/%41", "/%2f%2F", "/a%00b", "/%25"};
    static const char *const bad[] = {"/%", "/%4", "/%4g", "/%g4", "/%%41", "/a%2"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(weft__path_is_well_formed(weft__string(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(weft__path_is_well_formed(weft__string(bad[i])));
}

static void test_segments_are_decoded_once(void **state)
{
    (void)state;
    char out[16];
    assert_int_equal(weft__path_decode(out, weft__string("a%2Fb%20%c3%A9%2541")), 9);
    assert_memory_equal(out, "a/b \xc3\xa9%41", 9);
    assert_int_equal(weft__path_decode(out, weft__string("%00")), 1);
    assert_int_equal(out[0], 0);
    assert_int_equal(weft__path_decode(out, weft__string("")), 0);
}

static void test_segments_are_ordered_as_decoded(void **state)
{
    (void)state;
    assert_int_equal(weft__path_compare(weft__string("chat"), weft__string("chat")), 0);
    assert_int_equal(weft__path_compare(weft__string("%63h%61t"), weft__string("chat")), 0);
    assert_int_equal(weft__path_compare(weft__string("%C3%A9"), weft__string("\xc3\xa9")), 0);
    assert_true(weft__path_compare(weft__string("cha"), weft__string("chat")) < 0);
    assert_true(weft__path_compare(weft__string("chats"), weft__string("chat")) > 0);
    assert_true(weft__path_compare(weft__string("Chat"), weft__string("chat")) < 0);
    assert_true(weft__path_compare(weft__string("%ff"), weft__string("a")) > 0);
    assert_int_equal(weft__path_compare(weft__string(""), weft__string("")), 0);
}

static void test_patterns_that_can_be(void **state)
{
    (void)state;
    static const char *const good[] = {
        "*",        "/",           "/a",       "/a/",  "//", "/{x}",         "/a/{x}/b/{y}",
        "/{rest*}", "/a/{x}/{y*}", "/%7Bx%7D", "/a*b", "/*", "/caf\xc3\xa9",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_null(weft__pattern_problem(weft__string(good[i])));
}

static void test_patterns_that_cannot_be_have_a_sentence(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *problem;
    } cases[] = {
        {"", "the path does not begin with a slash"},
        {"a", "the path does not begin with a slash"},
        {"**", "the path does not begin with a slash"},
        {"/a b", "the path holds a space or a control character"},
        {"/a\r\nb", "the path holds a space or a control character"},
        {"/a?b", "the path holds a query or a fragment"},
        {"/a\x7f", "the path holds a space or a control character"},
        {"/a#b", "the path holds a query or a fragment"},
        {"/%4", "a percent sign has no two hexadecimal digits behind it"},
        {"/{}", "a parameter has no name"},
        {"/{*}", "a parameter has no name"},
        {"/a{x}", "a brace stands inside a segment; a parameter is a whole segment, as in /{name}"},
        {"/{x}a", "a brace stands inside a segment; a parameter is a whole segment, as in /{name}"},
        {"/{x", "a brace stands inside a segment; a parameter is a whole segment, as in /{name}"},
        {"/{", "a brace stands inside a segment; a parameter is a whole segment, as in /{name}"},
        {"/x}", "a brace stands inside a segment; a parameter is a whole segment, as in /{name}"},
        {"/{x}{y}", "a parameter's name holds a brace, an asterisk or a percent sign"},
        {"/{{x}}", "a parameter's name holds a brace, an asterisk or a percent sign"},
        {"/{x}}", "a parameter's name holds a brace, an asterisk or a percent sign"},
        {"/{x%41}", "a parameter's name holds a brace, an asterisk or a percent sign"},
        {"/{x**}", "a parameter's name holds a brace, an asterisk or a percent sign"},
        {"/{x}/{x}", "a parameter is repeated"},
        {"/{x}/a/{x*}", "a parameter is repeated"},
        {"/{x*}/a", "{name*} is not the last segment"},
        {"/{x*}/", "{name*} is not the last segment"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *problem = weft__pattern_problem(weft__string(cases[i].pattern));
        assert_non_null(problem);
        assert_string_equal(problem, cases[i].problem);
    }
}

static void expect_shape(const char *pattern, const char *shape)
{
    weft__buffer out = {0};
    assert_int_equal(weft__pattern_shape(&out, weft__string(pattern)), WEFT_OK);
    assert_int_equal(weft__buffer_length(&out), strlen(shape));
    assert_memory_equal(weft__buffer_front(&out), shape, strlen(shape));
    weft__buffer_clear(&out);
}

static void test_names_and_escapes_are_no_part_of_the_shape(void **state)
{
    (void)state;
    expect_shape("*", "*");
    expect_shape("/", "/");
    expect_shape("/a/{x}/", "/a/{}/");
    expect_shape("/{y*}", "/{*}");
    expect_shape("/caf\xc3\xa9", "/caf%C3%A9");
    expect_shape("/c%61f%c3%a9", "/caf%C3%A9");
    expect_shape("/%7Bx%7D/%2f", "/%7Bx%7D/%2F");
    expect_shape("/a-b_c.d~", "/a-b_c.d%7E");
}

static void test_a_shape_that_finds_no_memory_is_reported(void **state)
{
    (void)state;
    const char *const patterns[] = {"*", "/a", "/{x}", "/{y*}"};
    const size_t room[] = {0, 1}; /* for the slash alone */
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        for (size_t j = 0; j < sizeof room / sizeof *room; j++) {
            counting_allocator counter;
            weft__buffer out = {0};
            allocator_count(&counter);
            assert_non_null(weft__buffer_reserve(&out, 1, SIZE_MAX));
            weft__buffer_commit(&out, out.capacity - room[j]);
            counter.fail_at = counter.requests + 1;
            weft_status expected = patterns[i][0] == '*' && room[j] == 1 ? WEFT_OK : WEFT_ENOMEM;
            assert_int_equal(weft__pattern_shape(&out, weft__string(patterns[i])), expected);
            weft__buffer_clear(&out);
            allocator_restore(&counter);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_segments_stand_between_slashes),
        cmocka_unit_test(test_escapes_need_two_digits),
        cmocka_unit_test(test_segments_are_decoded_once),
        cmocka_unit_test(test_segments_are_ordered_as_decoded),
        cmocka_unit_test(test_patterns_that_can_be),
        cmocka_unit_test(test_patterns_that_cannot_be_have_a_sentence),
        cmocka_unit_test(test_names_and_escapes_are_no_part_of_the_shape),
        cmocka_unit_test(test_a_shape_that_finds_no_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
