#include "tls/trust.h"

#include "tls/file.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>

enum {
    DER_SEQUENCE = 0x30 /* how a PKCS#12 file begins, and a PEM file never does */
};

static weft_status trust(SSL_CTX *context, X509 *certificate)
{
    bool is_added = X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate) == 1 &&
                    SSL_CTX_add_client_CA(context, certificate) == 1;
    return is_added ? WEFT_OK : WEFT_ENOMEM;
}

static weft_status trust_pem(SSL_CTX *context, BIO *pem, const char *path, weft__tls_problem *problem)
{
    size_t count = 0;
    for (X509 *next; (next = PEM_read_bio_X509_AUX(pem, NULL, weft__tls_no_password, NULL)); count++) {
        weft_status status = trust(context, next);
        X509_free(next);
        if (status != WEFT_OK) return status;
    }
    unsigned long error = weft__tls_take_error();
    bool is_end = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
    if (!is_end) {
        return weft__tls_problem_set(problem, "the trust file %s is damaged: %s", path,
                                     weft__tls_error_text(error));
    }
    if (count) return WEFT_OK;
    return weft__tls_problem_set(problem, "the trust file %s holds no PEM certificate", path);
}

static weft_status trust_all(SSL_CTX *context, const STACK_OF(X509) * certificates)
{
    weft_status status = WEFT_OK;
    for (int i = 0; status == WEFT_OK && i < sk_X509_num(certificates); i++)
        status = trust(context, sk_X509_value(certificates, i));
    return status;
}

static weft_status trust_store(SSL_CTX *context, BIO *bio, const char *path, const char *password,
                               weft__tls_problem *problem)
{
    PKCS12 *store = d2i_PKCS12_bio(bio, NULL);
    if (!store) {
        weft__tls_take_error();
        return weft__tls_problem_set(problem, "the trust file %s is neither PEM nor PKCS#12", path);
    }
    EVP_PKEY *key = NULL;
    X509 *own = NULL;
    STACK_OF(X509) *certificates = NULL;
    bool opens = PKCS12_verify_mac(store, password, -1) || (!password && PKCS12_verify_mac(store, "", 0));
    bool is_read = opens && PKCS12_parse(store, password, &key, &own, &certificates);
    const char *cause = weft__tls_error_text(weft__tls_take_error());
    weft_status status = is_read ? trust_all(context, certificates) : WEFT_ETLS;
    if (status == WEFT_OK && own) status = trust(context, own);
    if (!opens) {
        weft__tls_problem_set(problem, "the password does not open the trust store %s", path);
    } else if (!is_read) {
        weft__tls_problem_set(problem, "the trust store %s cannot be read: %s", path, cause);
    } else if (!own && sk_X509_num(certificates) <= 0) {
        status = weft__tls_problem_set(problem, "the trust store %s holds no certificate", path);
    }
    sk_X509_pop_free(certificates, X509_free);
    X509_free(own);
    EVP_PKEY_free(key);
    PKCS12_free(store);
    return status;
}

weft_status weft__tls_trust_file(SSL_CTX *context, const char *path, const char *password,
                                 weft__tls_problem *problem)
{
    weft__buffer bytes = {0};
    weft_status status = weft__tls_read_file(&bytes, path, "trust file", problem);
    BIO *bio = NULL;
    if (status == WEFT_OK) {
        bio = BIO_new_mem_buf(weft__buffer_front(&bytes), (int)weft__buffer_length(&bytes));
        if (!bio) status = WEFT_ENOMEM;
    }
    if (status == WEFT_OK) {
        status = *weft__buffer_front(&bytes) == DER_SEQUENCE
                     ? trust_store(context, bio, path, password, problem)
                     : trust_pem(context, bio, path, problem);
    }
    BIO_free(bio);
    weft__buffer_clear(&bytes);
    if (status == WEFT_ENOMEM) weft__tls_problem_set(problem, "%s", weft_status_text(status));
    /* What the file names is trusted, be it an authority, one below it, or the server itself. */
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);
    return status;
}

weft_status weft__tls_trust_system(SSL_CTX *context, weft__tls_problem *problem)
{
    if (SSL_CTX_set_default_verify_paths(context) == 1) return WEFT_OK;
    return weft__tls_problem_set(problem, "the system's trust store cannot be read: %s",
                                 weft__tls_error_text(weft__tls_take_error()));
}
