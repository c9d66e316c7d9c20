/* However a head is cut it has one verdict and the same parts, and a request's parts make that request. */
#include "describe.h"

static int64_t parse(weft__head *head, const char *bytes, size_t length, size_t most, weft__problem *problem)
{
    const weft__head_limits limits = {.max_uri_length = 100, .max_header_size = most, .max_fields = 20};
    bool is_response = length >= 5 && memcmp(bytes, "HTTP/", 5) == 0;
    return is_response ? weft__head_parse_response(head, bytes, length, &limits, problem)
                       : weft__head_parse_request(head, bytes, length, &limits, problem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    weft__head whole, other;
    weft__problem problem, early;
    weft__buffer text = {0};
    const char *bytes = (const char *)data;
    int64_t verdict = parse(&whole, bytes, size, 300, &problem);
    if (verdict > 0) text = describe(&whole);
    for (size_t cut = 0; cut < size; cut++) {
        int64_t used = parse(&other, bytes, cut, 300, &early);
        if (used != verdict && (used != 0 || (verdict > 0 && cut >= (size_t)verdict))) abort();
        if (used < 0 && strcmp(early.text, problem.text) != 0) abort();
        if (used <= 0) continue;
        expect_description(&other, &text);
        weft__head_clear(&other);
    }
    if (verdict > 0 && whole.status == 0) {
        const char *sent = (const char *)weft__buffer_front(&text);
        if (parse(&other, sent, weft__buffer_length(&text), SIZE_MAX, &problem) <= 0) abort();
        expect_description(&other, &text);
        weft__head_clear(&other);
    }
    weft__head_clear(&whole);
    weft__buffer_clear(&text);
    return 0;
}
