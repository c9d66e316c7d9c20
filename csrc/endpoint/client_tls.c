/* A client's TLS handshake, between the connected stream and the upgrade request. */
#include "endpoint/client.h"

#include "net/tls_stream.h"

/* The handshake's own limit, where it ends before that of the attempt. */
static void limit_securing(weft_client *client)
{
    uint32_t limit_ms = client->server.tls->handshake_timeout_ms;
    uint64_t now = weft__loop_now(client->loop);
    client->attempt_due_ms = weft__timer_is_running(&client->timer) ? client->timer.due_ms : UINT64_MAX;
    if (limit_ms && now + limit_ms < client->attempt_due_ms)
        weft__loop_start_timer(client->loop, &client->timer, limit_ms);
}

weft_status weft__client_reach_server(weft_client *client)
{
    if (!client->server.tls) return weft__client_send_request(client);
    client->state = WEFT__CLIENT_SECURING;
    limit_securing(client);
    return weft__stream_secure(client->stream, client->server.tls, client->server.host,
                               client->server.url.port);
}

static void ask_server(weft_client *client)
{
    uint64_t now = weft__loop_now(client->loop), due = client->attempt_due_ms;
    weft__timer_stop(&client->timer);
    if (due != UINT64_MAX) weft__loop_start_timer(client->loop, &client->timer, due > now ? due - now : 0);
    weft__stream_start_reading(client->stream);
    weft_status status = weft__client_send_request(client);
    if (status != WEFT_OK) weft__client_fail(client, status, weft_status_text(status));
}

static void on_verdict(void *owner, weft_status status, const char *detail)
{
    weft_client *client = owner;
    client->revocation_check = NULL;
    if (status == WEFT_OK) {
        ask_server(client);
    } else {
        weft__stream_shut_down(client->stream); /* TLS itself is fine, and ends in good order */
        weft__client_fail(client, status, detail);
    }
}

void weft__client_secured(weft_client *client)
{
    weft_status status = weft__revocation_check_start(&client->revocation_check, client->loop,
                                                      weft__stream_tls(client->stream), on_verdict, client);
    if (client->revocation_check) {
        weft__stream_stop_reading(client->stream);
    } else {
        on_verdict(client, status, weft_status_text(status));
    }
}

bool weft__client_times_tls(const weft_client *client)
{
    return client->state == WEFT__CLIENT_SECURING && client->timer.due_ms < client->attempt_due_ms;
}
