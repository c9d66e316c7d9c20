/* A TCP echo on libuv alone: what a message costs without WebSocket. One receive buffer, and each read
 * answered with one write, as Weft does it. */

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum {
    BUFFER_BYTES = 512 * 1024,
    BACKLOG = 4096
};

static char receive_buffer[BUFFER_BYTES];

/* What the system did not take at once, until it is sent. */
typedef struct rest {
    uv_write_t request;
    char bytes[];
} rest;

static void on_handle_closed(uv_handle_t *handle)
{
    free(handle);
}

static void end(uv_stream_t *client)
{
    if (!uv_is_closing((uv_handle_t *)client)) uv_close((uv_handle_t *)client, on_handle_closed);
}

static void lend_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    (void)handle;
    (void)suggested;
    *out = uv_buf_init(receive_buffer, sizeof receive_buffer);
}

static void on_rest_sent(uv_write_t *request, int status)
{
    if (status < 0) end(request->handle);
    free(request->data);
}

static bool send_later(uv_stream_t *client, const char *bytes, size_t length)
{
    rest *left = malloc(sizeof *left + length);
    if (!left) return false;
    memcpy(left->bytes, bytes, length);
    left->request.data = left;
    uv_buf_t buffer = uv_buf_init(left->bytes, (unsigned)length);
    if (uv_write(&left->request, client, &buffer, 1, on_rest_sent) == 0) return true;
    free(left);
    return false;
}

static void on_read(uv_stream_t *client, ssize_t length, const uv_buf_t *buffer)
{
    if (length < 0) {
        end(client);
        return;
    }
    if (length == 0) return;
    uv_buf_t echo = uv_buf_init(buffer->base, (unsigned)length);
    int sent = uv_try_write(client, &echo, 1);
    if (sent == length) return;
    if (sent < 0 && sent != UV_EAGAIN) {
        end(client);
        return;
    }
    size_t done = sent > 0 ? (size_t)sent : 0;
    if (!send_later(client, buffer->base + done, (size_t)length - done)) end(client);
}

static void on_connection(uv_stream_t *server, int status)
{
    if (status < 0) return;
    uv_tcp_t *client = malloc(sizeof *client);
    if (!client) return;
    if (uv_tcp_init(server->loop, client) != 0) {
        free(client);
        return;
    }
    if (uv_accept(server, (uv_stream_t *)client) != 0 || uv_tcp_nodelay(client, 1) != 0 ||
        uv_read_start((uv_stream_t *)client, lend_buffer, on_read) != 0) {
        end((uv_stream_t *)client);
    }
}

/* The port that the system chose, or -1. */
static int listen_on(uv_tcp_t *server, int port)
{
    struct sockaddr_in address;
    struct sockaddr_in bound;
    int length = sizeof bound;
    if (uv_ip4_addr("127.0.0.1", port, &address) != 0) return -1;
    if (uv_tcp_bind(server, (const struct sockaddr *)&address, 0) != 0) return -1;
    if (uv_listen((uv_stream_t *)server, BACKLOG, on_connection) != 0) return -1;
    if (uv_tcp_getsockname(server, (struct sockaddr *)&bound, &length) != 0) return -1;
    return ntohs(bound.sin_port);
}

int main(int count, char **words)
{
    char *word_end = NULL;
    long port = count == 2 ? strtol(words[1], &word_end, 10) : -1;
    if (port < 0 || port > 65535 || *word_end != '\0') {
        fputs("usage: uv-echo PORT\n", stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN); /* libuv writes without MSG_NOSIGNAL */
    uv_tcp_t server;
    uv_loop_t *loop = uv_default_loop();
    if (uv_tcp_init(loop, &server) != 0) return 1;
    int bound = listen_on(&server, (int)port);
    if (bound < 0) {
        fprintf(stderr, "uv-echo: cannot listen on 127.0.0.1:%ld\n", port);
        return 1;
    }
    printf("uv-echo: listening on tcp://127.0.0.1:%d/\n", bound);
    fflush(stdout);
    return uv_run(loop, UV_RUN_DEFAULT);
}
