#include "net/dialer.h"

#include "base/allocator.h"
#include "net/stream_internal.h"
#include "net/unix_socket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A connect under way. It outlives its dialer until libuv has let go of the request. */
typedef struct attempt {
    uv_connect_t request;
    weft_loop *loop;
    weft__dialer *dialer; /* NULL once another attempt has won, or the dialer was cancelled */
    size_t index;         /* of its address */
    weft__stream *stream;
    weft__link link; /* of the dialer */
} attempt;

struct weft__dialer {
    weft_loop *loop;
    weft__on_dialled on_dialled;
    void *owner;
    bool is_cancelled;
    bool is_resolving;
    uv_getaddrinfo_t resolution;
    weft__turn_end_hook begin; /* where nothing is to be resolved: the event must not come from the start */
    weft__timer timer;         /* until the next attempt */
    weft__link attempts;       /* under way */
    size_t count;              /* of addresses */
    size_t next;               /* the address to be tried next */
    weft__address addresses[WEFT__DIALER_ADDRESSES];
    int errors[WEFT__DIALER_ADDRESSES]; /* libuv's; 0: not known yet */
    char host[256];                     /* the name, closed by a NUL; of a unix socket its path */
};

static void free_dialer(weft__dialer *dialer)
{
    weft__timer_stop(&dialer->timer);
    weft__link_remove(&dialer->begin.link);
    while (!weft__link_is_alone(&dialer->attempts)) {
        attempt *attempt = WEFT__CONTAINER(dialer->attempts.next, struct attempt, link);
        weft__link_remove(&attempt->link);
        attempt->dialer = NULL;
        weft__stream_close(attempt->stream); /* ends the request, which frees the attempt */
    }
    weft__loop_release(dialer->loop);
    weft__free(dialer);
}

static void finish(weft__dialer *dialer, weft__stream *stream, weft_status status, const char *detail)
{
    dialer->on_dialled(dialer->owner, stream, status, detail);
    free_dialer(dialer);
}

static void fail_without_memory(weft__dialer *dialer)
{
    finish(dialer, NULL, WEFT_ENOMEM, weft_status_text(WEFT_ENOMEM));
}

/* -- why nothing came of it -------------------------------------------------------------------- */

/* A text that is cut at its size. */
typedef struct sentence {
    char text[512];
    size_t length;
} sentence;

static void add(sentence *sentence, const char *text)
{
    size_t room = sizeof sentence->text - 1 - sentence->length, length = strlen(text);
    if (length > room) length = room;
    memcpy(sentence->text + sentence->length, text, length);
    sentence->length += length;
    sentence->text[sentence->length] = '\0';
}

/* The addresses from `first` on that failed with the same error: "connection refused by 127.0.0.1:80 and …"
 */
static void add_cause(sentence *sentence, const weft__dialer *dialer, size_t first)
{
    int error = dialer->errors[first];
    add(sentence, uv_strerror(error));
    for (size_t i = first; i < dialer->count; i++) {
        char address[80];
        if (dialer->errors[i] != error) continue;
        weft__address_write(address, sizeof address, &dialer->addresses[i]);
        add(sentence, i > first ? " and " : error == UV_ECONNREFUSED ? " by " : " for ");
        add(sentence, address);
    }
}

static bool is_told(const weft__dialer *dialer, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (dialer->errors[i] == dialer->errors[index]) return true;
    }
    return false;
}

/* A host that answers, if only to refuse, tells more than one that does not. */
static weft_status status_of(const weft__dialer *dialer)
{
    weft_status status = WEFT_ESYSTEM;
    for (size_t i = 0; i < dialer->count; i++) {
        if (dialer->errors[i] == UV_ECONNREFUSED) return WEFT_EREFUSED;
        if (dialer->errors[i] == UV_ETIMEDOUT) status = WEFT_ETIMEDOUT;
    }
    return status;
}

static void fail_to_connect(weft__dialer *dialer)
{
    sentence sentence = {0};
    add(&sentence, dialer->host[0] ? "cannot connect to " : "cannot connect");
    add(&sentence, dialer->host);
    for (size_t i = 0; i < dialer->count; i++) {
        if (is_told(dialer, i)) continue;
        add(&sentence, i == 0 ? ": " : "; ");
        add_cause(&sentence, dialer, i);
    }
    finish(dialer, NULL, status_of(dialer), sentence.text);
}

/* -- attempts ---------------------------------------------------------------------------------- */

static void try_next(weft__dialer *dialer);

static void win(weft__dialer *dialer, attempt *attempt)
{
    weft__stream *stream = attempt->stream;
    weft__link_remove(&attempt->link);
    uv_tcp_nodelay(&stream->uv.tcp, 1);
    finish(dialer, stream, WEFT_OK, "");
}

static void lose(weft__dialer *dialer, attempt *attempt, int error)
{
    weft__link_remove(&attempt->link);
    weft__stream_close(attempt->stream);
    dialer->errors[attempt->index] = error;
    try_next(dialer);
}

static void on_connected(uv_connect_t *request, int status)
{
    attempt *attempt = request->data;
    weft_loop *loop = attempt->loop;
    weft__turn_begin(loop);
    if (attempt->dialer && status == 0) {
        win(attempt->dialer, attempt);
    } else if (attempt->dialer) {
        lose(attempt->dialer, attempt, status);
    }
    weft__free(attempt);
    weft__turn_end(loop);
    weft__loop_release(loop);
}

/* 0, or libuv's error. */
static int start_attempt(weft__dialer *dialer, size_t index)
{
    attempt *attempt = weft__alloc_zeroed(sizeof *attempt);
    weft__stream *stream = attempt ? weft__stream_new(dialer->loop) : NULL;
    int result = UV_ENOMEM;
    if (!stream) goto fail_attempt;
    *attempt = (struct attempt){
        .request.data = attempt,
        .loop = dialer->loop,
        .dialer = dialer,
        .index = index,
        .stream = stream,
    };
    result = uv_tcp_connect(&attempt->request, &stream->uv.tcp, &dialer->addresses[index].any, on_connected);
    if (result != 0) goto fail_stream;
    weft__loop_retain(attempt->loop);
    weft__list_append(&dialer->attempts, &attempt->link);
    return 0;

fail_stream:
    weft__stream_close(stream);
fail_attempt:
    weft__free(attempt);
    return result;
}

/* Starts one more attempt, unless none is left; fails when none is under way any more either. */
static void try_next(weft__dialer *dialer)
{
    int result = 1;
    while (result != 0 && dialer->next < dialer->count) {
        result = start_attempt(dialer, dialer->next);
        if (result == UV_ENOMEM) {
            fail_without_memory(dialer);
            return;
        }
        dialer->errors[dialer->next++] = result;
    }
    if (weft__link_is_alone(&dialer->attempts)) {
        fail_to_connect(dialer);
    } else if (dialer->next < dialer->count) {
        weft__loop_start_timer(dialer->loop, &dialer->timer, WEFT__DIALER_STAGGER_MS);
    }
}

static void on_silence(weft__timer *timer)
{
    try_next(WEFT__CONTAINER(timer, weft__dialer, timer));
}

static void on_begin(weft__turn_end_hook *hook)
{
    try_next(WEFT__CONTAINER(hook, weft__dialer, begin));
}

/* -- names ------------------------------------------------------------------------------------- */

static void fail_to_resolve(weft__dialer *dialer, const char *cause)
{
    sentence sentence = {0};
    add(&sentence, "cannot resolve ");
    add(&sentence, dialer->host);
    add(&sentence, ": ");
    add(&sentence, cause);
    finish(dialer, NULL, WEFT_ERESOLVE, sentence.text);
}

static void on_resolved(uv_getaddrinfo_t *resolution, int status, struct addrinfo *answers)
{
    weft__dialer *dialer = resolution->data;
    weft_loop *loop = dialer->loop;
    weft__turn_begin(loop);
    dialer->is_resolving = false;
    dialer->count = weft__address_interleave(dialer->addresses, WEFT__DIALER_ADDRESSES, answers);
    uv_freeaddrinfo(answers);
    if (dialer->is_cancelled) {
        free_dialer(dialer);
    } else if (status != 0 || dialer->count == 0) {
        fail_to_resolve(dialer, status != 0 ? uv_strerror(status) : "it has no address");
    } else {
        try_next(dialer);
    }
    weft__turn_end(loop);
}

static weft_status resolve(weft__dialer *dialer, uint16_t port)
{
    char service[8];
    snprintf(service, sizeof service, "%u", (unsigned)port);
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    dialer->resolution.data = dialer;
    int result =
        uv_getaddrinfo(dialer->loop->uv, &dialer->resolution, on_resolved, dialer->host, service, &hints);
    if (result != 0) return result == UV_ENOMEM ? WEFT_ENOMEM : WEFT_ESYSTEM;
    dialer->is_resolving = true;
    return WEFT_OK;
}

/* -- unix sockets ------------------------------------------------------------------------------ */

static void fail_at_path(weft__dialer *dialer, int error)
{
    bool is_refused = error == ECONNREFUSED || error == ENOENT; /* nobody listens, with or without a file */
    sentence sentence = {0};
    add(&sentence, "cannot connect to ");
    add(&sentence, dialer->host);
    add(&sentence, ": ");
    add(&sentence, uv_strerror(-error));
    finish(dialer, NULL, is_refused ? WEFT_EREFUSED : WEFT_ESYSTEM, sentence.text);
}

static void try_path(weft__dialer *dialer)
{
    int connected;
    int error = weft__unix_connect(&connected, dialer->host);
    if (error == EAGAIN) { /* nothing tells when there is room */
        weft__loop_start_timer(dialer->loop, &dialer->timer, WEFT__DIALER_UNIX_RETRY_MS);
        return;
    }
    if (error != 0) {
        fail_at_path(dialer, error);
        return;
    }
    weft__stream *stream = weft__stream_new(dialer->loop);
    if (stream && uv_tcp_open(&stream->uv.tcp, connected) == 0) {
        finish(dialer, stream, WEFT_OK, "");
        return;
    }
    close(connected);
    weft__stream_close(stream);
    fail_without_memory(dialer);
}

static void on_room_awaited(weft__timer *timer)
{
    try_path(WEFT__CONTAINER(timer, weft__dialer, timer));
}

static void on_begin_at_path(weft__turn_end_hook *hook)
{
    try_path(WEFT__CONTAINER(hook, weft__dialer, begin));
}

/* -- the start and the end --------------------------------------------------------------------- */

static weft__dialer *new_dialer(weft_loop *loop, const char *host, weft__on_dialled on_dialled, void *owner)
{
    weft__dialer *dialer = weft__alloc_zeroed(sizeof *dialer);
    if (!dialer) return NULL;
    dialer->loop = loop;
    dialer->on_dialled = on_dialled;
    dialer->owner = owner;
    dialer->begin.run = on_begin;
    weft__link_init(&dialer->begin.link);
    weft__link_init(&dialer->attempts);
    weft__timer_init(&dialer->timer, on_silence);
    snprintf(dialer->host, sizeof dialer->host, "%s", host);
    weft__loop_retain(loop);
    return dialer;
}

weft_status weft__dialer_start_at(weft__dialer **out, weft_loop *loop, const weft__address *addresses,
                                  size_t count, weft__on_dialled on_dialled, void *owner)
{
    *out = new_dialer(loop, "", on_dialled, owner);
    if (!*out) return WEFT_ENOMEM;
    (*out)->count = count;
    memcpy((*out)->addresses, addresses, count * sizeof *addresses);
    weft__turn_at_end(loop, &(*out)->begin);
    return WEFT_OK;
}

weft_status weft__dialer_start(weft__dialer **out, weft_loop *loop, const char *host, uint16_t port,
                               weft__on_dialled on_dialled, void *owner)
{
    weft__address numeric;
    if (weft__address_parse(&numeric, host, port)) {
        return weft__dialer_start_at(out, loop, &numeric, 1, on_dialled, owner);
    }
    *out = new_dialer(loop, host, on_dialled, owner);
    if (!*out) return WEFT_ENOMEM;
    weft_status status = resolve(*out, port);
    if (status == WEFT_OK) return WEFT_OK;
    free_dialer(*out);
    *out = NULL;
    return status;
}

weft_status weft__dialer_start_unix(weft__dialer **out, weft_loop *loop, const char *path,
                                    weft__on_dialled on_dialled, void *owner)
{
    *out = new_dialer(loop, path, on_dialled, owner);
    if (!*out) return WEFT_ENOMEM;
    (*out)->begin.run = on_begin_at_path;
    weft__timer_init(&(*out)->timer, on_room_awaited);
    weft__turn_at_end(loop, &(*out)->begin);
    return WEFT_OK;
}

void weft__dialer_cancel(weft__dialer *dialer)
{
    if (!dialer) return;
    if (!dialer->is_resolving) {
        free_dialer(dialer);
        return;
    }
    dialer->is_cancelled = true;
    uv_cancel((uv_req_t *)&dialer->resolution); /* too late is fine: the result is dropped */
}
