#include "http/writer.h"

#include "http/fields.h"

weft__writer weft__writer_begin(weft__buffer *out)
{
    return (weft__writer){.out = out, .length_before = weft__buffer_length(out), .status = WEFT_OK};
}

void weft__writer_string(weft__writer *writer, weft_string string)
{
    if (writer->status != WEFT_OK) return;
    writer->status = weft__buffer_append_secret(writer->out, string.bytes, string.length, SIZE_MAX);
}

void weft__writer_text(weft__writer *writer, const char *text)
{
    weft__writer_string(writer, weft__string(text));
}

void weft__writer_field(weft__writer *writer, weft_string name, weft_string value)
{
    if (!weft__is_token(name) || !weft__is_field_value(value)) {
        if (writer->status == WEFT_OK) writer->status = WEFT_EINVAL;
        return;
    }
    weft__writer_string(writer, name);
    weft__writer_text(writer, ": ");
    weft__writer_string(writer, value);
    weft__writer_text(writer, "\r\n");
}

void weft__writer_optional(weft__writer *writer, const char *name, weft_string value)
{
    if (value.length > 0) weft__writer_field(writer, weft__string(name), value);
}

void weft__writer_fields(weft__writer *writer, const weft_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++)
        weft__writer_field(writer, fields[i].name, fields[i].value);
}

weft_status weft__writer_end(weft__writer *writer)
{
    weft__buffer *out = writer->out;
    if (writer->status != WEFT_OK) out->end = out->start + writer->length_before;
    return writer->status;
}
