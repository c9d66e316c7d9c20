#include "endpoint/revocation_check.h"

#include "base/allocator.h"
#include "http/fields.h"
#include "net/work.h"
#include "tls/revocation.h"
#include "weft/exchange.h"

#include <time.h>

enum {
    OCSP_ANSWER_MAX = 64 * 1024,
    LIST_MAX = 16 * 1024 * 1024,
    OCSP_TIMEOUT_MS = 3000,
    LIST_TIMEOUT_MS = 30000,
};

struct weft__revocation_check {
    weft_loop *loop;
    const weft__tls_engine *engine;
    weft__revocation_verdict *on_verdict; /* NULL once it is cancelled or told */
    void *owner;
    size_t holders; /* the owner, and the exchange or the reading under way */
    STACK_OF(X509) * chain;
    int position; /* in the chain: whose state is asked for */
    bool asks_for_list;
    weft_exchange *exchange;
    weft__buffer list; /* while it is read */
    weft__revocation list_verdict;
    int64_t list_until;
    weft__tls_problem ocsp_problem; /* why the responder's answer was of no use */
    weft_status status;
    weft__tls_problem problem;
    weft__turn_end_hook verdict;
};

static void release(weft__revocation_check *check)
{
    if (--check->holders > 0) return;
    sk_X509_pop_free(check->chain, X509_free);
    weft__buffer_clear(&check->list);
    weft__loop_release(check->loop);
    weft__free(check);
}

static X509 *certificate_of(const weft__revocation_check *check)
{
    return sk_X509_value(check->chain, check->position);
}

static X509 *issuer_of(const weft__revocation_check *check)
{
    return sk_X509_value(check->chain, check->position + 1);
}

static bool is_at_end(const weft__revocation_check *check)
{
    return check->position + 1 >= sk_X509_num(check->chain);
}

/* -- the verdict --------------------------------------------------------------------------------- */

static void tell_verdict(weft__turn_end_hook *hook)
{
    weft__revocation_check *check = WEFT__CONTAINER(hook, weft__revocation_check, verdict);
    weft__revocation_verdict *tell = check->on_verdict;
    check->on_verdict = NULL;
    tell(check->owner, check->status, check->problem.text);
    release(check);
}

static void end(weft__revocation_check *check, weft_status status)
{
    check->status = status;
    if (status != WEFT_OK && status != WEFT_ETLS)
        weft__tls_problem_set(&check->problem, "%s", weft_status_text(status));
    weft__turn_at_end(check->loop, &check->verdict);
}

static void refuse(weft__revocation_check *check, const char *cause)
{
    weft__tls_engine_describe_refusal(check->engine, certificate_of(check), cause, &check->problem);
    end(check, WEFT_ETLS);
}

/* Neither the responder nor the list is of use. */
static void give_up(weft__revocation_check *check, const char *list_problem)
{
    weft__tls_problem cause;
    weft__tls_problem_set(&cause, "whether it is revoked cannot be found out: %s; %s",
                          check->ocsp_problem.text, list_problem);
    refuse(check, cause.text);
}

/* -- the questions ------------------------------------------------------------------------------- */

static void go_on(weft__revocation_check *check);

static void on_answer(void *context, const weft_answer *answer);
static void on_failure(void *context, weft_status status, const char *detail);

static weft_status start_exchange(weft__revocation_check *check, weft_exchange_config *config)
{
    char detail[WEFT__REVOCATION_URL_MAX];
    config->loop = check->loop;
    config->context = check;
    config->on_answer = on_answer;
    config->on_failure = on_failure;
    check->holders++;
    weft_status status = weft_exchange_start(&check->exchange, config, detail, sizeof detail);
    if (status != WEFT_OK) check->holders--;
    return status;
}

/* A quarter of the handshake's time for the responder and half for the list: so there is time to say why. */
static uint32_t at_most(const weft__revocation_check *check, uint32_t longest_ms, uint32_t divisor)
{
    uint32_t limit_ms = check->engine->tls->handshake_timeout_ms;
    uint32_t share_ms = limit_ms / divisor + 1;
    return limit_ms && share_ms < longest_ms ? share_ms : longest_ms;
}

static weft_status ask_responder(weft__revocation_check *check, const char *url)
{
    const weft_field type = {weft__string("Content-Type"), weft__string("application/ocsp-request")};
    weft__buffer question = {0};
    weft_status status = weft__revocation_ask(&question, certificate_of(check), issuer_of(check));
    weft_exchange_config config;
    weft_exchange_config_init(&config);
    config.method = weft__string("POST");
    config.url = weft__string(url);
    config.fields = &type;
    config.field_count = 1;
    config.body = (weft_string){(const char *)weft__buffer_front(&question), weft__buffer_length(&question)};
    config.max_body_size = OCSP_ANSWER_MAX;
    config.timeout_ms = at_most(check, OCSP_TIMEOUT_MS, 4);
    if (status == WEFT_OK) status = start_exchange(check, &config);
    weft__buffer_clear(&question);
    return status;
}

static weft_status ask_for_list(weft__revocation_check *check, const char *url)
{
    weft_exchange_config config;
    weft_exchange_config_init(&config);
    config.url = weft__string(url);
    config.max_body_size = LIST_MAX;
    config.timeout_ms = at_most(check, LIST_TIMEOUT_MS, 2);
    return start_exchange(check, &config);
}

static void try_list(weft__revocation_check *check)
{
    char url[WEFT__REVOCATION_URL_MAX];
    check->asks_for_list = true;
    if (!weft__revocation_crl_url(certificate_of(check), url)) {
        give_up(check, "it names no list of revoked certificates");
        return;
    }
    weft_status status = ask_for_list(check, url);
    if (status == WEFT_ENOMEM) {
        end(check, status);
    } else if (status != WEFT_OK) {
        give_up(check, "the address of its list of revoked certificates is not good");
    }
}

static void try_responder(weft__revocation_check *check)
{
    char url[WEFT__REVOCATION_URL_MAX];
    check->asks_for_list = false;
    weft_status status = WEFT_EURL;
    weft__tls_problem_set(&check->ocsp_problem, "it names no OCSP responder");
    if (weft__revocation_ocsp_url(certificate_of(check), url)) {
        weft__tls_problem_set(&check->ocsp_problem, "the address of its OCSP responder is not good");
        status = ask_responder(check, url);
    }
    if (status == WEFT_ENOMEM) {
        end(check, status);
    } else if (status != WEFT_OK) {
        try_list(check);
    }
}

static void take_verdict(weft__revocation_check *check, weft__revocation verdict, int64_t until)
{
    switch (verdict) {
    case WEFT__REVOCATION_REVOKED: {
        const weft__tls_problem cause = check->problem; /* the sentence takes its place */
        refuse(check, cause.text);
        break;
    }
    case WEFT__REVOCATION_GOOD:
        weft__revocation_cache_add(&check->engine->tls->known, certificate_of(check), time(NULL), until);
        check->position++;
        go_on(check);
        break;
    case WEFT__REVOCATION_UNKNOWN:
        if (check->asks_for_list) {
            give_up(check, check->problem.text);
        } else {
            check->ocsp_problem = check->problem;
            try_list(check);
        }
        break;
    }
}

/* What is known is passed over. */
static void pass_known(weft__revocation_check *check)
{
    weft__revocation_cache *known = &check->engine->tls->known;
    while (!is_at_end(check) && weft__revocation_cache_has(known, certificate_of(check), time(NULL)))
        check->position++;
}

static void go_on(weft__revocation_check *check)
{
    pass_known(check);
    if (is_at_end(check)) {
        end(check, WEFT_OK);
    } else {
        try_responder(check);
    }
}

/* -- the answers --------------------------------------------------------------------------------- */

/* False when nobody wants to know any more. */
static bool end_exchange(weft__revocation_check *check)
{
    weft_exchange_release(check->exchange);
    check->exchange = NULL;
    bool is_wanted = check->on_verdict != NULL;
    release(check); /* its owner holds it where it is wanted */
    return is_wanted;
}

/* A list of many megabytes takes longer than a loop may be held. */
static void read_list(void *context)
{
    weft__revocation_check *check = context;
    const weft__buffer *list = &check->list;
    check->list_verdict =
        weft__revocation_of_list(weft__buffer_front(list), weft__buffer_length(list), certificate_of(check),
                                 issuer_of(check), &check->list_until, &check->problem);
}

static void on_list_read(void *context)
{
    weft__revocation_check *check = context;
    bool is_wanted = check->on_verdict != NULL;
    weft__buffer_clear(&check->list);
    release(check); /* its owner holds it where it is wanted */
    if (is_wanted) take_verdict(check, check->list_verdict, check->list_until);
}

static void take_list(weft__revocation_check *check, weft_string body)
{
    weft_status status = weft__buffer_append(&check->list, body.bytes, body.length, SIZE_MAX);
    check->holders++;
    if (status == WEFT_OK) status = weft__work_start(check->loop, read_list, on_list_read, check);
    if (status == WEFT_OK) return;
    check->holders--;
    end(check, status);
}

static void on_answer(void *context, const weft_answer *answer)
{
    weft__revocation_check *check = context;
    if (!end_exchange(check)) return;
    const uint8_t *bytes = (const uint8_t *)answer->body.bytes;
    int64_t until = 0;
    weft__revocation verdict = WEFT__REVOCATION_UNKNOWN;
    if (answer->status != 200) {
        const char *whose =
            check->asks_for_list ? "for the list of revoked certificates" : "as OCSP responder";
        weft__tls_problem_set(&check->problem, "the server answered %u %s", (unsigned)answer->status, whose);
    } else if (check->asks_for_list) {
        take_list(check, answer->body);
        return;
    } else {
        verdict = weft__revocation_of_answer(bytes, answer->body.length, certificate_of(check),
                                             issuer_of(check), &until, &check->problem);
    }
    take_verdict(check, verdict, until);
}

static void on_failure(void *context, weft_status status, const char *detail)
{
    weft__revocation_check *check = context;
    if (!end_exchange(check)) return;
    if (status == WEFT_ENOMEM) {
        end(check, status);
        return;
    }
    weft__tls_problem_set(&check->problem, "%s", detail);
    take_verdict(check, WEFT__REVOCATION_UNKNOWN, 0);
}

/* -- beginning and end --------------------------------------------------------------------------- */

/* What the server has sent along about its own certificate (RFC 6066 section 8). True when that decides. */
static bool use_staple(weft__revocation_check *check)
{
    const unsigned char *staple;
    long length = SSL_get_tlsext_status_ocsp_resp(check->engine->ssl, &staple);
    int64_t until;
    if (check->engine->tls->is_server || is_at_end(check) || length <= 0 || !staple) return false;
    weft__revocation verdict = weft__revocation_of_answer(staple, (size_t)length, certificate_of(check),
                                                          issuer_of(check), &until, &check->problem);
    if (verdict != WEFT__REVOCATION_UNKNOWN) take_verdict(check, verdict, until);
    return verdict != WEFT__REVOCATION_UNKNOWN;
}

weft_status weft__revocation_check_start(weft__revocation_check **out, weft_loop *loop,
                                         const weft__tls_engine *engine, weft__revocation_verdict *on_verdict,
                                         void *owner)
{
    *out = NULL;
    STACK_OF(X509) *chain = engine->tls->checks_revocation ? SSL_get0_verified_chain(engine->ssl) : NULL;
    if (!chain) return WEFT_OK;
    weft__revocation_check *check = weft__alloc_zeroed(sizeof *check);
    if (!check) return WEFT_ENOMEM;
    check->loop = loop;
    check->engine = engine;
    check->on_verdict = on_verdict;
    check->owner = owner;
    check->holders = 1;
    check->chain = X509_chain_up_ref(chain);
    check->verdict.run = tell_verdict;
    weft__link_init(&check->verdict.link);
    weft__loop_retain(loop);
    if (check->chain && use_staple(check)) { /* before what is known: it may be newer */
        *out = check;
        return WEFT_OK;
    }
    if (check->chain) pass_known(check);
    if (!check->chain || is_at_end(check)) {
        weft_status status = check->chain ? WEFT_OK : WEFT_ENOMEM;
        release(check);
        return status;
    }
    try_responder(check);
    *out = check;
    return WEFT_OK;
}

void weft__revocation_check_cancel(weft__revocation_check *check)
{
    if (!check) return;
    check->on_verdict = NULL;
    weft__link_remove(&check->verdict.link);
    if (check->exchange) weft_exchange_cancel(check->exchange);
    release(check);
}
