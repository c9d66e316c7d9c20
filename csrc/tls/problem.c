#include "tls/problem.h"

#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

weft_status weft__tls_problem_set(weft__tls_problem *problem, const char *format, ...)
{
    va_list arguments;
    if (!problem) return WEFT_ETLS;
    va_start(arguments, format);
    vsnprintf(problem->text, sizeof problem->text, format, arguments);
    va_end(arguments);
    for (char *letter = problem->text; *letter; letter++) {
        if (*letter < ' ' || *letter > '~') *letter = '?';
    }
    return WEFT_ETLS;
}

void weft__tls_problem_tell(const weft__tls_problem *problem, char *detail, size_t size)
{
    if (size) snprintf(detail, size, "%s", problem->text);
}

unsigned long weft__tls_take_error(void)
{
    unsigned long error = ERR_get_error();
    ERR_clear_error();
    return error;
}

const char *weft__tls_error_text(unsigned long error)
{
    const char *text =
        ERR_SYSTEM_ERROR(error) ? strerror(ERR_GET_REASON(error)) : ERR_reason_error_string(error);
    return text ? text : "no cause is known";
}
