/* Connections to the server: connect, TLS, upgrade, messages out and in. */
#ifndef WSLOAD_CONNECTIONS_H
#define WSLOAD_CONNECTIONS_H

#include "messages.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum state {
    CONNECTING,
    TLS_SHAKE,
    REQUEST,
    RESPONSE,
    OPEN,
    DEAD
};

struct conn {
    int fd;
    uint8_t state, events;
    /* out */
    unsigned out_at, pending; /* next message of the ring, how many to send */
    size_t out_off;           /* bytes of it already sent */
    /* in: the frame header so far, then the payload left */
    uint8_t head[10], head_n, op, in_frame, fin, rsv1;
    uint64_t left, msg_len;
    unsigned expect; /* ring index of the next echo */
    /* when each message in flight was sent (or due) */
    uint64_t *sent;
    unsigned first, flight;
    uint64_t t0;
    char resp[1024];
    unsigned resp_n;
    SSL *ssl;
    uint8_t *zin;
    size_t zin_n, zin_cap;
    z_stream *zs;
    bool reset; /* the server said server_no_context_takeover */
};

static struct conn *conns;
static int ep;
static unsigned stamps; /* capacity of conn.sent */
static uint64_t done_msgs, done_bytes, errors, opened, closed, overruns;
static uint64_t errors_by[8];
enum {
    E_CONNECT,
    E_UPGRADE,
    E_CLOSED,
    E_PROTO,
    E_LENGTH,
    E_CONTENT,
    E_IO,
    E_DEFLATE
};
static const char *const error_names[] = {"connect", "upgrade", "closed", "protocol",
                                          "length",  "content", "io",     "deflate"};
static bool measuring, stopping;
static struct sockaddr_in server;
static char request[512];
static int request_n;
static uint8_t inbuf[512 * 1024];
static SSL_CTX *ctx;

static void watch(struct conn *c, uint32_t ev)
{
    if (c->events == ev) return;
    struct epoll_event e = {.events = ev, .data.ptr = c};
    if (epoll_ctl(ep, c->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &e) < 0) die("epoll_ctl");
    c->events = (uint8_t)ev;
}

static void drop(struct conn *c)
{
    if (c->fd >= 0) {
        struct linger l = {1, 0}; /* RST: leaves no TIME_WAIT behind */
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
        if (c->ssl) SSL_free(c->ssl);
        c->ssl = NULL;
        close(c->fd);
    }
    c->fd = -1;
    c->events = 0;
    c->state = DEAD;
    closed++;
}

static void fail(struct conn *c, int why)
{
    if (!stopping) {
        errors++;
        errors_by[why]++;
    }
    drop(c);
}

/* >0 bytes, 0 end of file, -1 would block, -2 error */
static ssize_t io_recv(struct conn *c, void *p, size_t n)
{
    if (c->ssl) {
        int r = SSL_read(c->ssl, p, n > INT32_MAX ? INT32_MAX : (int)n);
        if (r > 0) return r;
        int e = SSL_get_error(c->ssl, r);
        if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE) return -1;
        ERR_clear_error();
        return e == SSL_ERROR_ZERO_RETURN ? 0 : -2;
    }
    ssize_t r = recv(c->fd, p, n, 0);
    if (r >= 0) return r;
    return errno == EAGAIN || errno == EINTR ? -1 : -2;
}

static ssize_t io_send(struct conn *c, const void *p, size_t n)
{
    if (c->ssl) {
        int r = SSL_write(c->ssl, p, n > INT32_MAX ? INT32_MAX : (int)n);
        if (r > 0) return r;
        int e = SSL_get_error(c->ssl, r);
        if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE) return -1;
        ERR_clear_error();
        return -2;
    }
    ssize_t r = send(c->fd, p, n, MSG_NOSIGNAL);
    if (r >= 0) return r;
    return errno == EAGAIN || errno == EINTR ? -1 : -2;
}

static void start(struct conn *c, unsigned index)
{
    uint64_t *sent = c->sent;
    memset(c, 0, sizeof *c);
    c->sent = sent;
    c->t0 = now_ns();
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) die("socket");
    int one = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (opt.src) {
        struct sockaddr_in a = {.sin_family = AF_INET};
        a.sin_addr.s_addr = htonl(0x7F000101u + index % (unsigned)opt.src);
        setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
        if (bind(c->fd, (struct sockaddr *)&a, sizeof a) < 0) die("bind");
    }
    c->state = CONNECTING;
    if (connect(c->fd, (struct sockaddr *)&server, sizeof server) < 0 && errno != EINPROGRESS) {
        fail(c, E_CONNECT);
        return;
    }
    watch(c, EPOLLOUT);
}

static void flush(struct conn *c)
{
    while (c->pending) {
        unsigned run = c->pending < ring - c->out_at ? c->pending : ring - c->out_at;
        size_t from = ring_at[c->out_at] + c->out_off, len = ring_at[c->out_at + run] - from;
        ssize_t r = io_send(c, ring_bytes + from, len);
        if (r == -2) {
            fail(c, E_IO);
            return;
        }
        if (r == -1) {
            watch(c, EPOLLIN | EPOLLOUT);
            return;
        }
        if ((size_t)r == len) {
            c->out_off = 0;
            c->pending -= run;
            c->out_at = c->out_at + run == ring ? 0 : c->out_at + run;
        } else {
            size_t pos = from + (size_t)r;
            while (ring_at[c->out_at + 1] <= pos) { /* stays below ring: pos < the run's end */
                c->out_at++;
                c->pending--;
            }
            c->out_off = pos - ring_at[c->out_at];
        }
    }
    watch(c, EPOLLIN);
}

static void send_more(struct conn *c, unsigned k, uint64_t when)
{
    for (unsigned i = 0; i < k; i++) {
        unsigned at = c->first + c->flight;
        c->sent[at >= stamps ? at - stamps : at] = when;
        c->flight++;
    }
    c->pending += k;
    flush(c);
}

static bool inflate_matches(struct conn *c)
{
    static uint8_t *out;
    z_stream *z = c->zs;
    if (!out) out = xmalloc(opt.size + 1);
    if (!z) {
        z = c->zs = xmalloc(sizeof *z);
        memset(z, 0, sizeof *z);
        if (inflateInit2(z, -15) != Z_OK) die("inflateInit2");
    }
    if (c->reset) inflateReset(z);
    memcpy(c->zin + c->zin_n, "\0\0\xff\xff", 4);
    z->next_in = c->zin;
    z->avail_in = (uInt)(c->zin_n + 4);
    z->next_out = out;
    z->avail_out = (uInt)(opt.size + 1);
    int r = inflate(z, Z_SYNC_FLUSH);
    return (r == Z_OK || r == Z_STREAM_END || r == Z_BUF_ERROR) && z->next_out == out + opt.size &&
           !memcmp(out, plain[c->expect], opt.size);
}

/* one whole message came back */
static inline void message_done(struct conn *c, uint64_t t)
{
    if (!c->flight) {
        fail(c, E_PROTO);
        return;
    }
    if (measuring) {
        hist_add(t - c->sent[c->first]);
        done_msgs++;
        done_bytes += opt.size;
    }
    c->first = c->first + 1 == stamps ? 0 : c->first + 1;
    c->flight--;
    c->expect = c->expect + 1 == ring ? 0 : c->expect + 1;
    c->msg_len = 0;
}

static void reply_pong(struct conn *c)
{
    /* a pong may not cut a half-sent message; then it is left out */
    static const uint8_t pong[6] = {0x8A, 0x80, 1, 2, 3, 4};
    if (!c->out_off) (void)!io_send(c, pong, sizeof pong);
}

/* Takes n bytes from the server; returns the number of messages completed. */
static unsigned parse(struct conn *c, const uint8_t *p, size_t n, uint64_t t)
{
    const uint8_t *end = p + n;
    unsigned count = 0;
    if (opt.raw) {
        while (p < end && c->state == OPEN) {
            uint64_t m = opt.size - c->msg_len;
            if (m > (uint64_t)(end - p)) m = (uint64_t)(end - p);
            if (opt.check && memcmp(p, plain[c->expect] + c->msg_len, m)) {
                fail(c, E_CONTENT);
                return count;
            }
            p += m;
            c->msg_len += m;
            if (c->msg_len == opt.size) {
                message_done(c, t);
                count++;
            }
        }
        return count;
    }
    while (p < end || (c->in_frame && !c->left)) {
        if (!c->in_frame) {
            /* header: 2, 4 or 10 bytes, perhaps in pieces */
            unsigned need = 2;
            while (c->head_n < need && p < end) {
                c->head[c->head_n++] = *p++;
                if (c->head_n >= 2)
                    need = (c->head[1] & 0x7F) == 126 ? 4 : (c->head[1] & 0x7F) == 127 ? 10 : 2;
            }
            if (c->head_n < need) return count;
            const uint8_t *h = c->head;
            uint64_t len = h[1] & 0x7F;
            if (len == 126)
                len = (uint64_t)h[2] << 8 | h[3];
            else if (len == 127) {
                len = 0;
                for (int i = 0; i < 8; i++)
                    len = len << 8 | h[2 + i];
            }
            uint8_t op = h[0] & 15;
            if (h[1] & 0x80 || (h[0] & 0x30) || (h[0] & 0x40 && !opt.deflate)) {
                fail(c, E_PROTO);
                return count;
            }
            c->fin = h[0] >> 7;
            c->head_n = 0;
            c->op = op;
            c->left = len;
            c->in_frame = 1;
            if (op < 8) {
                if (op) c->rsv1 = h[0] >> 6 & 1;
                if (op) c->zin_n = 0;
            }
        }
        uint64_t m = c->left;
        if (m > (uint64_t)(end - p)) m = (uint64_t)(end - p);
        if (c->op < 8) {
            if (!c->rsv1) {
                if (c->msg_len + m > opt.size) {
                    fail(c, E_LENGTH);
                    return count;
                }
                if (opt.check && memcmp(p, plain[c->expect] + c->msg_len, m)) {
                    fail(c, E_CONTENT);
                    return count;
                }
            } else if (opt.check) {
                if (c->zin_n + m + 4 > c->zin_cap) {
                    c->zin_cap = (c->zin_n + m + 4) * 2;
                    c->zin = realloc(c->zin, c->zin_cap);
                    if (!c->zin) die("realloc");
                }
                memcpy(c->zin + c->zin_n, p, m);
                c->zin_n += m;
            }
            c->msg_len += m;
        }
        p += m;
        c->left -= m;
        if (c->left) return count;
        c->in_frame = 0;
        if (c->op == 8) {
            fail(c, E_CLOSED);
            return count;
        }
        if (c->op == 9) reply_pong(c);
        if (c->op < 8 && c->fin) {
            if (!c->rsv1 && c->msg_len != opt.size) {
                fail(c, E_LENGTH);
                return count;
            }
            if (c->rsv1 && opt.check && !inflate_matches(c)) {
                fail(c, E_DEFLATE);
                return count;
            }
            message_done(c, t);
            if (c->state != OPEN) return count;
            count++;
        }
    }
    return count;
}

static void on_open(struct conn *c)
{
    c->state = OPEN;
    opened++;
    if (opt.handshakes) {
        if (measuring) {
            hist_add(now_ns() - c->t0);
            done_msgs++;
        }
        drop(c);
        return;
    }
    watch(c, EPOLLIN);
}

/* connect, TLS, request, response */
static void progress(struct conn *c)
{
    if (c->state == CONNECTING) {
        int e = 0;
        socklen_t n = sizeof e;
        getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &e, &n);
        if (e) {
            fail(c, E_CONNECT);
            return;
        }
        c->state = opt.tls ? TLS_SHAKE : REQUEST;
        if (opt.tls) {
            c->ssl = SSL_new(ctx);
            SSL_set_fd(c->ssl, c->fd);
            SSL_set_connect_state(c->ssl);
        }
    }
    if (c->state == TLS_SHAKE) {
        int r = SSL_do_handshake(c->ssl);
        if (r != 1) {
            int e = SSL_get_error(c->ssl, r);
            if (e == SSL_ERROR_WANT_READ)
                watch(c, EPOLLIN);
            else if (e == SSL_ERROR_WANT_WRITE)
                watch(c, EPOLLOUT);
            else
                fail(c, E_CONNECT);
            return;
        }
        c->state = REQUEST;
    }
    if (c->state == REQUEST) {
        if (opt.raw) {
            on_open(c);
            return;
        }
        ssize_t r = io_send(c, request, (size_t)request_n);
        if (r == -1) {
            watch(c, EPOLLOUT);
            return;
        }
        if (r != request_n) {
            fail(c, E_UPGRADE);
            return;
        }
        c->state = RESPONSE;
        watch(c, EPOLLIN);
        return;
    }
    while (c->state == RESPONSE) { /* with TLS, more may wait in its buffer, which epoll does not see */
        ssize_t r = io_recv(c, c->resp + c->resp_n, sizeof c->resp - 1 - c->resp_n);
        if (r == -1) return;
        if (r <= 0) {
            fail(c, E_UPGRADE);
            return;
        }
        c->resp_n += (unsigned)r;
        c->resp[c->resp_n] = 0;
        char *e = strstr(c->resp, "\r\n\r\n");
        if (!e) {
            if (c->resp_n == sizeof c->resp - 1) fail(c, E_UPGRADE);
            continue;
        }
        /* the key is RFC 6455's example, so the accept value is known */
        if (strncmp(c->resp, "HTTP/1.1 101", 12) || !strstr(c->resp, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") ||
            (opt.deflate && !strcasestr(c->resp, "permessage-deflate"))) {
            fail(c, E_UPGRADE);
            return;
        }
        c->reset = strcasestr(c->resp, "server_no_context_takeover");
        size_t rest = c->resp_n - (size_t)(e + 4 - c->resp);
        on_open(c);
        if (rest && c->state == OPEN) parse(c, (uint8_t *)e + 4, rest, now_ns());
    }
}

static void readable(struct conn *c)
{
    do {
        ssize_t r = io_recv(c, inbuf, sizeof inbuf);
        if (r == -1) break;
        if (r <= 0) {
            fail(c, r ? E_IO : E_CLOSED);
            return;
        }
        uint64_t t = now_ns();
        unsigned k = parse(c, inbuf, (size_t)r, t);
        if (c->state != OPEN) return;
        if (k && opt.rate == 0 && !opt.idle && !stopping) {
            send_more(c, k, t);
            if (c->state != OPEN) return;
        }
    } while (c->ssl && SSL_has_pending(c->ssl));
}

static void turn(int timeout_ms)
{
    struct epoll_event ev[256];
    int n = epoll_wait(ep, ev, 256, timeout_ms);
    for (int i = 0; i < n; i++) {
        struct conn *c = ev[i].data.ptr;
        if (c->state == DEAD) continue;
        if (c->state != OPEN) {
            progress(c);
            continue;
        }
        if (ev[i].events & EPOLLOUT) flush(c);
        if (c->state == OPEN && ev[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) readable(c);
    }
}

/* opens n connections, at most 128 at a time on their way; false on a stall */
static bool open_all(int n)
{
    uint64_t base = opened, last = now_ns(), seen = opened + errors;
    int begun = 0;
    while (opened - base + errors < (uint64_t)n) {
        while (begun < n && (uint64_t)begun < opened - base + errors + 128) {
            start(&conns[begun], (unsigned)begun);
            begun++;
        }
        turn(100);
        if (opened + errors != seen) {
            seen = opened + errors;
            last = now_ns();
        } else if (now_ns() - last > 15000000000u) {
            return false;
        }
    }
    return errors == 0;
}

#endif
