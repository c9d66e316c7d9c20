/* Opens, echoes and closes as fast as it can, to see what a server keeps of it. Every tenth connection is
 * reset in the middle of a message instead. */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
    WORKERS = 8,
    ANSWER_SECONDS = 20,
};

typedef struct worker {
    pthread_t thread;
    in_addr_t address; /* one each, and so all the ports of one */
    long wrong;        /* cycles */
} worker;

static uint16_t port;
static char request[512];
static atomic_long cycles_left;

/* The mask is of zeros. */
static const char message[] = "\x81\x8b\0\0\0\0hello, weft";
static const char echo[] = "\x81\x0bhello, weft";
static const char close_frame[] = "\x88\x82\0\0\0\0\x03\xe8";
static const char close_answer[] = "\x88\x02\x03\xe8";

static int open_socket(in_addr_t address)
{
    int descriptor = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct timeval patience = {ANSWER_SECONDS, 0};
    there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (descriptor < 0) return -1;
#ifdef IP_BIND_ADDRESS_NO_PORT
    int is_on = 1;
    setsockopt(descriptor, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &is_on, sizeof is_on);
    if (bind(descriptor, (struct sockaddr *)&here, sizeof here) != 0) goto fail;
#endif
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(descriptor, (struct sockaddr *)&there, sizeof there) == 0) return descriptor;
fail:
    close(descriptor);
    return -1;
}

static bool send_all(int descriptor, const char *bytes, size_t length)
{
    return send(descriptor, bytes, length, MSG_NOSIGNAL) == (ssize_t)length;
}

static bool expect(int descriptor, const char *bytes, size_t length)
{
    char received[64];
    for (size_t got = 0; got < length;) {
        ssize_t count = recv(descriptor, received + got, length - got, 0);
        if (count <= 0) return false;
        got += (size_t)count;
    }
    return memcmp(received, bytes, length) == 0;
}

static bool expect_end(int descriptor)
{
    char byte;
    return recv(descriptor, &byte, 1, 0) == 0;
}

/* Byte by byte would do, but a server that sends nothing of its own accord ends its answer at the blank line.
 */
static bool expect_upgrade(int descriptor)
{
    char answer[1024] = "";
    size_t length = 0;
    while (!strstr(answer, "\r\n\r\n")) {
        ssize_t count = recv(descriptor, answer + length, sizeof answer - 1 - length, 0);
        if (count <= 0) return false;
        length += (size_t)count;
        answer[length] = '\0';
    }
    return strncmp(answer, "HTTP/1.1 101 ", 13) == 0;
}

static bool run_cycle(int descriptor, bool is_reset)
{
    const struct linger reset = {1, 0};
    if (!send_all(descriptor, request, strlen(request)) || !expect_upgrade(descriptor)) return false;
    if (!send_all(descriptor, message, sizeof message - 1)) return false;
    if (!expect(descriptor, echo, sizeof echo - 1)) return false;
    if (is_reset) {
        return send_all(descriptor, message, sizeof message / 2) &&
               setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &reset, sizeof reset) == 0;
    }
    return send_all(descriptor, close_frame, sizeof close_frame - 1) &&
           expect(descriptor, close_answer, sizeof close_answer - 1) && expect_end(descriptor);
}

static void *work(void *context)
{
    worker *worker = context;
    long number;
    while ((number = atomic_fetch_sub(&cycles_left, 1)) > 0) {
        int descriptor = open_socket(worker->address);
        if (descriptor < 0 || !run_cycle(descriptor, number % 10 == 0)) worker->wrong++;
        if (descriptor >= 0) close(descriptor);
    }
    return NULL;
}

int main(int count, char **words)
{
    static worker workers[WORKERS];
    long wrong = 0;
    if (count != 4) {
        fputs("usage: churn PORT PATH CYCLES\n", stderr);
        return 2;
    }
    port = (uint16_t)strtoul(words[1], NULL, 10);
    snprintf(request, sizeof request,
             "GET %s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
             words[2]);
    atomic_store(&cycles_left, strtol(words[3], NULL, 10));
    for (unsigned i = 0; i < WORKERS; i++) {
        workers[i].address = INADDR_LOOPBACK + i;
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0) abort();
    }
    for (unsigned i = 0; i < WORKERS; i++) {
        pthread_join(workers[i].thread, NULL);
        wrong += workers[i].wrong;
    }
    if (wrong > 0) fprintf(stderr, "churn: %ld cycles went wrong\n", wrong);
    return wrong > 0;
}
