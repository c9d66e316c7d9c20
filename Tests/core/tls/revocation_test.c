#include "tls/revocation.h"

#include "tls/issuer.h"
#include "tls/terminal.h"

#include <time.h>

static paper issuer, other, subject;

static int set_up(void **state)
{
    (void)state;
    issuer = issue(NULL, (wish){.common_name = "Issuer", .is_authority = true});
    other = issue(NULL, (wish){.common_name = "Other", .is_authority = true});
    subject = issue(&issuer, (wish){.common_name = "subject",
                                    .information = "OCSP;URI:https://a/,OCSP;URI:http://b/ocsp",
                                    .lists = "URI:ldap://a/,URI:http://b/list.crl"});
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    discard(&issuer);
    discard(&other);
    discard(&subject);
    return 0;
}

static void test_addresses_are_found(void **state)
{
    (void)state;
    char url[WEFT__REVOCATION_URL_MAX];
    assert_true(weft__revocation_ocsp_url(subject.certificate, url));
    assert_string_equal(url, "http://b/ocsp");
    assert_true(weft__revocation_crl_url(subject.certificate, url));
    assert_string_equal(url, "http://b/list.crl");
    assert_false(weft__revocation_ocsp_url(issuer.certificate, url));
    assert_false(weft__revocation_crl_url(issuer.certificate, url));
    char names[600] = "URI:http://";
    memset(names + strlen(names), 'a', sizeof names - strlen(names) - 1);
    names[sizeof names - 1] = '\0';
    paper far = issue(&issuer, (wish){.common_name = "far", .lists = names});
    assert_false(weft__revocation_crl_url(far.certificate, url));
    discard(&far);
}

static void test_a_question_is_about_the_certificate(void **state)
{
    (void)state;
    weft__buffer question = {0};
    assert_int_equal(weft__revocation_ask(&question, subject.certificate, issuer.certificate), WEFT_OK);
    const unsigned char *bytes = weft__buffer_front(&question);
    OCSP_REQUEST *request = d2i_OCSP_REQUEST(NULL, &bytes, (long)weft__buffer_length(&question));
    assert_non_null(request);
    OCSP_CERTID *expected = OCSP_cert_to_id(NULL, subject.certificate, issuer.certificate);
    assert_int_equal(OCSP_request_onereq_count(request), 1);
    assert_int_equal(OCSP_id_cmp(OCSP_onereq_get0_id(OCSP_request_onereq_get0(request, 0)), expected), 0);
    OCSP_CERTID_free(expected);
    OCSP_REQUEST_free(request);
    weft__buffer_clear(&question);

    counting_allocator counter = {0};
    allocator_count(&counter);
    counter.fail_at = counter.requests + 1;
    assert_int_equal(weft__revocation_ask(&question, subject.certificate, issuer.certificate), WEFT_ENOMEM);
    counter.fail_at = 0;
    allocator_restore(&counter);
}

/* -- answers ----------------------------------------------------------------------------------------- */

static answer good_answer(void)
{
    return (answer){.about = &subject,
                    .issuer = &issuer,
                    .signer = &issuer,
                    .status = V_OCSP_CERTSTATUS_GOOD,
                    .from_s = -60,
                    .until_s = 3600,
                    .response_status = OCSP_RESPONSE_STATUS_SUCCESSFUL};
}

static void expect_answer(answer answer, weft__revocation verdict, const char *sentence)
{
    unsigned char *der;
    size_t length = write_answer(&der, answer);
    int64_t until, now = (int64_t)time(NULL);
    weft__tls_problem problem = {""};
    assert_int_equal(
        weft__revocation_of_answer(der, length, subject.certificate, issuer.certificate, &until, &problem),
        verdict);
    assert_string_equal(problem.text, sentence);
    if (verdict == WEFT__REVOCATION_GOOD && answer.until_s)
        assert_in_range(until - now, (uintmax_t)answer.until_s - 5, (uintmax_t)answer.until_s + 5);
    OPENSSL_free(der);
}

static void test_answers_are_understood(void **state)
{
    (void)state;
    answer answer = good_answer();
    expect_answer(answer, WEFT__REVOCATION_GOOD, "");
    answer.until_s = 0;
    expect_answer(answer, WEFT__REVOCATION_GOOD, "");
    answer = good_answer();
    answer.status = V_OCSP_CERTSTATUS_REVOKED;
    expect_answer(answer, WEFT__REVOCATION_REVOKED,
                  "it has been revoked (keyCompromise), as its issuer's OCSP responder says");
    answer.status = V_OCSP_CERTSTATUS_UNKNOWN;
    expect_answer(answer, WEFT__REVOCATION_UNKNOWN, "the OCSP responder does not know the certificate");
    answer = good_answer();
    answer.response_status = OCSP_RESPONSE_STATUS_TRYLATER;
    expect_answer(answer, WEFT__REVOCATION_UNKNOWN, "the OCSP responder answered \"trylater\"");
}

static void test_answers_that_are_not_to_be_relied_on_are_not(void **state)
{
    (void)state;
    answer answer = good_answer();
    answer.signer = &other;
    const char *forged = "the answer of the OCSP responder is not signed by the certificate's issuer";
    expect_answer(answer, WEFT__REVOCATION_UNKNOWN, forged);
    answer.signer = &subject; /* of the issuer, but nobody who may answer for it */
    expect_answer(answer, WEFT__REVOCATION_UNKNOWN, forged);
    answer = good_answer();
    answer.until_s = -3600;
    answer.from_s = -7200;
    expect_answer(answer, WEFT__REVOCATION_UNKNOWN, "the answer of the OCSP responder is out of date");
    answer.from_s = 3600;
    answer.until_s = 7200;
    expect_answer(answer, WEFT__REVOCATION_UNKNOWN, "the answer of the OCSP responder is out of date");
    answer.from_s = -2L * DAY; /* of one without an end nobody knows how long it may be shown */
    answer.until_s = 0;
    expect_answer(answer, WEFT__REVOCATION_UNKNOWN, "the answer of the OCSP responder is out of date");
    answer = good_answer();
    paper neighbour = issue(&issuer, (wish){.common_name = "neighbour"});
    answer.about = &neighbour;
    expect_answer(answer, WEFT__REVOCATION_UNKNOWN,
                  "the answer of the OCSP responder is about another certificate");
    discard(&neighbour);
}

static void test_a_responder_that_the_issuer_allows_is_believed(void **state)
{
    (void)state;
    paper responder = issue(&issuer, (wish){.common_name = "responder", .purposes = "OCSPSigning"});
    paper strange = issue(&other, (wish){.common_name = "strange", .purposes = "OCSPSigning"});
    answer answer = good_answer();
    answer.signer = &responder;
    expect_answer(answer, WEFT__REVOCATION_GOOD, "");
    answer.signer = &strange;
    expect_answer(answer, WEFT__REVOCATION_UNKNOWN,
                  "the answer of the OCSP responder is not signed by the certificate's issuer");
    discard(&responder);
    discard(&strange);
}

/* RFC 6960 section 4.2.2.2: the issuer itself has to allow it, now, and for this. */
static void test_nobody_else_below_or_above_the_issuer_is_believed(void **state)
{
    (void)state;
    const char *signs = "OCSPSigning";
    paper top = issue(NULL, (wish){.common_name = "Top", .is_authority = true});
    paper below = issue(&issuer, (wish){.common_name = "below", .is_authority = true});
    paper namesake = issue(NULL, (wish){.common_name = "Issuer", .is_authority = true});
    paper signers[] = {
        issue(&issuer,
              (wish){.common_name = "late", .purposes = signs, .valid_from = -2 * DAY, .valid_until = -DAY}),
        issue(&issuer, (wish){.common_name = "early", .purposes = signs, .valid_from = DAY / 2}),
        issue(&issuer, (wish){.common_name = "server", .purposes = "serverAuth"}),
        issue(&top, (wish){.common_name = "of the top", .purposes = signs}),
        issue(&below, (wish){.common_name = "of one below", .purposes = signs}),
        issue(&namesake, (wish){.common_name = "of a namesake", .purposes = signs}),
    };
    answer answer = good_answer();
    for (size_t i = 0; i < sizeof signers / sizeof *signers; i++) {
        answer.signer = &signers[i];
        expect_answer(answer, WEFT__REVOCATION_UNKNOWN,
                      "the answer of the OCSP responder is not signed by the certificate's issuer");
        discard(&signers[i]);
    }
    answer.signer = &namesake;
    answer.issuer = &namesake;
    expect_answer(answer, WEFT__REVOCATION_UNKNOWN,
                  "the answer of the OCSP responder is not signed by the certificate's issuer");
    discard(&top);
    discard(&below);
    discard(&namesake);
}

static void test_answers_that_are_none_are_said_to_be(void **state)
{
    (void)state;
    unsigned char *der;
    size_t length = write_answer(&der, good_answer());
    for (size_t cut = 0; cut < length; cut++) {
        int64_t until;
        weft__tls_problem problem;
        assert_int_equal(
            weft__revocation_of_answer(der, cut, subject.certificate, issuer.certificate, &until, &problem),
            WEFT__REVOCATION_UNKNOWN);
        assert_int_equal(until, 0);
    }
    OPENSSL_free(der);
}

/* -- lists ------------------------------------------------------------------------------------------- */

static void expect_list(list list, weft__revocation verdict, const char *sentence)
{
    unsigned char *der;
    size_t length = write_list(&der, list);
    int64_t until;
    weft__tls_problem problem = {""};
    assert_int_equal(
        weft__revocation_of_list(der, length, subject.certificate, issuer.certificate, &until, &problem),
        verdict);
    assert_string_equal(problem.text, sentence);
    if (verdict == WEFT__REVOCATION_GOOD) assert_in_range(until - (int64_t)time(NULL), 3595, 3605);
    OPENSSL_free(der);
}

static list good_list(void)
{
    return (list){.issuer = &issuer, .signer = &issuer, .from_s = -60, .until_s = 3600};
}

static void test_lists_are_understood(void **state)
{
    (void)state;
    list list = good_list();
    expect_list(list, WEFT__REVOCATION_GOOD, "");
    list.revoked = &other;
    expect_list(list, WEFT__REVOCATION_GOOD, "");
    list.revoked = &subject;
    expect_list(list, WEFT__REVOCATION_REVOKED, "it is in its issuer's list of revoked certificates");
    list = good_list();
    list.scope = "critical,onlyuser:TRUE";
    expect_list(list, WEFT__REVOCATION_GOOD, "");
    list.scope = "critical,fullname:URI:http://b/list.crl";
    expect_list(list, WEFT__REVOCATION_GOOD, "");
    list.revoked = &subject;
    expect_list(list, WEFT__REVOCATION_REVOKED, "it is in its issuer's list of revoked certificates");
}

static void test_lists_that_are_not_to_be_relied_on_are_not(void **state)
{
    (void)state;
    const char *forged = "the list of revoked certificates is not signed by the certificate's issuer";
    list list = good_list();
    list.signer = &other;
    expect_list(list, WEFT__REVOCATION_UNKNOWN, forged);
    list.issuer = &other;
    expect_list(list, WEFT__REVOCATION_UNKNOWN, forged);
    list = good_list();
    list.from_s = -7200;
    list.until_s = -3600;
    expect_list(list, WEFT__REVOCATION_UNKNOWN, "the list of revoked certificates is out of date");
    list.from_s = 3600;
    list.until_s = 7200;
    expect_list(list, WEFT__REVOCATION_UNKNOWN, "the list of revoked certificates is out of date");
    list = good_list();
    const char *elsewhere = "the list of revoked certificates is not for certificates of this kind";
    list.scope = "critical,onlyCA:TRUE";
    expect_list(list, WEFT__REVOCATION_UNKNOWN, elsewhere);
    list.scope = "critical,indirectCRL:TRUE";
    expect_list(list, WEFT__REVOCATION_UNKNOWN, elsewhere);
    /* An issuer with several lists: that of other certificates, put in the place of the one asked for. */
    list.scope = "critical,fullname:URI:http://b/other.crl";
    expect_list(list, WEFT__REVOCATION_UNKNOWN, elsewhere);
    /* What it says of one certificate may bear on those behind it. */
    list = good_list();
    list.revoked = &other;
    list.strange_kind = NID_netscape_comment;
    expect_list(list, WEFT__REVOCATION_UNKNOWN,
                "the list of revoked certificates has entries of an unknown kind");
}

static void test_lists_may_be_pem_and_are_not_cut(void **state)
{
    (void)state;
    unsigned char *der;
    size_t length = write_list(&der, good_list());
    int64_t until;
    weft__tls_problem problem;
    for (size_t cut = 0; cut < length; cut++) {
        assert_int_equal(
            weft__revocation_of_list(der, cut, subject.certificate, issuer.certificate, &until, &problem),
            WEFT__REVOCATION_UNKNOWN);
    }
    const unsigned char *bytes = der;
    X509_CRL *list = d2i_X509_CRL(NULL, &bytes, (long)length);
    BIO *pem = BIO_new(BIO_s_mem());
    PEM_write_bio_X509_CRL(pem, list);
    char *text;
    long text_length = BIO_get_mem_data(pem, &text);
    assert_int_equal(weft__revocation_of_list((uint8_t *)text, (size_t)text_length, subject.certificate,
                                              issuer.certificate, &until, &problem),
                     WEFT__REVOCATION_GOOD);
    BIO_free(pem);
    X509_CRL_free(list);
    OPENSSL_free(der);
}

/* Whoever can change the answer to the list's URL would have the program wait for somebody to type. */
static void test_a_list_that_claims_to_be_encrypted_asks_nobody(void **state)
{
    (void)state;
    char text[300];
    int64_t until;
    weft__tls_problem problem;
    locked_pem(text, sizeof text, "X509 CRL");
    terminal_watch();
    assert_int_equal(weft__revocation_of_list((const uint8_t *)text, strlen(text), subject.certificate,
                                              issuer.certificate, &until, &problem),
                     WEFT__REVOCATION_UNKNOWN);
    terminal_expect_no_question();
    assert_string_equal(problem.text, "the list of revoked certificates cannot be read");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses_are_found),
        cmocka_unit_test(test_a_question_is_about_the_certificate),
        cmocka_unit_test(test_answers_are_understood),
        cmocka_unit_test(test_answers_that_are_not_to_be_relied_on_are_not),
        cmocka_unit_test(test_a_responder_that_the_issuer_allows_is_believed),
        cmocka_unit_test(test_nobody_else_below_or_above_the_issuer_is_believed),
        cmocka_unit_test(test_answers_that_are_none_are_said_to_be),
        cmocka_unit_test(test_lists_are_understood),
        cmocka_unit_test(test_lists_that_are_not_to_be_relied_on_are_not),
        cmocka_unit_test(test_lists_may_be_pem_and_are_not_cut),
        cmocka_unit_test(test_a_list_that_claims_to_be_encrypted_asks_nobody),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
