/* System calls that fail as a test wants, and clocks that jump: ours take the place of the C library's. */
#ifndef WEFT_TESTS_SYSTEM_CALLS_H
#define WEFT_TESTS_SYSTEM_CALLS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum system_call {
    NO_CALL,
    READ,
    WRITE, /* and writev */
    ACCEPT,
    SOCKET,
    CONNECT,
    SHUTDOWN,
    GETSOCKOPT,
    SETSOCKOPT,
    RESOLVE,
    POLL, /* of the event loop; only counted */
    SYSTEM_CALLS,
} system_call;

enum {
    ONE_BYTE = -1, /* instead of an error: the call moves one byte */
};

/* What fails. Descriptors that are no sockets are left alone. */
typedef struct injection {
    _Atomic int call;      /* of this kind; NO_CALL: none */
    _Atomic int error;     /* with that errno, EAI_… of RESOLVE, or ONE_BYTE */
    _Atomic size_t from;   /* this call of its kind, from 1 */
    atomic_bool once;      /* else all from that one on */
    _Atomic uint32_t seed; /* not 0: any read or write, one of four, in any harmless way */
    atomic_bool trickles;  /* every read and write moves one byte */
    _Atomic size_t injected;
    _Atomic size_t counts[SYSTEM_CALLS];
    /* Behind it the caller finds what the clocks said, and this besides. */
    _Atomic int64_t monotonic_jump_s, wall_jump_s;
} injection;

extern injection injection_now;

/* Calls of this thread neither count nor fail, and see the clocks as they are. */
extern _Thread_local bool is_spared;

#endif
