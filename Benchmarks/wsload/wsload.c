/* wsload - a neutral WebSocket load generator for one core (epoll, no library).
 *
 *   cc -O3 -march=native -std=gnu11 -o wsload wsload.c -lssl -lcrypto -lz
 *
 * It opens N WebSocket connections, keeps DEPTH messages in flight on each, and
 * sends a new message for every echo that comes back (a closed loop), or sends at
 * a fixed total rate whatever comes back (--rate, an open loop, where latency is
 * counted from the instant at which the message was due). All frames are built,
 * masked and if need be compressed before the clock starts, so that what is
 * timed on this side is recv, the frame headers, and send.
 *
 * Modes
 *   (default)        echo load
 *   --raw            echo load without WebSocket: SIZE bytes out, SIZE bytes back
 *   --idle N         open N connections, report the server's memory per connection
 *                    (--pid), once when idle and once after one echo on each
 *   --handshakes     open, upgrade, close (RST), repeat; CONNS at the same time
 *
 * Options
 *   --host A         IPv4 address of the server, loopback only (127.0.0.1)
 *   --port P         --path S (/)
 *   --conns N        --depth D        --size BYTES
 *   --binary | --text | --utf8 | --json     payload (text: ASCII; utf8: mixed
 *                    1- to 4-byte characters; json: compressible records)
 *   --frag F         send each message as F-byte fragments (0: one frame)
 *   --secs S         --warmup S
 *   --rate R         open loop at R messages/s over all connections
 *   --check          compare every echoed byte and the order of messages
 *   --deflate        offer permessage-deflate with both no_context_takeover and
 *                    send compressed messages; --takeover offers
 *                    client_no_context_takeover only
 *   --tls            TLS, certificate not verified; --tls12 at most TLS 1.2
 *   --src K          spread the connections over the K sources 127.0.1.1 ...
 *   --pid P          the server's process: its CPU time and memory are reported
 *   --label S        copied into the output
 *
 * Output: one JSON line. msgs_per_s, mb_per_s (payload, one direction), round-trip
 * latency in microseconds, errors, CPU use of the server and of this process in
 * percent of one core, server CPU microseconds per message, and other_cpu: what
 * the rest of the machine burned meanwhile (a run with much of it is a bad run).
 * Exit status: 0, 1 when any error was counted, 2 for a wrong call.
 */
#define _GNU_SOURCE
#include "connections.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>

struct cpu {
    uint64_t t, self, server, machine;
};
static struct cpu cpu_now(void)
{
    return (struct cpu){now_ns(), self_cpu_us(), proc_cpu_us(opt.pid), machine_cpu_us()};
}

static void report_head(void)
{
    printf("{\"label\":\"%s\",\"port\":%d,\"conns\":%d,\"depth\":%d,\"size\":%zu,\"kind\":\"%s\"", opt.label,
           opt.port, opt.idle ? opt.idle : opt.conns, opt.depth, opt.size,
           opt.kind == 'b'   ? "binary"
           : opt.kind == 't' ? "text"
           : opt.kind == 'u' ? "utf8"
                             : "json");
}

static int report_tail(void)
{
    printf(",\"errors\":%llu", (unsigned long long)errors);
    for (int i = 0; i < 8; i++)
        if (errors_by[i]) printf(",\"err_%s\":%llu", error_names[i], (unsigned long long)errors_by[i]);
    if (overruns) printf(",\"overruns\":%llu", (unsigned long long)overruns);
    printf("}\n");
    return errors ? 1 : 0;
}

static void report_load(struct cpu a, struct cpu b)
{
    double s = (double)(b.t - a.t) / 1e9;
    double self = (double)(b.self - a.self) / 1e6, srv = (double)(b.server - a.server) / 1e6,
           all = (double)(b.machine - a.machine) / 1e6;
    printf(",\"secs\":%.2f,\"msgs_per_s\":%.0f,\"mb_per_s\":%.1f", s, (double)done_msgs / s,
           (double)done_bytes / s / 1e6);
    printf(",\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,\"max_us\":%.1f", hist_us(.5), hist_us(.99),
           hist_us(.999), (double)hist_max / 1e3);
    printf(",\"server_cpu\":%.0f,\"gen_cpu\":%.0f,\"other_cpu\":%.0f,\"server_us_per_msg\":%.3f",
           100 * srv / s, 100 * self / s, 100 * (all - self - (opt.pid ? srv : 0)) / s,
           done_msgs ? srv * 1e6 / (double)done_msgs : 0);
}

static int run_load(void)
{
    if (!open_all(opt.conns)) {
        report_head();
        printf(",\"opened\":%llu", (unsigned long long)opened);
        errors += errors ? 0 : 1;
        return report_tail();
    }
    uint64_t begin = now_ns(), from = begin + (uint64_t)(opt.warmup * 1e9),
             to = from + (uint64_t)(opt.secs * 1e9);
    if (opt.rate == 0)
        for (int i = 0; i < opt.conns; i++)
            if (conns[i].state == OPEN) send_more(&conns[i], (unsigned)opt.depth, now_ns());
    struct cpu a = cpu_now();
    double due_step = opt.rate > 0 ? 1e9 / opt.rate : 0;
    uint64_t sent = 0, spins = 0;
    int next = 0;
    for (uint64_t t = begin; t < to; t = now_ns()) {
        if (!measuring && t >= from) {
            a = cpu_now();
            measuring = true;
        }
        if (opt.rate > 0) {
            for (;;) {
                uint64_t due = begin + (uint64_t)((double)sent * due_step);
                if (due > t) break;
                struct conn *c = &conns[next];
                next = next + 1 == opt.conns ? 0 : next + 1;
                sent++;
                if (c->state != OPEN) continue;
                if (c->flight == stamps) {
                    overruns++;
                    continue;
                }
                send_more(c, 1, due);
            }
            turn(0);
        } else {
            turn(10);
        }
        if (opened == closed && ++spins > 100) break; /* every connection is gone */
    }
    struct cpu b = cpu_now();
    measuring = false;
    stopping = true;
    report_head();
    if (opt.rate > 0) printf(",\"rate\":%.0f", opt.rate);
    report_load(a, b);
    return report_tail();
}

static int run_handshakes(void)
{
    uint64_t begin = now_ns(), from = begin + (uint64_t)(opt.warmup * 1e9),
             to = from + (uint64_t)(opt.secs * 1e9);
    unsigned n = 0;
    struct cpu a = cpu_now();
    for (int i = 0; i < opt.conns; i++)
        start(&conns[i], n++);
    for (uint64_t t = begin; t < to; t = now_ns()) {
        if (!measuring && t >= from) {
            a = cpu_now();
            measuring = true;
        }
        turn(10);
        for (int i = 0; i < opt.conns; i++)
            if (conns[i].state == DEAD) start(&conns[i], n++);
    }
    struct cpu b = cpu_now();
    stopping = true;
    report_head();
    report_load(a, b);
    return report_tail();
}

static int run_idle(void)
{
    long rss0 = proc_kb(opt.pid, "VmRSS"), anon0 = proc_kb(opt.pid, "RssAnon");
    uint64_t t = now_ns();
    bool ok = open_all(opt.idle);
    double took = (double)(now_ns() - t) / 1e9;
    for (uint64_t e = now_ns() + 1000000000u; now_ns() < e;)
        turn(50);
    long rss1 = proc_kb(opt.pid, "VmRSS"), anon1 = proc_kb(opt.pid, "RssAnon");
    measuring = true;
    for (int i = 0; i < opt.idle; i++) {
        if (conns[i].state == OPEN) send_more(&conns[i], 1, now_ns());
        if (i % 64 == 63) turn(0);
    }
    for (uint64_t e = now_ns() + 10000000000u; now_ns() < e && done_msgs < opened;)
        turn(50);
    for (uint64_t e = now_ns() + 1000000000u; now_ns() < e;)
        turn(50);
    long rss2 = proc_kb(opt.pid, "VmRSS"), anon2 = proc_kb(opt.pid, "RssAnon");
    double n = (double)opened;
    report_head();
    printf(",\"opened\":%llu,\"closed\":%llu,\"echoed\":%llu,\"open_secs\":%.2f,\"rss_before_kb\":%ld,\"rss_"
           "idle_kb\":%ld,"
           "\"rss_after_echo_kb\":%ld,\"bytes_per_conn_idle\":%.0f,\"bytes_per_conn_after_echo\":%.0f,"
           "\"anon_per_conn_idle\":%.0f,\"anon_per_conn_after_echo\":%.0f",
           (unsigned long long)opened, (unsigned long long)closed, (unsigned long long)done_msgs, took, rss0,
           rss1, rss2, 1024.0 * (double)(rss1 - rss0) / n, 1024.0 * (double)(rss2 - rss0) / n,
           1024.0 * (double)(anon1 - anon0) / n, 1024.0 * (double)(anon2 - anon0) / n);
    if (!ok && !errors) errors++;
    stopping = true;
    return report_tail();
}

static void usage(const char *why)
{
    fprintf(stderr, "wsload: %s; the options are at the top of wsload.c\n", why);
    exit(2);
}

static double number(const char *name, const char *text)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || value < 0 || value > 1e15) usage(name);
    return value;
}

static int whole(const char *name, const char *text)
{
    double value = number(name, text);
    if (value > INT32_MAX) usage(name);
    return (int)value;
}

static bool is_flag(const char *name)
{
    static const struct {
        const char *name;
        bool *flag;
    } flags[] = {
        {"--check", &opt.check},     {"--raw", &opt.raw},           {"--handshakes", &opt.handshakes},
        {"--deflate", &opt.deflate}, {"--takeover", &opt.takeover}, {"--tls", &opt.tls},
        {"--tls12", &opt.tls12},
    };
    static const char *const kinds[] = {"--binary", "--text", "--utf8", "--json"};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        if (strcmp(name, flags[i].name) != 0) continue;
        *flags[i].flag = true;
        return true;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(name, kinds[i]) != 0) continue;
        opt.kind = kinds[i][2];
        return true;
    }
    return false;
}

static void take_value(const char *name, const char *value)
{
    static const struct {
        const char *name;
        const char **text;
        int *whole;
        double *number;
        size_t *bytes;
    } values[] = {
        {"--host", .text = &opt.host},       {"--path", .text = &opt.path},
        {"--label", .text = &opt.label},     {"--port", .whole = &opt.port},
        {"--conns", .whole = &opt.conns},    {"--depth", .whole = &opt.depth},
        {"--pid", .whole = &opt.pid},        {"--src", .whole = &opt.src},
        {"--idle", .whole = &opt.idle},      {"--secs", .number = &opt.secs},
        {"--rate", .number = &opt.rate},     {"--size", .bytes = &opt.size},
        {"--warmup", .number = &opt.warmup}, {"--frag", .bytes = &opt.frag},
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        if (strcmp(name, values[i].name) != 0) continue;
        if (!value) usage(name);
        if (values[i].text) *values[i].text = value;
        if (values[i].whole) *values[i].whole = whole(name, value);
        if (values[i].number) *values[i].number = number(name, value);
        if (values[i].bytes) *values[i].bytes = (size_t)number(name, value);
        return;
    }
    usage(name);
}

static void parse_options(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (!is_flag(argv[i])) {
            take_value(argv[i], i + 1 < argc ? argv[i + 1] : NULL);
            i++;
        }
    }
    opt.tls |= opt.tls12;
    if (!opt.port || opt.conns < 1 || opt.depth < 1) usage("--port, --conns, --depth");
    if (opt.raw && !opt.size) usage("--raw needs --size");
    server.sin_family = AF_INET;
    server.sin_port = htons((uint16_t)opt.port);
    if (inet_pton(AF_INET, opt.host, &server.sin_addr) != 1 || ntohl(server.sin_addr.s_addr) >> 24 != 127)
        usage("--host must be a loopback IPv4 address");
}

static void open_tls(void)
{
    ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(ctx, 1);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    if (opt.tls12) SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
}

int main(int argc, char **argv)
{
    parse_options(argc, argv);
    if (opt.tls) open_tls();
    signal(SIGPIPE, SIG_IGN);
    int n = opt.idle ? opt.idle : opt.conns;
    struct rlimit rl = {(rlim_t)n + 1000, (rlim_t)n + 1000};
    struct rlimit old;
    getrlimit(RLIMIT_NOFILE, &old);
    if (old.rlim_cur < rl.rlim_cur) {
        if (old.rlim_max > rl.rlim_max) rl.rlim_max = old.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &rl) < 0) die("setrlimit");
    }
    request_n = snprintf(request, sizeof request,
                         "GET %s HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s\r\n",
                         opt.path, opt.host, opt.port,
                         !opt.deflate ? ""
                         : opt.takeover
                             ? "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover\r\n"
                             : "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; "
                               "server_no_context_takeover\r\n");
    if (request_n >= (int)sizeof request) usage("--path is too long");
    build_ring();
    stamps = opt.rate > 0 ? 4096 : (unsigned)opt.depth + 1;
    conns = xmalloc((size_t)n * sizeof *conns);
    memset(conns, 0, (size_t)n * sizeof *conns);
    for (int i = 0; i < n; i++) {
        conns[i].fd = -1;
        conns[i].sent = xmalloc(stamps * sizeof(uint64_t));
    }
    ep = epoll_create1(EPOLL_CLOEXEC);
    if (ep < 0) die("epoll_create1");
    return opt.idle ? run_idle() : opt.handshakes ? run_handshakes() : run_load();
}
