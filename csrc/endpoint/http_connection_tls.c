/* The TLS handshake of an accepted stream, before its first request. */
#include "endpoint/http_connection.h"

#include "net/tls_stream.h"

bool weft__http_connection_secure(weft__http_connection *connection, weft_tls *tls)
{
    uint32_t timeout_ms = tls->handshake_timeout_ms;
    if (weft__stream_secure(connection->stream, tls, NULL, 0) != WEFT_OK) return false;
    connection->state = WEFT__HTTP_SECURING;
    if (timeout_ms) weft__loop_start_timer(connection->loop, &connection->timer, timeout_ms);
    return true;
}

static void begin(weft__http_connection *connection)
{
    connection->state = WEFT__HTTP_AWAITING_HEAD;
    weft__timer_stop(&connection->timer);
    weft__http_connection_read_on(connection);
}

static void on_verdict(void *owner, weft_status status, const char *detail)
{
    weft__http_connection *connection = owner;
    connection->revocation_check = NULL;
    if (status == WEFT_OK) {
        begin(connection);
    } else {
        weft__stream_shut_down(connection->stream); /* TLS itself is fine, and ends in good order */
        weft__http_connection_fail_to_secure(connection, status, detail);
    }
}

void weft__http_connection_secured(weft__http_connection *connection)
{
    weft_status status =
        weft__revocation_check_start(&connection->revocation_check, connection->loop,
                                     weft__stream_tls(connection->stream), on_verdict, connection);
    if (connection->revocation_check) {
        weft__stream_stop_reading(connection->stream);
    } else {
        on_verdict(connection, status, weft_status_text(status));
    }
}

void weft__http_connection_fail_to_secure(weft__http_connection *connection, weft_status status,
                                          const char *detail)
{
    const weft_listener_config *config = &connection->listener->config;
    weft__endpoint_address peer;
    weft__stream_remote_address(connection->stream, &peer);
    if (config->on_tls_failure) config->on_tls_failure(config->context, status, peer.host, peer.port, detail);
    weft__http_connection_abort(connection);
}
