#include "http/head.h"

#include "http/bytes.h"
#include "http/target.h"

#include <string.h>

const weft__head_limits weft__answer_limits = {
    .max_uri_length = 8192,
    .max_header_size = 65536,
    .max_fields = WEFT__MOST_FIELDS,
};

/* A step of the parser ends with one of these or with a negative weft_status. Every step looks at the
 * bytes in their order and stops at the first that is wrong, so the verdict on a head does not depend
 * on how its bytes were cut on their way. */
enum {
    INCOMPLETE = 0,
    TAKEN = 1
};

enum {
    LONGEST_METHOD = 32,
    BAD_REQUEST = 400,
    UNKNOWN = 501
};

typedef struct parser {
    weft__head *head;
    const weft__head_limits *limits;
    weft__problem *problem;
    const char *bytes;
    size_t length;
    size_t at;            /* the byte to look at next */
    size_t stop;          /* the end of the bytes at hand, or before it the limit of the fields */
    weft__authority host; /* of the field, once there is one */
    bool is_response;
    bool has_host;
} parser;

static const char no_line_end[] = "line does not end with carriage return and line feed";

static int bad_request(parser *parser, const char *sentence)
{
    return weft__problem_set(parser->problem, BAD_REQUEST, "%s", sentence);
}

static weft_string taken_since(const parser *parser, size_t start)
{
    return (weft_string){parser->bytes + start, parser->at - start};
}

/* No byte is left before `stop`. */
static int starve(parser *parser)
{
    if (parser->stop == parser->length) return INCOMPLETE;
    return weft__problem_set(parser->problem, 431, "header fields are over %zu bytes",
                             parser->limits->max_header_size);
}

static int take_line_end(parser *parser, const char *otherwise)
{
    if (parser->at == parser->stop) return starve(parser);
    if (parser->bytes[parser->at] != '\r') return bad_request(parser, otherwise);
    if (++parser->at == parser->stop) return starve(parser);
    if (parser->bytes[parser->at] != '\n') {
        return bad_request(parser, "carriage return without a line feed");
    }
    parser->at++;
    return TAKEN;
}

static int take_empty_line(parser *parser)
{
    if (parser->bytes[0] != '\r') return TAKEN;
    return take_line_end(parser, no_line_end);
}

static int take_method(parser *parser)
{
    size_t start = parser->at;
    while (parser->at < parser->stop && weft__byte_is_token(parser->bytes[parser->at])) {
        if (parser->at - start == LONGEST_METHOD) {
            return weft__problem_set(parser->problem, UNKNOWN, "request method is over 32 characters");
        }
        parser->at++;
    }
    if (parser->at == parser->stop) return INCOMPLETE;
    if (parser->at == start) return bad_request(parser, "request line does not begin with a method");
    if (parser->bytes[parser->at] != ' ') {
        return bad_request(parser, "no single space stands behind the request method");
    }
    parser->head->method = taken_since(parser, start);
    /* RFC 9110 section 9.3.6: what a success answered to it would make a tunnel of what follows. */
    if (weft__string_equals(parser->head->method, "CONNECT")) {
        return weft__problem_set(parser->problem, UNKNOWN, "CONNECT is for proxies");
    }
    parser->at++;
    return TAKEN;
}

static int take_target(parser *parser)
{
    size_t start = parser->at;
    size_t longest = parser->limits->max_uri_length;
    while (parser->at < parser->stop && weft__byte_is_visible(parser->bytes[parser->at])) {
        if (parser->at - start == longest) {
            return weft__problem_set(parser->problem, 414, "request target is over %zu bytes", longest);
        }
        if (parser->bytes[parser->at] == '#') return bad_request(parser, "request target has a fragment");
        parser->at++;
    }
    if (parser->at == parser->stop) return INCOMPLETE;
    char behind = parser->bytes[parser->at];
    if (behind == '\r' || behind == '\n') return bad_request(parser, "request line has no HTTP version");
    if (behind != ' ') return bad_request(parser, "request target holds a byte that is not visible ASCII");
    if (parser->at == start) return bad_request(parser, "request target is missing");
    parser->head->target = taken_since(parser, start);
    parser->at++;
    return TAKEN;
}

static int take_version(parser *parser)
{
    static const char pattern[] = "HTTP/0.0"; /* 0 stands for any digit */
    const char *found = parser->bytes + parser->at;
    for (size_t i = 0; i < sizeof pattern - 1; i++, parser->at++) {
        if (parser->at == parser->stop) return INCOMPLETE;
        if (pattern[i] == '0' ? weft__byte_is_digit(found[i]) : found[i] == pattern[i]) continue;
        return bad_request(parser, parser->is_response ? "answer does not begin with an HTTP version"
                                                       : "request line has no HTTP version");
    }
    if (found[5] != '1' || found[7] > '1') {
        return weft__problem_set(parser->problem, 505, "HTTP version is neither 1.0 nor 1.1");
    }
    parser->head->minor_version = (uint8_t)(found[7] - '0');
    return TAKEN;
}

static int take_status(parser *parser)
{
    static const char fault[] = "status line has no status of three digits between two spaces";
    const char *found = parser->bytes + parser->at;
    for (size_t i = 0; i < 5; i++, parser->at++) {
        if (parser->at == parser->stop) return INCOMPLETE;
        bool fits = i == 0 || i == 4 ? found[i] == ' ' : weft__byte_is_digit(found[i]);
        if (!fits || (i == 1 && found[i] == '0')) return bad_request(parser, fault);
    }
    parser->head->status = (uint16_t)((found[1] - '0') * 100 + (found[2] - '0') * 10 + (found[3] - '0'));
    return TAKEN;
}

static int take_reason(parser *parser)
{
    size_t start = parser->at;
    size_t longest = parser->limits->max_uri_length;
    while (parser->at < parser->stop && weft__byte_is_in_value(parser->bytes[parser->at])) {
        if (parser->at >= longest) {
            return weft__problem_set(parser->problem, BAD_REQUEST, "status line is over %zu bytes", longest);
        }
        parser->at++;
    }
    parser->head->reason = taken_since(parser, start);
    return take_line_end(parser, "status line holds a control character");
}

static const char *name_fault(const parser *parser, size_t start)
{
    char byte = parser->bytes[parser->at];
    if (byte == '\r' || byte == '\n') return "header line has no colon";
    if (byte == ':') return "header field has no name";
    if (byte != ' ' && byte != '\t') return "header field name contains a character that is not allowed";
    if (parser->at > start) return "header field name contains a space";
    /* RFC 9112 section 2.2 and, for obs-fold, section 5.2 */
    return parser->head->fields.count > 0 ? "header field is folded over two lines"
                                          : "white space stands before the first header field";
}

static int take_name(parser *parser, weft_string *name)
{
    size_t start = parser->at;
    while (parser->at < parser->stop && weft__byte_is_token(parser->bytes[parser->at]))
        parser->at++;
    if (parser->at == parser->stop) return starve(parser);
    if (parser->bytes[parser->at] != ':' || parser->at == start) {
        return bad_request(parser, name_fault(parser, start));
    }
    *name = taken_since(parser, start);
    parser->at++;
    return TAKEN;
}

static int take_value(parser *parser, weft_string *value)
{
    size_t start = parser->at;
    while (parser->at < parser->stop && weft__byte_is_in_value(parser->bytes[parser->at]))
        parser->at++;
    *value = weft__string_trim(taken_since(parser, start));
    bool is_bare = parser->at < parser->stop && parser->bytes[parser->at] == '\n';
    return take_line_end(parser, is_bare ? "line feed without a carriage return"
                                         : "header field value contains a control character");
}

/* RFC 9112 section 3.2 */
static int note_host(parser *parser, weft_string value)
{
    if (parser->is_response) return TAKEN;
    if (parser->has_host) return bad_request(parser, "Host is repeated");
    const char *fault = weft__authority_parse(&parser->host, value);
    if (fault) return weft__problem_set(parser->problem, BAD_REQUEST, "Host is ill-formed: %s", fault);
    parser->has_host = true;
    return TAKEN;
}

/* RFC 9112 section 6.3; a list of equal numbers, which it tolerates, is refused as well. */
static int note_content_length(parser *parser, weft_string value)
{
    int64_t length = 0;
    weft__head *head = parser->head;
    if (head->content_length != WEFT__NO_CONTENT_LENGTH) {
        return bad_request(parser, "Content-Length is repeated");
    }
    if (head->chunked) return bad_request(parser, "both Transfer-Encoding and Content-Length are present");
    if (value.length == 0) return bad_request(parser, "Content-Length is empty");
    for (size_t i = 0; i < value.length; i++) {
        char byte = value.bytes[i];
        if (!weft__byte_is_digit(byte)) return bad_request(parser, "Content-Length is not a number");
        int digit = byte - '0';
        if (length > (INT64_MAX - digit) / 10) return bad_request(parser, "Content-Length is too large");
        length = length * 10 + digit;
    }
    head->content_length = length;
    return TAKEN;
}

/* RFC 9112 section 6.1 */
static int note_transfer_encoding(parser *parser, weft_string value)
{
    weft__head *head = parser->head;
    if (head->minor_version == 0)
        return bad_request(parser, "Transfer-Encoding stands in an HTTP/1.0 message");
    if (head->content_length != WEFT__NO_CONTENT_LENGTH) {
        return bad_request(parser, "both Transfer-Encoding and Content-Length are present");
    }
    if (head->chunked || !weft__string_equals_ignoring_case(value, "chunked")) {
        return weft__problem_set(parser->problem, UNKNOWN, "Transfer-Encoding is not exactly one chunked");
    }
    head->chunked = true;
    return TAKEN;
}

static int take_field(parser *parser)
{
    weft_string name = {0}, value = {0};
    int step = take_name(parser, &name);
    if (step == TAKEN) step = take_value(parser, &value);
    if (step != TAKEN) return step;
    weft_status status = weft__fields_add(&parser->head->fields, name, value);
    if (status != WEFT_OK) return status;
    if (weft__string_equals_ignoring_case(name, "Host")) return note_host(parser, value);
    if (weft__string_equals_ignoring_case(name, "Content-Length")) return note_content_length(parser, value);
    if (weft__string_equals_ignoring_case(name, "Transfer-Encoding")) {
        return note_transfer_encoding(parser, value);
    }
    return TAKEN;
}

static int take_fields(parser *parser)
{
    const weft__head_limits *limits = parser->limits;
    if (parser->length - parser->at > limits->max_header_size) {
        parser->stop = parser->at + limits->max_header_size;
    }
    for (;;) {
        if (parser->at == parser->length) return INCOMPLETE;
        if (parser->bytes[parser->at] == '\r') break;
        if (parser->head->fields.count == limits->max_fields) {
            return weft__problem_set(parser->problem, 431, "more than %zu header fields", limits->max_fields);
        }
        int step = take_field(parser);
        if (step != TAKEN) return step;
    }
    parser->stop = parser->length;
    return take_line_end(parser, no_line_end);
}

/* RFC 9112 section 9.3 */
static bool keeps_alive(const weft__head *head)
{
    if (weft__fields_list_token(&head->fields, "Connection", "close")) return false;
    return head->minor_version == 1 || weft__fields_list_token(&head->fields, "Connection", "keep-alive");
}

/* RFC 9112 section 3.2.2: both name one authority. A server that believed either one of two would be
 * talked into another's place by the other. */
static bool host_agrees(const parser *parser, const weft__target *target)
{
    if (!parser->has_host || !target->is_absolute) return true;
    return weft__authority_is_same(&target->authority, &parser->host, target->is_secure ? 443 : 80);
}

static int take_request_line(parser *parser, weft__target *target)
{
    weft__head *head = parser->head;
    int step = take_empty_line(parser);
    if (step == TAKEN) step = take_method(parser);
    if (step == TAKEN) step = take_target(parser);
    if (step == TAKEN) step = take_version(parser);
    if (step == TAKEN) step = take_line_end(parser, "request line goes on behind the HTTP version");
    if (step != TAKEN) return step;
    const char *fault =
        weft__target_parse(target, head->target, weft__string_equals(head->method, "OPTIONS"));
    if (fault) return bad_request(parser, fault);
    head->path = target->path;
    head->query = target->query;
    return TAKEN;
}

static int take_request(parser *parser)
{
    weft__target target;
    int step = take_request_line(parser, &target);
    if (step == TAKEN) step = take_fields(parser);
    if (step != TAKEN) return step;
    if (parser->head->minor_version == 1 && !parser->has_host) return bad_request(parser, "Host is missing");
    if (!host_agrees(parser, &target)) {
        return bad_request(parser, "Host differs from the host of the request target");
    }
    return TAKEN;
}

static int take_response(parser *parser)
{
    int step = take_version(parser);
    if (step == TAKEN) step = take_status(parser);
    if (step == TAKEN) step = take_reason(parser);
    if (step == TAKEN) step = take_fields(parser);
    return step;
}

static int64_t parse(parser *parser)
{
    *parser->head = (weft__head){.content_length = WEFT__NO_CONTENT_LENGTH};
    if (parser->length == 0) return INCOMPLETE;
    int step = parser->is_response ? take_response(parser) : take_request(parser);
    if (step == TAKEN) {
        parser->head->keep_alive = keeps_alive(parser->head);
        return (int64_t)parser->at;
    }
    weft__head_clear(parser->head);
    /* Nobody is answered when an answer is bad. */
    if (step == WEFT_EHTTP && parser->is_response) parser->problem->http_status = 0;
    return step;
}

int64_t weft__head_parse_request(weft__head *head, const char *bytes, size_t length,
                                 const weft__head_limits *limits, weft__problem *problem)
{
    parser parser = {.head = head, .limits = limits, .problem = problem};
    parser.bytes = bytes;
    parser.length = parser.stop = length;
    return parse(&parser);
}

int64_t weft__head_parse_response(weft__head *head, const char *bytes, size_t length,
                                  const weft__head_limits *limits, weft__problem *problem)
{
    parser parser = {.head = head, .limits = limits, .problem = problem, .is_response = true};
    parser.bytes = bytes;
    parser.length = parser.stop = length;
    return parse(&parser);
}

static void move_view(weft_string *view, const char *from, const char *to)
{
    if (view->bytes) view->bytes = to + ((uintptr_t)view->bytes - (uintptr_t)from);
}

bool weft__head_is_worth_parsing(const char *bytes, size_t length, size_t parsed,
                                 const weft__head_limits *limits)
{
    if (length / 2 >= parsed || memchr(bytes + parsed, '\n', length - parsed)) return true;
    size_t start = length >= 2 && bytes[0] == '\r' && bytes[1] == '\n' ? 2 : 0; /* an empty line before */
    const char *end = memchr(bytes + start, '\n', length - start);
    size_t first_line = end ? (size_t)(end - bytes) + 1 : start;
    return length - first_line > (end ? limits->max_header_size : limits->max_uri_length);
}

void weft__head_move(weft__head *head, const char *from, const char *to)
{
    weft_string *const parts[] = {&head->method, &head->target, &head->path, &head->query, &head->reason};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        move_view(parts[i], from, to);
    for (size_t i = 0; i < head->fields.count; i++) {
        move_view(&head->fields.items[i].name, from, to);
        move_view(&head->fields.items[i].value, from, to);
    }
}

void weft__head_clear(weft__head *head)
{
    weft__fields_clear(&head->fields);
    *head = (weft__head){.content_length = WEFT__NO_CONTENT_LENGTH};
}
