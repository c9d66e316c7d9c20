/* A loop on its own thread, on which a test runs one step after the other, and sockets to talk to. */
#ifndef WEFT_TESTS_LAB_H
#define WEFT_TESTS_LAB_H

#include "endpoint/peer.h"

#include "net/acceptor.h"
#include "net/stream_internal.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

/* A count that other threads raise and tests wait for. */
typedef struct gate {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int count;
} gate;

static inline void gate_init(gate *gate)
{
    pthread_mutex_init(&gate->mutex, NULL);
    pthread_cond_init(&gate->changed, NULL);
    gate->count = 0;
}

static inline void gate_clear(gate *gate)
{
    pthread_mutex_destroy(&gate->mutex);
    pthread_cond_destroy(&gate->changed);
}

static inline void gate_pass(gate *gate)
{
    pthread_mutex_lock(&gate->mutex);
    gate->count++;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->mutex);
}

static inline int gate_count(gate *gate)
{
    pthread_mutex_lock(&gate->mutex);
    int count = gate->count;
    pthread_mutex_unlock(&gate->mutex);
    return count;
}

static inline void gate_await(gate *gate, int count)
{
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += PEER_DEADLINE_MS / 1000;
    int waited = 0;
    pthread_mutex_lock(&gate->mutex);
    while (waited == 0 && gate->count < count) {
        waited = pthread_cond_timedwait(&gate->changed, &gate->mutex, &deadline);
    }
    bool has_come = gate->count >= count;
    pthread_mutex_unlock(&gate->mutex);
    assert_true(has_come);
}

/* -- steps on a loop ------------------------------------------------------------------------------- */

typedef struct step {
    void (*run)(void *context);
    void *context;
    gate done;
} step;

static inline void step_task(weft_loop *loop, void *context)
{
    step *step = context;
    (void)loop;
    step->run(step->context);
    gate_pass(&step->done);
}

/* Runs a step in a turn of the loop, and waits for it; what it writes leaves at the end of that turn. */
static inline void on_loop(weft_loop *loop, void (*run)(void *context), void *context)
{
    step step = {.run = run, .context = context};
    gate_init(&step.done);
    assert_int_equal(weft_loop_post(loop, step_task, &step), WEFT_OK);
    gate_await(&step.done, 1);
    gate_clear(&step.done);
}

static inline uint64_t lab_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* -- a stream and its peer ------------------------------------------------------------------------- */

typedef struct lab {
    weft_loop *loop;
    uint16_t port;
    int socket; /* until the acceptor takes it */
    weft__acceptor *acceptor;
    gate accepted, read, ended, drained, starved, recovered, secured;

    /* loop thread only, read by the test after a gate */
    weft__stream *stream;
    size_t bytes_read;
    uint8_t first_bytes[64];
    weft_status end;
    char end_detail[480];
    bool had_end_in_call; /* an event came from within a call on the stream */
    bool is_in_call;
} lab;

static inline void lab_on_read(void *owner, uint8_t *bytes, size_t length)
{
    lab *lab = owner;
    for (size_t i = 0; i < length && lab->bytes_read + i < sizeof lab->first_bytes; i++) {
        lab->first_bytes[lab->bytes_read + i] = bytes[i];
    }
    lab->bytes_read += length;
    gate_pass(&lab->read);
}

static inline void lab_on_end(void *owner, weft_status status, const char *detail)
{
    lab *lab = owner;
    lab->end = status;
    snprintf(lab->end_detail, sizeof lab->end_detail, "%s", detail);
    lab->had_end_in_call = lab->is_in_call;
    gate_pass(&lab->ended);
}

static inline void lab_on_drain(void *owner)
{
    lab *lab = owner;
    gate_pass(&lab->drained);
}

static inline void lab_on_secure(void *owner)
{
    lab *lab = owner;
    gate_pass(&lab->secured);
}

static inline void lab_on_accept(void *owner, weft__stream *stream)
{
    static const weft__stream_events events = {
        .on_read = lab_on_read,
        .on_end = lab_on_end,
        .on_drain = lab_on_drain,
        .on_secure = lab_on_secure,
    };
    lab *lab = owner;
    weft__stream_close(lab->stream);
    lab->stream = stream;
    weft__stream_set_owner(stream, &events, lab);
    gate_pass(&lab->accepted);
}

static inline void lab_on_starved(void *owner, weft_status status, const char *detail)
{
    lab *lab = owner;
    lab->end = status;
    assert_non_null(strstr(detail, "connections wait to be accepted: "));
    gate_pass(&lab->starved);
}

static inline void lab_on_recovered(void *owner)
{
    lab *lab = owner;
    gate_pass(&lab->recovered);
}

static const weft__acceptor_events lab_acceptor_events = {lab_on_accept, lab_on_starved, lab_on_recovered};

static inline void lab_start_accepting(void *context)
{
    lab *lab = context;
    assert_int_equal(weft__acceptor_start(&lab->acceptor, lab->loop, lab->socket, &lab_acceptor_events, lab),
                     WEFT_OK);
}

static inline void lab_open(lab *lab)
{
    memset(lab, 0, sizeof *lab);
    gate_init(&lab->accepted);
    gate_init(&lab->read);
    gate_init(&lab->ended);
    gate_init(&lab->drained);
    gate_init(&lab->starved);
    gate_init(&lab->recovered);
    gate_init(&lab->secured);
    assert_int_equal(weft_loop_open(&lab->loop), WEFT_OK);
    weft__listen_address address = {.host = "127.0.0.1", .backlog = 16};
    weft__endpoint_address bound;
    char detail[128];
    assert_int_equal(weft__listening_socket_open(&lab->socket, &bound, &address, detail, sizeof detail),
                     WEFT_OK);
    lab->port = bound.port;
    on_loop(lab->loop, lab_start_accepting, lab);
}

/* A peer whose other end is lab->stream. */
static inline int lab_connect(lab *lab, bool is_small)
{
    int before = gate_count(&lab->accepted);
    int peer = peer_try_connect(lab->port, is_small);
    assert_true(peer >= 0);
    gate_await(&lab->accepted, before + 1);
    return peer;
}

static inline void lab_stop(void *context)
{
    lab *lab = context;
    weft__stream_close(lab->stream);
    lab->stream = NULL;
    weft__acceptor_stop(lab->acceptor);
    lab->acceptor = NULL;
}

static inline void lab_close(lab *lab)
{
    on_loop(lab->loop, lab_stop, lab);
    weft_loop_close(lab->loop);
    gate_clear(&lab->accepted);
    gate_clear(&lab->read);
    gate_clear(&lab->ended);
    gate_clear(&lab->drained);
    gate_clear(&lab->starved);
    gate_clear(&lab->recovered);
    gate_clear(&lab->secured);
}

/* -- what tests do with the stream ----------------------------------------------------------------- */

static inline uint8_t pattern_at(size_t index)
{
    return (uint8_t)(index * 31 + index / 251);
}

static inline void append(weft__stream *stream, const void *bytes, size_t length)
{
    weft__buffer *output = weft__stream_output(stream);
    assert_non_null(output);
    assert_int_equal(weft__buffer_append(output, bytes, length, SIZE_MAX), WEFT_OK);
}

static inline void start_reading(void *context)
{
    lab *lab = context;
    weft__stream_start_reading(lab->stream);
}

static inline void stop_reading(void *context)
{
    lab *lab = context;
    weft__stream_stop_reading(lab->stream);
}

static inline void limit_send_buffer(void *context)
{
    lab *lab = context;
    uv_os_fd_t socket;
    int bytes = 4096;
    uv_fileno(&lab->stream->uv.handle, &socket);
    setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}

#endif
