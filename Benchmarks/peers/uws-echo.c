/* A WebSocket echo server on uWebSockets, through the functions that it gives to C. The declarations below
 * are of the library that the Python package socketify carries, which ships no header of them. */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct us_socket_context_options {
    const char *key_file;
    const char *certificate_file;
    const char *passphrase;
    const char *dh_params_file;
    const char *ca_file;
    const char *ciphers;
    int prefers_low_memory;
} us_socket_context_options;

typedef struct uws_app uws_app;
typedef struct uws_websocket uws_websocket;
typedef struct us_listen_socket us_listen_socket;
typedef int uws_opcode;

typedef struct uws_listen_config {
    int port;
    const char *host;
    int options;
} uws_listen_config;

enum {
    COMPRESSION_DISABLED = 0,
    SHARED_COMPRESSOR = 1,
    SHARED_DECOMPRESSOR = 1 << 8
};

typedef struct uws_socket_behavior {
    int compression;
    unsigned max_payload_length;
    unsigned short idle_timeout;
    unsigned max_backpressure;
    bool closes_on_backpressure_limit;
    bool resets_idle_timeout_on_send;
    bool sends_pings_automatically;
    unsigned short max_lifetime;
    void (*on_upgrade)(void *response, void *request, void *context, void *user);
    void (*on_open)(uws_websocket *socket, void *user);
    void (*on_message)(uws_websocket *socket, const char *bytes, size_t length, uws_opcode opcode,
                       void *user);
    void (*on_drain)(uws_websocket *socket, void *user);
    void (*on_ping)(uws_websocket *socket, const char *bytes, size_t length, void *user);
    void (*on_pong)(uws_websocket *socket, const char *bytes, size_t length, void *user);
    void (*on_close)(uws_websocket *socket, int code, const char *bytes, size_t length, void *user);
    void (*on_subscription)(uws_websocket *socket, const char *topic, size_t length, int now, int before,
                            void *user);
} uws_socket_behavior;

uws_app *uws_create_app(int ssl, us_socket_context_options options);
bool uws_constructor_failed(int ssl, uws_app *app);
void uws_ws(int ssl, uws_app *app, const char *pattern, uws_socket_behavior behavior, void *user);
void uws_app_listen_with_config(int ssl, uws_app *app, uws_listen_config config,
                                void (*on_listen)(us_listen_socket *socket, uws_listen_config config,
                                                  void *user),
                                void *user);
void uws_app_run(int ssl, uws_app *app);
int uws_ws_send_with_options(int ssl, uws_websocket *socket, const char *bytes, size_t length,
                             uws_opcode opcode, bool compress, bool fin);
int us_socket_local_port(int ssl, us_listen_socket *socket);

static int ssl;
static bool compresses;

static void echo(uws_websocket *socket, const char *bytes, size_t length, uws_opcode opcode, void *user)
{
    (void)user;
    uws_ws_send_with_options(ssl, socket, bytes, length, opcode, compresses, true);
}

static void on_listen(us_listen_socket *socket, uws_listen_config config, void *user)
{
    (void)user;
    if (!socket) {
        fprintf(stderr, "uws-echo: cannot listen on 127.0.0.1:%d\n", config.port);
        exit(1);
    }
    printf("uws-echo: listening on %s://127.0.0.1:%d/\n", ssl ? "wss" : "ws",
           us_socket_local_port(ssl, socket));
    fflush(stdout);
}

static bool parse_options(int count, char **words, us_socket_context_options *tls, long *port)
{
    char *end = NULL;
    *port = count >= 2 ? strtol(words[1], &end, 10) : -1;
    if (*port < 0 || *port > 65535 || *end != '\0') return false;
    for (int i = 2; i < count; i++) {
        const char *value = i + 1 < count ? words[i + 1] : NULL;
        if (strcmp(words[i], "--deflate") == 0) {
            compresses = true;
        } else if (value && strcmp(words[i], "--tls-cert") == 0) {
            tls->certificate_file = words[++i];
        } else if (value && strcmp(words[i], "--tls-key") == 0) {
            tls->key_file = words[++i];
        } else {
            return false;
        }
    }
    ssl = tls->certificate_file != NULL;
    return !tls->certificate_file == !tls->key_file;
}

int main(int count, char **words)
{
    us_socket_context_options tls = {0};
    long port;
    if (!parse_options(count, words, &tls, &port)) {
        fputs("usage: uws-echo PORT [--deflate] [--tls-cert FILE --tls-key FILE]\n", stderr);
        return 2;
    }
    uws_app *app = uws_create_app(ssl, tls);
    if (!app || uws_constructor_failed(ssl, app)) {
        fputs("uws-echo: cannot start\n", stderr);
        return 1;
    }
    uws_socket_behavior behavior = {
        .compression = compresses ? SHARED_COMPRESSOR | SHARED_DECOMPRESSOR : COMPRESSION_DISABLED,
        .max_payload_length = 16 << 20,
        .idle_timeout = 120,
        .max_backpressure = 64 << 20,
        .sends_pings_automatically = true,
        .on_message = echo,
    };
    uws_ws(ssl, app, "/*", behavior, NULL);
    uws_listen_config where = {.port = (int)port, .host = "127.0.0.1"};
    uws_app_listen_with_config(ssl, app, where, on_listen, NULL);
    uws_app_run(ssl, app);
    return 0;
}
