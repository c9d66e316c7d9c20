#ifndef WEFT_TLS_H
#define WEFT_TLS_H

#include "weft/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * What one side of TLS brings along: certificates, trust, versions, ciphers and sessions, read and checked.
 * It never changes, and any number of listeners or clients may share one from any thread; clients that do
 * share their sessions as well. Held by everything that uses it.
 */
typedef struct weft_tls weft_tls;

/** A certificate with its private key: from PEM files, or from a PKCS#12 key store. Start from
 *  weft_tls_identity_init(). */
typedef struct weft_tls_identity {
    size_t size;                    /**< Set by init; lets the struct grow at its end. */
    const char *certificate_file;   /**< PEM: the certificate, then those between it and the authority. */
    const char *key_file;           /**< PEM: PKCS#8 or the traditional forms, encrypted or not. */
    const char *key_password;       /**< Of an encrypted `key_file`; NULL: none. */
    const char *key_store_file;     /**< PKCS#12, instead of the two files. */
    const char *key_store_password; /**< NULL: none. */
} weft_tls_identity;

/** weft_tls_identity_init for a struct of `size` bytes, as the program knows it. */
WEFT_API void weft_tls_identity_init_sized(weft_tls_identity *identity, size_t size);

/** Writes an identity without files. Thread: any. */
static inline void weft_tls_identity_init(weft_tls_identity *identity)
{
    weft_tls_identity_init_sized(identity, sizeof *identity);
}

/** Versions of the protocol, as bits. */
typedef enum weft_tls_version {
    WEFT_TLS_1_0_INSECURE = 1, /**< Deprecated by RFC 8996; lowers OpenSSL's security level to 0. */
    WEFT_TLS_1_1_INSECURE = 2, /**< The same. */
    WEFT_TLS_1_2 = 4,
    WEFT_TLS_1_3 = 8,
} weft_tls_version;

/** What is asked of the peer's certificate. */
typedef enum weft_tls_verification {
    WEFT_TLS_VERIFY_DEFAULT = 0,          /**< A client requires a good one, a server asks for none. */
    WEFT_TLS_VERIFY_REQUIRED = 1,         /**< A good one. */
    WEFT_TLS_VERIFY_OPTIONAL = 2,         /**< A server: a good one, or none. */
    WEFT_TLS_VERIFY_NOTHING_INSECURE = 3, /**< A client: any certificate and any name. */
} weft_tls_verification;

/** Whether the peer's certificates have been revoked. What cannot be found out counts as revoked. */
typedef enum weft_tls_revocation {
    WEFT_TLS_REVOCATION_IGNORED = 0, /**< Nobody is asked. */
    /** The server's own certificate: the answer that it has sent along (RFC 6066 section 8), for which a
     *  client asks. Without one, for all other certificates, and of a server: as below. */
    WEFT_TLS_REVOCATION_STAPLING = 1,
    /** The issuer's OCSP responder (RFC 6960), else its list of revoked certificates (RFC 5280 section 5), at
     *  the `http` addresses that the certificate names. */
    WEFT_TLS_REVOCATION_OCSP_CRL = 2,
} weft_tls_revocation;

/** Settings of TLS. Strings are closed by a NUL. Start from weft_tls_config_init(). */
typedef struct weft_tls_config {
    size_t size; /**< Set by init; lets the struct grow at its end. */
    /**
     * Own certificates. A server needs at least one; where it has several, the client's server name (RFC 6066
     * section 3) chooses among the names in them, and the first is for all that fit none. A client has one
     * at most, and shows it where the server asks.
     */
    const weft_tls_identity *identities;
    size_t identity_count;
    /** Who is trusted to sign the peer's certificate: a file of PEM certificates or a PKCS#12 trust store.
     *  NULL: for clients the system's store; a server that verifies needs one. What is in the file is trusted
     *  as it is, whether self-signed or not. */
    const char *trust_file;
    const char *trust_password; /**< Of a trust store; NULL: none. */
    weft_tls_verification verification;
    bool skips_host_name_insecure; /**< A client takes a certificate of another name; false. */
    /** Client: what the server name says and the certificate must have, instead of the host of the URL; at
     *  most 255 bytes; NULL or "": that host. */
    const char *server_name;
    uint32_t versions; /**< weft_tls_version bits; WEFT_TLS_1_2 | WEFT_TLS_1_3. */
    /** Names with commas or colons between them, as IANA or as OpenSSL spells them. Nothing else is used, and
     *  a version without a cipher in the list is not spoken. NULL: OpenSSL's defaults. */
    const char *ciphers;
    uint32_t handshake_timeout_ms; /**< For the TLS handshake alone; 10 s; 0: no limit of its own. */
    bool shares_sessions;          /**< Sessions are resumed (RFC 8446 section 2.2); true. */
    uint32_t session_timeout_s;    /**< How long they may be; at least 1; 7200. */
    /**
     * Of each certificate of the peer's chain but the trusted one, before anything is read from the
     * connection; handshake_timeout_ms includes it. Needs verification, unless a server only staples.
     * Sessions are not resumed then: they show no chain. Asked on the connection's loop, without holding it:
     * the responder for a quarter of handshake_timeout_ms, at most 3 s, and 64 KiB, the list for half of it,
     * at most 30 s, and 16 MiB. WEFT_TLS_REVOCATION_IGNORED.
     */
    weft_tls_revocation revocation;
    uint32_t revocation_cache_size; /**< So many certificates are remembered as good; 1 to 100000; 50. */
    /** For so long, and no longer than their issuer says; a staple is fetched anew after as long, or in half
     *  the time for which it holds; in seconds, at least 1; 900. */
    uint32_t revocation_validity_s;
} weft_tls_config;

/** weft_tls_config_init for a struct of `size` bytes, as the program knows it. */
WEFT_API void weft_tls_config_init_sized(weft_tls_config *config, size_t size);

/** Writes the defaults named at the fields. Thread: any. */
static inline void weft_tls_config_init(weft_tls_config *config)
{
    weft_tls_config_init_sized(config, sizeof *config);
}

/**
 * Reads the files and checks that they fit. Copies `config`. On failure `*out` is NULL and `detail` (cut at
 * `detail_size`, closed by a NUL) names the file or the setting and the cause: WEFT_ETLS for files and
 * ciphers, WEFT_EINVAL for other settings, WEFT_ENOMEM. Passwords are never part of it. Renegotiation and
 * compression are always off. Reads files: not for a loop's thread. Thread: any.
 */
WEFT_API weft_status weft_tls_open_server(weft_tls **out, const weft_tls_config *config, char *detail,
                                          size_t detail_size);

/** The same for the client's side. */
WEFT_API weft_status weft_tls_open_client(weft_tls **out, const weft_tls_config *config, char *detail,
                                          size_t detail_size);

/** One more holder; returns `tls`. Thread: any. */
WEFT_API weft_tls *weft_tls_retain(weft_tls *tls);

/** One holder less. NULL is fine. Thread: any. */
WEFT_API void weft_tls_release(weft_tls *tls);

#ifdef __cplusplus
}
#endif

#endif
