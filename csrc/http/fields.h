#ifndef WEFT_HTTP_FIELDS_H
#define WEFT_HTTP_FIELDS_H

#include "weft/status.h"

/** Header fields in the order of their arrival. All zero is the empty list. */
typedef struct weft__fields {
    weft_field *items; /**< Views into bytes that somebody else owns. */
    size_t count;
    size_t capacity;
} weft__fields;

/** Adds a view; nothing is copied but the view itself. WEFT_ENOMEM changes nothing. */
weft_status weft__fields_add(weft__fields *fields, weft_string name, weft_string value);

/** The first field of that name in any case, or NULL. */
const weft_field *weft__fields_find(const weft__fields *fields, const char *name);

/** How many fields have that name. */
size_t weft__fields_count(const weft__fields *fields, const char *name);

/** True when a comma-separated field of that name lists `token`, in any case (RFC 9110 section 5.6.1). */
bool weft__fields_list_token(const weft__fields *fields, const char *name, const char *token);

/** Forgets the fields and gives their memory back. */
void weft__fields_clear(weft__fields *fields);

/**
 * Takes the next element of a comma-separated list off `rest`, without white space around it;
 * empty elements are passed over. Commas inside a quoted string do not separate.
 * False at the end of the list.
 */
bool weft__list_next(weft_string *rest, weft_string *element);

/** A walk through all fields of one name, which count as one list (RFC 9110 section 5.3). Begin with `fields`
 *  and `name`. */
typedef struct weft__list_walk {
    const weft__fields *fields;
    const char *name;
    size_t index;     /**< Of the field to look at next. */
    weft_string rest; /**< Of the last field's value. */
} weft__list_walk;

/** Takes the next element, as weft__list_next. */
bool weft__list_walk_next(weft__list_walk *walk, weft_string *element);

/** `text` as a view; NULL is the empty view. */
weft_string weft__string(const char *text);

/** Byte for byte. */
bool weft__string_equals(weft_string string, const char *text);

/** The same, ASCII letters in any case. */
bool weft__string_equals_ignoring_case(weft_string string, const char *text);

/** Two views of the same bytes. */
bool weft__string_is_same(weft_string one, weft_string other);

/** The same, ASCII letters in any case. */
bool weft__string_is_same_ignoring_case(weft_string one, weft_string other);

/** Without spaces and tabs at both ends. */
weft_string weft__string_trim(weft_string string);

/** RFC 9110 section 5.6.2; the empty string is none. */
bool weft__is_token(weft_string string);

/** RFC 9110 section 5.5: no control character but the tab, so neither CR, LF nor NUL; may be empty. */
bool weft__is_field_value(weft_string string);

#endif
