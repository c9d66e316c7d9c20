/* A listener over TLS. */
#ifndef WEFT_TESTS_SECURE_H
#define WEFT_TESTS_SECURE_H

#include "endpoint/world.h"

#include "tls/test_papers.h"

static inline void note_tls_failure(void *context, weft_status status, const char *host, uint16_t port,
                                    const char *detail)
{
    world *world = context;
    assert_int_equal(host[0] == '\0', port == 0); /* both are gone with a peer that has reset */
    pthread_mutex_lock(&world->mutex);
    world->error = status;
    snprintf(world->detail, sizeof world->detail, "%s", detail);
    pthread_mutex_unlock(&world->mutex);
    world_happened(world, ERROR, NULL, NULL);
}

/* Lets go of `tls`. */
static inline void listen_securely(world *server, weft_tls *tls)
{
    world_init(server);
    server->listening.tls = tls;
    server->listening.on_tls_failure = note_tls_failure;
    server->route.on_request = world_on_request;
    world_listen(server);
    weft_tls_release(tls);
}

#endif
