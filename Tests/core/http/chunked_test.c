#include "check.h"

#include "http/chunked.h"

#include <stdio.h>

static const weft__chunked_limits wide = {.max_body = UINT64_MAX, .max_extensions = 100, .max_trailers = 100};

/* Decodes in pieces of `piece` bytes; `*used` are the bytes up to the end of the body or the refusal. */
static weft_status decode(const char *bytes, size_t length, size_t piece, const weft__chunked_limits *limits,
                          char *out, size_t *used, weft__problem *problem)
{
    weft__chunked decoder;
    weft__chunked_init(&decoder, limits);
    *used = 0;
    *out = '\0';
    while (*used < length && !weft__chunked_is_done(&decoder)) {
        size_t given = length - *used < piece ? length - *used : piece;
        char *exact = malloc(given); /* a read beyond it is seen */
        memcpy(exact, bytes + *used, given);
        weft_string data;
        int64_t step = weft__chunked_take(&decoder, exact, given, &data, problem);
        if (step > 0) strncat(out, data.bytes ? data.bytes : "", data.length);
        free(exact);
        if (step < 0) return (weft_status)step;
        assert_in_range(step, 1, given);
        *used += (size_t)step;
    }
    return weft__chunked_is_done(&decoder) ? WEFT_OK : WEFT_ESTATE; /* unfinished */
}

static void expect_body(const char *bytes, const char *body)
{
    for (size_t piece = 1; piece <= strlen(bytes); piece++) {
        char out[512];
        size_t used;
        weft__problem problem;
        assert_int_equal(decode(bytes, strlen(bytes), piece, &wide, out, &used, &problem), WEFT_OK);
        assert_string_equal(out, body);
        assert_string_equal(bytes + used, strstr(bytes, "NEXT") ? "NEXT" : "");
    }
}

static void expect_refusal(const char *bytes, const weft__chunked_limits *limits, int status,
                           const char *text)
{
    for (size_t piece = 1; piece <= strlen(bytes); piece++) {
        char out[512];
        size_t used;
        weft__problem problem;
        assert_int_equal(decode(bytes, strlen(bytes), piece, limits, out, &used, &problem), WEFT_EHTTP);
        assert_int_equal(problem.http_status, status);
        assert_string_equal(problem.text, text);
    }
}

static void test_bodies_are_decoded_however_they_are_cut(void **state)
{
    (void)state;
    expect_body("0\r\n\r\n", "");
    expect_body("5\r\nhello\r\n0\r\n\r\n", "hello");
    expect_body("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nNEXT", "hello world");
    expect_body("a\r\n0123456789\r\nB\r\n0123456789A\r\n000\r\n\r\n", "01234567890123456789A");
    expect_body("0000000000000003\r\n\r\n\r\r\n0\r\n\r\n", "\r\n\r");
    expect_body("2;name=value;other=\"a;b\"\r\nab\r\n0;last\r\n\r\nNEXT", "ab");
    expect_body("1\r\nx\r\n0\r\nExpires: never\r\nX:\r\n\r\nNEXT", "x");
}

static void test_what_is_not_chunked_is_400(void **state)
{
    (void)state;
    const char no_line_end[] = "line of a chunked body does not end with CR LF";
    const char no_number[] = "chunk size is not a hexadecimal number";
    expect_refusal("\r\n", &wide, 400, "chunk does not begin with its size");
    expect_refusal("x\r\n", &wide, 400, "chunk does not begin with its size");
    expect_refusal("-1\r\n", &wide, 400, "chunk does not begin with its size");
    expect_refusal("+1\r\n", &wide, 400, "chunk does not begin with its size");
    expect_refusal(" 1\r\n", &wide, 400, "chunk does not begin with its size");
    expect_refusal("0x1\r\n", &wide, 400, no_number);
    expect_refusal("1 \r\nx\r\n", &wide, 400, no_number);
    expect_refusal("1_0\r\n", &wide, 400, no_number);
    expect_refusal("1\nx\r\n0\r\n\r\n", &wide, 400, no_number);
    expect_refusal("1\r\rx\r\n", &wide, 400, no_line_end);
    expect_refusal("1\r\nx\n0\r\n\r\n", &wide, 400, no_line_end);
    expect_refusal("1\r\nxy\r\n0\r\n\r\n", &wide, 400, no_line_end);
    expect_refusal("1\r\nx\ry", &wide, 400, no_line_end);
    expect_refusal("0\r\n\rx", &wide, 400, no_line_end);
    expect_refusal("0\r\n\n", &wide, 400, "trailer field is ill-formed");
    expect_refusal("00000000000000001\r\n", &wide, 400, "chunk size is over 16 digits");
    expect_refusal("10000000000000000\r\n", &wide, 400, "chunk size is over 16 digits");
    expect_refusal("1;a\nb\r\n", &wide, 400, "chunk extension has a control character");
    expect_refusal("0\r\nX: a\nb\r\n\r\n", &wide, 400, "trailer field has a control character");
    expect_refusal("0\r\n: a\r\n\r\n", &wide, 400, "trailer field is ill-formed");
    expect_refusal("0\r\nX : a\r\n\r\n", &wide, 400, "trailer field is ill-formed");
    expect_refusal("0\r\nX\r\n\r\n", &wide, 400, "trailer field is ill-formed");
    expect_refusal("0\r\nX: a\r\n folded\r\n\r\n", &wide, 400, "trailer field is ill-formed");
}

/* Sizes are 64 bits wide: none wraps around to a small one. */
static void test_the_body_has_a_ceiling(void **state)
{
    (void)state;
    const weft__chunked_limits ten = {.max_body = 10, .max_extensions = 100, .max_trailers = 100};
    const char too_large[] = "the body is too large";
    expect_refusal("b\r\n", &ten, 413, too_large);
    expect_refusal("6\r\nabcdef\r\n5\r\n", &ten, 413, too_large);
    expect_refusal("6\r\nabcdef\r\nfffffffffffffffa\r\n", &ten, 413, too_large);
    expect_refusal("ffffffffffffffff\r\n", &ten, 413, too_large);
    char out[64];
    size_t used;
    weft__problem problem;
    const char exact[] = "6\r\nabcdef\r\n4\r\nghij\r\n0\r\n\r\n";
    assert_int_equal(decode(exact, sizeof exact - 1, 64, &ten, out, &used, &problem), WEFT_OK);
    assert_string_equal(out, "abcdefghij");
    const char largest[] = "ffffffffffffffff\r\nab";
    assert_int_equal(decode(largest, sizeof largest - 1, 64, &wide, out, &used, &problem), WEFT_ESTATE);
    assert_string_equal(out, "ab");
    expect_refusal("1\r\na\r\nffffffffffffffff\r\n", &wide, 413, too_large);
}

/* Of all chunks together: a peer that sends an extension with each byte would send without end. */
static void test_extensions_and_trailers_have_ceilings(void **state)
{
    (void)state;
    const weft__chunked_limits narrow = {.max_body = 10, .max_extensions = 4, .max_trailers = 5};
    expect_refusal("1;abcde\r\n", &narrow, 400, "chunk extensions are too long");
    expect_refusal("1;ab\r\nx\r\n1;cde\r\n", &narrow, 400, "chunk extensions are too long");
    expect_refusal("0\r\nX: ab\r\n", &narrow, 400, "trailer fields are too long");
    expect_refusal("0\r\nX:\r\nY:\r\n", &narrow, 400, "trailer fields are too long");
    char out[64];
    size_t used;
    weft__problem problem;
    const char exact[] = "1;ab\r\nx\r\n0;cd\r\nX: a\r\n\r\n";
    assert_int_equal(decode(exact, sizeof exact - 1, 64, &narrow, out, &used, &problem), WEFT_OK);
}

static void test_what_follows_the_body_is_left(void **state)
{
    (void)state;
    weft__chunked decoder;
    weft__problem problem;
    weft_string data;
    weft__chunked_init(&decoder, &wide);
    assert_int_equal(weft__chunked_take(&decoder, "0\r\n\r\nGET", 8, &data, &problem), 5);
    assert_true(weft__chunked_is_done(&decoder));
    assert_int_equal(weft__chunked_take(&decoder, "GET", 3, &data, &problem), 0);
    assert_int_equal(data.length, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies_are_decoded_however_they_are_cut),
        cmocka_unit_test(test_what_is_not_chunked_is_400),
        cmocka_unit_test(test_the_body_has_a_ceiling),
        cmocka_unit_test(test_extensions_and_trailers_have_ceilings),
        cmocka_unit_test(test_what_follows_the_body_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
