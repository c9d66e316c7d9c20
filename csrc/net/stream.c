#include "net/stream_internal.h"

#include "base/allocator.h"

#include <string.h>
#include <sys/socket.h>

enum {
    FLUSH_ABOVE = 64 * 1024, /* output is sent before the turn ends when there is more */
    SPANS_AT_ONCE = 16,
};

/* A write that the system did not take at once, with the bytes that it sends. */
typedef struct waiting_write {
    uv_write_t request;
    weft__stream *stream;
    weft__buffer *buffer; /* borrowed from the loop */
} waiting_write;

static void flush(weft__turn_end_hook *hook);
static weft_status send_gathered(weft__stream *stream, const weft__span *spans, size_t count);
static const weft__stream_kind plain;

weft__stream *weft__stream_new(weft_loop *loop)
{
    weft__stream *stream = weft__alloc_zeroed(sizeof *stream);
    if (!stream) return NULL;
    stream->kind = &plain;
    stream->loop = loop;
    weft__link_init(&stream->flush.link);
    stream->flush.run = flush;
    uv_tcp_init(loop->uv, &stream->uv.tcp);
    stream->uv.handle.data = NULL;
    weft__loop_retain(loop);
    return stream;
}

void weft__stream_set_owner(weft__stream *stream, const weft__stream_events *events, void *owner)
{
    stream->events = events;
    stream->uv.handle.data = owner;
}

weft_loop *weft__stream_loop(const weft__stream *stream)
{
    return stream->loop;
}

/* The owner hears of it at the end of the turn, never from within its own call. */
void weft__stream_break(weft__stream *stream, int error)
{
    if (stream->is_closed || (stream->is_broken && !stream->is_reading)) return;
    if (!stream->is_broken || error == WEFT__BROKEN_BY_KIND) stream->break_error = error;
    stream->is_broken = true;
    weft__stream_stop_reading(stream);
    weft__turn_at_end(stream->loop, &stream->flush);
}

/* What has come by now can still be read, and the end behind it at once: a peer of a unix socket that only
 * reads no more would never end it. */
static void end_reading(weft__stream *stream)
{
    uv_os_fd_t socket;
    if (uv_fileno(&stream->uv.handle, &socket) == 0) shutdown(socket, SHUT_RD);
}

/* A peer that has gone may have said why before: what it sent last is read first, and the end behind it tells
 * that the stream is broken. */
static void break_writing(weft__stream *stream, int error)
{
    bool has_gone = error == UV_ECONNRESET || error == UV_EPIPE;
    if (!has_gone || !stream->is_reading) {
        weft__stream_break(stream, error);
    } else if (!stream->is_broken) {
        stream->is_broken = true;
        stream->break_error = error;
        end_reading(stream);
    }
}

/* -- reading ----------------------------------------------------------------------------------- */

static void lend_receive_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    (void)suggested;
    weft__stream *stream = WEFT__CONTAINER(handle, weft__stream, uv.handle);
    unsigned most = stream->reads_little ? WEFT__LITTLE_READ : WEFT__RECEIVE_BUFFER;
    size_t offset = stream->kind->receive_offset;
    if (most > WEFT__RECEIVE_BUFFER - offset) most = (unsigned)(WEFT__RECEIVE_BUFFER - offset);
    *out = uv_buf_init((char *)stream->loop->receive_buffer + offset, most);
}

/* A reset right behind the last bytes reaches us as their end: libuv then does not ask the system why. */
static int error_behind_end(weft__stream *stream)
{
    uv_os_fd_t socket;
    int error = 0;
    socklen_t size = sizeof error;
    if (uv_fileno(&stream->uv.handle, &socket) != 0) return 0;
    return getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? -error : 0;
}

static void on_readable(uv_stream_t *handle, ssize_t count, const uv_buf_t *buffer)
{
    weft__stream *stream = WEFT__CONTAINER(handle, weft__stream, uv.stream);
    weft_loop *loop = stream->loop;
    if (count == 0) return;
    int error = count == UV_EOF ? error_behind_end(stream) : 0;
    weft__turn_begin(loop);
    if (count > 0) {
        stream->kind->receive(stream, (uint8_t *)buffer->base, (size_t)count);
    } else if (stream->is_broken) {
        weft__stream_stop_reading(stream);
    } else if (error) {
        weft__stream_break(stream, error);
    } else if (count == UV_EOF) {
        stream->kind->end(stream);
    } else {
        weft__stream_break(stream, (int)count);
    }
    weft__turn_end(loop);
}

void weft__stream_tell_end(weft__stream *stream)
{
    weft__stream_stop_reading(stream);
    if (stream->is_broken) return; /* which is told at the end of the turn */
    stream->events->on_end(weft__stream_owner(stream), WEFT_OK, "the peer ended the stream");
}

void weft__stream_start_reading(weft__stream *stream)
{
    if (stream->is_reading || stream->is_broken || stream->is_closed) return;
    stream->is_reading = true;
    if (stream->kind_waits) weft__turn_at_end(stream->loop, &stream->flush);
    uv_read_start(&stream->uv.stream, lend_receive_buffer, on_readable);
}

void weft__stream_read_little(weft__stream *stream, bool is_little)
{
    stream->reads_little = is_little;
}

void weft__stream_stop_reading(weft__stream *stream)
{
    if (!stream->is_reading) return;
    stream->is_reading = false;
    uv_read_stop(&stream->uv.stream);
    if (stream->is_broken) weft__turn_at_end(stream->loop, &stream->flush); /* nothing is left to wait for */
}

/* -- writing ----------------------------------------------------------------------------------- */

/* Counted afresh, because output grows behind a write that waits without passing through here. */
size_t weft__stream_unsent(const weft__stream *stream)
{
    if (!stream->writes_waiting) return 0;
    size_t gathered = stream->output ? weft__buffer_length(stream->output) : 0;
    return uv_stream_get_write_queue_size(&stream->uv.stream) + gathered;
}

static void count_unsent(weft__stream *stream)
{
    size_t unsent = weft__stream_unsent(stream);
    if (stream->shared_unsent) atomic_store_explicit(stream->shared_unsent, unsent, memory_order_relaxed);
}

void weft__stream_share_unsent(weft__stream *stream, _Atomic size_t *counter)
{
    stream->shared_unsent = counter;
}

static void return_output(weft__stream *stream)
{
    if (!stream->output) return;
    weft__loop_return_buffer(stream->loop, stream->output);
    stream->output = NULL;
}

static void on_written(uv_write_t *request, int status)
{
    waiting_write *write = request->data;
    weft__stream *stream = write->stream;
    weft_loop *loop = stream->loop;
    weft__turn_begin(loop);
    weft__loop_return_buffer(loop, write->buffer);
    weft__free(write);
    stream->writes_waiting--;
    if (!stream->is_closed) {
        if (status != 0) break_writing(stream, status);
        if (stream->output) send_gathered(stream, NULL, 0);
        count_unsent(stream);
        if (!stream->writes_waiting && !stream->is_broken)
            stream->events->on_drain(weft__stream_owner(stream));
    }
    weft__turn_end(loop);
}

/* Waits until the system takes the whole of `buffer`, which is the write's from now on. */
static weft_status wait_for_system(weft__stream *stream, weft__buffer *buffer)
{
    waiting_write *write = weft__alloc(sizeof *write);
    if (!write) return WEFT_ENOMEM;
    write->stream = stream;
    write->buffer = buffer;
    write->request.data = write;
    uv_buf_t bytes = {.base = (char *)weft__buffer_front(buffer), .len = weft__buffer_length(buffer)};
    if (uv_write(&write->request, &stream->uv.stream, &bytes, 1, on_written) != 0) {
        weft__free(write);
        return WEFT_ESYSTEM;
    }
    stream->writes_waiting++;
    return WEFT_OK;
}

/* Copies what the system left of `spans`, of which it took `taken` bytes. */
static weft_status keep_rest(weft__buffer *buffer, const weft__span *spans, size_t count, size_t taken)
{
    for (size_t i = 0; i < count; i++) {
        size_t skipped = taken < spans[i].length ? taken : spans[i].length;
        taken -= skipped;
        weft_status status =
            weft__buffer_append(buffer, spans[i].bytes + skipped, spans[i].length - skipped, SIZE_MAX);
        if (status != WEFT_OK) return status;
    }
    return WEFT_OK;
}

static size_t total_length(const weft__span *spans, size_t count)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += spans[i].length;
    return total;
}

/* Hands `count` spans, at most SPANS_AT_ONCE, to the system; `*taken` says how far it went. */
static weft_status try_write(weft__stream *stream, const weft__span *spans, size_t count, size_t *taken)
{
    uv_buf_t buffers[SPANS_AT_ONCE];
    *taken = 0;
    for (size_t i = 0; i < count; i++) {
        buffers[i] = (uv_buf_t){.base = (char *)spans[i].bytes, .len = spans[i].length};
    }
    int written = uv_try_write(&stream->uv.stream, buffers, (unsigned)count);
    if (written == UV_EAGAIN) return WEFT_OK;
    if (written < 0) {
        break_writing(stream, written);
        return WEFT_ELOST;
    }
    *taken = (size_t)written;
    return WEFT_OK;
}

/* Keeps the rest in a buffer that the loop lends, and waits for the system. */
static weft_status queue_rest(weft__stream *stream, const weft__span *spans, size_t count, size_t taken)
{
    weft__buffer *buffer = weft__loop_borrow_buffer(stream->loop);
    weft_status status = buffer ? keep_rest(buffer, spans, count, taken) : WEFT_ENOMEM;
    if (status == WEFT_OK) status = wait_for_system(stream, buffer);
    if (status == WEFT_OK) return WEFT_OK;
    if (buffer) weft__loop_return_buffer(stream->loop, buffer);
    weft__stream_break(stream, status == WEFT_ENOMEM ? UV_ENOMEM : UV_EIO);
    return status;
}

weft_status weft__stream_send_raw(weft__stream *stream, const weft__span *spans, size_t count)
{
    if (stream->writes_waiting) return queue_rest(stream, spans, count, 0);
    while (count > 0) {
        size_t batch = count < SPANS_AT_ONCE ? count : SPANS_AT_ONCE;
        size_t taken;
        weft_status status = try_write(stream, spans, batch, &taken);
        if (status != WEFT_OK) return status;
        if (taken < total_length(spans, batch)) return queue_rest(stream, spans, count, taken);
        spans += batch;
        count -= batch;
    }
    return WEFT_OK;
}

/* Output that waits behind a write is left alone until that write is done: order and fewer calls. */
static weft_status send_gathered(weft__stream *stream, const weft__span *spans, size_t count)
{
    if (stream->is_broken) return_output(stream);
    if (stream->is_broken || stream->is_closed) return WEFT_ELOST;
    if (stream->writes_waiting) {
        weft__buffer *output = count ? weft__stream_output(stream) : NULL;
        weft_status status = !count || output ? WEFT_OK : WEFT_ENOMEM;
        if (status == WEFT_OK) status = keep_rest(output, spans, count, 0);
        if (status != WEFT_OK) weft__stream_break(stream, UV_ENOMEM);
        count_unsent(stream);
        return status;
    }
    weft_status status = stream->kind->send(stream, spans, count);
    if (stream->output) return_output(stream);
    count_unsent(stream);
    return status;
}

static void flush(weft__turn_end_hook *hook)
{
    weft__stream *stream = WEFT__CONTAINER(hook, weft__stream, flush);
    if (stream->is_closed) return;
    if (stream->output) send_gathered(stream, NULL, 0);
    if (stream->kind_waits && stream->is_reading) {
        stream->kind_waits = false;
        stream->kind->resume(stream);
    }
    if (stream->is_closed || stream->is_reading || !stream->break_error) return;
    int error = stream->break_error;
    stream->break_error = 0;
    return_output(stream);
    weft_status status = WEFT_ELOST;
    const char *detail = error < 0 ? uv_strerror(error) : stream->kind->break_text(stream, &status);
    stream->events->on_end(weft__stream_owner(stream), status, detail);
}

void weft__stream_flush_large(weft__stream *stream)
{
    bool is_large = stream->output && weft__buffer_length(stream->output) > FLUSH_ABOVE;
    if (is_large && (!stream->writes_waiting || stream->is_broken)) send_gathered(stream, NULL, 0);
}

void weft__stream_flush(weft__stream *stream)
{
    if (stream->output) send_gathered(stream, NULL, 0);
}

weft__buffer *weft__stream_output(weft__stream *stream)
{
    weft__stream_flush_large(stream);
    if (!stream->output) stream->output = weft__loop_borrow_buffer(stream->loop);
    if (stream->output) weft__turn_at_end(stream->loop, &stream->flush);
    return stream->output;
}

weft_status weft__stream_write(weft__stream *stream, const weft__span *spans, size_t count)
{
    return send_gathered(stream, spans, count);
}

/* -- plain streams ----------------------------------------------------------------------------- */

static void plain_receive(weft__stream *stream, uint8_t *bytes, size_t length)
{
    stream->events->on_read(weft__stream_owner(stream), bytes, length);
}

static weft_status plain_send(weft__stream *stream, const weft__span *spans, size_t count)
{
    weft__span all[SPANS_AT_ONCE];
    size_t used = 0;
    if (stream->output) {
        all[used++] = (weft__span){weft__buffer_front(stream->output), weft__buffer_length(stream->output)};
    }
    /* The output and the first spans leave together; the rest follows. */
    size_t joined = count < SPANS_AT_ONCE - used ? count : SPANS_AT_ONCE - used;
    for (size_t i = 0; i < joined; i++)
        all[used++] = spans[i];
    weft_status status = weft__stream_send_raw(stream, all, used);
    if (status != WEFT_OK || joined == count) return status;
    return weft__stream_send_raw(stream, spans + joined, count - joined);
}

/* For what a plain stream has no use of. */
static void do_nothing(weft__stream *stream)
{
    (void)stream;
}

static const weft__stream_kind plain = {
    .receive = plain_receive,
    .end = weft__stream_tell_end,
    .send = plain_send,
    .finish = do_nothing,
    .resume = do_nothing,
    .clear = do_nothing,
};

/* -- the end ----------------------------------------------------------------------------------- */

static void on_shut_down(uv_shutdown_t *request, int status)
{
    (void)status; /* a stream that cannot be shut down is broken, and reading tells so */
    weft__free(request);
}

void weft__stream_shut_down(weft__stream *stream)
{
    if (stream->is_broken || stream->is_closed) return;
    if (stream->output) stream->kind->send(stream, NULL, 0); /* behind what waits, before the end */
    return_output(stream);
    stream->kind->finish(stream);
    count_unsent(stream);
    uv_shutdown_t *request = weft__alloc(sizeof *request);
    int result = request ? uv_shutdown(request, &stream->uv.stream, on_shut_down) : UV_ENOMEM;
    if (result == 0) return;
    weft__free(request);
    weft__stream_break(stream, result);
}

static void on_closed(uv_handle_t *handle)
{
    weft__stream *stream = WEFT__CONTAINER(handle, weft__stream, uv.handle);
    weft_loop *loop = stream->loop;
    stream->kind->clear(stream); /* not before: the owner may have closed it while it was told something */
    weft__free(stream);
    weft__loop_release(loop);
}

static bool begin_close(weft__stream *stream)
{
    if (!stream || stream->is_closed) return false;
    weft__stream_stop_reading(stream);
    stream->is_closed = true;
    weft__link_remove(&stream->flush.link);
    return_output(stream);
    return true;
}

void weft__stream_close(weft__stream *stream)
{
    if (!begin_close(stream)) return;
    uv_close(&stream->uv.handle, on_closed);
}

void weft__stream_reset(weft__stream *stream)
{
    if (!begin_close(stream)) return;
    if (uv_tcp_close_reset(&stream->uv.tcp, on_closed) == 0) return;
    uv_close(&stream->uv.handle, on_closed); /* being shut down already */
}
