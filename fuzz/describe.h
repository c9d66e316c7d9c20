/* A parsed head as text, so that two of them can be compared: a request first as it would be sent. */
#ifndef WEFT_FUZZ_DESCRIBE_H
#define WEFT_FUZZ_DESCRIBE_H

#include "http/head.h"
#include "http/writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline weft__buffer describe(const weft__head *head)
{
    char numbers[64];
    weft__buffer out = {0};
    weft__writer writer = weft__writer_begin(&out);
    weft__writer_string(&writer, head->method);
    weft__writer_text(&writer, " ");
    weft__writer_string(&writer, head->target);
    weft__writer_text(&writer, head->minor_version ? " HTTP/1.1\r\n" : " HTTP/1.0\r\n");
    weft__writer_fields(&writer, head->fields.items, head->fields.count);
    snprintf(numbers, sizeof numbers, "\r\n%u %d %d %lld ", head->status, head->chunked, head->keep_alive,
             (long long)head->content_length);
    weft__writer_text(&writer, numbers);
    weft__writer_string(&writer, head->path);
    weft__writer_text(&writer, " ");
    weft__writer_string(&writer, head->query);
    weft__writer_text(&writer, " ");
    weft__writer_string(&writer, head->reason);
    if (weft__writer_end(&writer) != WEFT_OK) abort();
    return out;
}

/* Ends the run unless the head has that description. */
static inline void expect_description(const weft__head *head, const weft__buffer *expected)
{
    weft__buffer found = describe(head);
    size_t length = weft__buffer_length(&found);
    if (length != weft__buffer_length(expected)) abort();
    if (memcmp(weft__buffer_front(&found), weft__buffer_front(expected), length) != 0) abort();
    weft__buffer_clear(&found);
}

#endif
