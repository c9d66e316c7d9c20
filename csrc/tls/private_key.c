#include "tls/private_key.h"

#include "tls/file.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <string.h>
#include <strings.h>

/* What a key is read from, and what it takes to read it. */
typedef struct source {
    const char *path;
    const char *password; /* or NULL */
    const char *alias;    /* of a store; or NULL */
} source;

typedef weft_status (*take_from)(EVP_PKEY **out, BIO *bio, const source *source, weft__tls_problem *problem);

static weft_status read_with(take_from take, EVP_PKEY **out, const source *source, const char *what,
                             weft__tls_problem *problem)
{
    *out = NULL;
    BIO *bio;
    weft_status status = weft__tls_open_file(&bio, source->path, what, problem);
    if (status == WEFT_OK) status = take(out, bio, source, problem);
    BIO_free(bio);
    return status;
}

/* -- PEM --------------------------------------------------------------------------------------- */

typedef struct password_request {
    const char *password; /* or NULL */
    bool was_made;        /* the key is encrypted */
} password_request;

static int give_password(char *out, int size, int is_for_writing, void *context)
{
    password_request *request = context;
    (void)is_for_writing;
    request->was_made = true;
    size_t length = request->password ? strlen(request->password) : 0;
    if (!request->password || length > (size_t)size) return -1;
    memcpy(out, request->password, length);
    return (int)length;
}

/* OpenSSL does not tell a file without a key from one with a damaged key. */
static bool holds_private_key(BIO *pem)
{
    static const char mark[] = "PRIVATE KEY-----";
    char *text;
    long length = BIO_get_mem_data(pem, &text);
    for (long i = 0; i + (long)sizeof mark - 1 <= length; i++) {
        if (memcmp(text + i, mark, sizeof mark - 1) == 0) return true;
    }
    return false;
}

static weft_status take_from_pem(EVP_PKEY **out, BIO *pem, const source *source, weft__tls_problem *problem)
{
    password_request request = {.password = source->password};
    bool has_key = holds_private_key(pem);
    *out = PEM_read_bio_PrivateKey(pem, NULL, give_password, &request);
    unsigned long error = weft__tls_take_error();
    if (*out) return WEFT_OK;
    const char *path = source->path;
    if (request.was_made && !request.password) {
        return weft__tls_problem_set(problem, "the key file %s is encrypted, and there is no password", path);
    }
    if (request.was_made) {
        return weft__tls_problem_set(problem, "the password does not open the key file %s", path);
    }
    if (!has_key) return weft__tls_problem_set(problem, "the key file %s holds no PEM private key", path);
    return weft__tls_problem_set(problem, "the key file %s is damaged: %s", path,
                                 weft__tls_error_text(error));
}

weft_status weft__tls_private_key_from_pem(EVP_PKEY **out, const char *path, const char *password,
                                           weft__tls_problem *problem)
{
    const source source = {.path = path, .password = password};
    return read_with(take_from_pem, out, &source, "key file", problem);
}

/* -- PKCS#12 ----------------------------------------------------------------------------------- */

/* The private keys that were found on the way through a store. */
typedef struct search {
    const char *password;
    const char *alias;
    EVP_PKEY *key;       /* the first that fits */
    size_t count;        /* of those that fit */
    unsigned long error; /* why a part could not be read; 0: all could */
} search;

static bool has_alias(PKCS12_SAFEBAG *bag, const char *alias)
{
    char *name = PKCS12_get_friendlyname(bag);
    bool is_it = name && strcasecmp(name, alias) == 0;
    OPENSSL_free(name);
    return is_it;
}

static EVP_PKEY *key_in(PKCS12_SAFEBAG *bag, const char *password)
{
    if (PKCS12_SAFEBAG_get_nid(bag) == NID_keyBag) return EVP_PKCS82PKEY(PKCS12_SAFEBAG_get0_p8inf(bag));
    PKCS8_PRIV_KEY_INFO *info = PKCS12_decrypt_skey(bag, password, password ? (int)strlen(password) : 0);
    EVP_PKEY *key = info ? EVP_PKCS82PKEY(info) : NULL;
    PKCS8_PRIV_KEY_INFO_free(info);
    return key;
}

static void look_into_bag(search *search, PKCS12_SAFEBAG *bag)
{
    int kind = PKCS12_SAFEBAG_get_nid(bag);
    if (kind != NID_keyBag && kind != NID_pkcs8ShroudedKeyBag) return;
    if (search->alias && !has_alias(bag, search->alias)) return;
    EVP_PKEY *key = key_in(bag, search->password);
    if (!key) {
        search->error = weft__tls_take_error();
        return;
    }
    if (search->count++) {
        EVP_PKEY_free(key);
    } else {
        search->key = key;
    }
}

/* Certificates may be in a part of their own that is encrypted in a way that OpenSSL has given up; only where
 * no key turns up is that of interest. */
static void look_into_part(search *search, PKCS7 *part)
{
    STACK_OF(PKCS12_SAFEBAG) *bags = NULL;
    const char *password = search->password;
    int length = password ? (int)strlen(password) : 0;
    if (PKCS7_type_is_data(part)) bags = PKCS12_unpack_p7data(part);
    if (PKCS7_type_is_encrypted(part)) bags = PKCS12_unpack_p7encdata(part, password, length);
    if (!bags) search->error = weft__tls_take_error();
    for (int i = 0; i < sk_PKCS12_SAFEBAG_num(bags); i++) {
        look_into_bag(search, sk_PKCS12_SAFEBAG_value(bags, i));
    }
    sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
}

static weft_status judge(const search *search, const char *path, weft__tls_problem *problem)
{
    if (search->count == 1) return WEFT_OK;
    if (search->count > 1) {
        const char *cause = search->alias ? "several private keys of that alias" : "several private keys";
        return weft__tls_problem_set(problem, "the key store %s holds %s", path, cause);
    }
    if (search->error) {
        return weft__tls_problem_set(problem, "the key store %s cannot be read: %s", path,
                                     weft__tls_error_text(search->error));
    }
    if (!search->alias) return weft__tls_problem_set(problem, "the key store %s holds no private key", path);
    return weft__tls_problem_set(problem, "the key store %s holds no private key of the alias %s", path,
                                 search->alias);
}

static weft_status search_store(EVP_PKEY **out, PKCS12 *store, const source *source,
                                weft__tls_problem *problem)
{
    search search = {.password = source->password, .alias = source->alias};
    /* Without a password, stores are encrypted with an empty one or with none at all. */
    bool opens = PKCS12_verify_mac(store, search.password, -1);
    if (!opens && !search.password) {
        search.password = "";
        opens = PKCS12_verify_mac(store, "", 0);
    }
    weft__tls_take_error();
    if (!opens) {
        return weft__tls_problem_set(problem, "the password does not open the key store %s", source->path);
    }
    STACK_OF(PKCS7) *parts = PKCS12_unpack_authsafes(store);
    if (!parts) search.error = weft__tls_take_error();
    for (int i = 0; i < sk_PKCS7_num(parts); i++)
        look_into_part(&search, sk_PKCS7_value(parts, i));
    sk_PKCS7_pop_free(parts, PKCS7_free);
    weft__tls_take_error();
    weft_status status = judge(&search, source->path, problem);
    if (status == WEFT_OK) {
        *out = search.key;
    } else {
        EVP_PKEY_free(search.key);
    }
    return status;
}

static weft_status take_from_store(EVP_PKEY **out, BIO *bio, const source *source, weft__tls_problem *problem)
{
    PKCS12 *store = d2i_PKCS12_bio(bio, NULL);
    if (!store) {
        weft__tls_take_error();
        return weft__tls_problem_set(problem, "the key store %s is no PKCS#12 file", source->path);
    }
    weft_status status = search_store(out, store, source, problem);
    PKCS12_free(store);
    return status;
}

weft_status weft__tls_private_key_from_store(EVP_PKEY **out, const char *path, const char *password,
                                             const char *alias, weft__tls_problem *problem)
{
    const source source = {.path = path, .password = password, .alias = alias};
    return read_with(take_from_store, out, &source, "key store", problem);
}
