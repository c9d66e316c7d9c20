/* Certificates for the tests, made by an authority of their own, in a folder of their own. */
#ifndef WEFT_TESTS_AUTHORITY_H
#define WEFT_TESTS_AUTHORITY_H

#include "check.h"

#include "weft/tls.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <unistd.h>

enum {
    DAY = 24 * 60 * 60
};

/* A certificate with its key, and what signed it. */
typedef struct paper {
    X509 *certificate;
    EVP_PKEY *key;
} paper;

/* What is to be in one; seconds are from now. */
typedef struct wish {
    const char *common_name;
    const char *names; /* as in "DNS:localhost,IP:127.0.0.1"; NULL: none */
    long valid_from, valid_until;
    bool is_authority;
    const char *purposes;    /* as in "OCSPSigning"; NULL: any */
    const char *information; /* as in "OCSP;URI:http://a/"; NULL: none */
    const char *lists;       /* as in "URI:http://a/"; NULL: none */
} wish;

static inline void add_extension(X509 *certificate, X509 *issuer, int kind, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    assert_non_null(extension);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

/* Signed by `issuer`, or by itself. */
static inline paper issue(const paper *issuer, wish wish)
{
    static long serial = 1;
    paper made = {.certificate = X509_new(), .key = EVP_EC_gen("P-256")};
    const paper *signer = issuer ? issuer : &made;
    X509 *certificate = made.certificate;
    assert_non_null(made.key);
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate), wish.valid_from);
    X509_gmtime_adj(X509_getm_notAfter(certificate), wish.valid_until ? wish.valid_until : DAY);
    X509_set_pubkey(certificate, made.key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                               (const unsigned char *)wish.common_name, -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(signer->certificate));
    add_extension(certificate, signer->certificate, NID_basic_constraints,
                  wish.is_authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (wish.names) add_extension(certificate, signer->certificate, NID_subject_alt_name, wish.names);
    if (wish.purposes) add_extension(certificate, signer->certificate, NID_ext_key_usage, wish.purposes);
    if (wish.information) add_extension(certificate, signer->certificate, NID_info_access, wish.information);
    if (wish.lists) add_extension(certificate, signer->certificate, NID_crl_distribution_points, wish.lists);
    assert_true(X509_sign(certificate, signer->key, EVP_sha256()) > 0);
    return made;
}

static inline void discard(paper *paper)
{
    X509_free(paper->certificate);
    EVP_PKEY_free(paper->key);
}

/* -- files ----------------------------------------------------------------------------------------- */

/* The folder of this run, and the paths in it, which stay valid. */
static char folder[64];
static char *paths[64];

static inline const char *path_of(const char *name)
{
    char path[96];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        if (!paths[i]) paths[i] = strdup(path);
        if (strcmp(paths[i], path) == 0) return paths[i];
    }
    fail_msg("too many paths");
    return NULL;
}

static inline const char *write_text(const char *name, const char *text)
{
    const char *path = path_of(name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    fclose(file);
    return path;
}

static inline const char *write_certificates(const char *name, const paper *first, const paper *second)
{
    const char *path = path_of(name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, first->certificate), 1);
    if (second) assert_int_equal(PEM_write_X509(file, second->certificate), 1);
    fclose(file);
    return path;
}

static inline const char *write_key(const char *name, const paper *paper, const char *password)
{
    const char *path = path_of(name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    const EVP_CIPHER *cipher = password ? EVP_aes_256_cbc() : NULL;
    assert_int_equal(PEM_write_PKCS8PrivateKey(file, paper->key, cipher, password,
                                               password ? (int)strlen(password) : 0, NULL, NULL),
                     1);
    fclose(file);
    return path;
}

/* A PKCS#12 file; `own` NULL: a trust store. */
static inline const char *write_store(const char *name, const paper *own, const paper *other,
                                      const char *password)
{
    const char *path = path_of(name);
    STACK_OF(X509) *others = sk_X509_new_null();
    if (other) sk_X509_push(others, other->certificate);
    PKCS12 *store = PKCS12_create(password, "one", own ? own->key : NULL, own ? own->certificate : NULL,
                                  others, 0, 0, 0, 0, 0);
    assert_non_null(store);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(i2d_PKCS12_fp(file, store), 1);
    fclose(file);
    PKCS12_free(store);
    sk_X509_free(others);
    return path;
}

static inline int open_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/weft-tls-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static inline int remove_folder(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        free(paths[i]);
        paths[i] = NULL;
    }
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

/* -- a small world of them --------------------------------------------------------------------------- */

/* An authority, one below it, a server's certificate of that one, and a client's. */
typedef struct papers {
    paper root, middle, server, client;
    const char *root_file, *chain_file, *server_key_file, *client_file, *client_key_file;
} papers;

static inline void issue_all(papers *all)
{
    all->root = issue(NULL, (wish){.common_name = "Test Root", .is_authority = true});
    all->middle = issue(&all->root, (wish){.common_name = "Test Middle", .is_authority = true});
    all->server = issue(&all->middle, (wish){.common_name = "server", .names = "DNS:localhost,IP:127.0.0.1"});
    all->client = issue(&all->middle, (wish){.common_name = "client"});
    all->root_file = write_certificates("root.pem", &all->root, NULL);
    all->chain_file = write_certificates("server.pem", &all->server, &all->middle);
    all->server_key_file = write_key("server.key", &all->server, NULL);
    all->client_file = write_certificates("client.pem", &all->client, &all->middle);
    all->client_key_file = write_key("client.key", &all->client, NULL);
}

static inline void discard_all(papers *all)
{
    discard(&all->root);
    discard(&all->middle);
    discard(&all->server);
    discard(&all->client);
}

static inline weft_tls_identity identity_of(const char *certificate_file, const char *key_file)
{
    weft_tls_identity identity;
    weft_tls_identity_init(&identity);
    identity.certificate_file = certificate_file;
    identity.key_file = key_file;
    return identity;
}

/* Settings that must work. */
static inline weft_tls *open_settings(const weft_tls_config *config, bool is_server)
{
    char detail[480];
    weft_tls *tls;
    weft_status status =
        (is_server ? weft_tls_open_server : weft_tls_open_client)(&tls, config, detail, sizeof detail);
    if (status != WEFT_OK) fail_msg("%s", detail);
    return tls;
}

static inline weft_tls *open_server(const papers *all)
{
    weft_tls_config config;
    weft_tls_config_init(&config);
    weft_tls_identity identity = identity_of(all->chain_file, all->server_key_file);
    config.identities = &identity;
    config.identity_count = 1;
    return open_settings(&config, true);
}

/* Settings of a side that shows a certificate and looks at the other's. */
static inline weft_tls_config mutual_settings(const papers *all, const weft_tls_identity *identity)
{
    weft_tls_config config;
    weft_tls_config_init(&config);
    config.identities = identity;
    config.identity_count = 1;
    config.trust_file = all->root_file;
    return config;
}

static inline weft_tls *open_client(const papers *all)
{
    weft_tls_config config;
    weft_tls_config_init(&config);
    config.trust_file = all->root_file;
    return open_settings(&config, false);
}

/* Settings that must fail, and the sentence that says why. */
static inline void expect_refusal_of(const weft_tls_config *config, bool is_server, weft_status status,
                                     const char *sentence)
{
    char detail[480];
    weft_tls *tls;
    assert_int_equal(
        (is_server ? weft_tls_open_server : weft_tls_open_client)(&tls, config, detail, sizeof detail),
        status);
    assert_null(tls);
    assert_string_equal(detail, sentence);
}

#endif
