#include "tls/ciphers.h"

#include "base/buffer.h"
#include "weft/tls.h"

#include <stdio.h>
#include <string.h>

enum {
    NAME_MAX_LENGTH = 80 /* of a cipher; the longest of IANA's have some 50 */
};

/* The names for the versions up to 1.2, and those for 1.3, each with colons between. */
typedef struct cipher_lists {
    weft__buffer older;
    weft__buffer newer;
} cipher_lists;

static weft_status append_name(weft__buffer *list, const char *name)
{
    weft_status status = weft__buffer_length(list) ? weft__buffer_append(list, ":", 1, SIZE_MAX) : WEFT_OK;
    if (status != WEFT_OK) return status;
    return weft__buffer_append(list, name, strlen(name), SIZE_MAX);
}

static bool protects(const SSL_CIPHER *cipher)
{
    int authentication = SSL_CIPHER_get_auth_nid(cipher);
    return SSL_CIPHER_get_cipher_nid(cipher) != NID_undef && authentication != NID_auth_null;
}

static const SSL_CIPHER *find(SSL_CTX *context, const char *openssl_name)
{
    const STACK_OF(SSL_CIPHER) *ciphers = SSL_CTX_get_ciphers(context);
    for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); i++) {
        const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(ciphers, i);
        if (strcmp(SSL_CIPHER_get_name(cipher), openssl_name) == 0) return cipher;
    }
    return NULL;
}

static weft_status take_name(cipher_lists *lists, SSL_CTX *context, const char *name,
                             weft__tls_problem *problem)
{
    /* What is not known is passed over in silence, so we look. */
    if (SSL_CTX_set_ciphersuites(context, name) == 1 && find(context, name))
        return append_name(&lists->newer, name);
    const char *standard = OPENSSL_cipher_name(name);
    const char *openssl_name = standard && *standard != '(' ? standard : name;
    /* A name stands for one cipher; "HIGH" and the like, which stand for many, are no names. */
    bool is_known = SSL_CTX_set_cipher_list(context, openssl_name) == 1;
    const SSL_CIPHER *cipher = is_known ? find(context, openssl_name) : NULL;
    weft__tls_take_error();
    if (!cipher) return weft__tls_problem_set(problem, "the cipher %s is not known", name);
    if (!protects(cipher)) return weft__tls_problem_set(problem, "the cipher %s protects nothing", name);
    return append_name(&lists->older, openssl_name);
}

static weft_status take_names(cipher_lists *lists, SSL_CTX *context, const char *list,
                              weft__tls_problem *problem)
{
    weft_status status = WEFT_OK;
    while (status == WEFT_OK && *(list += strspn(list, ":, "))) {
        char name[NAME_MAX_LENGTH + 1];
        size_t length = strcspn(list, ":, ");
        if (length > NAME_MAX_LENGTH) return weft__tls_problem_set(problem, "a cipher's name is too long");
        memcpy(name, list, length);
        name[length] = '\0';
        status = take_name(lists, context, name, problem);
        list += length;
    }
    return status;
}

static weft_status apply(SSL_CTX *context, cipher_lists *lists, uint32_t *versions,
                         weft__tls_problem *problem)
{
    const uint32_t older = WEFT_TLS_1_0_INSECURE | WEFT_TLS_1_1_INSECURE | WEFT_TLS_1_2;
    bool has_older = weft__buffer_length(&lists->older), has_newer = weft__buffer_length(&lists->newer);
    if (!has_older) *versions &= ~older;
    if (!has_newer) *versions &= ~(uint32_t)WEFT_TLS_1_3;
    if (!*versions) return weft__tls_problem_set(problem, "no cipher in the list fits a version of TLS");
    weft_status status = weft__buffer_append(&lists->older, "", 1, SIZE_MAX); /* the NUL */
    if (status == WEFT_OK) status = weft__buffer_append(&lists->newer, "", 1, SIZE_MAX);
    if (status != WEFT_OK) return status;
    const char *names = (const char *)weft__buffer_front(&lists->older);
    bool is_set = !has_older || SSL_CTX_set_cipher_list(context, names) == 1;
    names = (const char *)weft__buffer_front(&lists->newer);
    is_set = is_set && (!has_newer || SSL_CTX_set_ciphersuites(context, names) == 1);
    return is_set ? WEFT_OK : WEFT_ENOMEM;
}

weft_status weft__tls_set_ciphers(SSL_CTX *context, const char *list, uint32_t *versions,
                                  weft__tls_problem *problem)
{
    cipher_lists lists = {0};
    weft_status status = take_names(&lists, context, list, problem);
    if (status == WEFT_OK) status = apply(context, &lists, versions, problem);
    if (status == WEFT_ENOMEM) weft__tls_problem_set(problem, "%s", weft_status_text(status));
    weft__buffer_clear(&lists.older);
    weft__buffer_clear(&lists.newer);
    return status;
}
