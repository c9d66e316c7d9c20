#include "tls/sessions.h"

#include "base/allocator.h"

#include <string.h>
#include <time.h>

typedef struct entry {
    weft__link link;
    SSL_SESSION *session;
    char server[];
} entry;

static entry *entry_of(weft__link *link)
{
    return WEFT__CONTAINER(link, entry, link);
}

weft_status weft__tls_sessions_init(weft__tls_sessions *sessions)
{
    weft__link_init(&sessions->entries);
    sessions->count = 0;
    sessions->lock = CRYPTO_THREAD_lock_new();
    return sessions->lock ? WEFT_OK : WEFT_ENOMEM;
}

static void drop(weft__tls_sessions *sessions, entry *entry)
{
    weft__link_remove(&entry->link);
    sessions->count--;
    SSL_SESSION_free(entry->session);
    weft__free(entry);
}

void weft__tls_sessions_clear(weft__tls_sessions *sessions)
{
    if (!sessions->lock) return;
    while (!weft__link_is_alone(&sessions->entries))
        drop(sessions, entry_of(sessions->entries.next));
    CRYPTO_THREAD_lock_free(sessions->lock);
    sessions->lock = NULL;
}

/* Room for one more: of that server, and in all. */
static void make_room(weft__tls_sessions *sessions, const char *server)
{
    entry *oldest = NULL;
    size_t count = 0;
    for (weft__link *link = sessions->entries.next; link != &sessions->entries; link = link->next) {
        if (strcmp(entry_of(link)->server, server) != 0) continue;
        if (!oldest) oldest = entry_of(link);
        count++;
    }
    if (count >= WEFT__TLS_SESSIONS_OF_PEER) drop(sessions, oldest);
    if (sessions->count >= WEFT__TLS_SESSIONS) drop(sessions, entry_of(sessions->entries.next));
}

void weft__tls_sessions_add(weft__tls_sessions *sessions, const char *server, SSL_SESSION *session)
{
    size_t length = strlen(server) + 1;
    entry *added = weft__alloc(sizeof *added + length);
    if (!added) {
        SSL_SESSION_free(session);
        return;
    }
    added->session = session;
    memcpy(added->server, server, length);
    CRYPTO_THREAD_write_lock(sessions->lock);
    make_room(sessions, server);
    weft__list_append(&sessions->entries, &added->link);
    sessions->count++;
    CRYPTO_THREAD_unlock(sessions->lock);
}

bool weft__tls_session_has_good_peer(SSL_SESSION *session)
{
    const X509 *certificate = SSL_SESSION_get0_peer(session);
    return !certificate || X509_cmp_current_time(X509_get0_notAfter(certificate)) > 0;
}

/* OpenSSL looks at the age of a session on the server's side alone. */
static bool may_resume(SSL_SESSION *session)
{
    long age_s = (long)time(NULL) - SSL_SESSION_get_time(session);
    return SSL_SESSION_is_resumable(session) && age_s >= 0 && age_s < SSL_SESSION_get_timeout(session) &&
           weft__tls_session_has_good_peer(session);
}

SSL_SESSION *weft__tls_sessions_take(weft__tls_sessions *sessions, const char *server)
{
    SSL_SESSION *taken = NULL;
    CRYPTO_THREAD_write_lock(sessions->lock);
    for (weft__link *link = sessions->entries.previous; !taken && link != &sessions->entries;) {
        entry *candidate = entry_of(link);
        link = link->previous;
        if (strcmp(candidate->server, server) != 0) continue;
        if (may_resume(candidate->session) && SSL_SESSION_up_ref(candidate->session)) {
            taken = candidate->session;
            if (SSL_SESSION_get_protocol_version(taken) < TLS1_3_VERSION) break;
        }
        drop(sessions, candidate);
    }
    CRYPTO_THREAD_unlock(sessions->lock);
    return taken;
}
