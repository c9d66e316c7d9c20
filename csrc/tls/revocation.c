#include "tls/revocation.h"

#include "tls/file.h"

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

/* -- where to ask -------------------------------------------------------------------------------- */

static bool copy_http(char url[WEFT__REVOCATION_URL_MAX], const char *text, size_t length)
{
    static const char scheme[] = "http://";
    bool is_http = length > sizeof scheme - 1 && memcmp(text, scheme, sizeof scheme - 1) == 0;
    if (!is_http || length >= WEFT__REVOCATION_URL_MAX || memchr(text, '\0', length)) return false;
    memcpy(url, text, length);
    url[length] = '\0';
    return true;
}

bool weft__revocation_ocsp_url(X509 *certificate, char url[WEFT__REVOCATION_URL_MAX])
{
    STACK_OF(OPENSSL_STRING) *urls = X509_get1_ocsp(certificate);
    bool is_found = false;
    for (int i = 0; !is_found && i < sk_OPENSSL_STRING_num(urls); i++) {
        const char *text = sk_OPENSSL_STRING_value(urls, i);
        is_found = copy_http(url, text, strlen(text));
    }
    X509_email_free(urls);
    return is_found;
}

/* A point has several names for one list. */
static bool find_in_point(char url[WEFT__REVOCATION_URL_MAX], const DIST_POINT *point)
{
    if (!point->distpoint || point->distpoint->type != 0) return false;
    const GENERAL_NAMES *names = point->distpoint->name.fullname;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_URI) continue;
        const ASN1_IA5STRING *uri = name->d.uniformResourceIdentifier;
        const char *text = (const char *)ASN1_STRING_get0_data(uri);
        if (copy_http(url, text, (size_t)ASN1_STRING_length(uri))) return true;
    }
    return false;
}

bool weft__revocation_crl_url(X509 *certificate, char url[WEFT__REVOCATION_URL_MAX])
{
    CRL_DIST_POINTS *points = X509_get_ext_d2i(certificate, NID_crl_distribution_points, NULL, NULL);
    bool is_found = false;
    for (int i = 0; !is_found && i < sk_DIST_POINT_num(points); i++)
        is_found = find_in_point(url, sk_DIST_POINT_value(points, i));
    CRL_DIST_POINTS_free(points);
    return is_found;
}

/* -- time ------------------------------------------------------------------------------------------ */

/* Seconds since 1970; 0 for a time that cannot be read. */
static int64_t seconds_of(const ASN1_TIME *when)
{
    struct tm broken_down;
    if (!when || ASN1_TIME_to_tm(when, &broken_down) != 1) return 0;
    int days, seconds;
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    bool is_known = epoch && ASN1_TIME_diff(&days, &seconds, epoch, when) == 1;
    ASN1_TIME_free(epoch);
    return is_known ? (int64_t)days * 86400 + seconds : 0;
}

/* -- OCSP ------------------------------------------------------------------------------------------ */

weft_status weft__revocation_ask(weft__buffer *out, X509 *certificate, X509 *issuer)
{
    OCSP_REQUEST *request = OCSP_REQUEST_new();
    OCSP_CERTID *id = OCSP_cert_to_id(NULL, certificate, issuer); /* by SHA-1, which all responders know */
    weft_status status = WEFT_ENOMEM;
    if (request && id && OCSP_request_add0_id(request, id)) {
        id = NULL;
        int length = i2d_OCSP_REQUEST(request, NULL);
        uint8_t *end = length > 0 ? weft__buffer_reserve(out, (size_t)length, SIZE_MAX) : NULL;
        if (end && i2d_OCSP_REQUEST(request, &end) == length) {
            weft__buffer_commit(out, (size_t)length);
            status = WEFT_OK;
        }
    }
    OCSP_CERTID_free(id);
    OCSP_REQUEST_free(request);
    return status;
}

static weft__revocation unknown(weft__tls_problem *problem, const char *cause)
{
    weft__tls_problem_set(problem, "%s", cause);
    return WEFT__REVOCATION_UNKNOWN;
}

/* The issuer alone is trusted here, and whom it has given the right to sign answers. */
static bool is_signed(OCSP_BASICRESP *answer, X509 *issuer)
{
    X509_STORE *store = X509_STORE_new();
    STACK_OF(X509) *others = sk_X509_new_null();
    bool is_good =
        store && others && X509_STORE_add_cert(store, issuer) == 1 && sk_X509_push(others, issuer) > 0;
    if (is_good) {
        X509_VERIFY_PARAM_set_flags(X509_STORE_get0_param(store), X509_V_FLAG_PARTIAL_CHAIN);
        is_good = OCSP_basic_verify(answer, others, store, 0) == 1;
    }
    sk_X509_free(others);
    X509_STORE_free(store);
    ERR_clear_error();
    return is_good;
}

static weft__revocation judge(OCSP_BASICRESP *answer, X509 *certificate, X509 *issuer, int64_t *until,
                              weft__tls_problem *problem)
{
    if (!is_signed(answer, issuer))
        return unknown(problem, "the answer of the OCSP responder is not signed by the certificate's issuer");
    OCSP_CERTID *id = OCSP_cert_to_id(NULL, certificate, issuer);
    int status, reason;
    ASN1_GENERALIZEDTIME *revoked_at, *this_update, *next_update;
    bool is_found = id && OCSP_resp_find_status(answer, id, &status, &reason, &revoked_at, &this_update,
                                                &next_update) == 1;
    OCSP_CERTID_free(id);
    if (!is_found) return unknown(problem, "the answer of the OCSP responder is about another certificate");
    long age_max_s = next_update ? -1 : WEFT__REVOCATION_AGE_MAX_S; /* else it could be shown for ever */
    if (OCSP_check_validity(this_update, next_update, WEFT__REVOCATION_LEEWAY_S, age_max_s) != 1) {
        ERR_clear_error();
        return unknown(problem, "the answer of the OCSP responder is out of date");
    }
    *until = seconds_of(next_update);
    if (status == V_OCSP_CERTSTATUS_GOOD) return WEFT__REVOCATION_GOOD;
    if (status != V_OCSP_CERTSTATUS_REVOKED)
        return unknown(problem, "the OCSP responder does not know the certificate");
    weft__tls_problem_set(problem, "it has been revoked (%s), as its issuer's OCSP responder says",
                          reason >= 0 ? OCSP_crl_reason_str(reason) : "for no reason given");
    return WEFT__REVOCATION_REVOKED;
}

weft__revocation weft__revocation_of_answer(const uint8_t *der, size_t length, X509 *certificate,
                                            X509 *issuer, int64_t *until, weft__tls_problem *problem)
{
    *until = 0;
    OCSP_RESPONSE *response = length <= INT32_MAX ? d2i_OCSP_RESPONSE(NULL, &der, (long)length) : NULL;
    ERR_clear_error();
    if (!response) return unknown(problem, "the answer of the OCSP responder cannot be read");
    int status = OCSP_response_status(response);
    bool is_successful = status == OCSP_RESPONSE_STATUS_SUCCESSFUL;
    OCSP_BASICRESP *answer = is_successful ? OCSP_response_get1_basic(response) : NULL;
    weft__revocation verdict = WEFT__REVOCATION_UNKNOWN;
    if (!is_successful) {
        weft__tls_problem_set(problem, "the OCSP responder answered \"%s\"",
                              OCSP_response_status_str(status));
    } else if (!answer) {
        unknown(problem, "the answer of the OCSP responder is of an unknown kind");
    } else {
        verdict = judge(answer, certificate, issuer, until, problem);
    }
    OCSP_BASICRESP_free(answer);
    OCSP_RESPONSE_free(response);
    return verdict;
}

/* -- lists ----------------------------------------------------------------------------------------- */

static X509_CRL *read_list(const uint8_t *bytes, size_t length)
{
    if (length > INT32_MAX) return NULL;
    BIO *bio = BIO_new_mem_buf(bytes, (int)length);
    if (!bio) return NULL;
    bool is_pem = length && bytes[0] == '-';
    X509_CRL *list =
        is_pem ? PEM_read_bio_X509_CRL(bio, NULL, weft__tls_no_password, NULL) : d2i_X509_CRL_bio(bio, NULL);
    BIO_free(bio);
    ERR_clear_error();
    return list;
}

static bool has_name(const GENERAL_NAMES *names, GENERAL_NAME *name)
{
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        if (GENERAL_NAME_cmp(sk_GENERAL_NAME_value(names, i), name) == 0) return true;
    }
    return false;
}

/* An issuer may have several lists, each for some of its certificates and named by their distribution points
 * (RFC 5280 section 6.3.3). */
static bool is_at_a_point_of(const DIST_POINT_NAME *place, X509 *certificate)
{
    if (place->type != 0) return false;
    CRL_DIST_POINTS *points = X509_get_ext_d2i(certificate, NID_crl_distribution_points, NULL, NULL);
    bool is_found = false;
    for (int i = 0; i < sk_DIST_POINT_num(points); i++) {
        const DIST_POINT_NAME *point = sk_DIST_POINT_value(points, i)->distpoint;
        const GENERAL_NAMES *names = point && point->type == 0 ? point->name.fullname : NULL;
        for (int j = 0; !is_found && j < sk_GENERAL_NAME_num(names); j++)
            is_found = has_name(place->name.fullname, sk_GENERAL_NAME_value(names, j));
    }
    CRL_DIST_POINTS_free(points);
    return is_found;
}

static bool is_in_scope(const ISSUING_DIST_POINT *scope, X509 *certificate)
{
    bool is_authority = X509_check_ca(certificate) > 0;
    bool is_partial = scope->indirectCRL > 0 || scope->onlysomereasons || scope->onlyattr > 0;
    bool is_of_others = is_authority ? scope->onlyuser > 0 : scope->onlyCA > 0;
    if (is_partial || is_of_others) return false;
    return !scope->distpoint || is_at_a_point_of(scope->distpoint, certificate);
}

/* A list for some reasons, of several issuers, or for other certificates says nothing of this one. */
static bool covers(const X509_CRL *list, X509 *certificate)
{
    int critical; /* -1: it has no scope */
    ISSUING_DIST_POINT *scope = X509_CRL_get_ext_d2i(list, NID_issuing_distribution_point, &critical, NULL);
    bool covers = scope ? is_in_scope(scope, certificate) : critical == -1;
    ISSUING_DIST_POINT_free(scope);
    for (int i = 0; i < X509_CRL_get_ext_count(list); i++) {
        X509_EXTENSION *extension = X509_CRL_get_ext(list, i);
        bool is_known = OBJ_obj2nid(X509_EXTENSION_get_object(extension)) == NID_issuing_distribution_point;
        if (X509_EXTENSION_get_critical(extension) && !is_known) covers = false; /* such as of a delta */
    }
    return covers;
}

/* They may bear on all that the list says (RFC 5280 section 5.3). */
static bool has_strange_entries(X509_CRL *list)
{
    STACK_OF(X509_REVOKED) *entries = X509_CRL_get_REVOKED(list);
    for (int i = 0; i < sk_X509_REVOKED_num(entries); i++) {
        const X509_REVOKED *entry = sk_X509_REVOKED_value(entries, i);
        int at = X509_REVOKED_get_ext_by_critical(entry, 1, -1);
        for (; at >= 0; at = X509_REVOKED_get_ext_by_critical(entry, 1, at)) {
            X509_EXTENSION *extension = X509_REVOKED_get_ext(entry, at);
            if (OBJ_obj2nid(X509_EXTENSION_get_object(extension)) != NID_certificate_issuer) return true;
        }
    }
    return false;
}

static bool is_current(const X509_CRL *list)
{
    time_t early = time(NULL) - WEFT__REVOCATION_LEEWAY_S, late = time(NULL) + WEFT__REVOCATION_LEEWAY_S;
    const ASN1_TIME *next = X509_CRL_get0_nextUpdate(list);
    return X509_cmp_time(X509_CRL_get0_lastUpdate(list), &late) < 0 && next &&
           X509_cmp_time(next, &early) > 0;
}

static bool is_signed_list(X509_CRL *list, X509 *issuer)
{
    EVP_PKEY *key = X509_get0_pubkey(issuer);
    bool is_named = X509_NAME_cmp(X509_CRL_get_issuer(list), X509_get_subject_name(issuer)) == 0;
    bool may_sign = X509_get_key_usage(issuer) & KU_CRL_SIGN; /* without the extension all bits are set */
    bool is_signed = is_named && may_sign && key && X509_CRL_verify(list, key) == 1;
    ERR_clear_error();
    return is_signed;
}

weft__revocation weft__revocation_of_list(const uint8_t *bytes, size_t length, X509 *certificate,
                                          X509 *issuer, int64_t *until, weft__tls_problem *problem)
{
    enum {
        IS_LISTED = 1
    };
    *until = 0;
    X509_CRL *list = read_list(bytes, length);
    if (!list) return unknown(problem, "the list of revoked certificates cannot be read");
    weft__revocation verdict = WEFT__REVOCATION_UNKNOWN;
    X509_REVOKED *entry;
    if (!is_signed_list(list, issuer)) {
        unknown(problem, "the list of revoked certificates is not signed by the certificate's issuer");
    } else if (!is_current(list)) {
        unknown(problem, "the list of revoked certificates is out of date");
    } else if (!covers(list, certificate)) {
        unknown(problem, "the list of revoked certificates is not for certificates of this kind");
    } else if (has_strange_entries(list)) {
        unknown(problem, "the list of revoked certificates has entries of an unknown kind");
    } else if (X509_CRL_get0_by_cert(list, &entry, certificate) == IS_LISTED) {
        weft__tls_problem_set(problem, "it is in its issuer's list of revoked certificates");
        verdict = WEFT__REVOCATION_REVOKED;
    } else {
        *until = seconds_of(X509_CRL_get0_nextUpdate(list));
        verdict = WEFT__REVOCATION_GOOD;
    }
    X509_CRL_free(list);
    return verdict;
}
