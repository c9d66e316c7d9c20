/* OpenSSL as the peer of a stream that speaks TLS. */
#ifndef WEFT_TESTS_GUEST_H
#define WEFT_TESTS_GUEST_H

#include "net/lab.h"

#include "net/tls_stream.h"
#include "tls/test_papers.h"

typedef struct guest {
    SSL_CTX *context;
    SSL *ssl;
    int socket;
} guest;

static inline void secure_stream(void *context)
{
    lab *lab = context;
    weft_tls *tls = open_server(&all);
    assert_int_equal(weft__stream_secure(lab->stream, tls, NULL, 0), WEFT_OK);
    weft_tls_release(tls);
}

/* A client whose handshake is still to come. */
static inline guest guest_connect(lab *lab, bool is_small)
{
    guest guest = {.socket = lab_connect(lab, is_small)};
    on_loop(lab->loop, secure_stream, lab);
    guest.context = SSL_CTX_new(TLS_client_method());
    guest.ssl = SSL_new(guest.context);
    SSL_set_fd(guest.ssl, guest.socket);
    return guest;
}

static inline guest guest_open(lab *lab, bool is_small)
{
    guest guest = guest_connect(lab, is_small);
    assert_int_equal(SSL_connect(guest.ssl), 1);
    gate_await(&lab->secured, 1);
    return guest;
}

static inline void guest_leave(guest *guest)
{
    SSL_free(guest->ssl);
    SSL_CTX_free(guest->context);
    if (guest->socket >= 0) close(guest->socket);
    guest->socket = -1;
}

static inline void send_from(BIO *memory, int socket)
{
    char *records;
    long length = BIO_get_mem_data(memory, &records);
    peer_send(socket, records, (size_t)length);
    BIO_reset(memory);
}

static inline void secure_stream_as_client(void *context)
{
    lab *lab = context;
    weft_tls *tls = open_client(&all);
    assert_int_equal(weft__stream_secure(lab->stream, tls, "localhost", 443), WEFT_OK);
    weft_tls_release(tls);
}

/* A server of one version, whose handshake is still to come. */
static inline guest guest_serve(lab *lab, int version)
{
    guest guest = {.socket = lab_connect(lab, false)};
    guest.context = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate_chain_file(guest.context, all.chain_file);
    SSL_CTX_use_PrivateKey_file(guest.context, all.server_key_file, SSL_FILETYPE_PEM);
    SSL_CTX_set_max_proto_version(guest.context, version);
    guest.ssl = SSL_new(guest.context);
    SSL_set_fd(guest.ssl, guest.socket);
    SSL_set_accept_state(guest.ssl);
    on_loop(lab->loop, secure_stream_as_client, lab);
    return guest;
}

static inline guest guest_call(lab *lab, int version)
{
    guest guest = guest_connect(lab, false);
    SSL_set_max_proto_version(guest.ssl, version);
    SSL_set_connect_state(guest.ssl);
    return guest;
}

static inline void send_single_bytes(BIO *memory, int socket)
{
    char *records;
    long length = BIO_get_mem_data(memory, &records);
    for (long i = 0; i < length; i++)
        peer_send(socket, records + i, 1);
    BIO_reset(memory);
}

#endif
