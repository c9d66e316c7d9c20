#ifndef WEFT_SIGNING_H
#define WEFT_SIGNING_H

#include "weft/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/** How to sign: the algorithms of RFC 7518 section 3.1 that JSON Web Tokens are most often signed with. */
typedef enum weft_signature_algorithm {
    WEFT_SIGNATURE_RS256 = 1, /**< RSASSA-PKCS1-v1_5 with SHA-256; an RSA key of at least 2048 bits. */
    WEFT_SIGNATURE_RS384 = 2, /**< The same with SHA-384. */
    WEFT_SIGNATURE_RS512 = 3, /**< The same with SHA-512. */
    WEFT_SIGNATURE_HS256 = 4, /**< HMAC with SHA-256; a secret of at least 32 bytes. */
    WEFT_SIGNATURE_HS384 = 5, /**< HMAC with SHA-384; at least 48 bytes. */
    WEFT_SIGNATURE_HS512 = 6, /**< HMAC with SHA-512; at least 64 bytes. */
    WEFT_SIGNATURE_ES256 = 7, /**< ECDSA with SHA-256; a key on the curve P-256. */
} weft_signature_algorithm;

/** A key for one algorithm. It never changes and may be used by any number of threads at a time. */
typedef struct weft_signing_key weft_signing_key;

/** Where a key comes from: exactly one of a PEM file, a key store and, for HMAC alone, a secret. Strings are
 *  closed by a NUL. Start from weft_signing_key_config_init(). */
typedef struct weft_signing_key_config {
    size_t size;                        /**< Set by init; lets the struct grow at its end. */
    weft_signature_algorithm algorithm; /**< Required. */
    const char *key_file;               /**< PEM: PKCS#8 or the traditional forms, encrypted or not. */
    const char *key_password;           /**< Of an encrypted `key_file`; NULL: none. */
    const char *key_store_file;         /**< PKCS#12. */
    const char *key_store_password;     /**< NULL: none. */
    /** Which key of the store: its alias (friendly name), where the case of ASCII letters does not matter.
     *  NULL: the only one. */
    const char *key_alias;
    const uint8_t *secret; /**< `secret_length` bytes. */
    size_t secret_length;
} weft_signing_key_config;

/** weft_signing_key_config_init for a struct of `size` bytes, as the program knows it. */
WEFT_API void weft_signing_key_config_init_sized(weft_signing_key_config *config, size_t size);

/** Writes a configuration without algorithm and key. Thread: any. */
static inline void weft_signing_key_config_init(weft_signing_key_config *config)
{
    weft_signing_key_config_init_sized(config, sizeof *config);
}

/**
 * Reads the key and checks that it fits the algorithm. Copies `config` and the secret. On failure `*out` is
 * NULL and `detail` (cut at `detail_size`, closed by a NUL) names the file or the setting and the cause:
 * WEFT_ETLS for files and keys, WEFT_EINVAL for settings that do not go together, WEFT_ENOMEM. Passwords and
 * secrets are never part of it. Reads files: not for a loop's thread. Thread: any.
 */
WEFT_API weft_status weft_signing_key_new(weft_signing_key **out, const weft_signing_key_config *config,
                                          char *detail, size_t detail_size);

/** Erases the key. NULL is fine. Thread: any, when nobody signs any more. */
WEFT_API void weft_signing_key_free(weft_signing_key *key);

/** Bytes of each of its signatures: those of the RSA modulus, of the hash, or 64 for ES256. Thread: any. */
WEFT_API size_t weft_signature_length(const weft_signing_key *key);

/**
 * Signs `length` bytes and writes weft_signature_length() bytes to `out`: for ES256 the numbers R and S of 32
 * bytes each (RFC 7518 section 3.4), not DER. Returns WEFT_ENOMEM, or WEFT_ETLS where OpenSSL refuses, with
 * `out` undefined. Takes up to milliseconds with RSA. Thread: any.
 */
WEFT_API weft_status weft_signing_key_sign(const weft_signing_key *key, uint8_t *out, const void *bytes,
                                           size_t length);

#ifdef __cplusplus
}
#endif

#endif
