#include "endpoint/stapler.h"

#include "base/allocator.h"
#include "endpoint/listener.h"
#include "http/fields.h"
#include "tls/engine.h"
#include "tls/revocation.h"
#include "tls/staple.h"
#include "weft/exchange.h"

#include <time.h>

enum {
    ANSWER_MAX = 64 * 1024,
    TIMEOUT_MS = 10000,
};

/* One answer on its way. */
typedef struct weft__staple_fetch {
    weft__site *site; /* NULL: nobody wants it any more */
    weft_tls *tls;    /* held */
    size_t identity;
    weft_exchange *exchange;
} weft__staple_fetch;

static X509 *certificate_of(const weft__staple_fetch *fetch)
{
    return fetch->tls->identities[fetch->identity].certificate;
}

static void warn(const weft__staple_fetch *fetch, const char *cause)
{
    const weft_listener_config *config = &fetch->site->listener->config;
    char subject[128];
    weft__tls_problem problem;
    weft__tls_name_write(subject, sizeof subject, X509_get_subject_name(certificate_of(fetch)));
    weft__tls_problem_set(&problem, "nothing can be stapled to the certificate with the subject %s: %s",
                          subject, cause);
    if (config->on_warning) config->on_warning(config->context, WEFT_ETLS, problem.text);
}

static void give_up(weft__staple_fetch *fetch, const char *cause, bool is_for_good)
{
    weft__tls_staple_give_up(fetch->tls, fetch->identity, time(NULL), is_for_good);
    if (fetch->site) warn(fetch, cause);
}

/* Ends a fetch, and goes on with the next that is due; the settings may be others by now. */
static void leave(weft__staple_fetch *fetch)
{
    weft__site *site = fetch->site;
    if (site) site->staple_fetch = NULL;
    weft_exchange_release(fetch->exchange);
    weft_tls_release(fetch->tls);
    weft__free(fetch);
    weft_tls *latest = site ? weft__listener_tls(site->listener) : NULL;
    if (latest) weft__stapler_refresh(site, latest);
    weft_tls_release(latest);
}

static void take(weft__staple_fetch *fetch, const uint8_t *der, size_t length)
{
    int64_t until, now = time(NULL);
    weft__tls_problem problem;
    X509 *issuer = weft__tls_staple_issuer(fetch->tls, fetch->identity);
    weft__revocation verdict =
        weft__revocation_of_answer(der, length, certificate_of(fetch), issuer, &until, &problem);
    if (verdict == WEFT__REVOCATION_GOOD) {
        weft__tls_staple_keep(fetch->tls, fetch->identity, der, length, now, until);
    } else {
        give_up(fetch, problem.text, false);
    }
}

static void on_answer(void *context, const weft_answer *answer)
{
    weft__staple_fetch *fetch = context;
    if (answer->status == 200) {
        take(fetch, (const uint8_t *)answer->body.bytes, answer->body.length);
    } else {
        give_up(fetch, "its OCSP responder answered with another status than 200", false);
    }
    leave(fetch);
}

static void on_failure(void *context, weft_status status, const char *detail)
{
    weft__staple_fetch *fetch = context;
    if (status == WEFT_ECLOSED && fetch->site)
        weft__stapler_cancel(fetch->site); /* nobody is to hear of it */
    give_up(fetch, detail, false);
    leave(fetch);
}

static weft_status ask(weft__staple_fetch *fetch, X509 *issuer, const char *url)
{
    char detail[WEFT__REVOCATION_URL_MAX];
    const weft_field type = {weft__string("Content-Type"), weft__string("application/ocsp-request")};
    weft__buffer question = {0};
    weft_status status = weft__revocation_ask(&question, certificate_of(fetch), issuer);
    weft_exchange_config config;
    weft_exchange_config_init(&config);
    config.loop = fetch->site->loop;
    config.method = weft__string("POST");
    config.url = weft__string(url);
    config.fields = &type;
    config.field_count = 1;
    config.body = (weft_string){(const char *)weft__buffer_front(&question), weft__buffer_length(&question)};
    config.max_body_size = ANSWER_MAX;
    config.timeout_ms = TIMEOUT_MS;
    config.context = fetch;
    config.on_answer = on_answer;
    config.on_failure = on_failure;
    if (status == WEFT_OK) status = weft_exchange_start(&fetch->exchange, &config, detail, sizeof detail);
    weft__buffer_clear(&question);
    return status;
}

/* False when there is nobody to ask, or no memory. */
static bool begin(weft__staple_fetch *fetch)
{
    char url[WEFT__REVOCATION_URL_MAX];
    X509 *issuer = weft__tls_staple_issuer(fetch->tls, fetch->identity);
    if (!issuer) {
        give_up(fetch, "its file has no certificate of its issuer", true);
    } else if (!weft__revocation_ocsp_url(certificate_of(fetch), url)) {
        give_up(fetch, "it names no OCSP responder", true);
    } else {
        weft_status status = ask(fetch, issuer, url);
        if (status == WEFT_OK) return true;
        give_up(fetch, weft_status_text(status), false);
    }
    return false;
}

void weft__stapler_refresh(weft__site *site, weft_tls *tls)
{
    size_t identity;
    bool is_wanted = tls && tls->staples && !site->is_stopping && !site->staple_fetch;
    while (is_wanted && !site->staple_fetch && weft__tls_staple_claim(tls, time(NULL), &identity)) {
        weft__staple_fetch *fetch = weft__alloc_zeroed(sizeof *fetch);
        if (!fetch) {
            weft__tls_staple_give_up(tls, identity, time(NULL), false);
            return;
        }
        *fetch = (weft__staple_fetch){.site = site, .tls = tls, .identity = identity};
        if (begin(fetch)) {
            weft_tls_retain(tls);
            site->staple_fetch = fetch;
        } else {
            weft__free(fetch);
        }
    }
}

void weft__stapler_cancel(weft__site *site)
{
    weft__staple_fetch *fetch = site->staple_fetch;
    if (!fetch) return;
    site->staple_fetch = NULL;
    fetch->site = NULL;
    weft_exchange_cancel(fetch->exchange);
}
