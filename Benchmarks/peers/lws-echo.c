/* A WebSocket echo server on libwebsockets. It may write one message for each "writeable" callback, so the
 * echoes wait in a queue. */

#include <libwebsockets.h>

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PIECE_BYTES = 64 * 1024
};

typedef struct message {
    struct message *next;
    size_t length;
    size_t capacity;
    bool is_binary;
    unsigned char bytes[]; /* LWS_PRE bytes for the header, then the payload */
} message;

typedef struct connection {
    message *arriving;
    message *first;
    message *last;
} connection;

static volatile sig_atomic_t is_stopping;

static void on_signal(int number)
{
    (void)number;
    is_stopping = 1;
}

static bool append(connection *each, struct lws *wsi, const void *bytes, size_t length)
{
    message *arriving = each->arriving;
    size_t needed = (arriving ? arriving->length : 0) + length;
    if (!arriving || needed > arriving->capacity) {
        size_t capacity = arriving ? 2 * needed : needed + lws_remaining_packet_payload(wsi);
        message *grown = realloc(arriving, sizeof *grown + LWS_PRE + capacity);
        if (!grown) return false;
        if (!arriving) grown->length = 0;
        grown->capacity = capacity;
        each->arriving = arriving = grown;
    }
    memcpy(arriving->bytes + LWS_PRE + arriving->length, bytes, length);
    arriving->length += length;
    return true;
}

static void queue_arrived(connection *each, struct lws *wsi)
{
    message *arrived = each->arriving;
    arrived->is_binary = lws_frame_is_binary(wsi);
    arrived->next = NULL;
    each->arriving = NULL;
    if (each->last) {
        each->last->next = arrived;
    } else {
        each->first = arrived;
    }
    each->last = arrived;
    lws_callback_on_writable(wsi);
}

static int write_first(connection *each, struct lws *wsi)
{
    message *first = each->first;
    if (!first) return 0;
    enum lws_write_protocol kind = first->is_binary ? LWS_WRITE_BINARY : LWS_WRITE_TEXT;
    int sent = lws_write(wsi, first->bytes + LWS_PRE, first->length, kind);
    if (sent < (int)first->length) return -1;
    each->first = first->next;
    if (!each->first) each->last = NULL;
    free(first);
    if (each->first) lws_callback_on_writable(wsi);
    return 0;
}

static void drop_messages(connection *each)
{
    free(each->arriving);
    while (each->first) {
        message *next = each->first->next;
        free(each->first);
        each->first = next;
    }
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *bytes, size_t length)
{
    connection *each = user;
    switch ((int)reason) {
    case LWS_CALLBACK_ESTABLISHED: memset(each, 0, sizeof *each); return 0;
    case LWS_CALLBACK_RECEIVE:
        if (!append(each, wsi, bytes, length)) return -1;
        if (lws_is_final_fragment(wsi) && lws_remaining_packet_payload(wsi) == 0) queue_arrived(each, wsi);
        return 0;
    case LWS_CALLBACK_SERVER_WRITEABLE: return write_first(each, wsi);
    case LWS_CALLBACK_CLOSED: drop_messages(each); return 0;
    default: return lws_callback_http_dummy(wsi, reason, user, bytes, length);
    }
}

static const struct lws_protocols protocols[] = {
    {.name = "echo",
     .callback = on_event,
     .per_session_data_size = sizeof(connection),
     .rx_buffer_size = PIECE_BYTES},
    {0},
};

static const struct lws_extension extensions[] = {
    {"permessage-deflate", lws_extension_callback_pm_deflate, "permessage-deflate"},
    {0},
};

static bool parse_options(int count, char **words, struct lws_context_creation_info *info)
{
    char *end = NULL;
    long port = count >= 2 ? strtol(words[1], &end, 10) : -1;
    if (port < 0 || port > 65535 || *end != '\0') return false;
    info->port = (int)port;
    for (int i = 2; i < count; i++) {
        const char *value = i + 1 < count ? words[i + 1] : NULL;
        if (strcmp(words[i], "--deflate") == 0) {
            info->extensions = extensions;
        } else if (value && strcmp(words[i], "--tls-cert") == 0) {
            info->ssl_cert_filepath = words[++i];
        } else if (value && strcmp(words[i], "--tls-key") == 0) {
            info->ssl_private_key_filepath = words[++i];
        } else {
            return false;
        }
    }
    if (info->ssl_cert_filepath) info->options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
    return !info->ssl_cert_filepath == !info->ssl_private_key_filepath;
}

int main(int count, char **words)
{
    struct lws_context_creation_info info = {
        .protocols = protocols,
        .options = LWS_SERVER_OPTION_VALIDATE_UTF8 | LWS_SERVER_OPTION_EXPLICIT_VHOSTS,
        .pt_serv_buf_size = PIECE_BYTES,
    };
    if (!parse_options(count, words, &info)) {
        fputs("usage: lws-echo PORT [--deflate] [--tls-cert FILE --tls-key FILE]\n", stderr);
        return 2;
    }
    lws_set_log_level(LLL_ERR, NULL);
    struct lws_context *context = lws_create_context(&info);
    struct lws_vhost *host = context ? lws_create_vhost(context, &info) : NULL;
    if (!host) {
        fputs("lws-echo: cannot start\n", stderr);
        return 1;
    }
    signal(SIGTERM, on_signal);
    printf("lws-echo: listening on %s://127.0.0.1:%d/\n", info.ssl_cert_filepath ? "wss" : "ws",
           lws_get_vhost_listen_port(host));
    fflush(stdout);
    while (!is_stopping && lws_service(context, 0) >= 0) {
    }
    lws_context_destroy(context);
    return 0;
}
