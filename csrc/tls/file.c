#include "tls/file.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

enum {
    AT_ONCE = 16 * 1024
};

/* It may hold a key: when it grows, nothing is left in the memory that it had. */
static uint8_t *make_room(weft__buffer *out)
{
    size_t length = weft__buffer_length(out);
    if (out->capacity - length >= AT_ONCE) return weft__buffer_reserve(out, AT_ONCE, SIZE_MAX);
    weft__buffer larger = {0};
    if (!weft__buffer_reserve(&larger, 2 * length + AT_ONCE, SIZE_MAX)) return NULL;
    weft__buffer_append(&larger, weft__buffer_front(out), length, SIZE_MAX); /* there is room */
    weft__buffer_wipe(out);
    *out = larger;
    return weft__buffer_reserve(out, AT_ONCE, SIZE_MAX);
}

static weft_status read_all(weft__buffer *out, FILE *file, bool *is_readable)
{
    for (;;) {
        uint8_t *room = make_room(out);
        if (!room) return WEFT_ENOMEM;
        size_t count = fread(room, 1, AT_ONCE, file);
        weft__buffer_commit(out, count);
        *is_readable = !ferror(file);
        if (count < AT_ONCE || weft__buffer_length(out) > WEFT__TLS_FILE_MAX) return WEFT_OK;
    }
}

weft_status weft__tls_read_file(weft__buffer *out, const char *path, const char *what,
                                weft__tls_problem *problem)
{
    bool is_readable = false;
    FILE *file = fopen(path, "rb");
    weft_status status = file ? read_all(out, file, &is_readable) : WEFT_OK;
    int error = errno;
    if (file) fclose(file);
    if (status != WEFT_OK) return status;
    if (!is_readable) {
        return weft__tls_problem_set(problem, "the %s %s cannot be read: %s", what, path, strerror(error));
    }
    if (!weft__buffer_length(out)) return weft__tls_problem_set(problem, "the %s %s is empty", what, path);
    if (weft__buffer_length(out) <= WEFT__TLS_FILE_MAX) return WEFT_OK;
    return weft__tls_problem_set(problem, "the %s %s is longer than 16 MiB", what, path);
}

static BIO *copy_of(const weft__buffer *bytes)
{
    int length = (int)weft__buffer_length(bytes);
    BIO *bio = BIO_new(BIO_s_mem());
    if (!bio || BIO_write(bio, weft__buffer_front(bytes), length) != length) {
        BIO_free(bio);
        weft__tls_take_error();
        return NULL;
    }
    BIO_set_mem_eof_return(bio, 0);
    return bio;
}

weft_status weft__tls_open_file(BIO **out, const char *path, const char *what, weft__tls_problem *problem)
{
    weft__buffer bytes = {0};
    weft_status status = weft__tls_read_file(&bytes, path, what, problem);
    *out = status == WEFT_OK ? copy_of(&bytes) : NULL;
    weft__buffer_wipe(&bytes);
    if (status != WEFT_OK || *out) return status;
    return WEFT_ENOMEM;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the type is OpenSSL's. */
int weft__tls_no_password(char *out, int size, int is_for_writing, void *context)
{
    (void)out;
    (void)size;
    (void)is_for_writing;
    (void)context;
    return -1;
}
