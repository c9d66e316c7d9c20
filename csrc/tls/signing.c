#include "weft/signing.h"

#include "base/allocator.h"
#include "base/config.h"
#include "tls/private_key.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <string.h>

enum {
    RSA_BITS_LEAST = 2048, /* RFC 7518 section 3.3 */
    HALF_OF_ES256 = 32,    /* RFC 7518 section 3.4 */
};

/* What an algorithm is made of. */
typedef struct recipe {
    const char *name;
    int key_type; /* as EVP_PKEY_get_base_id tells it */
    const EVP_MD *(*hash)(void);
} recipe;

struct weft_signing_key {
    recipe recipe;
    EVP_PKEY *key;
};

void weft_signing_key_config_init_sized(weft_signing_key_config *config, size_t size)
{
    const weft_signing_key_config defaults = {0};
    weft__config_init(config, size, &defaults, sizeof defaults);
}

static bool find_recipe(recipe *out, weft_signature_algorithm algorithm)
{
    switch (algorithm) {
    case WEFT_SIGNATURE_RS256: *out = (recipe){"RS256", EVP_PKEY_RSA, EVP_sha256}; return true;
    case WEFT_SIGNATURE_RS384: *out = (recipe){"RS384", EVP_PKEY_RSA, EVP_sha384}; return true;
    case WEFT_SIGNATURE_RS512: *out = (recipe){"RS512", EVP_PKEY_RSA, EVP_sha512}; return true;
    case WEFT_SIGNATURE_HS256: *out = (recipe){"HS256", EVP_PKEY_HMAC, EVP_sha256}; return true;
    case WEFT_SIGNATURE_HS384: *out = (recipe){"HS384", EVP_PKEY_HMAC, EVP_sha384}; return true;
    case WEFT_SIGNATURE_HS512: *out = (recipe){"HS512", EVP_PKEY_HMAC, EVP_sha512}; return true;
    case WEFT_SIGNATURE_ES256: *out = (recipe){"ES256", EVP_PKEY_EC, EVP_sha256}; return true;
    }
    return false;
}

/* -- the key ----------------------------------------------------------------------------------- */

static weft_status check_config(recipe *out, const weft_signing_key_config *config,
                                weft__tls_problem *problem)
{
    const char *wrong = NULL;
    int sources = !!config->key_file + !!config->key_store_file + !!config->secret;
    if (!find_recipe(out, config->algorithm)) {
        wrong = "there is no such signature algorithm";
    } else if (sources != 1) {
        wrong = "a signing key comes from exactly one of a key file, a key store and a secret";
    } else if (config->secret && out->key_type != EVP_PKEY_HMAC) {
        wrong = "a secret is for HS256, HS384 and HS512 alone";
    } else if (!config->secret && out->key_type == EVP_PKEY_HMAC) {
        wrong = "HS256, HS384 and HS512 need a secret, not a private key";
    }
    if (!wrong) return WEFT_OK;
    weft__tls_problem_set(problem, "%s", wrong);
    return WEFT_EINVAL;
}

/* RFC 7518 section 3.2 */
static weft_status take_secret(EVP_PKEY **out, const recipe *recipe, const weft_signing_key_config *config,
                               weft__tls_problem *problem)
{
    int least = EVP_MD_get_size(recipe->hash());
    if (config->secret_length < (size_t)least) {
        return weft__tls_problem_set(problem, "the secret is shorter than the %d bytes that %s needs", least,
                                     recipe->name);
    }
    *out = EVP_PKEY_new_raw_private_key(EVP_PKEY_HMAC, NULL, config->secret, config->secret_length);
    weft__tls_take_error();
    return *out ? WEFT_OK : WEFT_ENOMEM;
}

static const char *kind_of(int key_type)
{
    return key_type == EVP_PKEY_RSA ? "an RSA key" : "an elliptic curve key";
}

static bool is_on_p256(const EVP_PKEY *key)
{
    char group[32];
    size_t length;
    return EVP_PKEY_get_group_name(key, group, sizeof group, &length) == 1 &&
           strcmp(group, "prime256v1") == 0;
}

/* `path` is where the key came from. */
static weft_status check_key(const recipe *recipe, const EVP_PKEY *key, const char *path,
                             weft__tls_problem *problem)
{
    if (EVP_PKEY_get_base_id(key) != recipe->key_type) {
        return weft__tls_problem_set(problem, "%s needs %s, and that in %s is none", recipe->name,
                                     kind_of(recipe->key_type), path);
    }
    if (recipe->key_type == EVP_PKEY_RSA && EVP_PKEY_get_bits(key) < RSA_BITS_LEAST) {
        return weft__tls_problem_set(problem,
                                     "%s needs an RSA key of at least %d bits, and that in %s has %d",
                                     recipe->name, RSA_BITS_LEAST, path, EVP_PKEY_get_bits(key));
    }
    if (recipe->key_type == EVP_PKEY_EC && !is_on_p256(key)) {
        return weft__tls_problem_set(
            problem, "%s needs a key on the curve P-256, and that in %s is on another", recipe->name, path);
    }
    return WEFT_OK;
}

static weft_status take_private_key(EVP_PKEY **out, const recipe *recipe,
                                    const weft_signing_key_config *config, weft__tls_problem *problem)
{
    const char *path = config->key_file ? config->key_file : config->key_store_file;
    weft_status status = config->key_file
                             ? weft__tls_private_key_from_pem(out, path, config->key_password, problem)
                             : weft__tls_private_key_from_store(out, path, config->key_store_password,
                                                                config->key_alias, problem);
    return status == WEFT_OK ? check_key(recipe, *out, path, problem) : status;
}

static weft_status fill(weft_signing_key *key, const weft_signing_key_config *given,
                        weft__tls_problem *problem)
{
    weft_signing_key_config config;
    weft_signing_key_config_init(&config);
    weft__tls_problem_set(problem, "the configuration of a signing key is not initialised");
    if (weft__config_take(&config, given, sizeof config) != WEFT_OK) return WEFT_EINVAL;
    weft_status status = check_config(&key->recipe, &config, problem);
    if (status != WEFT_OK) return status;
    return (config.secret ? take_secret : take_private_key)(&key->key, &key->recipe, &config, problem);
}

weft_status weft_signing_key_new(weft_signing_key **out, const weft_signing_key_config *config, char *detail,
                                 size_t detail_size)
{
    *out = NULL;
    weft__tls_problem problem;
    weft__tls_take_error(); /* what others left on this thread */
    weft_signing_key *key = weft__alloc_zeroed(sizeof *key);
    weft_status status = key ? fill(key, config, &problem) : WEFT_ENOMEM;
    if (status == WEFT_OK) {
        *out = key;
        return WEFT_OK;
    }
    if (status == WEFT_ENOMEM) weft__tls_problem_set(&problem, "%s", weft_status_text(status));
    weft__tls_problem_tell(&problem, detail, detail_size);
    weft_signing_key_free(key);
    return status;
}

void weft_signing_key_free(weft_signing_key *key)
{
    if (!key) return;
    EVP_PKEY_free(key->key);
    weft__free(key);
}

/* -- signing ----------------------------------------------------------------------------------- */

size_t weft_signature_length(const weft_signing_key *key)
{
    switch (key->recipe.key_type) {
    case EVP_PKEY_RSA: return (size_t)EVP_PKEY_get_size(key->key);
    case EVP_PKEY_EC: return (size_t)2 * HALF_OF_ES256;
    default: return (size_t)EVP_MD_get_size(key->recipe.hash());
    }
}

static bool sign(const weft_signing_key *key, uint8_t *out, size_t *out_length, const void *bytes,
                 size_t length)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool is_signed = context && EVP_DigestSignInit(context, NULL, key->recipe.hash(), NULL, key->key) == 1 &&
                     EVP_DigestSign(context, out, out_length, bytes, length) == 1;
    EVP_MD_CTX_free(context);
    return is_signed;
}

/* OpenSSL gives R and S as DER. */
static bool sign_on_curve(const weft_signing_key *key, uint8_t *out, const void *bytes, size_t length)
{
    uint8_t der[128];
    size_t der_length = sizeof der;
    if (!sign(key, der, &der_length, bytes, length)) return false;
    const uint8_t *next = der;
    ECDSA_SIG *numbers = d2i_ECDSA_SIG(NULL, &next, (long)der_length);
    bool fits = numbers && BN_bn2binpad(ECDSA_SIG_get0_r(numbers), out, HALF_OF_ES256) == HALF_OF_ES256 &&
                BN_bn2binpad(ECDSA_SIG_get0_s(numbers), out + HALF_OF_ES256, HALF_OF_ES256) == HALF_OF_ES256;
    ECDSA_SIG_free(numbers);
    return fits;
}

weft_status weft_signing_key_sign(const weft_signing_key *key, uint8_t *out, const void *bytes, size_t length)
{
    size_t out_length = weft_signature_length(key);
    bool is_signed = key->recipe.key_type == EVP_PKEY_EC ? sign_on_curve(key, out, bytes, length)
                                                         : sign(key, out, &out_length, bytes, length);
    unsigned long error = weft__tls_take_error();
    if (is_signed) return WEFT_OK;
    return ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE ? WEFT_ENOMEM : WEFT_ETLS;
}
