#ifndef WEFT_TLS_ENGINE_H
#define WEFT_TLS_ENGINE_H

#include "base/buffer.h"
#include "tls/problem.h"
#include "tls/settings.h"

/**
 * One side of one TLS connection, without I/O: records of the peer in, plain bytes out, and the other way. A
 * call that fails returns WEFT_ETLS, with a sentence, or WEFT_ENOMEM; nothing works afterwards,
 * but records may have been written that tell the peer why.
 */
typedef struct weft__tls_engine {
    SSL *ssl;
    weft_tls *tls;
    const uint8_t *input; /* the peer's records that are to be taken, borrowed */
    size_t input_length;
    weft__buffer *output;   /* where records go, during a call */
    size_t answers_waiting; /* bytes of TLS's own that the system has refused; the stream counts */
    bool is_open;           /* the handshake is done */
    bool peer_has_closed;   /* with close_notify */
    bool has_failed;
    bool is_out_of_memory;      /* for records */
    char *peer;                 /* of a client: "host:port", closed by a NUL, for sentences and sessions */
    weft__buffer held;          /* the peer's records that wait for the stream's owner; the stream fills it */
    weft__tls_problem *problem; /* NULL: nothing was wrong, or there was no memory for the sentence */
} weft__tls_engine;

/** Where the sentence goes; NULL without memory. */
weft__tls_problem *weft__tls_engine_problem(weft__tls_engine *engine);

/** The sentence, or a general one; lives as long as the engine. */
const char *weft__tls_engine_text(const weft__tls_engine *engine);

/** A new one. A client names the host that it has dialled; a server gives NULL. WEFT_ENOMEM. */
weft_status weft__tls_engine_new(weft__tls_engine **out, weft_tls *tls, const char *host, uint16_t port);

/** NULL is fine. */
void weft__tls_engine_free(weft__tls_engine *engine);

/** Lends records that the next calls take from; they are used up once a call says so. */
static inline void weft__tls_engine_feed(weft__tls_engine *engine, const uint8_t *records, size_t length)
{
    engine->input = records;
    engine->input_length = length;
}

/** Goes on with the handshake as far as the input allows; `is_open` tells whether it is done. */
weft_status weft__tls_engine_shake_hands(weft__tls_engine *engine, weft__buffer *output);

/** Decrypts at most `room` bytes. `*count` 0: the input is used up, or the peer has closed. */
weft_status weft__tls_engine_read(weft__tls_engine *engine, uint8_t *into, size_t room, size_t *count,
                                  weft__buffer *output);

/** Encrypts, in records of at most 16 KiB; after the handshake. */
weft_status weft__tls_engine_write(weft__tls_engine *engine, const uint8_t *bytes, size_t length,
                                   weft__buffer *output);

/** Says close_notify, if the handshake was done and nothing has failed. */
void weft__tls_engine_close(weft__tls_engine *engine, weft__buffer *output);

/** Appends the certificate that the peer has shown and that was verified, as DER; nothing without one.
 *  WEFT_ENOMEM. */
weft_status weft__tls_engine_peer_certificate(const weft__tls_engine *engine, weft__buffer *out);

/** For the settings' callbacks: why the peer's certificate is not good, and a session to keep (1: kept). */
void weft__tls_engine_refuse(weft__tls_engine *engine, X509_STORE_CTX *chain);
int weft__tls_engine_keep_session(weft__tls_engine *engine, SSL_SESSION *session);

/** engine_problem.c: a certificate's name as sentences have it (RFC 2253), cut at `size`. */
void weft__tls_name_write(char *out, size_t size, X509_NAME *name);

/** engine_problem.c: the sentence for a certificate of the peer that is not good for `cause`. */
void weft__tls_engine_describe_refusal(const weft__tls_engine *engine, X509 *certificate, const char *cause,
                                       weft__tls_problem *problem);

/** engine_problem.c: nothing works from now on; says why, as OpenSSL has it, and returns the status. */
weft_status weft__tls_engine_fail(weft__tls_engine *engine);

#endif
