#include "tls/settings.h"

#include "base/allocator.h"
#include "base/config.h"
#include "tls/ciphers.h"
#include "tls/engine.h"
#include "tls/staple.h"
#include "tls/trust.h"

#include <string.h>

static const unsigned char http_1_1[] = "\x08http/1.1"; /* as ALPN writes it (RFC 7301) */

void weft_tls_config_init_sized(weft_tls_config *config, size_t size)
{
    const weft_tls_config defaults = {
        .versions = WEFT_TLS_1_2 | WEFT_TLS_1_3,
        .handshake_timeout_ms = 10000,
        .shares_sessions = true,
        .session_timeout_s = 7200,
        .revocation_cache_size = 50,
        .revocation_validity_s = 900,
    };
    weft__config_init(config, size, &defaults, sizeof defaults);
}

/* -- holders ----------------------------------------------------------------------------------- */

weft_tls *weft_tls_retain(weft_tls *tls)
{
    atomic_fetch_add_explicit(&tls->holders, 1, memory_order_relaxed);
    return tls;
}

void weft_tls_release(weft_tls *tls)
{
    if (!tls || atomic_fetch_sub_explicit(&tls->holders, 1, memory_order_acq_rel) > 1) return;
    for (size_t i = 0; i < tls->identity_count; i++)
        weft__tls_identity_clear(&tls->identities[i]);
    weft__tls_sessions_clear(&tls->sessions);
    weft__revocation_cache_clear(&tls->known);
    CRYPTO_THREAD_lock_free(tls->staples_lock);
    SSL_CTX_free(tls->context);
    weft__free(tls->server_name);
    weft__free(tls);
}

/* -- settings ---------------------------------------------------------------------------------- */

/* NULL and "" stand for the host that is dialled. With a dot in front OpenSSL would take any name below. */
static bool is_server_name(const char *name)
{
    return !name || (strlen(name) <= WEFT__TLS_NAME_MAX && *name != '.');
}

static bool verifies(const weft_tls_config *config, bool is_server)
{
    weft_tls_verification asked = config->verification;
    if (asked == WEFT_TLS_VERIFY_DEFAULT) return !is_server;
    return asked != WEFT_TLS_VERIFY_NOTHING_INSECURE;
}

static const char *revocation_fault(const weft_tls_config *config, bool is_server)
{
    weft_tls_revocation asked = config->revocation;
    if (asked < WEFT_TLS_REVOCATION_IGNORED || asked > WEFT_TLS_REVOCATION_OCSP_CRL)
        return "revocation is no weft_tls_revocation";
    bool may_staple = is_server && asked == WEFT_TLS_REVOCATION_STAPLING;
    if (asked && !may_staple && !verifies(config, is_server))
        return "revocation: no certificate of the peer is verified";
    if (!config->revocation_cache_size || config->revocation_cache_size > 100000)
        return "revocation_cache_size is not in 1 to 100000";
    if (!config->revocation_validity_s || config->revocation_validity_s > INT32_MAX)
        return "revocation_validity_s is not in 1 to 2147483647";
    return NULL;
}

static weft_status check(const weft_tls_config *config, bool is_server, weft__tls_problem *problem)
{
    const uint32_t all = WEFT_TLS_1_0_INSECURE | WEFT_TLS_1_1_INSECURE | WEFT_TLS_1_2 | WEFT_TLS_1_3;
    weft_tls_verification asked = config->verification;
    bool is_verifying_server =
        is_server && (asked == WEFT_TLS_VERIFY_REQUIRED || asked == WEFT_TLS_VERIFY_OPTIONAL);
    const char *wrong = NULL;
    if (is_server && !config->identity_count) wrong = "a server needs an identity";
    if (!is_server && config->identity_count > 1) wrong = "a client has one identity at most";
    if (config->identity_count && !config->identities) wrong = "identities is NULL";
    if (!config->versions || config->versions & ~all) wrong = "versions is no set of weft_tls_version bits";
    if (asked < WEFT_TLS_VERIFY_DEFAULT || asked > WEFT_TLS_VERIFY_NOTHING_INSECURE)
        wrong = "verification is no weft_tls_verification";
    if (!is_server && asked == WEFT_TLS_VERIFY_OPTIONAL) wrong = "only a server's verification is optional";
    if (is_verifying_server && !config->trust_file) wrong = "a server that verifies needs a trust_file";
    if (!is_server_name(config->server_name)) wrong = "server_name is no host name of at most 255 bytes";
    if (!config->session_timeout_s || config->session_timeout_s > INT32_MAX)
        wrong = "session_timeout_s is not in 1 to 2147483647";
    if (!wrong) wrong = revocation_fault(config, is_server);
    if (!wrong) return WEFT_OK;
    weft__tls_problem_set(problem, "%s", wrong);
    return WEFT_EINVAL;
}

static void set_versions(SSL_CTX *context, uint32_t versions)
{
    if (!(versions & WEFT_TLS_1_0_INSECURE)) SSL_CTX_set_options(context, SSL_OP_NO_TLSv1);
    if (!(versions & WEFT_TLS_1_1_INSECURE)) SSL_CTX_set_options(context, SSL_OP_NO_TLSv1_1);
    if (!(versions & WEFT_TLS_1_2)) SSL_CTX_set_options(context, SSL_OP_NO_TLSv1_2);
    if (!(versions & WEFT_TLS_1_3)) SSL_CTX_set_options(context, SSL_OP_NO_TLSv1_3);
    bool is_insecure = versions & (WEFT_TLS_1_0_INSECURE | WEFT_TLS_1_1_INSECURE);
    SSL_CTX_set_min_proto_version(context, is_insecure ? TLS1_VERSION : TLS1_2_VERSION);
    if (is_insecure) SSL_CTX_set_security_level(context, 0);
}

static int note_refused_certificate(int is_good, X509_STORE_CTX *chain)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx());
    if (!is_good) weft__tls_engine_refuse(SSL_get_app_data(ssl), chain);
    return is_good;
}

static weft_status set_verification(weft_tls *tls, const weft_tls_config *config, weft__tls_problem *problem)
{
    weft_tls_verification asked = config->verification;
    tls->verifies = verifies(config, tls->is_server);
    if (!tls->verifies) {
        SSL_CTX_set_verify(tls->context, SSL_VERIFY_NONE, NULL);
        return WEFT_OK;
    }
    int mode = SSL_VERIFY_PEER | (asked == WEFT_TLS_VERIFY_OPTIONAL ? 0 : SSL_VERIFY_FAIL_IF_NO_PEER_CERT);
    SSL_CTX_set_verify(tls->context, mode, note_refused_certificate);
    if (!config->trust_file) return weft__tls_trust_system(tls->context, problem);
    return weft__tls_trust_file(tls->context, config->trust_file, config->trust_password, problem);
}

static weft_status set_revocation(weft_tls *tls, const weft_tls_config *config)
{
    bool is_stapling = config->revocation == WEFT_TLS_REVOCATION_STAPLING;
    tls->revocation_validity_s = config->revocation_validity_s;
    tls->checks_revocation = config->revocation && verifies(config, tls->is_server);
    if (is_stapling && !tls->is_server) SSL_CTX_set_tlsext_status_type(tls->context, TLSEXT_STATUSTYPE_ocsp);
    if (is_stapling && tls->is_server) {
        tls->staples = true;
        tls->staples_lock = CRYPTO_THREAD_lock_new();
        if (!tls->staples_lock) return WEFT_ENOMEM;
        SSL_CTX_set_tlsext_status_cb(tls->context, weft__tls_staple_send);
        SSL_CTX_set_tlsext_status_arg(tls->context, tls);
    }
    if (!tls->checks_revocation) return WEFT_OK;
    return weft__revocation_cache_init(&tls->known, config->revocation_cache_size,
                                       config->revocation_validity_s);
}

/* -- sessions ---------------------------------------------------------------------------------- */

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    return weft__tls_engine_keep_session(SSL_get_app_data(ssl), session);
}

static SSL_TICKET_RETURN take_ticket(SSL *ssl, SSL_SESSION *session, const unsigned char *name, size_t length,
                                     SSL_TICKET_STATUS status, void *context)
{
    (void)ssl;
    (void)name;
    (void)length;
    (void)context;
    bool is_read = status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW;
    if (!is_read || !weft__tls_session_has_good_peer(session)) return SSL_TICKET_RETURN_IGNORE_RENEW;
    return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

/* A server keeps nothing: what it must know is in the ticket, under keys that live as long as the settings
 * do. So a ticket never outlives the policy about certificates under which it was given. */
static void set_sessions(weft_tls *tls, const weft_tls_config *config)
{
    SSL_CTX *context = tls->context;
    long mode = tls->is_server ? SSL_SESS_CACHE_OFF : SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL;
    /* A resumed session shows no chain that could be asked about. */
    tls->shares_sessions = config->shares_sessions && !tls->checks_revocation;
    if (!tls->shares_sessions) {
        SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
        SSL_CTX_set_num_tickets(context, 0);
        mode = SSL_SESS_CACHE_OFF;
    }
    SSL_CTX_set_session_cache_mode(context, mode);
    SSL_CTX_set_timeout(context, (long)config->session_timeout_s);
    SSL_CTX_set_session_id_context(context, (const unsigned char *)"weft", 4);
    if (tls->is_server) {
        SSL_CTX_set_session_ticket_cb(context, NULL, take_ticket, NULL);
    } else {
        SSL_CTX_sess_set_new_cb(context, keep_session);
    }
}

/* -- identities -------------------------------------------------------------------------------- */

static bool use(SSL *ssl, const weft__tls_identity *identity)
{
    return SSL_use_cert_and_key(ssl, identity->certificate, identity->key, identity->chain, 1) == 1;
}

/* Several may fit, as one with an RSA and one with an elliptic curve key: the client's algorithms decide. */
int weft__tls_choose_identity(SSL *ssl, void *context)
{
    const weft_tls *tls = context;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    bool is_found = false;
    for (size_t i = 0; name && i < tls->identity_count; i++) {
        if (!weft__tls_identity_fits(&tls->identities[i], name)) continue;
        if (!is_found) SSL_certs_clear(ssl);
        if (!use(ssl, &tls->identities[i])) return 0;
        is_found = true;
    }
    return 1; /* else the first one, which the context has */
}

/* OpenSSL looks at keys and signatures when a certificate is used, as for its security level. */
static weft_status try_identity(const weft_tls *tls, const weft__tls_identity *identity,
                                const weft_tls_identity *given, weft__tls_problem *problem)
{
    SSL *ssl = SSL_new(tls->context);
    if (!ssl) return WEFT_ENOMEM;
    bool is_usable = use(ssl, identity);
    SSL_free(ssl);
    if (is_usable) return WEFT_OK;
    const char *path = given->certificate_file ? given->certificate_file : given->key_store_file;
    return weft__tls_problem_set(problem, "the certificate in %s cannot be used: %s", path,
                                 weft__tls_error_text(weft__tls_take_error()));
}

static weft_status load_identities(weft_tls *tls, const weft_tls_config *config, weft__tls_problem *problem)
{
    for (size_t i = 0; i < config->identity_count; i++) {
        weft__tls_identity *identity = &tls->identities[i];
        weft_status status = weft__tls_identity_load(identity, &config->identities[i], problem);
        if (status != WEFT_OK) return status;
        tls->identity_count++;
        status = try_identity(tls, identity, &config->identities[i], problem);
        if (status != WEFT_OK) return status;
    }
    if (!tls->identity_count) return WEFT_OK;
    const weft__tls_identity *first = &tls->identities[0];
    if (SSL_CTX_use_cert_and_key(tls->context, first->certificate, first->key, first->chain, 1) != 1)
        return WEFT_ENOMEM; /* it was tried */
    if (tls->identity_count > 1) SSL_CTX_set_cert_cb(tls->context, weft__tls_choose_identity, tls);
    return WEFT_OK;
}

/* -- opening ----------------------------------------------------------------------------------- */

/* A peer that speaks only other protocols over TLS is told so (RFC 7301 section 3.2). */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_length,
                           const unsigned char *offered, unsigned int length, void *context)
{
    unsigned char *chosen;
    (void)ssl;
    (void)context;
    int result = SSL_select_next_proto(&chosen, out_length, http_1_1, sizeof http_1_1 - 1, offered, length);
    *out = chosen;
    return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static void set_habits(weft_tls *tls)
{
    SSL_CTX *context = tls->context;
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (tls->is_server) {
        SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
        SSL_CTX_set_dh_auto(context, 1);
        SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
    } else {
        SSL_CTX_set_alpn_protos(context, http_1_1, sizeof http_1_1 - 1);
        SSL_CTX_set_verify_depth(context, 10);
    }
}

static weft_status copy_name(weft_tls *tls, const char *name)
{
    if (!name || !*name) return WEFT_OK;
    size_t length = strlen(name) + 1;
    tls->server_name = weft__alloc(length);
    if (!tls->server_name) return WEFT_ENOMEM;
    memcpy(tls->server_name, name, length);
    return WEFT_OK;
}

static weft_status furnish(weft_tls *tls, const weft_tls_config *config, weft__tls_problem *problem)
{
    uint32_t versions = config->versions;
    weft__tls_problem_set(problem, "%s", weft_status_text(WEFT_ENOMEM));
    tls->context = SSL_CTX_new(tls->is_server ? TLS_server_method() : TLS_client_method());
    if (!tls->context || weft__tls_sessions_init(&tls->sessions) != WEFT_OK) return WEFT_ENOMEM;
    set_habits(tls);
    weft_status status = copy_name(tls, config->server_name);
    if (status == WEFT_OK && config->ciphers)
        status = weft__tls_set_ciphers(tls->context, config->ciphers, &versions, problem);
    set_versions(tls->context, versions);
    if (status == WEFT_OK) status = set_revocation(tls, config);
    set_sessions(tls, config);
    if (status == WEFT_OK) status = load_identities(tls, config, problem);
    if (status == WEFT_OK) status = set_verification(tls, config, problem);
    if (status == WEFT_ENOMEM) weft__tls_problem_set(problem, "%s", weft_status_text(status));
    return status;
}

static weft_status open_tls(weft_tls **out, const weft_tls_config *given, bool is_server,
                            weft__tls_problem *problem)
{
    weft_tls_config config;
    weft_tls_config_init(&config);
    weft__tls_problem_set(problem, "the settings of TLS are not initialised");
    if (weft__config_take(&config, given, sizeof config) != WEFT_OK) return WEFT_EINVAL;
    weft_status status = check(&config, is_server, problem);
    if (status != WEFT_OK) return status;
    weft__tls_problem_set(problem, "%s", weft_status_text(WEFT_ENOMEM));
    weft_tls *tls = weft__alloc_zeroed(sizeof *tls + config.identity_count * sizeof *tls->identities);
    if (!tls) return WEFT_ENOMEM;
    tls->holders = 1;
    tls->is_server = is_server;
    tls->skips_host_name = config.skips_host_name_insecure;
    tls->handshake_timeout_ms = config.handshake_timeout_ms;
    status = furnish(tls, &config, problem);
    if (status == WEFT_OK) {
        *out = tls;
    } else {
        weft_tls_release(tls);
    }
    return status;
}

static weft_status open_and_tell(weft_tls **out, const weft_tls_config *config, bool is_server, char *detail,
                                 size_t detail_size)
{
    weft__tls_problem problem;
    *out = NULL;
    weft__tls_take_error(); /* what others left on this thread */
    weft_status status = open_tls(out, config, is_server, &problem);
    if (status == WEFT_OK) problem.text[0] = '\0';
    weft__tls_problem_tell(&problem, detail, detail_size);
    return status;
}

weft_status weft_tls_open_server(weft_tls **out, const weft_tls_config *config, char *detail,
                                 size_t detail_size)
{
    return open_and_tell(out, config, true, detail, detail_size);
}

weft_status weft_tls_open_client(weft_tls **out, const weft_tls_config *config, char *detail,
                                 size_t detail_size)
{
    return open_and_tell(out, config, false, detail, detail_size);
}
