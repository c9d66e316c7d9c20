/* What was asked for, clocks, a histogram, and what the machine is doing. wsload.c is compiled as one file,
 * with these headers in it. */
#ifndef WSLOAD_MEASURE_H
#define WSLOAD_MEASURE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static struct {
    const char *host, *path, *label;
    int port, conns, depth, pid, src, idle;
    size_t size, frag;
    double secs, warmup, rate;
    char kind; /* b, t, u, j */
    bool check, raw, handshakes, deflate, takeover, tls, tls12;
} opt = {.host = "127.0.0.1",
         .path = "/",
         .label = "",
         .conns = 1,
         .depth = 1,
         .size = 20,
         .secs = 3,
         .warmup = 0.5,
         .kind = 'b'};

static void die(const char *what)
{
    perror(what);
    exit(2);
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t rng_state = 0x9E3779B97F4A7C15u;
static uint64_t rng(void)
{
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 7;
    rng_state ^= rng_state << 17;
    return rng_state;
}

static void *xmalloc(size_t n)
{
    void *p = malloc(n ? n : 1);
    if (!p) die("malloc");
    return p;
}

/* Latency histogram: 64 linear steps in each power of two, so 1.6 % wide. */
enum {
    SUB = 64,
    OCTAVES = 58
};
static uint64_t hist[OCTAVES * SUB], hist_n, hist_max;

static inline void hist_add(uint64_t ns)
{
    unsigned at = (unsigned)ns;
    if (ns >= SUB) {
        unsigned o = 63u - (unsigned)__builtin_clzll(ns) - 5u; /* 1.. */
        at = o * (SUB / 2) + (unsigned)(ns >> o);
    }
    hist[at]++;
    hist_n++;
    if (ns > hist_max) hist_max = ns;
}

static double hist_us(double q)
{
    if (!hist_n) return 0;
    uint64_t want = (uint64_t)(q * (double)(hist_n - 1)), seen = 0;
    for (unsigned i = 0; i < OCTAVES * SUB; i++) {
        seen += hist[i];
        if (hist[i] && seen > want) {
            if (i < SUB) return (double)i / 1e3;
            unsigned o = (i - SUB / 2) / (SUB / 2);
            return (double)((uint64_t)(i - o * (SUB / 2)) << o) / 1e3;
        }
    }
    return (double)hist_max / 1e3;
}

static uint64_t proc_cpu_us(int pid) /* user + system time of all its threads */
{
    char path[64], line[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *f = pid ? fopen(path, "r") : NULL;
    if (!f) return 0;
    char *ok = fgets(line, sizeof line, f);
    fclose(f);
    char *p = ok ? strrchr(line, ')') : NULL;
    unsigned long ut = 0, st = 0;
    if (!p || sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &ut, &st) != 2) return 0;
    return (uint64_t)(ut + st) * 1000000u / (uint64_t)sysconf(_SC_CLK_TCK);
}

static uint64_t self_cpu_us(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (uint64_t)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000u +
           (uint64_t)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

static uint64_t machine_cpu_us(void) /* busy time of all cores */
{
    FILE *f = fopen("/proc/stat", "r");
    unsigned long u = 0, n = 0, s = 0, id, io, irq = 0, soft = 0, steal = 0;
    if (!f) return 0;
    if (fscanf(f, "cpu %lu %lu %lu %lu %lu %lu %lu %lu", &u, &n, &s, &id, &io, &irq, &soft, &steal) != 8)
        u = n = s = irq = soft = steal = 0;
    fclose(f);
    return (uint64_t)(u + n + s + irq + soft + steal) * 1000000u / (uint64_t)sysconf(_SC_CLK_TCK);
}

static long proc_kb(int pid, const char *field) /* a line of /proc/PID/status */
{
    char path[64], line[256];
    long kb = -1;
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *f = pid ? fopen(path, "r") : NULL;
    if (!f) return -1;
    size_t n = strlen(field);
    while (fgets(line, sizeof line, f))
        if (!strncmp(line, field, n) && line[n] == ':') kb = atol(line + n + 1);
    fclose(f);
    return kb;
}

#endif
