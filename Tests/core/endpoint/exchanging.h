/* Exchanges, and servers that answer one request as a test wants, over TCP or TLS. */
#ifndef WEFT_TESTS_EXCHANGING_H
#define WEFT_TESTS_EXCHANGING_H

#include "dialling.h"

#include "http/fields.h"
#include "tls/authority.h"

#include <semaphore.h>
#include <signal.h>

/* What a server does behind its answer. */
typedef enum conduct {
    WAITS, /* for the client's end */
    ENDS,  /* in an orderly way */
    CUTS,  /* TCP alone, without TLS's close_notify */
} conduct;

typedef struct answerer {
    /* fixed before the start */
    const char *said; /* NULL: no answer */
    size_t said_length;
    bool drips; /* byte by byte */
    conduct conduct;
    const papers *papers; /* for TLS; NULL: none */
    bool is_deaf;         /* reads nothing, so that no TLS handshake begins */
    int listening;
    uint16_t port;

    char request[4096];
    size_t request_length;
    bool was_told_the_end; /* by TLS's close_notify */
    sem_t is_reached;      /* posted when it has done all but the end */
    pthread_t thread;
    SSL_CTX *tls;
    int peer;
    SSL *session;
} answerer;

static inline ssize_t answerer_read(answerer *answerer, char *out, size_t size)
{
    if (!peer_is_readable(answerer->peer, PEER_DEADLINE_MS)) return -1;
    return answerer->session ? SSL_read(answerer->session, out, (int)size)
                             : recv(answerer->peer, out, size, 0);
}

static inline void answerer_write(answerer *answerer, const char *bytes, size_t length)
{
    size_t piece = answerer->drips ? 1 : length;
    for (size_t at = 0; at < length; at += piece) {
        if (answerer->session) {
            if (SSL_write(answerer->session, bytes + at, (int)piece) <= 0) return;
        } else if (!peer_try_send(answerer->peer, bytes + at, piece)) {
            return;
        }
    }
}

static inline bool answerer_has_request(const answerer *answerer)
{
    const char *end = strstr(answerer->request, "\r\n\r\n");
    const char *length = strstr(answerer->request, "Content-Length: ");
    if (!end) return false;
    size_t body = length && length < end ? strtoul(length + strlen("Content-Length: "), NULL, 10) : 0;
    return answerer->request_length >= (size_t)(end + 4 - answerer->request) + body;
}

static inline bool answerer_hear(answerer *answerer)
{
    while (!answerer_has_request(answerer)) {
        char *room = answerer->request + answerer->request_length;
        ssize_t count =
            answerer_read(answerer, room, sizeof answerer->request - answerer->request_length - 1);
        if (count <= 0) return false;
        answerer->request_length += (size_t)count;
    }
    return true;
}

static inline bool answerer_begin(answerer *answerer)
{
    int on = 1;
    answerer->peer = accept(answerer->listening, NULL, NULL);
    if (answerer->peer < 0) return false;
    setsockopt(answerer->peer, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (answerer->is_deaf) return peer_is_readable(answerer->peer, PEER_DEADLINE_MS);
    if (!answerer->tls) return true;
    answerer->session = SSL_new(answerer->tls);
    SSL_set_fd(answerer->session, answerer->peer);
    return SSL_accept(answerer->session) == 1;
}

static inline void answerer_await_end(answerer *answerer)
{
    char bytes[4096];
    while (answerer_read(answerer, bytes, sizeof bytes) > 0)
        ;
    answerer->was_told_the_end =
        answerer->session && SSL_get_shutdown(answerer->session) & SSL_RECEIVED_SHUTDOWN;
}

static inline void *answerer_run(void *argument)
{
    answerer *answerer = argument;
    sigset_t pipe_signal; /* OpenSSL's writes raise it */
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, NULL);
    bool has_begun = answerer_begin(answerer);
    bool answers = has_begun && !answerer->is_deaf && answerer_hear(answerer) && answerer->said;
    if (answers) answerer_write(answerer, answerer->said, answerer->said_length);
    sem_post(&answerer->is_reached);
    if (has_begun && answerer->conduct == WAITS) answerer_await_end(answerer);
    if (has_begun && answerer->conduct == ENDS && answerer->session) SSL_shutdown(answerer->session);
    if (answerer->conduct != WAITS) shutdown(answerer->peer, SHUT_WR);
    if (has_begun && answerer->conduct != WAITS) answerer_await_end(answerer); /* no reset eats the answer */
    SSL_free(answerer->session);
    close(answerer->peer);
    return NULL;
}

static inline SSL_CTX *server_tls(const papers *all)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    assert_int_equal(SSL_CTX_use_certificate_chain_file(tls, all->chain_file), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(tls, all->server_key_file, SSL_FILETYPE_PEM), 1);
    return tls;
}

static inline void answerer_start_with(answerer *answerer, const char *said, size_t length)
{
    answerer->said = said;
    answerer->said_length = length;
    if (answerer->papers) answerer->tls = server_tls(answerer->papers);
    answerer->listening = open_listening(AF_INET, 0);
    answerer->port = port_of(answerer->listening);
    sem_init(&answerer->is_reached, 0, 0);
    pthread_create(&answerer->thread, NULL, answerer_run, answerer);
}

static inline void answerer_start(answerer *answerer, const char *said)
{
    answerer_start_with(answerer, said, said ? strlen(said) : 0);
}

static inline void answerer_await(answerer *answerer)
{
    struct timespec deadline = world_deadline();
    assert_int_equal(sem_timedwait(&answerer->is_reached, &deadline), 0);
}

static inline void answerer_end(answerer *answerer)
{
    shutdown(answerer->listening, SHUT_RDWR); /* where nobody came */
    pthread_join(answerer->thread, NULL);
    close(answerer->listening);
    sem_destroy(&answerer->is_reached);
    SSL_CTX_free(answerer->tls);
}

/* -- asking ------------------------------------------------------------------------------------ */

static inline weft_exchange_config asking(world *world, const char *url)
{
    weft_exchange_config config;
    weft_exchange_config_init(&config);
    config.loop = world->loop;
    config.url = (weft_string){url, strlen(url)};
    config.context = world;
    config.on_answer = world_on_answer;
    config.on_failure = world_on_failure;
    return config;
}

static inline weft_exchange *start_exchange(const weft_exchange_config *config)
{
    char detail[256];
    weft_exchange *exchange;
    weft_status status = weft_exchange_start(&exchange, config, detail, sizeof detail);
    if (status != WEFT_OK) fail_msg("%s", detail);
    return exchange;
}

#endif
