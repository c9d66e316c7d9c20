/* A client: each line of the input is sent as a text message, each message that comes is printed. */

#include <weft/weft.h>

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LONGEST_LINE = 65536
};

/* What the loop's thread tells the main one, through a pipe: the handle when the connection opens, NULL when
 * it has ended. Memory that only one thread writes before it tells the other needs no lock. */
typedef struct conversation {
    int told_pipe[2];
    int exit_code;
} conversation;

static void tell(conversation *conversation, weft_connection *connection)
{
    if (write(conversation->told_pipe[1], &connection, sizeof connection) != sizeof connection) abort();
}

static void on_open(void *context, weft_connection *connection)
{
    tell(context, weft_connection_retain(connection));
}

static void on_message(void *context, weft_connection *connection, weft_message_type type,
                       const uint8_t *bytes, size_t length)
{
    (void)context;
    (void)connection;
    if (type == WEFT_TEXT) {
        fwrite(bytes, 1, length, stdout);
        putchar('\n');
    } else {
        printf("(%zu bytes)\n", length);
    }
    fflush(stdout);
}

static void on_error(void *context, weft_connection *connection, weft_status reason, const char *detail)
{
    (void)context;
    (void)connection;
    (void)reason;
    fprintf(stderr, "weft-c-client: %s\n", detail);
}

static void on_close(void *context, weft_connection *connection, uint16_t code, const char *reason,
                     size_t length)
{
    conversation *conversation = context;
    (void)connection;
    bool is_normal = code == WEFT_CLOSE_NORMAL || code == WEFT_CLOSE_GOING_AWAY;
    conversation->exit_code = is_normal ? 0 : 1;
    if (!is_normal)
        fprintf(stderr, "weft-c-client: closed with %" PRIu16 " %.*s\n", code, (int)length, reason);
    tell(conversation, NULL);
}

static void on_failure(void *context, weft_status status, const char *detail)
{
    conversation *conversation = context;
    (void)status;
    conversation->exit_code = 1;
    fprintf(stderr, "weft-c-client: %s\n", detail);
    tell(conversation, NULL);
}

/* NULL: it has ended. */
static weft_connection *await_news(conversation *conversation)
{
    weft_connection *connection;
    if (read(conversation->told_pipe[0], &connection, sizeof connection) != sizeof connection) abort();
    return connection;
}

/* Sends the whole lines of `text` and returns how many bytes they took. */
static size_t send_lines(weft_connection *connection, const char *text, size_t length)
{
    size_t taken = 0;
    const char *end;
    while ((end = memchr(text + taken, '\n', length - taken))) {
        size_t line_length = (size_t)(end - text) - taken;
        weft_status status =
            weft_connection_send(connection, WEFT_TEXT, (const uint8_t *)text + taken, line_length);
        if (status != WEFT_OK) fprintf(stderr, "weft-c-client: %s\n", weft_status_text(status));
        taken += line_length + 1;
    }
    return taken;
}

/* Returns at the end of the input, or when there is news of the connection. A line that has no end after
 * LONGEST_LINE bytes counts as the end too. */
static void send_input(conversation *conversation, weft_connection *connection)
{
    static char text[LONGEST_LINE];
    size_t length = 0;
    struct pollfd sources[] = {{STDIN_FILENO, POLLIN, 0}, {conversation->told_pipe[0], POLLIN, 0}};
    while (length < sizeof text && poll(sources, 2, -1) > 0 && !sources[1].revents) {
        ssize_t count = read(STDIN_FILENO, text + length, sizeof text - length);
        if (count <= 0) return;
        length += (size_t)count;
        size_t taken = send_lines(connection, text, length);
        length -= taken;
        memmove(text, text + taken, length);
    }
}

static weft_status connect_to(weft_loop *loop, conversation *conversation, const char *url,
                              const char *subprotocols)
{
    char detail[256];
    weft_service service;
    weft_service_init(&service);
    service.on_open = on_open;
    service.on_message = on_message;
    service.on_error = on_error;
    service.on_close = on_close;

    weft_client_config config;
    weft_client_config_init(&config);
    config.loop = loop;
    config.url = (weft_string){url, strlen(url)};
    config.subprotocols = (weft_string){subprotocols, strlen(subprotocols)};
    config.service = &service;
    config.context = conversation;
    config.on_failure = on_failure;

    weft_client *client;
    weft_status status = weft_client_connect(&client, &config, detail, sizeof detail);
    if (status != WEFT_OK) fprintf(stderr, "weft-c-client: %s\n", detail);
    weft_client_release(client);
    return status;
}

int main(int count, char **words)
{
    conversation conversation = {.exit_code = 1};
    weft_loop *loop;
    if (count < 2 || count > 3) {
        fputs("usage: weft-c-client URL [SUBPROTOCOL,...]\n", stderr);
        return 2;
    }
    if (pipe(conversation.told_pipe) != 0 || weft_loop_open(&loop) != WEFT_OK) return 1;
    if (connect_to(loop, &conversation, words[1], count == 3 ? words[2] : "") == WEFT_OK) {
        weft_connection *connection = await_news(&conversation);
        if (connection) {
            send_input(&conversation, connection);
            /* Refused when the peer was first; then the news is there already. */
            weft_connection_close(connection, WEFT_CLOSE_NORMAL, "", 0, 0);
            await_news(&conversation);
            weft_connection_release(connection);
        }
    }
    weft_loop_close(loop);
    return conversation.exit_code;
}
