/* An authority that answers over HTTP whether its certificates are revoked, and who meets under it. */
#ifndef WEFT_TESTS_OFFICE_H
#define WEFT_TESTS_OFFICE_H

#include "endpoint/dialling.h"
#include "endpoint/secure.h"
#include "tls/issuer.h"

enum {
    MOST_PAPERS = 3
};

/* Answers about certificates over HTTP, one connection after the other: `POST /ocsp/N` and `GET /list/N`. */
typedef struct office {
    const paper *papers[MOST_PAPERS], *issuers[MOST_PAPERS];
    _Atomic(const paper *) revoked; /* or NULL */
    atomic_bool has_no_responder, has_no_lists, is_silent;
    atomic_int questions, lists;
    int listening;
    uint16_t port;
    pthread_t thread;
} office;

static inline void say_answer(int peer, const unsigned char *body, size_t length)
{
    char head[128];
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", length);
    peer_try_send(peer, head, strlen(head));
    peer_try_send(peer, (const char *)body, length);
}

static inline void answer_question(office *office, int peer, int number)
{
    unsigned char *der;
    bool is_revoked = office->papers[number] == office->revoked;
    size_t length =
        write_answer(&der, (answer){.about = office->papers[number],
                                    .issuer = office->issuers[number],
                                    .signer = office->issuers[number],
                                    .status = is_revoked ? V_OCSP_CERTSTATUS_REVOKED : V_OCSP_CERTSTATUS_GOOD,
                                    .from_s = -60,
                                    .until_s = 3600,
                                    .response_status = OCSP_RESPONSE_STATUS_SUCCESSFUL});
    say_answer(peer, der, length);
    OPENSSL_free(der);
}

static inline void send_list(office *office, int peer, int number)
{
    unsigned char *der;
    bool is_revoked = office->papers[number] == office->revoked;
    size_t length = write_list(&der, (list){.issuer = office->issuers[number],
                                            .signer = office->issuers[number],
                                            .revoked = is_revoked ? office->papers[number] : NULL,
                                            .from_s = -60,
                                            .until_s = 3600});
    say_answer(peer, der, length);
    OPENSSL_free(der);
}

static inline void await_end(int peer)
{
    char rest[256];
    while (peer_is_readable(peer, PEER_DEADLINE_MS) && recv(peer, rest, sizeof rest, 0) > 0)
        ;
}

static inline void serve_one(office *office, int peer)
{
    char head[2048];
    int number;
    if (!peer_try_read_head(peer, head, sizeof head)) return;
    if (office->is_silent) {
        await_end(peer); /* until it gives up */
    } else if (sscanf(head, "POST /ocsp/%d HTTP/1.1", &number) == 1) {
        office->questions++;
        assert_non_null(strstr(head, "Content-Type: application/ocsp-request\r\n"));
        if (!office->has_no_responder) answer_question(office, peer, number);
    } else if (sscanf(head, "GET /list/%d HTTP/1.1", &number) == 1) {
        office->lists++;
        if (!office->has_no_lists) send_list(office, peer, number);
    }
    if (office->has_no_responder || office->has_no_lists)
        peer_try_send(peer, "HTTP/1.1 503 Out\r\nContent-Length: 0\r\n\r\n", 39);
}

static inline void *office_run(void *argument)
{
    office *office = argument;
    int peer;
    while ((peer = accept(office->listening, NULL, NULL)) >= 0) {
        serve_one(office, peer);
        shutdown(peer, SHUT_WR);
        await_end(peer);
        close(peer);
    }
    return NULL;
}

static office bureau; /* one for all tests */
static paper root, middle, leaf, client, bare;
static const char *root_file, *chain_file, *leaf_key_file, *client_file, *client_key_file;

static inline paper issue_of_office(const paper *issuer, int number, wish wish)
{
    char information[96], lists[96];
    snprintf(information, sizeof information, "OCSP;URI:http://127.0.0.1:%u/ocsp/%d", (unsigned)bureau.port,
             number);
    snprintf(lists, sizeof lists, "URI:http://127.0.0.1:%u/list/%d", (unsigned)bureau.port, number);
    wish.information = information;
    wish.lists = lists;
    return issue(issuer, wish);
}

static inline int open_office(void **state)
{
    if (open_folder(state) != 0) return -1;
    signal(SIGPIPE, SIG_IGN);
    bureau.listening = open_listening(AF_INET, 0);
    bureau.port = port_of(bureau.listening);
    root = issue(NULL, (wish){.common_name = "root", .is_authority = true});
    middle = issue_of_office(&root, 0, (wish){.common_name = "middle", .is_authority = true});
    leaf = issue_of_office(&middle, 1, (wish){.common_name = "leaf", .names = "IP:127.0.0.1"});
    client = issue_of_office(&middle, 2, (wish){.common_name = "client"});
    bare = issue(&middle, (wish){.common_name = "bare", .names = "IP:127.0.0.1"});
    bureau.papers[0] = &middle, bureau.issuers[0] = &root;
    bureau.papers[1] = &leaf, bureau.issuers[1] = &middle;
    bureau.papers[2] = &client, bureau.issuers[2] = &middle;
    root_file = write_certificates("root.pem", &root, NULL);
    chain_file = write_certificates("leaf.pem", &leaf, &middle);
    leaf_key_file = write_key("leaf.key", &leaf, NULL);
    client_file = write_certificates("client.pem", &client, &middle);
    client_key_file = write_key("client.key", &client, NULL);
    return pthread_create(&bureau.thread, NULL, office_run, &bureau);
}

static inline int close_office(void **state)
{
    shutdown(bureau.listening, SHUT_RDWR);
    pthread_join(bureau.thread, NULL);
    close(bureau.listening);
    discard(&root);
    discard(&middle);
    discard(&leaf);
    discard(&client);
    discard(&bare);
    return remove_folder(state);
}

static inline int reset_office(void **state)
{
    (void)state;
    bureau.revoked = NULL;
    bureau.has_no_responder = bureau.has_no_lists = bureau.is_silent = false;
    bureau.questions = bureau.lists = 0;
    return 0;
}

/* -- who meets under it ----------------------------------------------------------------------------- */

static inline weft_tls *server_with(const char *certificate_file, const char *key_file,
                                    weft_tls_verification verification, weft_tls_revocation revocation)
{
    weft_tls_config config;
    weft_tls_config_init(&config);
    weft_tls_identity identity = identity_of(certificate_file, key_file);
    config.identities = &identity;
    config.identity_count = 1;
    config.verification = verification;
    config.trust_file = root_file;
    config.revocation = revocation;
    return open_settings(&config, true);
}

static inline weft_client *begin(world *caller, uint16_t port, weft_tls *tls)
{
    char url[128], detail[256];
    world_init_client(caller);
    caller->is_quiet = true;
    snprintf(url, sizeof url, "wss://127.0.0.1:%u/", (unsigned)port);
    weft_client_config config = world_calling(caller, caller->loop, url);
    config.tls = tls;
    weft_client *client;
    assert_int_equal(weft_client_connect(&client, &config, detail, sizeof detail), WEFT_OK);
    return client;
}

#endif
