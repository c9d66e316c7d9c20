#include "http/fields.h"

#include "base/allocator.h"
#include "http/bytes.h"

enum {
    FIRST_CAPACITY = 16
};

weft_status weft__fields_add(weft__fields *fields, weft_string name, weft_string value)
{
    if (fields->count == fields->capacity) {
        size_t capacity = fields->capacity ? fields->capacity * 2 : FIRST_CAPACITY;
        if (capacity > SIZE_MAX / sizeof *fields->items) return WEFT_ENOMEM;
        weft_field *items = weft__realloc(fields->items, capacity * sizeof *items);
        if (!items) return WEFT_ENOMEM;
        fields->items = items;
        fields->capacity = capacity;
    }
    fields->items[fields->count++] = (weft_field){name, value};
    return WEFT_OK;
}

const weft_field *weft__fields_find(const weft__fields *fields, const char *name)
{
    for (size_t i = 0; i < fields->count; i++) {
        if (weft__string_equals_ignoring_case(fields->items[i].name, name)) return &fields->items[i];
    }
    return NULL;
}

size_t weft__fields_count(const weft__fields *fields, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < fields->count; i++) {
        if (weft__string_equals_ignoring_case(fields->items[i].name, name)) count++;
    }
    return count;
}

bool weft__fields_list_token(const weft__fields *fields, const char *name, const char *token)
{
    weft__list_walk walk = {.fields = fields, .name = name};
    weft_string element;
    while (weft__list_walk_next(&walk, &element)) {
        if (weft__string_equals_ignoring_case(element, token)) return true;
    }
    return false;
}

void weft__fields_clear(weft__fields *fields)
{
    weft__free(fields->items);
    *fields = (weft__fields){0};
}

/* Where the first element ends: at a comma outside quotes (RFC 9110 section 5.6.4), or at the end. */
static size_t element_length(weft_string list)
{
    bool quoted = false;
    for (size_t i = 0; i < list.length; i++) {
        char byte = list.bytes[i];
        if (byte == ',' && !quoted) return i;
        if (byte == '"') quoted = !quoted;
        if (byte == '\\' && quoted) i++;
    }
    return list.length;
}

bool weft__list_next(weft_string *rest, weft_string *element)
{
    while (rest->length > 0) {
        size_t length = element_length(*rest);
        size_t taken = length < rest->length ? length + 1 : length;
        *element = weft__string_trim((weft_string){rest->bytes, length});
        *rest = (weft_string){rest->bytes + taken, rest->length - taken};
        if (element->length > 0) return true;
    }
    *element = (weft_string){0};
    return false;
}

bool weft__list_walk_next(weft__list_walk *walk, weft_string *element)
{
    const weft__fields *fields = walk->fields;
    while (!weft__list_next(&walk->rest, element)) {
        while (walk->index < fields->count &&
               !weft__string_equals_ignoring_case(fields->items[walk->index].name, walk->name))
            walk->index++;
        if (walk->index == fields->count) return false;
        walk->rest = fields->items[walk->index++].value;
    }
    return true;
}

weft_string weft__string(const char *text)
{
    return (weft_string){text, text ? strlen(text) : 0};
}

bool weft__string_equals(weft_string string, const char *text)
{
    size_t length = strlen(text);
    return string.length == length && (length == 0 || memcmp(string.bytes, text, length) == 0);
}

bool weft__string_is_same(weft_string one, weft_string other)
{
    return one.length == other.length && (one.length == 0 || memcmp(one.bytes, other.bytes, one.length) == 0);
}

bool weft__string_is_same_ignoring_case(weft_string one, weft_string other)
{
    if (one.length != other.length) return false;
    for (size_t i = 0; i < one.length; i++) {
        if (weft__byte_lower(one.bytes[i]) != weft__byte_lower(other.bytes[i])) return false;
    }
    return true;
}

bool weft__string_equals_ignoring_case(weft_string string, const char *text)
{
    return weft__string_is_same_ignoring_case(string, weft__string(text));
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

weft_string weft__string_trim(weft_string string)
{
    while (string.length > 0 && is_blank(string.bytes[0])) {
        string.bytes++;
        string.length--;
    }
    while (string.length > 0 && is_blank(string.bytes[string.length - 1]))
        string.length--;
    return string;
}

bool weft__is_token(weft_string string)
{
    for (size_t i = 0; i < string.length; i++) {
        if (!weft__byte_is_token(string.bytes[i])) return false;
    }
    return string.length > 0;
}

bool weft__is_field_value(weft_string string)
{
    for (size_t i = 0; i < string.length; i++) {
        if (!weft__byte_is_in_value(string.bytes[i])) return false;
    }
    return true;
}
