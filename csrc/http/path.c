#include "http/path.h"

#include "http/bytes.h"
#include "http/fields.h"

/* -- paths ------------------------------------------------------------------------------------- */

bool weft__path_is_well_formed(weft_string path)
{
    for (size_t i = 0; i < path.length; i++) {
        if (path.bytes[i] != '%') continue;
        if (path.length - i < 3) return false;
        if (!weft__byte_is_hex(path.bytes[i + 1]) || !weft__byte_is_hex(path.bytes[i + 2])) return false;
    }
    return true;
}

bool weft__path_next(weft_string *rest, weft_string *segment)
{
    if (rest->length == 0) return false;
    const char *start = rest->bytes + 1;
    size_t left = rest->length - 1;
    const char *slash = left ? memchr(start, '/', left) : NULL;
    size_t length = slash ? (size_t)(slash - start) : left;
    *segment = (weft_string){start, length};
    *rest = (weft_string){start + length, left - length};
    return true;
}

static unsigned char hex_value(char byte)
{
    if (weft__byte_is_digit(byte)) return (unsigned char)(byte - '0');
    return (unsigned char)((byte | 0x20) - 'a' + 10);
}

/* The next byte of well-formed text, which is not at its end. */
static unsigned char next_byte(weft_string *text)
{
    const char *bytes = text->bytes;
    size_t used = bytes[0] == '%' ? 3 : 1;
    *text = (weft_string){bytes + used, text->length - used};
    if (used == 1) return (unsigned char)bytes[0];
    return (unsigned char)(hex_value(bytes[1]) << 4 | hex_value(bytes[2]));
}

int weft__path_compare(weft_string segment, weft_string plain)
{
    for (size_t i = 0; i < plain.length; i++) {
        if (segment.length == 0) return -1;
        int difference = next_byte(&segment) - (unsigned char)plain.bytes[i];
        if (difference != 0) return difference;
    }
    return segment.length > 0;
}

size_t weft__path_decode(char *out, weft_string text)
{
    size_t length = 0;
    while (text.length > 0)
        out[length++] = (char)next_byte(&text);
    return length;
}

/* -- patterns ---------------------------------------------------------------------------------- */

weft__pattern_kind weft__pattern_segment(weft_string segment, weft_string *name)
{
    *name = (weft_string){0};
    if (segment.length == 0 || segment.bytes[0] != '{') return WEFT__PATTERN_LITERAL;
    bool is_rest = segment.bytes[segment.length - 2] == '*';
    *name = (weft_string){segment.bytes + 1, segment.length - 2 - is_rest};
    return is_rest ? WEFT__PATTERN_REST : WEFT__PATTERN_PARAMETER;
}

static bool has_byte(weft_string string, char byte)
{
    return string.length && memchr(string.bytes, byte, string.length);
}

static const char *segment_problem(weft_string segment)
{
    if (!has_byte(segment, '{') && !has_byte(segment, '}')) return NULL;
    bool is_enclosed =
        segment.length >= 2 && segment.bytes[0] == '{' && segment.bytes[segment.length - 1] == '}';
    if (!is_enclosed) return "a brace stands inside a segment; a parameter is a whole segment, as in /{name}";
    weft_string name;
    weft__pattern_segment(segment, &name);
    if (segment.length < 3 || name.length == 0) return "a parameter has no name";
    if (has_byte(name, '{') || has_byte(name, '}') || has_byte(name, '*') || has_byte(name, '%')) {
        return "a parameter's name holds a brace, an asterisk or a percent sign";
    }
    return NULL;
}

/* True when a segment of `rest` is a parameter of that name. */
static bool is_repeated(weft_string name, weft_string rest)
{
    weft_string segment, other;
    while (weft__path_next(&rest, &segment)) {
        if (weft__pattern_segment(segment, &other) == WEFT__PATTERN_LITERAL) continue;
        if (weft__string_is_same(name, other)) return true;
    }
    return false;
}

static const char *segments_problem(weft_string pattern)
{
    weft_string segment, rest = pattern;
    while (weft__path_next(&rest, &segment)) {
        const char *problem = segment_problem(segment);
        if (problem) return problem;
    }
    rest = pattern;
    while (weft__path_next(&rest, &segment)) {
        weft_string name;
        weft__pattern_kind kind = weft__pattern_segment(segment, &name);
        if (kind == WEFT__PATTERN_REST && rest.length) return "{name*} is not the last segment";
        if (kind != WEFT__PATTERN_LITERAL && is_repeated(name, rest)) return "a parameter is repeated";
    }
    return NULL;
}

const char *weft__pattern_problem(weft_string pattern)
{
    if (weft__string_equals(pattern, "*")) return NULL;
    if (pattern.length == 0 || pattern.bytes[0] != '/') return "the path does not begin with a slash";
    for (size_t i = 0; i < pattern.length; i++) {
        unsigned char byte = (unsigned char)pattern.bytes[i];
        if (byte <= 0x20 || byte == 0x7f) return "the path holds a space or a control character";
        if (byte == '?' || byte == '#') return "the path holds a query or a fragment";
    }
    if (!weft__path_is_well_formed(pattern)) return "a percent sign has no two hexadecimal digits behind it";
    return segments_problem(pattern);
}

static weft_status append_literal(weft__buffer *out, weft_string segment)
{
    static const char digits[] = "0123456789ABCDEF";
    while (segment.length > 0) {
        unsigned char byte = next_byte(&segment);
        const char encoded[] = {'%', digits[byte >> 4], digits[byte & 0xf]};
        bool is_plain = weft__byte_is_alphanumeric((char)byte) || byte == '-' || byte == '_' || byte == '.';
        weft_status status = weft__buffer_append(out, is_plain ? (const char *)&byte : encoded,
                                                 is_plain ? 1 : sizeof encoded, SIZE_MAX);
        if (status != WEFT_OK) return status;
    }
    return WEFT_OK;
}

weft_status weft__pattern_shape(weft__buffer *out, weft_string pattern)
{
    if (weft__string_equals(pattern, "*")) return weft__buffer_append(out, "*", 1, SIZE_MAX);
    weft_string segment, name;
    while (weft__path_next(&pattern, &segment)) {
        weft_status status = weft__buffer_append(out, "/", 1, SIZE_MAX);
        if (status != WEFT_OK) return status;
        switch (weft__pattern_segment(segment, &name)) {
        case WEFT__PATTERN_LITERAL: status = append_literal(out, segment); break;
        case WEFT__PATTERN_PARAMETER: status = weft__buffer_append(out, "{}", 2, SIZE_MAX); break;
        case WEFT__PATTERN_REST: status = weft__buffer_append(out, "{*}", 3, SIZE_MAX); break;
        }
        if (status != WEFT_OK) return status;
    }
    return WEFT_OK;
}
