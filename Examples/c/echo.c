/* An echo server: every message goes back to its sender, on every path. */

#define _POSIX_C_SOURCE 200809L /* sigset_t, also where the compiler is told -std=c11 */

#include <weft/weft.h>

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    STOP_TIMEOUT_MS = 5000
};

typedef struct options {
    unsigned long port;
    unsigned long threads;
    uint32_t timeout_ms; /* of a request */
    unsigned long long max_frame_size;
    unsigned long long max_message_size;
    uint8_t deflate_level;
    const char *certificate_file; /* with `key_file`: the server speaks TLS */
    const char *key_file;
} options;

static weft_connection_config settings;
static int stopped_pipe[2];

static void echo(void *context, weft_connection *connection, weft_message_type type, const uint8_t *bytes,
                 size_t length)
{
    (void)context;
    /* A text message that was received is valid UTF-8: no need to check it again. */
    weft_status status = type == WEFT_TEXT ? weft_connection_send_valid_text(connection, bytes, length)
                                           : weft_connection_send(connection, type, bytes, length);
    if (status == WEFT_EBACKPRESSURE) weft_connection_fail(connection, "the echo is not being read");
}

static void accept_upgrade(void *context, weft_request *request)
{
    char detail[160];
    weft_service service;
    weft_service_init(&service);
    service.on_message = echo;

    weft_acceptance acceptance;
    weft_acceptance_init(&acceptance);
    acceptance.service = &service;
    acceptance.config = &settings;
    (void)context;
    if (weft_request_accept(request, &acceptance, detail, sizeof detail) == WEFT_OK) return;

    weft_response response;
    weft_response_init(&response);
    response.status = 500;
    weft_request_respond(request, &response, detail, sizeof detail);
}

static void on_closed(void *context)
{
    (void)context;
    if (write(stopped_pipe[1], "", 1) != 1) abort();
}

static int usage(void)
{
    fputs("usage: weft-c-echo PORT [--threads N] [--max-frame-size B] [--max-message-size B]\n"
          "       [--timeout SECONDS] [--deflate-level 1..9] [--tls-cert FILE --tls-key FILE]\n",
          stderr);
    return 2;
}

static bool parse_number(const char *text, unsigned long long most, unsigned long long *out)
{
    char *end;
    *out = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0' && *out <= most;
}

static bool parse_option(const char *name, const char *text, options *out)
{
    unsigned long long value;
    if (strcmp(name, "--tls-cert") == 0) {
        out->certificate_file = text;
    } else if (strcmp(name, "--tls-key") == 0) {
        out->key_file = text;
    } else if (!parse_number(text, INT64_MAX, &value) || value < 1) {
        return false;
    } else if (strcmp(name, "--threads") == 0 && value <= 1024) {
        out->threads = (unsigned long)value;
    } else if (strcmp(name, "--timeout") == 0 && value <= 86400) {
        out->timeout_ms = (uint32_t)value * 1000;
    } else if (strcmp(name, "--deflate-level") == 0 && value <= 9) {
        out->deflate_level = (uint8_t)value;
    } else if (strcmp(name, "--max-frame-size") == 0) {
        out->max_frame_size = value;
    } else if (strcmp(name, "--max-message-size") == 0) {
        out->max_message_size = value;
    } else {
        return false;
    }
    return true;
}

static bool parse_options(int count, char **words, options *out)
{
    unsigned long long port;
    if (count < 2 || !parse_number(words[1], 65535, &port)) return false;
    out->port = (unsigned long)port;
    for (int i = 2; i < count; i += 2) {
        if (i + 1 >= count || !parse_option(words[i], words[i + 1], out)) return false;
    }
    return !out->certificate_file == !out->key_file;
}

/* Settings of TLS with the certificate, or NULL where none is wanted. False with a sentence. */
static bool open_tls(weft_tls **out, const options *options, char *detail, size_t size)
{
    *out = NULL;
    if (!options->certificate_file) return true;
    weft_tls_identity identity;
    weft_tls_identity_init(&identity);
    identity.certificate_file = options->certificate_file;
    identity.key_file = options->key_file;
    weft_tls_config config;
    weft_tls_config_init(&config);
    config.identities = &identity;
    config.identity_count = 1;
    return weft_tls_open_server(out, &config, detail, size) == WEFT_OK;
}

/* Blocks SIGINT and SIGTERM here and, as they inherit it, in every thread; they are waited for below. */
static void block_stop_signals(sigset_t *signals)
{
    sigemptyset(signals);
    sigaddset(signals, SIGINT);
    sigaddset(signals, SIGTERM);
    sigprocmask(SIG_BLOCK, signals, NULL);
}

int main(int count, char **words)
{
    weft_connection_config_init(&settings);
    weft_listener_config config;
    weft_listener_config_init(&config);
    weft_compression compression;
    weft_compression_init(&compression, WEFT_SERVER);
    options options = {
        .threads = config.threads,
        .timeout_ms = config.timeout_ms,
        .max_frame_size = settings.max_frame_size,
        .max_message_size = settings.max_message_size,
        .deflate_level = compression.level,
    };
    if (!parse_options(count, words, &options)) return usage();
    settings.max_frame_size = options.max_frame_size;
    settings.max_message_size = options.max_message_size;

    sigset_t signals;
    block_stop_signals(&signals);
    if (pipe(stopped_pipe) != 0) return 1;

    char detail[256];
    weft_listener *listener;
    config.port = (uint16_t)options.port;
    config.threads = (uint32_t)options.threads;
    config.timeout_ms = options.timeout_ms;
    config.on_closed = on_closed;
    compression.level = options.deflate_level;
    config.compression = &compression;
    bool works = open_tls(&config.tls, &options, detail, sizeof detail) &&
                 weft_listener_open(&listener, &config, detail, sizeof detail) == WEFT_OK;
    if (!works) {
        fprintf(stderr, "weft-c-echo: %s\n", detail);
        return 1;
    }
    weft_route route;
    weft_route_init(&route);
    route.on_upgrade = accept_upgrade;
    route.origins = WEFT_ORIGIN_ANY;
    weft_listener_attach(listener, "*", &route);
    printf("weft-c-echo: listening on %s://127.0.0.1:%" PRIu16 "/\n", config.tls ? "wss" : "ws",
           weft_listener_port(listener));
    fflush(stdout);

    int signal_number;
    sigwait(&signals, &signal_number);
    char done;
    weft_listener_stop(listener, STOP_TIMEOUT_MS);
    if (read(stopped_pipe[0], &done, 1) != 1) return 1;
    weft_listener_release(listener);
    weft_tls_release(config.tls);
    return 0;
}
