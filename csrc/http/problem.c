#include "http/problem.h"

#include <stdarg.h>
#include <stdio.h>

weft_status weft__problem_set(weft__problem *problem, uint16_t http_status, const char *format, ...)
{
    va_list arguments;
    *problem = (weft__problem){.http_status = http_status};
    va_start(arguments, format);
    vsnprintf(problem->text, sizeof problem->text, format, arguments);
    va_end(arguments);
    for (char *byte = problem->text; *byte; byte++) {
        if (*byte < 0x20 || *byte >= 0x7f) *byte = '?';
    }
    return WEFT_EHTTP;
}
