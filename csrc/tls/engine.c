#include "tls/engine.h"

#include "base/allocator.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

/* -- records in memory --------------------------------------------------------------------------- */

static int take_records(BIO *bio, char *out, int room)
{
    weft__tls_engine *engine = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (room <= 0) return 0;
    size_t count = engine->input_length < (size_t)room ? engine->input_length : (size_t)room;
    if (!count) {
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(out, engine->input, count);
    engine->input += count;
    engine->input_length -= count;
    return (int)count;
}

static int put_records(BIO *bio, const char *bytes, int length)
{
    weft__tls_engine *engine = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (length <= 0) return 0;
    if (weft__buffer_append(engine->output, bytes, (size_t)length, SIZE_MAX) == WEFT_OK) return length;
    engine->is_out_of_memory = true;
    return -1;
}

static long control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *records;
static CRYPTO_ONCE records_once = CRYPTO_ONCE_STATIC_INIT;

static void make_records(void)
{
    records = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "weft");
    if (!records) return;
    BIO_meth_set_read(records, take_records);
    BIO_meth_set_write(records, put_records);
    BIO_meth_set_ctrl(records, control);
}

static BIO *new_records(weft__tls_engine *engine)
{
    CRYPTO_THREAD_run_once(&records_once, make_records);
    BIO *bio = records ? BIO_new(records) : NULL;
    if (!bio) return NULL;
    BIO_set_data(bio, engine);
    BIO_set_init(bio, 1);
    return bio;
}

/* -- beginning and end --------------------------------------------------------------------------- */

/* Names go without a dot at their end (RFC 6066 section 3), and numbers are no names. */
static bool expect_host(SSL *ssl, const weft_tls *tls, const char *host)
{
    char name[WEFT__TLS_NAME_MAX + 1];
    size_t length = strlen(host);
    if (length && host[length - 1] == '.') length--;
    if (!length || length >= sizeof name) return false;
    memcpy(name, host, length);
    name[length] = '\0';
    X509_VERIFY_PARAM *wanted = SSL_get0_param(ssl);
    bool checks = tls->verifies && !tls->skips_host_name;
    ASN1_OCTET_STRING *number = a2i_IPADDRESS(name);
    bool is_number = number != NULL;
    ASN1_OCTET_STRING_free(number);
    ERR_clear_error();
    if (is_number) return !checks || X509_VERIFY_PARAM_set1_ip_asc(wanted, name) == 1;
    X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                                X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (checks && X509_VERIFY_PARAM_set1_host(wanted, name, length) != 1) return false;
    return SSL_set_tlsext_host_name(ssl, name) == 1;
}

static weft_status furnish_client(weft__tls_engine *engine, const char *host, uint16_t port)
{
    const char *name = engine->tls->server_name ? engine->tls->server_name : host;
    size_t size = strlen(name) + 8;
    engine->peer = weft__alloc(size);
    if (!engine->peer) return WEFT_ENOMEM;
    snprintf(engine->peer, size, "%s:%u", name, (unsigned)port);
    if (!expect_host(engine->ssl, engine->tls, name)) return WEFT_ENOMEM;
    SSL_set_connect_state(engine->ssl);
    SSL_SESSION *session = NULL;
    if (engine->tls->shares_sessions) session = weft__tls_sessions_take(&engine->tls->sessions, engine->peer);
    if (session) SSL_set_session(engine->ssl, session);
    SSL_SESSION_free(session);
    return WEFT_OK;
}

weft_status weft__tls_engine_new(weft__tls_engine **out, weft_tls *tls, const char *host, uint16_t port)
{
    *out = NULL;
    weft__tls_engine *engine = weft__alloc_zeroed(sizeof *engine);
    if (!engine) return WEFT_ENOMEM;
    engine->tls = weft_tls_retain(tls);
    engine->ssl = SSL_new(tls->context);
    BIO *bio = engine->ssl ? new_records(engine) : NULL;
    weft_status status = bio ? WEFT_OK : WEFT_ENOMEM;
    if (bio) {
        SSL_set_bio(engine->ssl, bio, bio);
        SSL_set_app_data(engine->ssl, engine);
        if (tls->is_server) {
            SSL_set_accept_state(engine->ssl);
        } else {
            status = furnish_client(engine, host, port);
        }
    }
    if (status == WEFT_OK) {
        *out = engine;
    } else {
        weft__tls_engine_free(engine);
        ERR_clear_error();
    }
    return status;
}

void weft__tls_engine_free(weft__tls_engine *engine)
{
    if (!engine) return;
    /* Else OpenSSL takes the end for a fault of the session, which could not be resumed then. */
    if (engine->is_open && !engine->has_failed)
        SSL_set_shutdown(engine->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(engine->ssl);
    weft_tls_release(engine->tls);
    weft__buffer_clear(&engine->held);
    weft__free(engine->peer);
    weft__free(engine->problem);
    weft__free(engine);
}

int weft__tls_engine_keep_session(weft__tls_engine *engine, SSL_SESSION *session)
{
    if (!engine->tls->shares_sessions) return 0;
    weft__tls_sessions_add(&engine->tls->sessions, engine->peer, session);
    return 1;
}

weft_status weft__tls_engine_peer_certificate(const weft__tls_engine *engine, weft__buffer *out)
{
    X509 *certificate = engine->tls->verifies ? SSL_get0_peer_certificate(engine->ssl) : NULL;
    if (!certificate || SSL_get_verify_result(engine->ssl) != X509_V_OK) return WEFT_OK;
    int length = i2d_X509(certificate, NULL);
    uint8_t *end = length > 0 ? weft__buffer_reserve(out, (size_t)length, SIZE_MAX) : NULL;
    if (!end || i2d_X509(certificate, &end) != length) return WEFT_ENOMEM;
    weft__buffer_commit(out, (size_t)length);
    return WEFT_OK;
}

/* -- what it does ---------------------------------------------------------------------------------- */

/* WEFT_OK when only input is missing, or the peer has closed. */
static weft_status judge(weft__tls_engine *engine, int result)
{
    switch (SSL_get_error(engine->ssl, result)) {
    case SSL_ERROR_WANT_READ: return WEFT_OK;
    case SSL_ERROR_ZERO_RETURN: engine->peer_has_closed = true; return WEFT_OK;
    default: return weft__tls_engine_fail(engine);
    }
}

weft_status weft__tls_engine_shake_hands(weft__tls_engine *engine, weft__buffer *output)
{
    if (engine->has_failed) return WEFT_ETLS;
    engine->output = output;
    ERR_clear_error();
    int result = SSL_do_handshake(engine->ssl);
    engine->is_open = result == 1;
    return engine->is_open ? WEFT_OK : judge(engine, result);
}

weft_status weft__tls_engine_read(weft__tls_engine *engine, uint8_t *into, size_t room, size_t *count,
                                  weft__buffer *output)
{
    *count = 0;
    if (engine->has_failed) return WEFT_ETLS;
    engine->output = output;
    ERR_clear_error();
    int result = SSL_read_ex(engine->ssl, into, room, count);
    if (result == 1) return WEFT_OK;
    *count = 0;
    return judge(engine, result);
}

weft_status weft__tls_engine_write(weft__tls_engine *engine, const uint8_t *bytes, size_t length,
                                   weft__buffer *output)
{
    if (engine->has_failed || !engine->is_open) return WEFT_ETLS;
    engine->output = output;
    size_t written;
    if (!length) return WEFT_OK;
    ERR_clear_error();
    int result = SSL_write_ex(engine->ssl, bytes, length, &written);
    return result == 1 ? WEFT_OK : weft__tls_engine_fail(engine);
}

void weft__tls_engine_close(weft__tls_engine *engine, weft__buffer *output)
{
    if (engine->has_failed || !engine->is_open) return;
    engine->output = output;
    SSL_shutdown(engine->ssl);
    ERR_clear_error();
}
