#include "check.h"

#include "http/fields.h"
#include "http/response.h"

#include <string.h>

static void expect(const weft__response *response, const char *text)
{
    weft__buffer out = {0};
    assert_int_equal(weft__response_write(&out, response), WEFT_OK);
    assert_int_equal(weft__buffer_length(&out), strlen(text));
    assert_memory_equal(weft__buffer_front(&out), text, strlen(text));
    weft__buffer_clear(&out);
}

static weft__response response_of(uint16_t status)
{
    return (weft__response){.status = status};
}

static void test_a_response_is_written_whole(void **state)
{
    (void)state;
    const weft_field field = {weft__string("Content-Type"), weft__string("text/plain")};
    weft__response response = response_of(200);
    response.server = weft__string("weft");
    response.body = weft__string("hello");
    response.fields = &field;
    response.field_count = 1;
    expect(&response, "HTTP/1.1 200 OK\r\nServer: weft\r\nContent-Length: 5\r\n"
                      "Content-Type: text/plain\r\n\r\nhello");
}

static void test_the_connection_is_announced_as_the_version_needs(void **state)
{
    (void)state;
    assert_string_equal(weft__response_connection(true, 1), "");
    assert_string_equal(weft__response_connection(true, 0), "keep-alive");
    assert_string_equal(weft__response_connection(false, 0), "close");
    assert_string_equal(weft__response_connection(false, 1), "close");
    weft__response response = response_of(404);
    expect(&response, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    response.connection = weft__string("close");
    expect(&response, "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
}

/* Whether an answer is the last one shows only when it leaves. */
static void test_the_connection_may_be_announced_late(void **state)
{
    (void)state;
    weft__response response = response_of(200);
    response.body = weft__string("a\nb");
    weft__buffer written = {0}, out = {0};
    assert_int_equal(weft__response_write(&written, &response), WEFT_OK);
    assert_int_equal(weft__response_append(&out, &written, "close"), WEFT_OK);
    assert_int_equal(weft__response_append(&out, &written, ""), WEFT_OK);
    const char expected[] = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\na\nb"
                            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na\nb";
    assert_int_equal(weft__buffer_length(&out), sizeof expected - 1);
    assert_memory_equal(weft__buffer_front(&out), expected, sizeof expected - 1);
    weft__buffer_clear(&written);
    weft__buffer_clear(&out);
}

static void test_an_answer_to_head_has_the_length_and_no_body(void **state)
{
    (void)state;
    weft__response response = response_of(200);
    response.body = weft__string("hello");
    response.head_request = true;
    expect(&response, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
}

static void test_statuses_without_a_body_write_none(void **state)
{
    (void)state;
    weft__response response = response_of(204);
    response.body = weft__string("hello");
    expect(&response, "HTTP/1.1 204 No Content\r\n\r\n");
    response.status = 304;
    expect(&response, "HTTP/1.1 304 Not Modified\r\n\r\n");
    response.status = 100;
    expect(&response, "HTTP/1.1 100 Continue\r\n\r\n");
}

static void test_a_status_without_a_phrase_keeps_its_space(void **state)
{
    (void)state;
    weft__response response = response_of(599);
    expect(&response, "HTTP/1.1 599 \r\nContent-Length: 0\r\n\r\n");
    for (uint16_t status = 0; status < 1100; status++)
        assert_true(strlen(weft__reason_phrase(status)) < 40);
}

static void expect_refusal(const weft__response *response)
{
    weft__buffer out = {0};
    assert_int_equal(weft__response_write(&out, response), WEFT_EINVAL);
    assert_int_equal(weft__buffer_length(&out), 0);
    weft__buffer_clear(&out);
}

static void test_what_cannot_be_written_is_refused(void **state)
{
    (void)state;
    const weft_field field = {weft__string("Location"), weft__string("/\r\nSet-Cookie: a=b")};
    weft__response response = response_of(99);
    expect_refusal(&response);
    response.status = 1000;
    expect_refusal(&response);
    response.status = 302;
    response.fields = &field;
    response.field_count = 1;
    expect_refusal(&response);
    response.field_count = 0;
    response.server = weft__string("a\nb");
    expect_refusal(&response);
}

static void test_running_out_of_memory_writes_nothing(void **state)
{
    (void)state;
    char body[4096];
    memset(body, 'x', sizeof body);
    weft__response response = response_of(200);
    response.body = (weft_string){body, sizeof body};
    weft_status status = WEFT_ENOMEM;
    for (size_t n = 1; status == WEFT_ENOMEM; n++) {
        counting_allocator counter;
        weft__buffer out = {0};
        allocator_count(&counter);
        counter.fail_at = n;
        status = weft__response_write(&out, &response);
        assert_int_equal(weft__buffer_length(&out) > 0, status == WEFT_OK);
        weft__buffer_clear(&out);
        allocator_restore(&counter);
    }
    assert_int_equal(status, WEFT_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_response_is_written_whole),
        cmocka_unit_test(test_the_connection_is_announced_as_the_version_needs),
        cmocka_unit_test(test_the_connection_may_be_announced_late),
        cmocka_unit_test(test_an_answer_to_head_has_the_length_and_no_body),
        cmocka_unit_test(test_statuses_without_a_body_write_none),
        cmocka_unit_test(test_a_status_without_a_phrase_keeps_its_space),
        cmocka_unit_test(test_what_cannot_be_written_is_refused),
        cmocka_unit_test(test_running_out_of_memory_writes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
