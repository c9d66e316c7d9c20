/* An echo server without a thread or a loop of Weft's: poll() moves the bytes, Weft says what they mean. */

#include <weft/weft.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    MOST_PEERS = 1000
};

/* A peer is in its handshake until it has a session. */
typedef struct peer {
    weft_handshake *handshake;
    weft_session *session;
    bool is_ending; /* our direction is over; the peer's end is awaited */
} peer;

/* Entries of `sockets`; `peers` goes with it. */
enum {
    STOPPING, /* becomes readable on a signal */
    LISTENING,
    FIRST_PEER,
};

static struct pollfd sockets[FIRST_PEER + MOST_PEERS];
static peer peers[FIRST_PEER + MOST_PEERS];
static size_t count = FIRST_PEER;

static int stop_pipe[2];

static void on_signal(int number)
{
    (void)number;
    ssize_t written = write(stop_pipe[1], "", 1);
    (void)written; /* full: it is readable then */
}

static void remove_peer(size_t index)
{
    close(sockets[index].fd);
    weft_handshake_free(peers[index].handshake);
    weft_session_free(peers[index].session);
    count--;
    sockets[index] = sockets[count];
    peers[index] = peers[count];
}

static void add_peer(void)
{
    int yes = 1;
    int socket = accept(sockets[LISTENING].fd, NULL, NULL);
    if (socket < 0) return;
    peer newcomer = {0};
    bool has_room = count < FIRST_PEER + MOST_PEERS;
    if (!has_room || weft_handshake_new_server(&newcomer.handshake) != WEFT_OK) {
        close(socket);
        return;
    }
    fcntl(socket, F_SETFL, fcntl(socket, F_GETFL) | O_NONBLOCK);
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    sockets[count] = (struct pollfd){socket, POLLIN, 0};
    peers[count] = newcomer;
    count++;
}

/* -- what the bytes mean ------------------------------------------------------------------------------- */

static weft_status answer(weft_session *session, const weft_event *event)
{
    switch (event->type) {
    case WEFT_EVENT_TEXT: return weft_session_send(session, WEFT_TEXT, event->bytes, event->length);
    case WEFT_EVENT_BINARY: return weft_session_send(session, WEFT_BINARY, event->bytes, event->length);
    case WEFT_EVENT_PING: return weft_session_pong(session, event->bytes, event->length);
    case WEFT_EVENT_CLOSE: return weft_session_close(session, event->close_code, NULL, 0);
    case WEFT_EVENT_PONG:
    case WEFT_EVENT_FAILURE: /* the close frame that is due is in the output already */
    case WEFT_EVENT_NONE: return WEFT_OK;
    }
    return WEFT_OK;
}

static weft_status take_frames(weft_session *session, uint8_t *bytes, size_t length)
{
    weft_event event;
    do {
        size_t used;
        weft_status status = weft_session_next(session, &event, bytes, length, &used);
        if (status == WEFT_OK) status = answer(session, &event);
        if (status != WEFT_OK) return status;
        bytes += used;
        length -= used;
    } while (event.type != WEFT_EVENT_NONE);
    return WEFT_OK;
}

/* A refusal is no error here: its answer is in the output. */
static weft_status take_handshake(peer *peer, uint8_t *bytes, size_t length)
{
    size_t used;
    weft_session_config config;
    weft_status status = weft_handshake_receive(peer->handshake, bytes, length, &used);
    if (status == WEFT_ENOMEM) return status;
    if (weft_handshake_get_state(peer->handshake) != WEFT_HANDSHAKE_DECIDING) return WEFT_OK;

    status = weft_handshake_accept(peer->handshake, (weft_string){0}, NULL, 0);
    weft_session_config_init(&config);
    if (status == WEFT_OK) status = weft_session_new(&peer->session, &config);
    if (status != WEFT_OK) return status;
    return take_frames(peer->session, bytes + used, length - used);
}

/* -- moving the bytes ---------------------------------------------------------------------------------- */

/* The handshake's answer leaves before anything of the session, and is the last that it is needed for. */
static void get_output(peer *peer, const uint8_t **bytes, size_t *length)
{
    if (peer->handshake) weft_handshake_output(peer->handshake, bytes, length);
    if (peer->handshake && (*length || !peer->session)) return;
    weft_handshake_free(peer->handshake);
    peer->handshake = NULL;
    weft_session_output(peer->session, bytes, length);
}

static void consume_output(peer *peer, size_t length)
{
    if (peer->handshake) {
        weft_handshake_consume_output(peer->handshake, length);
    } else {
        weft_session_consume_output(peer->session, length);
    }
}

static bool is_over(const peer *peer)
{
    if (peer->session) return weft_session_is_over(peer->session);
    return weft_handshake_get_state(peer->handshake) == WEFT_HANDSHAKE_FAILED;
}

/* False when the peer is lost. While output waits nothing more is read: a peer that does not read gets no
 * more. */
static bool send_output(size_t index)
{
    const uint8_t *bytes;
    size_t length;
    peer *peer = &peers[index];
    for (get_output(peer, &bytes, &length); length; get_output(peer, &bytes, &length)) {
        ssize_t sent = send(sockets[index].fd, bytes, length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) break;
        if (sent < 0) return false;
        consume_output(peer, (size_t)sent);
    }
    sockets[index].events = length ? POLLOUT : POLLIN;
    if (length || !is_over(peer) || peer->is_ending) return true;
    peer->is_ending = true;
    return shutdown(sockets[index].fd, SHUT_WR) == 0;
}

/* False when the peer is lost or has ended. */
static bool receive(size_t index)
{
    static uint8_t bytes[65536];
    peer *peer = &peers[index];
    ssize_t length = recv(sockets[index].fd, bytes, sizeof bytes, 0);
    if (length < 0 && errno == EAGAIN) return true;
    if (length <= 0) return false;
    if (peer->is_ending) return true;
    weft_status status = peer->session ? take_frames(peer->session, bytes, (size_t)length)
                                       : take_handshake(peer, bytes, (size_t)length);
    return status == WEFT_OK && send_output(index);
}

static int listen_on(uint16_t port)
{
    int yes = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listening = socket(AF_INET, SOCK_STREAM, 0);
    if (listening >= 0 && setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
        bind(listening, (struct sockaddr *)&address, sizeof address) == 0 && listen(listening, 128) == 0)
        return listening;
    perror("weft-c-poll");
    return -1;
}

static uint16_t port_of(int listening)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    getsockname(listening, (struct sockaddr *)&address, &size);
    return ntohs(address.sin_port);
}

int main(int argument_count, char **words)
{
    char *end = NULL;
    unsigned long port = argument_count == 2 ? strtoul(words[1], &end, 10) : 0;
    if (argument_count != 2 || *words[1] < '0' || *words[1] > '9' || *end || port > 65535) {
        fputs("usage: weft-c-poll PORT\n", stderr);
        return 2;
    }
    if (pipe(stop_pipe) != 0) return 1;
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    sockets[STOPPING] = (struct pollfd){stop_pipe[0], POLLIN, 0};
    sockets[LISTENING] = (struct pollfd){listen_on((uint16_t)port), POLLIN, 0};
    if (sockets[LISTENING].fd < 0) return 1;
    printf("weft-c-poll: listening on ws://127.0.0.1:%" PRIu16 "/\n", port_of(sockets[LISTENING].fd));
    fflush(stdout);

    while (!sockets[STOPPING].revents) {
        if (poll(sockets, (nfds_t)count, -1) < 0) continue; /* a signal came: the pipe has it */
        for (size_t i = count; i-- > FIRST_PEER;) {         /* a removal moves only what was looked at */
            if (!sockets[i].revents) continue;
            bool is_there = sockets[i].events == POLLOUT ? send_output(i) : receive(i);
            if (!is_there) remove_peer(i);
        }
        if (sockets[LISTENING].revents) add_peer();
    }
    while (count > FIRST_PEER)
        remove_peer(count - 1);
    close(sockets[LISTENING].fd);
    return 0;
}
