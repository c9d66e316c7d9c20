#include "tls/identity.h"

#include "base/config.h"
#include "tls/file.h"
#include "tls/private_key.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509v3.h>
#include <string.h>

void weft_tls_identity_init_sized(weft_tls_identity *identity, size_t size)
{
    const weft_tls_identity defaults = {0};
    weft__config_init(identity, size, &defaults, sizeof defaults);
}

void weft__tls_identity_clear(weft__tls_identity *identity)
{
    X509_free(identity->certificate);
    EVP_PKEY_free(identity->key);
    sk_X509_pop_free(identity->chain, X509_free);
    OPENSSL_free(identity->staple.bytes);
    *identity = (weft__tls_identity){0};
}

bool weft__tls_identity_fits(const weft__tls_identity *identity, const char *name)
{
    unsigned flags = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;
    return X509_check_host(identity->certificate, name, 0, flags, NULL) == 1;
}

/* -- PEM --------------------------------------------------------------------------------------- */

static bool is_end_of_pem(unsigned long error)
{
    return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

/* The certificate, and those above it up to the end of the file. */
static weft_status take_certificates(weft__tls_identity *out, BIO *pem, const char *path,
                                     weft__tls_problem *problem)
{
    out->certificate = PEM_read_bio_X509_AUX(pem, NULL, weft__tls_no_password, NULL);
    unsigned long error = weft__tls_take_error();
    if (!out->certificate) {
        if (is_end_of_pem(error)) {
            return weft__tls_problem_set(problem, "the certificate file %s holds no PEM certificate", path);
        }
        return weft__tls_problem_set(problem, "the certificate file %s is damaged: %s", path,
                                     weft__tls_error_text(error));
    }
    out->chain = sk_X509_new_null();
    if (!out->chain) return WEFT_ENOMEM;
    for (X509 *next; (next = PEM_read_bio_X509(pem, NULL, weft__tls_no_password, NULL));) {
        if (!sk_X509_push(out->chain, next)) {
            X509_free(next);
            return WEFT_ENOMEM;
        }
    }
    error = weft__tls_take_error();
    if (is_end_of_pem(error)) return WEFT_OK;
    return weft__tls_problem_set(problem, "the certificate file %s is damaged: %s", path,
                                 weft__tls_error_text(error));
}

typedef weft_status (*take_from)(weft__tls_identity *out, BIO *bio, const weft_tls_identity *given,
                                 weft__tls_problem *problem);

static weft_status read_with(take_from take, weft__tls_identity *out, const weft_tls_identity *given,
                             const char *path, const char *what, weft__tls_problem *problem)
{
    BIO *bio;
    weft_status status = weft__tls_open_file(&bio, path, what, problem);
    if (status == WEFT_OK) status = take(out, bio, given, problem);
    BIO_free(bio);
    return status;
}

static weft_status take_certificate_file(weft__tls_identity *out, BIO *pem, const weft_tls_identity *given,
                                         weft__tls_problem *problem)
{
    return take_certificates(out, pem, given->certificate_file, problem);
}

/* -- PKCS#12 ----------------------------------------------------------------------------------- */

static weft_status take_key_store(weft__tls_identity *out, BIO *bio, const weft_tls_identity *given,
                                  weft__tls_problem *problem)
{
    const char *path = given->key_store_file, *password = given->key_store_password;
    PKCS12 *store = d2i_PKCS12_bio(bio, NULL);
    if (!store) {
        weft__tls_take_error();
        return weft__tls_problem_set(problem, "the key store %s is no PKCS#12 file", path);
    }
    bool opens = PKCS12_verify_mac(store, password, -1) || (!password && PKCS12_verify_mac(store, "", 0));
    bool is_read = opens && PKCS12_parse(store, password, &out->key, &out->certificate, &out->chain);
    unsigned long error = weft__tls_take_error();
    PKCS12_free(store);
    if (!opens) return weft__tls_problem_set(problem, "the password does not open the key store %s", path);
    if (!is_read) {
        return weft__tls_problem_set(problem, "the key store %s cannot be read: %s", path,
                                     weft__tls_error_text(error));
    }
    if (out->key && out->certificate) return WEFT_OK;
    return weft__tls_problem_set(problem, "the key store %s holds no private key with a certificate", path);
}

/* -- both -------------------------------------------------------------------------------------- */

static bool is_given(const char *path)
{
    return path && *path;
}

static weft_status check(const weft_tls_identity *given, weft__tls_problem *problem)
{
    const char *wrong = NULL;
    bool has_store = is_given(given->key_store_file);
    if (has_store && (given->certificate_file || given->key_file))
        wrong = "an identity is a key store or a certificate with a key, not both";
    if (!has_store && !is_given(given->key_file)) wrong = "an identity has no key file";
    if (!has_store && !is_given(given->certificate_file)) wrong = "an identity has no certificate file";
    if (!wrong) return WEFT_OK;
    weft__tls_problem_set(problem, "%s", wrong);
    return WEFT_EINVAL;
}

static weft_status load(weft__tls_identity *out, const weft_tls_identity *given, weft__tls_problem *problem)
{
    if (is_given(given->key_store_file))
        return read_with(take_key_store, out, given, given->key_store_file, "key store", problem);
    const char *certificate = given->certificate_file;
    weft_status status =
        read_with(take_certificate_file, out, given, certificate, "certificate file", problem);
    if (status == WEFT_OK) {
        status = weft__tls_private_key_from_pem(&out->key, given->key_file, given->key_password, problem);
    }
    if (status != WEFT_OK || X509_check_private_key(out->certificate, out->key) == 1) return status;
    weft__tls_take_error();
    return weft__tls_problem_set(problem, "the key in %s is not that of the certificate in %s",
                                 given->key_file, certificate);
}

weft_status weft__tls_identity_load(weft__tls_identity *out, const weft_tls_identity *given,
                                    weft__tls_problem *problem)
{
    *out = (weft__tls_identity){0};
    weft_tls_identity taken;
    weft_tls_identity_init(&taken);
    weft__tls_problem_set(problem, "an identity is not initialised");
    if (weft__config_take(&taken, given, sizeof taken) != WEFT_OK) return WEFT_EINVAL;
    weft_status status = check(&taken, problem);
    if (status == WEFT_OK) status = load(out, &taken, problem);
    if (status == WEFT_ENOMEM) weft__tls_problem_set(problem, "%s", weft_status_text(status));
    if (status != WEFT_OK) weft__tls_identity_clear(out);
    return status;
}
