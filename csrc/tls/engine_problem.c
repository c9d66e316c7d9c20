/* The sentences for what goes wrong with a connection. */
#include "tls/engine.h"

#include "base/allocator.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

void weft__tls_name_write(char *out, size_t size, X509_NAME *name)
{
    BIO *text = BIO_new(BIO_s_mem());
    int length = -1;
    if (text && X509_NAME_print_ex(text, name, 0, XN_FLAG_RFC2253) >= 0)
        length = BIO_read(text, out, (int)size - 1);
    out[length > 0 ? length : 0] = '\0';
    BIO_free(text);
}

void weft__tls_engine_describe_refusal(const weft__tls_engine *engine, X509 *certificate, const char *cause,
                                       weft__tls_problem *problem)
{
    char subject[128] = "", issuer[128] = "";
    if (certificate) {
        weft__tls_name_write(subject, sizeof subject, X509_get_subject_name(certificate));
        weft__tls_name_write(issuer, sizeof issuer, X509_get_issuer_name(certificate));
    }
    weft__tls_problem_set(problem, "the certificate of %s is refused: %s (subject %s, issuer %s)",
                          engine->peer ? engine->peer : "the client", cause, *subject ? subject : "unknown",
                          *issuer ? issuer : "unknown");
}

weft__tls_problem *weft__tls_engine_problem(weft__tls_engine *engine)
{
    if (!engine->problem) engine->problem = weft__alloc_zeroed(sizeof *engine->problem);
    return engine->problem;
}

const char *weft__tls_engine_text(const weft__tls_engine *engine)
{
    return engine->problem ? engine->problem->text : weft_status_text(WEFT_ETLS);
}

void weft__tls_engine_refuse(weft__tls_engine *engine, X509_STORE_CTX *chain)
{
    const char *cause = X509_verify_cert_error_string(X509_STORE_CTX_get_error(chain));
    X509 *certificate = X509_STORE_CTX_get_current_cert(chain);
    weft__tls_engine_describe_refusal(engine, certificate, cause, weft__tls_engine_problem(engine));
}

/* OpenSSL 3.0 has no words for some of TLS 1.3. */
static const char *alert_text(int alert)
{
    switch (alert) {
    case TLS13_AD_MISSING_EXTENSION: return "missing extension";
    case TLS13_AD_CERTIFICATE_REQUIRED: return "certificate required";
    case TLS1_AD_NO_APPLICATION_PROTOCOL: return "no application protocol";
    default: return SSL_alert_desc_string_long(alert);
    }
}

static const char *phase(const weft__tls_engine *engine)
{
    return engine->is_open ? "TLS failed" : "the TLS handshake failed";
}

/* The words of OpenSSL, or better ones. */
static const char *cause_of(int reason, unsigned long error)
{
    switch (reason) {
    case SSL_R_HTTP_REQUEST: return "the peer speaks plain HTTP";
    case SSL_R_WRONG_VERSION_NUMBER: return "the peer does not speak TLS, or another version";
    case SSL_R_UNSUPPORTED_PROTOCOL: return "the peer has no version of TLS that is allowed";
    case SSL_R_NO_SHARED_CIPHER: return "the peer has no cipher that is allowed";
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: return "the peer has shown no certificate";
    case SSL_R_NO_APPLICATION_PROTOCOL: return "the peer wants another protocol than http/1.1";
    default: return weft__tls_error_text(error);
    }
}

weft_status weft__tls_engine_fail(weft__tls_engine *engine)
{
    unsigned long error = weft__tls_take_error();
    int reason = ERR_GET_LIB(error) == ERR_LIB_SSL ? ERR_GET_REASON(error) : 0;
    engine->has_failed = true;
    bool is_explained = engine->problem != NULL;
    weft__tls_problem *problem = weft__tls_engine_problem(engine);
    if (engine->is_out_of_memory || ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE) {
        weft__tls_problem_set(problem, "%s", weft_status_text(WEFT_ENOMEM));
        return WEFT_ENOMEM;
    }
    if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED && is_explained) return WEFT_ETLS;
    if (reason >= SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256) {
        int alert = reason - SSL_AD_REASON_OFFSET;
        return weft__tls_problem_set(problem, "%s: the peer sent the alert \"%s\" (%d)", phase(engine),
                                     alert_text(alert), alert);
    }
    return weft__tls_problem_set(problem, "%s: %s", phase(engine), cause_of(reason, error));
}
