/* What an issuer says about the certificates that it has signed. */
#ifndef WEFT_TESTS_TLS_ISSUER_H
#define WEFT_TESTS_TLS_ISSUER_H

#include "tls/authority.h"

#include <openssl/ocsp.h>

typedef struct answer {
    const paper *about, *issuer, *signer;
    int status;           /* V_OCSP_CERTSTATUS_… */
    long from_s, until_s; /* from now; until 0: open */
    int response_status;  /* OCSP_RESPONSE_STATUS_… */
} answer;

static inline size_t write_answer(unsigned char **out, answer answer)
{
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    OCSP_CERTID *id = OCSP_cert_to_id(NULL, answer.about->certificate, answer.issuer->certificate);
    ASN1_TIME *from = X509_gmtime_adj(NULL, answer.from_s);
    ASN1_TIME *until = answer.until_s ? X509_gmtime_adj(NULL, answer.until_s) : NULL;
    bool is_revoked = answer.status == V_OCSP_CERTSTATUS_REVOKED;
    assert_non_null(OCSP_basic_add1_status(basic, id, answer.status,
                                           is_revoked ? OCSP_REVOKED_STATUS_KEYCOMPROMISE : 0,
                                           is_revoked ? from : NULL, from, until));
    assert_int_equal(
        OCSP_basic_sign(basic, answer.signer->certificate, answer.signer->key, EVP_sha256(), NULL, 0), 1);
    bool is_good = answer.response_status == OCSP_RESPONSE_STATUS_SUCCESSFUL;
    OCSP_RESPONSE *response = OCSP_response_create(answer.response_status, is_good ? basic : NULL);
    *out = NULL;
    int length = i2d_OCSP_RESPONSE(response, out);
    assert_true(length > 0);
    OCSP_RESPONSE_free(response);
    OCSP_BASICRESP_free(basic);
    OCSP_CERTID_free(id);
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    return (size_t)length;
}

typedef struct list {
    const paper *issuer, *signer, *revoked; /* revoked: or NULL */
    long from_s, until_s;
    const char *scope; /* of an issuing distribution point, or NULL */
    int strange_kind;  /* of a critical extension at the entry of `revoked`; 0: none */
} list;

static inline size_t write_list(unsigned char **out, list list)
{
    X509_CRL *crl = X509_CRL_new();
    X509_CRL_set_version(crl, 1);
    X509_CRL_set_issuer_name(crl, X509_get_subject_name(list.issuer->certificate));
    ASN1_TIME *from = X509_gmtime_adj(NULL, list.from_s), *until = X509_gmtime_adj(NULL, list.until_s);
    X509_CRL_set1_lastUpdate(crl, from);
    X509_CRL_set1_nextUpdate(crl, until);
    if (list.revoked) {
        X509_REVOKED *entry = X509_REVOKED_new();
        X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(list.revoked->certificate));
        X509_REVOKED_set_revocationDate(entry, from);
        if (list.strange_kind) {
            ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
            ASN1_OCTET_STRING_set(value, (const unsigned char *)"\5", 2); /* NULL as DER */
            X509_EXTENSION *extension = X509_EXTENSION_create_by_NID(NULL, list.strange_kind, true, value);
            X509_REVOKED_add_ext(entry, extension, -1);
            X509_EXTENSION_free(extension);
            ASN1_OCTET_STRING_free(value);
        }
        X509_CRL_add0_revoked(crl, entry);
    }
    if (list.scope) {
        X509V3_CTX context;
        X509V3_set_ctx(&context, list.issuer->certificate, NULL, NULL, crl, 0);
        X509_EXTENSION *extension =
            X509V3_EXT_conf_nid(NULL, &context, NID_issuing_distribution_point, list.scope);
        assert_non_null(extension);
        X509_CRL_add_ext(crl, extension, -1);
        X509_EXTENSION_free(extension);
    }
    X509_CRL_sort(crl);
    assert_true(X509_CRL_sign(crl, list.signer->key, EVP_sha256()) > 0);
    *out = NULL;
    int length = i2d_X509_CRL(crl, out);
    assert_true(length > 0);
    X509_CRL_free(crl);
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    return (size_t)length;
}

#endif
