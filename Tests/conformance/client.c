/* A client for the Autobahn suite's server: runs one case after the other, sending every message back. */

#include <weft/weft.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LONGEST_MESSAGE = 16 * 1024 * 1024 /* the suite's */
};

/* One connection, on the loop's thread until `over_pipe` tells its end. */
typedef struct visit {
    int over_pipe[2];
    bool has_failed;
    char text[32]; /* the last message, as far as it fits */
} visit;

static void echo(void *context, weft_connection *connection, weft_message_type type, const uint8_t *bytes,
                 size_t length)
{
    (void)context;
    weft_status status = type == WEFT_TEXT ? weft_connection_send_valid_text(connection, bytes, length)
                                           : weft_connection_send(connection, type, bytes, length);
    if (status == WEFT_EBACKPRESSURE) weft_connection_fail(connection, "the echo is not being read");
}

static void keep(void *context, weft_connection *connection, weft_message_type type, const uint8_t *bytes,
                 size_t length)
{
    visit *visit = context;
    (void)connection;
    (void)type;
    snprintf(visit->text, sizeof visit->text, "%.*s", (int)length, (const char *)bytes);
}

static void on_failure(void *context, weft_status status, const char *detail)
{
    visit *visit = context;
    (void)status;
    visit->has_failed = true;
    fprintf(stderr, "conformance-client: %s\n", detail);
}

static void on_release(void *context)
{
    visit *visit = context;
    if (write(visit->over_pipe[1], "", 1) != 1) abort();
}

/* Connects and waits for the end. False where there was no connection. */
static bool stay(visit *visit, weft_loop *loop, const char *url,
                 void (*on_message)(void *, weft_connection *, weft_message_type, const uint8_t *, size_t))
{
    weft_service service;
    weft_service_init(&service);
    service.on_message = on_message;
    service.on_release = on_release;

    weft_connection_config limits;
    weft_connection_config_init(&limits);
    limits.max_frame_size = LONGEST_MESSAGE;
    limits.max_message_size = LONGEST_MESSAGE;

    weft_client_config config;
    weft_client_config_init(&config);
    config.loop = loop;
    config.url = (weft_string){url, strlen(url)};
    config.service = &service;
    config.connection = &limits;
    config.context = visit;
    config.on_failure = on_failure;

    char detail[256], over;
    weft_client *client;
    weft_status status = weft_client_connect(&client, &config, detail, sizeof detail);
    if (status != WEFT_OK) {
        fprintf(stderr, "conformance-client: %s\n", detail);
        return false;
    }
    weft_client_release(client);
    return read(visit->over_pipe[0], &over, 1) == 1 && !visit->has_failed;
}

static bool run_cases(visit *visit, weft_loop *loop, const char *server, const char *agent)
{
    char url[256];
    snprintf(url, sizeof url, "%s/getCaseCount", server);
    if (!stay(visit, loop, url, keep)) return false;
    long count = strtol(visit->text, NULL, 10);
    for (long number = 1; number <= count; number++) {
        snprintf(url, sizeof url, "%s/runCase?case=%ld&agent=%s", server, number, agent);
        if (!stay(visit, loop, url, echo)) return false;
    }
    snprintf(url, sizeof url, "%s/updateReports?agent=%s", server, agent);
    return count > 0 && stay(visit, loop, url, keep);
}

int main(int count, char **words)
{
    visit visit = {.has_failed = false};
    weft_loop *loop;
    if (count != 3) {
        fputs("usage: conformance-client ws://HOST:PORT AGENT\n", stderr);
        return 2;
    }
    if (pipe(visit.over_pipe) != 0 || weft_loop_open(&loop) != WEFT_OK) return 1;
    bool works = run_cases(&visit, loop, words[1], words[2]);
    weft_loop_close(loop);
    return works ? 0 : 1;
}
