#include "tls/revocation_cache.h"

#include "base/allocator.h"

#include <string.h>

typedef struct entry {
    weft__link link;
    int64_t until;
    unsigned char digest[EVP_MAX_MD_SIZE];
} entry;

static entry *entry_of(weft__link *link)
{
    return WEFT__CONTAINER(link, entry, link);
}

weft_status weft__revocation_cache_init(weft__revocation_cache *cache, size_t most, int64_t validity_s)
{
    weft__link_init(&cache->entries);
    cache->count = 0;
    cache->most = most;
    cache->validity_s = validity_s;
    cache->lock = CRYPTO_THREAD_lock_new();
    return cache->lock ? WEFT_OK : WEFT_ENOMEM;
}

static void drop(weft__revocation_cache *cache, entry *entry)
{
    weft__link_remove(&entry->link);
    cache->count--;
    weft__free(entry);
}

void weft__revocation_cache_clear(weft__revocation_cache *cache)
{
    if (!cache->lock) return;
    while (!weft__link_is_alone(&cache->entries))
        drop(cache, entry_of(cache->entries.next));
    CRYPTO_THREAD_lock_free(cache->lock);
    cache->lock = NULL;
}

static bool take_digest(unsigned char digest[EVP_MAX_MD_SIZE], X509 *certificate)
{
    memset(digest, 0, EVP_MAX_MD_SIZE);
    return X509_digest(certificate, EVP_sha256(), digest, NULL) == 1;
}

static entry *find(weft__revocation_cache *cache, const unsigned char digest[EVP_MAX_MD_SIZE])
{
    for (weft__link *link = cache->entries.next; link != &cache->entries; link = link->next) {
        if (memcmp(entry_of(link)->digest, digest, EVP_MAX_MD_SIZE) == 0) return entry_of(link);
    }
    return NULL;
}

void weft__revocation_cache_add(weft__revocation_cache *cache, X509 *certificate, int64_t now, int64_t until)
{
    int64_t latest = now + cache->validity_s;
    entry *added = weft__alloc_zeroed(sizeof *added);
    if (!added || !take_digest(added->digest, certificate)) {
        weft__free(added);
        return;
    }
    added->until = until && until < latest ? until : latest;
    CRYPTO_THREAD_write_lock(cache->lock);
    entry *before = find(cache, added->digest);
    if (before) drop(cache, before);
    if (cache->count >= cache->most) drop(cache, entry_of(cache->entries.next));
    weft__list_append(&cache->entries, &added->link);
    cache->count++;
    CRYPTO_THREAD_unlock(cache->lock);
}

bool weft__revocation_cache_has(weft__revocation_cache *cache, X509 *certificate, int64_t now)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    if (!take_digest(digest, certificate)) return false;
    CRYPTO_THREAD_read_lock(cache->lock);
    const entry *found = find(cache, digest);
    bool is_good = found && now < found->until;
    CRYPTO_THREAD_unlock(cache->lock);
    return is_good;
}
