#include "http/response_reader.h"

#include "http/offer.h"
#include "http/response.h"

void weft__response_reader_init(weft__response_reader *reader, bool is_to_head, uint64_t max_body_size)
{
    *reader = (weft__response_reader){.is_to_head = is_to_head, .max_body_size = max_body_size};
}

void weft__response_reader_clear(weft__response_reader *reader)
{
    weft__head_clear(&reader->head);
    weft__buffer_wipe(&reader->input);
    weft__buffer_wipe(&reader->body);
}

static weft_status fail(weft__problem *problem, weft_status status, const char *sentence)
{
    weft__problem_set(problem, 0, "%s", sentence);
    return status;
}

/* -- the body ---------------------------------------------------------------------------------- */

static weft_status fail_as_too_large(const weft__response_reader *reader, weft__problem *problem)
{
    weft__problem_set(problem, 0, "the body of the answer is over %llu bytes",
                      (unsigned long long)reader->max_body_size);
    return WEFT_ETOOBIG;
}

static weft_status keep(weft__response_reader *reader, const char *bytes, size_t length,
                        weft__problem *problem)
{
    size_t held = weft__buffer_length(&reader->body);
    if (length > reader->max_body_size - held) return fail_as_too_large(reader, problem);
    if (!length || weft__buffer_append_secret(&reader->body, bytes, length, SIZE_MAX) == WEFT_OK)
        return WEFT_OK;
    return fail(problem, WEFT_ENOMEM, weft_status_text(WEFT_ENOMEM));
}

static weft_status take_counted(weft__response_reader *reader, const char *bytes, size_t length,
                                weft__problem *problem)
{
    if (length > reader->left) length = (size_t)reader->left;
    reader->left -= length;
    if (!reader->left) reader->part = WEFT__RESPONSE_WHOLE;
    return keep(reader, bytes, length, problem);
}

static weft_status take_chunks(weft__response_reader *reader, const char *bytes, size_t length,
                               weft__problem *problem)
{
    weft_status status = WEFT_OK;
    while (status == WEFT_OK && length > 0 && reader->part == WEFT__RESPONSE_BODY_CHUNKED) {
        weft_string data;
        int64_t used = weft__chunked_take(&reader->chunks, bytes, length, &data, problem);
        if (used < 0 && problem->http_status == 413) return fail_as_too_large(reader, problem);
        problem->http_status = 0; /* nobody is answered */
        if (used < 0) return WEFT_EHTTP;
        status = keep(reader, data.bytes, data.length, problem);
        if (weft__chunked_is_done(&reader->chunks)) reader->part = WEFT__RESPONSE_WHOLE;
        bytes += used;
        length -= (size_t)used;
    }
    return status;
}

static weft_status take_body(weft__response_reader *reader, const char *bytes, size_t length,
                             weft__problem *problem)
{
    switch (reader->part) {
    case WEFT__RESPONSE_BODY: return take_counted(reader, bytes, length, problem);
    case WEFT__RESPONSE_BODY_CHUNKED: return take_chunks(reader, bytes, length, problem);
    case WEFT__RESPONSE_BODY_UNTIL_END: return keep(reader, bytes, length, problem);
    case WEFT__RESPONSE_HEAD: /* not covered: a body comes behind the head */
    case WEFT__RESPONSE_WHOLE: break;
    }
    return WEFT_OK;
}

/* RFC 9112 section 6.3 */
static weft_status choose_body(weft__response_reader *reader, weft__problem *problem)
{
    const weft__head *head = &reader->head;
    if (reader->is_to_head || !weft__response_has_body(head->status)) {
        reader->part = WEFT__RESPONSE_WHOLE;
    } else if (head->chunked) {
        weft__chunked_init(&reader->chunks,
                           &(weft__chunked_limits){.max_body = reader->max_body_size,
                                                   .max_extensions = WEFT__CHUNK_EXTENSIONS_MAX,
                                                   .max_trailers = WEFT__TRAILERS_MAX});
        reader->part = WEFT__RESPONSE_BODY_CHUNKED;
    } else if (head->content_length < 0) {
        reader->part = WEFT__RESPONSE_BODY_UNTIL_END;
    } else if ((uint64_t)head->content_length > reader->max_body_size) {
        return fail_as_too_large(reader, problem);
    } else {
        reader->left = (uint64_t)head->content_length;
        reader->part = reader->left ? WEFT__RESPONSE_BODY : WEFT__RESPONSE_WHOLE;
    }
    return WEFT_OK;
}

/* -- the head ---------------------------------------------------------------------------------- */

/* What came behind the head is taken from the end of the input, which never changes any more. */
static weft_status take_head(weft__response_reader *reader, size_t length, weft__problem *problem)
{
    if (reader->head.status == 101)
        return fail(problem, WEFT_EHTTP,
                    "the server switched to another protocol, for which it was not asked");
    size_t arrived = weft__buffer_length(&reader->input) - length;
    reader->input.end -= arrived;
    const char *behind = (const char *)reader->input.bytes + reader->input.end;
    weft_status status = choose_body(reader, problem);
    return status == WEFT_OK ? take_body(reader, behind, arrived, problem) : status;
}

static weft_status pass_over_interim(weft__response_reader *reader, size_t length, weft__problem *problem)
{
    weft__head_clear(&reader->head);
    weft__buffer_consume(&reader->input, length);
    bool is_one_too_many = weft__upgrade_pass_interim(&reader->interim_answers, problem) != WEFT_OK;
    return is_one_too_many ? WEFT_EHTTP : WEFT_OK;
}

/* `*is_stuck` says that no head has ended. */
static weft_status parse(weft__response_reader *reader, bool *is_stuck, weft__problem *problem)
{
    const char *bytes = (const char *)weft__buffer_front(&reader->input);
    size_t arrived = weft__buffer_length(&reader->input);
    int64_t length = weft__head_parse_response(&reader->head, bytes, arrived, &weft__answer_limits, problem);
    reader->length_parsed = length == 0 ? arrived : 0;
    *is_stuck = length == 0;
    if (length == WEFT_ENOMEM) return fail(problem, WEFT_ENOMEM, weft_status_text(WEFT_ENOMEM));
    if (length < 0) return WEFT_EHTTP;
    if (length == 0) return WEFT_OK;
    if (weft__upgrade_answer_is_interim(&reader->head))
        return pass_over_interim(reader, (size_t)length, problem);
    return take_head(reader, (size_t)length, problem);
}

static weft_status parse_on(weft__response_reader *reader, weft__problem *problem)
{
    bool is_stuck = false;
    weft_status status = WEFT_OK;
    while (status == WEFT_OK && !is_stuck && reader->part == WEFT__RESPONSE_HEAD) {
        const char *bytes = (const char *)weft__buffer_front(&reader->input);
        size_t arrived = weft__buffer_length(&reader->input);
        if (!weft__head_is_worth_parsing(bytes, arrived, reader->length_parsed, &weft__answer_limits)) break;
        status = parse(reader, &is_stuck, problem);
    }
    return status;
}

/* -- bytes ------------------------------------------------------------------------------------- */

weft_status weft__response_reader_take(weft__response_reader *reader, const uint8_t *bytes, size_t length,
                                       weft__problem *problem)
{
    if (reader->part != WEFT__RESPONSE_HEAD) return take_body(reader, (const char *)bytes, length, problem);
    if (weft__buffer_append_secret(&reader->input, bytes, length, SIZE_MAX) != WEFT_OK)
        return fail(problem, WEFT_ENOMEM, weft_status_text(WEFT_ENOMEM));
    return parse_on(reader, problem);
}

static weft_status end_within_head(weft__response_reader *reader, weft__problem *problem)
{
    bool is_stuck;
    weft_status status = parse(reader, &is_stuck, problem); /* its last bytes may not have been looked at */
    if (status != WEFT_OK) return status;
    bool has_begun = weft__buffer_length(&reader->input) > 0;
    return fail(problem, WEFT_ELOST,
                has_begun ? "the server ended the connection within the head of its answer"
                          : "the server ended the connection before its answer");
}

weft_status weft__response_reader_end(weft__response_reader *reader, weft__problem *problem)
{
    switch (reader->part) {
    case WEFT__RESPONSE_HEAD: return end_within_head(reader, problem);
    case WEFT__RESPONSE_BODY:
    case WEFT__RESPONSE_BODY_CHUNKED:
        return fail(problem, WEFT_ELOST, "the server ended the connection within the body of its answer");
    case WEFT__RESPONSE_BODY_UNTIL_END: reader->part = WEFT__RESPONSE_WHOLE; break;
    case WEFT__RESPONSE_WHOLE: break;
    }
    return WEFT_OK;
}
