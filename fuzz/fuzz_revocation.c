/* Nobody but the issuer can say of a certificate that it is good: neither bytes of one's own nor a change to
 * what the issuer has said of one that it has revoked. */
#include "tls/revocation.h"

#include <openssl/ocsp.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    HOUR = 3600
};

typedef struct said {
    unsigned char *bytes;
    size_t length;
} said;

static X509 *issuer, *subject;
static EVP_PKEY *key;
static said answer, list; /* both say that it is revoked */

static X509 *issue(long serial, const char *name)
{
    X509 *certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -HOUR);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 24L * HOUR);
    X509_set_pubkey(certificate, key);
    X509_NAME *subject_name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(subject_name, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(certificate, issuer ? X509_get_subject_name(issuer) : subject_name);
    if (!X509_sign(certificate, key, EVP_sha256())) abort();
    return certificate;
}

static said write_answer(void)
{
    said said = {0};
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    OCSP_CERTID *id = OCSP_cert_to_id(NULL, subject, issuer);
    ASN1_TIME *from = X509_gmtime_adj(NULL, -HOUR), *until = X509_gmtime_adj(NULL, 24L * HOUR);
    if (!OCSP_basic_add1_status(basic, id, V_OCSP_CERTSTATUS_REVOKED, 1, from, from, until)) abort();
    if (!OCSP_basic_sign(basic, issuer, key, EVP_sha256(), NULL, 0)) abort();
    OCSP_RESPONSE *response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
    said.length = (size_t)i2d_OCSP_RESPONSE(response, &said.bytes);
    OCSP_RESPONSE_free(response);
    OCSP_BASICRESP_free(basic);
    OCSP_CERTID_free(id);
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    return said;
}

static said write_list(void)
{
    said said = {0};
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *from = X509_gmtime_adj(NULL, -HOUR), *until = X509_gmtime_adj(NULL, 24L * HOUR);
    X509_CRL_set_version(crl, 1);
    X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer));
    X509_CRL_set1_lastUpdate(crl, from);
    X509_CRL_set1_nextUpdate(crl, until);
    X509_REVOKED *entry = X509_REVOKED_new();
    X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(subject));
    X509_REVOKED_set_revocationDate(entry, from);
    X509_CRL_add0_revoked(crl, entry);
    if (!X509_CRL_sign(crl, key, EVP_sha256())) abort();
    said.length = (size_t)i2d_X509_CRL(crl, &said.bytes);
    X509_CRL_free(crl);
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    return said;
}

static weft__revocation judge(const uint8_t *bytes, size_t length, bool is_list)
{
    int64_t until;
    weft__tls_problem problem = {""};
    weft__revocation verdict = (is_list ? weft__revocation_of_list : weft__revocation_of_answer)(
        bytes, length, subject, issuer, &until, &problem);
    if (verdict == WEFT__REVOCATION_GOOD) abort();
    if (!problem.text[0]) abort(); /* there is always a cause */
    return verdict;
}

static void begin(void)
{
    key = EVP_EC_gen("P-256");
    issuer = issue(1, "issuer");
    subject = issue(2, "subject");
    answer = write_answer();
    list = write_list();
    if (judge(answer.bytes, answer.length, false) != WEFT__REVOCATION_REVOKED) abort();
    if (judge(list.bytes, list.length, true) != WEFT__REVOCATION_REVOKED) abort();
}

/* Each three bytes: where, in two of them, and what is turned there. */
static void judge_changed(const said *said, const uint8_t *changes, size_t length, bool is_list)
{
    uint8_t *changed = malloc(said->length);
    memcpy(changed, said->bytes, said->length);
    for (size_t i = 0; i + 3 <= length; i += 3)
        changed[(changes[i] << 8 | changes[i + 1]) % (int)said->length] ^= changes[i + 2];
    judge(changed, said->length, is_list);
    free(changed);
}

/* The first byte: 1: a list; 2: changes to what the issuer has said, else all of it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!key) begin();
    if (!size) return 0;
    bool is_list = data[0] & 1;
    if (data[0] & 2) {
        judge_changed(is_list ? &list : &answer, data + 1, size - 1, is_list);
    } else if (judge(data + 1, size - 1, is_list) != WEFT__REVOCATION_UNKNOWN) {
        abort();
    }
    return 0;
}
