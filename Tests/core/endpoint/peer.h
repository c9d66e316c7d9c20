/* A peer on a raw blocking socket, which can send what no client would; every wait has a deadline. */
#ifndef WEFT_TESTS_PEER_H
#define WEFT_TESTS_PEER_H

#include "check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    PEER_DEADLINE_MS = 10000
};

static inline bool peer_is_readable(int peer, int timeout_ms)
{
    struct pollfd wanted = {.fd = peer, .events = POLLIN};
    return poll(&wanted, 1, timeout_ms) == 1;
}

static inline void peer_limit_receive_buffer(int peer)
{
    int bytes = 4096;
    setsockopt(peer, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

/* A connected socket, or -1; `is_small` gives it a small receive buffer. */
static inline int peer_try_connect(uint16_t port, bool is_small)
{
    int peer = socket(AF_INET, SOCK_STREAM, 0);
    int on = 1;
    setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (is_small) peer_limit_receive_buffer(peer);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(peer, (struct sockaddr *)&address, sizeof address) == 0) return peer;
    close(peer);
    return -1;
}

static inline int peer_connect(uint16_t port)
{
    int peer = peer_try_connect(port, false);
    assert_true(peer >= 0);
    return peer;
}

/* False when the other side has gone. */
static inline bool peer_try_send(int peer, const void *bytes, size_t length)
{
    const char *at = bytes;
    while (length > 0) {
        ssize_t sent = send(peer, at, length, MSG_NOSIGNAL);
        if (sent < 0) return false;
        at += sent;
        length -= (size_t)sent;
    }
    return true;
}

static inline void peer_send(int peer, const void *bytes, size_t length)
{
    assert_true(peer_try_send(peer, bytes, length));
}

static inline void peer_say(int peer, const char *text)
{
    peer_send(peer, text, strlen(text));
}

/* Some bytes, 0 at the end of TCP, -1 after a reset. */
static inline ssize_t peer_receive(int peer, void *out, size_t size)
{
    assert_true(peer_is_readable(peer, PEER_DEADLINE_MS));
    return recv(peer, out, size, 0);
}

/* False when TCP ends before. */
static inline bool peer_try_read(int peer, void *out, size_t length)
{
    char *at = out;
    while (length > 0) {
        ssize_t count = peer_receive(peer, at, length);
        if (count <= 0) return false;
        at += count;
        length -= (size_t)count;
    }
    return true;
}

static inline void peer_read(int peer, void *out, size_t length)
{
    assert_true(peer_try_read(peer, out, length));
}

/* An orderly end, with nothing before it. */
static inline void peer_expect_end(int peer)
{
    char byte;
    assert_int_equal(peer_receive(peer, &byte, 1), 0);
}

static inline void peer_expect_reset(int peer)
{
    char byte;
    assert_int_equal(peer_receive(peer, &byte, 1), -1);
    assert_int_equal(errno, ECONNRESET);
}

/* Drops whatever comes, up to the end of TCP in either manner. */
static inline void peer_drain(int peer)
{
    char bytes[4096];
    while (peer_receive(peer, bytes, sizeof bytes) > 0) {
    }
}

static inline void peer_reset(int peer)
{
    struct linger none = {.l_onoff = 1, .l_linger = 0};
    setsockopt(peer, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    close(peer);
}

/* -- HTTP -------------------------------------------------------------------------------------- */

static const char peer_upgrade_request[] = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                                           "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/* One head with its empty line, closed by a NUL; false when TCP ends before. */
static inline bool peer_try_read_head(int peer, char *out, size_t size)
{
    size_t length = 0;
    while (length + 1 < size && peer_try_read(peer, out + length, 1)) {
        out[++length] = '\0';
        if (length >= 4 && memcmp(out + length - 4, "\r\n\r\n", 4) == 0) return true;
    }
    return false;
}

/* The status of the next answer; its head goes to `head`, its body is read and dropped. */
static inline int peer_read_answer(int peer, char *head, size_t size, bool has_body)
{
    assert_true(peer_try_read_head(peer, head, size));
    int status = atoi(head + strlen("HTTP/1.1 "));
    const char *field = strstr(head, "Content-Length: ");
    size_t left = field && has_body ? strtoul(field + strlen("Content-Length: "), NULL, 10) : 0;
    for (char byte; left > 0; left--)
        peer_read(peer, &byte, 1);
    return status;
}

static inline int peer_status(int peer)
{
    char head[2048];
    return peer_read_answer(peer, head, sizeof head, true);
}

/* A connection that is open. */
static inline int peer_open(uint16_t port)
{
    int peer = peer_connect(port);
    peer_say(peer, peer_upgrade_request);
    assert_int_equal(peer_status(peer), 101);
    return peer;
}

/* -- frames ------------------------------------------------------------------------------------ */

enum {
    FIN = 0x80,
    TEXT = 0x1,
    BINARY = 0x2,
    CLOSE = 0x8,
    PING = 0x9,
    PONG = 0xA
};

/* Writes a client's frame, masked with zeros so that its payload stays legible; returns its bytes. */
static inline size_t peer_write_frame(uint8_t *out, int first_byte, const void *payload, size_t length)
{
    size_t header = 2;
    out[0] = (uint8_t)first_byte;
    if (length < 126) {
        out[1] = (uint8_t)(0x80 | length);
    } else if (length < 65536) {
        out[1] = 0x80 | 126;
        out[2] = (uint8_t)(length >> 8);
        out[3] = (uint8_t)length;
        header = 4;
    } else {
        out[1] = 0x80 | 127;
        for (int i = 0; i < 8; i++)
            out[2 + i] = (uint8_t)(length >> (56 - 8 * i));
        header = 10;
    }
    memset(out + header, 0, 4);
    if (length) memcpy(out + header + 4, payload, length);
    return header + 4 + length;
}

static inline void peer_send_frame(int peer, int first_byte, const void *payload, size_t length)
{
    uint8_t *frame = malloc(length + 14);
    size_t size = peer_write_frame(frame, first_byte, payload, length);
    bool is_sent = peer_try_send(peer, frame, size);
    free(frame);
    assert_true(is_sent);
}

static inline void peer_send_text(int peer, const char *text)
{
    peer_send_frame(peer, FIN | TEXT, text, strlen(text));
}

static inline void peer_send_close(int peer, uint16_t code)
{
    uint8_t payload[2] = {(uint8_t)(code >> 8), (uint8_t)code};
    peer_send_frame(peer, FIN | CLOSE, payload, code ? 2 : 0);
}

/* Reads a server's frame of at most `size` payload bytes; returns the payload's length. */
static inline size_t peer_read_frame(int peer, int *first_byte, void *payload, size_t size)
{
    uint8_t header[10];
    peer_read(peer, header, 2);
    *first_byte = header[0];
    assert_int_equal(header[1] & 0x80, 0);
    size_t length = header[1], more = length == 126 ? 2 : length == 127 ? 8 : 0;
    peer_read(peer, header + 2, more);
    if (more) length = 0;
    for (size_t i = 0; i < more; i++)
        length = length << 8 | header[2 + i];
    assert_true(length <= size);
    if (length > size) return size; /* never, which compilers cannot know */
    peer_read(peer, payload, length);
    return length;
}

static inline void peer_expect_frame(int peer, int first_byte, const void *payload, size_t length)
{
    uint8_t got[1024];
    int got_first;
    size_t got_length = peer_read_frame(peer, &got_first, got, sizeof got);
    assert_int_equal(got_first, first_byte);
    assert_int_equal(got_length, length);
    if (length) assert_memory_equal(got, payload, length);
}

static inline void peer_expect_text(int peer, const char *text)
{
    peer_expect_frame(peer, FIN | TEXT, text, strlen(text));
}

static inline void peer_expect_echo(int peer, const char *text)
{
    peer_send_text(peer, text);
    peer_expect_text(peer, text);
}

/* A close frame with that code, whatever its reason; 0: an empty one. */
static inline void peer_expect_close(int peer, uint16_t code)
{
    uint8_t payload[125];
    int first_byte;
    size_t length = peer_read_frame(peer, &first_byte, payload, sizeof payload);
    assert_int_equal(first_byte, FIN | CLOSE);
    assert_int_equal(length >= 2 ? payload[0] << 8 | payload[1] : 0, code);
}

#endif
