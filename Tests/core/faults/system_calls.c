/* The prototypes of the system's headers have attributes and unions that definitions cannot repeat
 * everywhere, so these functions have prototypes of their own, with the same calling convention. */

#define _GNU_SOURCE 1

#include "faults/system_calls.h"

#include <dlfcn.h>
#include <errno.h>

typedef ptrdiff_t signed_size;
typedef struct span {
    void *bytes;
    size_t length;
} span;
typedef struct time_parts {
    long seconds, parts;
} time_parts;

enum {
    LEVEL_SOCKET = 1, /* SOL_SOCKET of Linux */
    OPTION_TYPE = 3,  /* SO_TYPE of Linux */
    WALL_CLOCK = 0,
    MONOTONIC_CLOCK = 1,
    COARSE_MONOTONIC_CLOCK = 6,
};

#define REPLACES __attribute__((visibility("default")))

/* The function that ours stands before. */
#define BEHIND(type, name)                                                                                   \
    static type real;                                                                                        \
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, name)

injection injection_now;
_Thread_local bool is_spared;

REPLACES int getsockopt(int, int, int, void *, unsigned *);

static bool is_socket(int descriptor)
{
    typedef int (*function)(int, int, int, void *, unsigned *);
    BEHIND(function, "getsockopt");
    int type, before = errno;
    unsigned size = sizeof type;
    bool is = real(descriptor, LEVEL_SOCKET, OPTION_TYPE, &type, &size) == 0;
    errno = before;
    return is;
}

static uint32_t next_random(void)
{
    uint32_t before = injection_now.seed, after;
    do {
        after = before * 1664525u + 1013904223u;
        after += after == 0;
    } while (!atomic_compare_exchange_weak(&injection_now.seed, &before, after));
    return after >> 16;
}

/* 0: nothing. */
static int random_fault(system_call call)
{
    static const int harmless[] = {EAGAIN, EINTR, ONE_BYTE, ONE_BYTE};
    uint32_t number = next_random();
    bool may_fail = call == READ || call == WRITE;
    return may_fail && number % 4 == 0 ? harmless[number / 4 % 4] : 0;
}

/* How this call is to fail; 0: not at all. */
static int fault_of(system_call call)
{
    if (is_spared) return 0;
    injection *now = &injection_now;
    size_t number = ++now->counts[call];
    int fault = 0;
    if (now->trickles && (call == READ || call == WRITE)) fault = ONE_BYTE;
    if (now->seed) fault = random_fault(call);
    bool is_hit = now->once ? number == now->from : number >= now->from;
    if (now->call == (int)call && now->from && is_hit) fault = now->error;
    if (fault) now->injected++;
    return fault;
}

/* True when the call fails, with errno set. */
static bool fails(system_call call)
{
    int fault = fault_of(call);
    if (fault > 0) errno = fault;
    return fault > 0;
}

/* -- moving bytes ------------------------------------------------------------------------------------ */

REPLACES signed_size read(int descriptor, void *bytes, size_t length)
{
    typedef signed_size (*function)(int, void *, size_t);
    BEHIND(function, "read");
    int fault = !is_spared && is_socket(descriptor) ? fault_of(READ) : 0;
    if (fault > 0) errno = fault;
    if (fault > 0) return -1;
    return real(descriptor, bytes, fault == ONE_BYTE && length ? 1 : length);
}

REPLACES signed_size write(int descriptor, const void *bytes, size_t length)
{
    typedef signed_size (*function)(int, const void *, size_t);
    BEHIND(function, "write");
    int fault = !is_spared && is_socket(descriptor) ? fault_of(WRITE) : 0;
    if (fault > 0) errno = fault;
    if (fault > 0) return -1;
    return real(descriptor, bytes, fault == ONE_BYTE && length ? 1 : length);
}

REPLACES signed_size writev(int descriptor, const span *spans, int count)
{
    typedef signed_size (*function)(int, const span *, int);
    BEHIND(function, "writev");
    int fault = !is_spared && is_socket(descriptor) ? fault_of(WRITE) : 0;
    if (fault > 0) errno = fault;
    if (fault > 0) return -1;
    if (fault != ONE_BYTE) return real(descriptor, spans, count);
    int first = 0;
    while (first + 1 < count && spans[first].length == 0)
        first++;
    span byte = {spans[first].bytes, spans[first].length ? 1 : 0};
    return real(descriptor, &byte, 1);
}

/* -- sockets ----------------------------------------------------------------------------------------- */

REPLACES int accept4(int descriptor, void *address, unsigned *size, int flags)
{
    typedef int (*function)(int, void *, unsigned *, int);
    BEHIND(function, "accept4");
    return fails(ACCEPT) ? -1 : real(descriptor, address, size, flags);
}

REPLACES int socket(int domain, int type, int protocol)
{
    typedef int (*function)(int, int, int);
    BEHIND(function, "socket");
    return fails(SOCKET) ? -1 : real(domain, type, protocol);
}

REPLACES int connect(int descriptor, const void *address, unsigned size)
{
    typedef int (*function)(int, const void *, unsigned);
    BEHIND(function, "connect");
    return fails(CONNECT) ? -1 : real(descriptor, address, size);
}

REPLACES int shutdown(int descriptor, int how)
{
    typedef int (*function)(int, int);
    BEHIND(function, "shutdown");
    return fails(SHUTDOWN) ? -1 : real(descriptor, how);
}

REPLACES int getsockopt(int descriptor, int level, int option, void *value, unsigned *size)
{
    typedef int (*function)(int, int, int, void *, unsigned *);
    BEHIND(function, "getsockopt");
    return fails(GETSOCKOPT) ? -1 : real(descriptor, level, option, value, size);
}

REPLACES int setsockopt(int descriptor, int level, int option, const void *value, unsigned size)
{
    typedef int (*function)(int, int, int, const void *, unsigned);
    BEHIND(function, "setsockopt");
    return fails(SETSOCKOPT) ? -1 : real(descriptor, level, option, value, size);
}

REPLACES int getaddrinfo(const char *host, const char *service, const void *hints, void **out)
{
    typedef int (*function)(const char *, const char *, const void *, void **);
    BEHIND(function, "getaddrinfo");
    int fault = fault_of(RESOLVE);
    return fault ? fault : real(host, service, hints, out);
}

REPLACES int epoll_wait(int descriptor, void *events, int most, int timeout)
{
    typedef int (*function)(int, void *, int, int);
    BEHIND(function, "epoll_wait");
    fault_of(POLL);
    return real(descriptor, events, most, timeout);
}

REPLACES int epoll_pwait(int descriptor, void *events, int most, int timeout, const void *signals)
{
    typedef int (*function)(int, void *, int, int, const void *);
    BEHIND(function, "epoll_pwait");
    fault_of(POLL);
    return real(descriptor, events, most, timeout, signals);
}

/* -- clocks ------------------------------------------------------------------------------------------ */

REPLACES int clock_gettime(int clock, time_parts *out)
{
    typedef int (*function)(int, time_parts *);
    BEHIND(function, "clock_gettime");
    int result = real(clock, out);
    bool is_monotonic = clock == MONOTONIC_CLOCK || clock == COARSE_MONOTONIC_CLOCK;
    if (result != 0 || is_spared) return result;
    if (is_monotonic) out->seconds += injection_now.monotonic_jump_s;
    if (clock == WALL_CLOCK) out->seconds += injection_now.wall_jump_s;
    return 0;
}

REPLACES long time(long *out)
{
    time_parts now = {0, 0};
    clock_gettime(WALL_CLOCK, &now);
    if (out) *out = now.seconds;
    return now.seconds;
}

REPLACES int gettimeofday(time_parts *out, void *zone)
{
    typedef int (*function)(time_parts *, void *);
    BEHIND(function, "gettimeofday");
    int result = real(out, zone);
    if (result == 0 && !is_spared) out->seconds += injection_now.wall_jump_s;
    return result;
}
