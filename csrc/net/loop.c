#include "net/loop_internal.h"

#include "base/allocator.h"

#include <openssl/crypto.h>
#include <sched.h>
#include <signal.h>
#include <string.h>

/* -- holders ----------------------------------------------------------------------------------- */

void weft__loop_retain(weft_loop *loop)
{
    atomic_fetch_add_explicit(&loop->holders, 1, memory_order_relaxed);
}

void weft__loop_release(weft_loop *loop)
{
    if (atomic_fetch_sub_explicit(&loop->holders, 1, memory_order_acq_rel) > 1) return;
    for (size_t i = 0; i < loop->spare_count; i++) {
        weft__buffer_clear(loop->spares[i]);
        weft__free(loop->spares[i]);
    }
    if (loop->tenant) loop->tenant->free(loop->tenant);
    weft__free(loop->tasks.items);
    weft__free(loop);
}

weft__loop_tenant *weft__loop_get_tenant(const weft_loop *loop)
{
    return loop->tenant;
}

void weft__loop_set_tenant(weft_loop *loop, weft__loop_tenant *tenant)
{
    assert(!loop->tenant);
    loop->tenant = tenant;
}

_Thread_local weft_loop *weft__turn_here;

bool weft_loop_is_current(const weft_loop *loop)
{
    return weft__turn_here == loop || pthread_equal(pthread_self(), loop->thread) != 0;
}

void weft_loop_set_data(weft_loop *loop, void *data)
{
    loop->data = data;
}

void *weft_loop_get_data(const weft_loop *loop)
{
    return loop->data;
}

bool weft__loop_is_closing(const weft_loop *loop)
{
    return atomic_load_explicit(&loop->is_closing, memory_order_acquire);
}

/* -- timers ------------------------------------------------------------------------------------ */

uint64_t weft__loop_now(const weft_loop *loop)
{
    return loop->turn_depth ? loop->now_ms : uv_now(loop->uv);
}

static void on_alarm(uv_timer_t *alarm);

static void set_alarm(weft_loop *loop)
{
    uint64_t now = weft__loop_now(loop), wait = weft__wheel_wait(&loop->wheel, now);
    if (wait == UINT64_MAX || now + wait >= loop->alarm_due_ms) return;
    loop->alarm_due_ms = now + wait;
    uv_timer_start(&loop->alarm, on_alarm, wait, 0);
}

static void on_alarm(uv_timer_t *alarm)
{
    weft_loop *loop = alarm->data;
    loop->alarm_due_ms = UINT64_MAX;
    weft__turn_begin(loop);
    weft__wheel_advance(&loop->wheel, weft__loop_now(loop));
    weft__turn_end(loop);
    if (!weft__loop_is_closing(loop)) set_alarm(loop);
}

void weft__loop_start_timer(weft_loop *loop, weft__timer *timer, uint64_t delay_ms)
{
    weft__assert_on_loop(loop);
    weft__wheel_start(&loop->wheel, timer, weft__loop_now(loop), delay_ms);
    if (!weft__loop_is_closing(loop)) set_alarm(loop);
}

void weft__loop_hold(weft_loop *loop)
{
    if (loop->holds++ == 0) uv_ref((uv_handle_t *)&loop->alarm);
}

void weft__loop_let_go(weft_loop *loop)
{
    if (--loop->holds == 0 && !loop->owns_thread) uv_unref((uv_handle_t *)&loop->alarm);
}

/* -- turns ------------------------------------------------------------------------------------- */

/* The bound keeps I/O alive when tasks post tasks for ever. */
enum {
    TASKS_PER_TURN = 512
};

static weft_status ring_push(weft__task_ring *ring, weft__posted posted)
{
    if (ring->count == ring->capacity) {
        size_t capacity = ring->capacity ? ring->capacity * 2 : 64;
        weft__posted *items = weft__alloc(capacity * sizeof *items);
        if (!items) return WEFT_ENOMEM;
        for (size_t i = 0; i < ring->count; i++)
            items[i] = ring->items[(ring->first + i) & (ring->capacity - 1)];
        weft__free(ring->items);
        *ring = (weft__task_ring){.items = items, .count = ring->count, .capacity = capacity};
    }
    ring->items[(ring->first + ring->count++) & (ring->capacity - 1)] = posted;
    return WEFT_OK;
}

/* Runs what is there now; what these tasks post runs too, as far as `budget` goes. */
static void run_tasks(weft_loop *loop, size_t *budget)
{
    weft__task_ring *ring = &loop->tasks;
    while (ring->count > 0 && *budget > 0) {
        weft__posted posted = ring->items[ring->first];
        ring->first = (ring->first + 1) & (ring->capacity - 1);
        ring->count--;
        --*budget;
        posted.task(loop, posted.context);
    }
}

/* An attached loop may have nothing else that keeps the user's uv_run going until the wake is heard. */
static void wake_self(weft_loop *loop)
{
    if (!loop->owns_thread) uv_ref((uv_handle_t *)&loop->wake);
    uv_async_send(&loop->wake);
}

void weft__turn_begin(weft_loop *loop)
{
    weft__assert_on_loop(loop);
    if (loop->turn_depth++ > 0) return;
    loop->now_ms = uv_now(loop->uv);
    loop->outer = weft__turn_here;
    weft__turn_here = loop;
}

void weft__turn_end(weft_loop *loop)
{
    if (loop->turn_depth > 1) {
        loop->turn_depth--;
        return;
    }
    size_t budget = TASKS_PER_TURN;
    run_tasks(loop, &budget);
    while (!weft__link_is_alone(&loop->turn_end_hooks)) {
        weft__turn_end_hook *hook = WEFT__CONTAINER(loop->turn_end_hooks.next, weft__turn_end_hook, link);
        weft__link_remove(&hook->link);
        hook->run(hook);
        run_tasks(loop, &budget);
    }
    loop->turn_depth--;
    weft__turn_here = loop->outer;
    if (loop->tasks.count > 0 && !loop->is_shut) wake_self(loop);
}

void weft__turn_at_end(weft_loop *loop, weft__turn_end_hook *hook)
{
    assert(loop->turn_depth > 0);
    if (weft__link_is_alone(&hook->link)) weft__list_append(&loop->turn_end_hooks, &hook->link);
}

/* -- mail -------------------------------------------------------------------------------------- */

static void wake_up(weft_loop *loop)
{
    if (weft_loop_is_current(loop)) {
        wake_self(loop);
    } else {
        uv_async_send(&loop->wake);
    }
}

/* Between a push and the wake that follows it the loop could come to its end and close `wake`: it waits for
 * `senders` first. */
bool weft__loop_send(weft_loop *loop, weft__mail *mail)
{
    atomic_fetch_add_explicit(&loop->senders, 1, memory_order_relaxed);
    weft__mailbox_was was = weft__mailbox_push(&loop->mailbox, mail);
    if (was == WEFT__MAILBOX_WAS_EMPTY) wake_up(loop);
    atomic_fetch_sub_explicit(&loop->senders, 1, memory_order_release);
    return was != WEFT__MAILBOX_WAS_CLOSED;
}

typedef struct task_mail {
    weft__mail mail;
    weft__posted posted;
} task_mail;

static void open_task_mail(weft_loop *loop, weft__mail *mail)
{
    task_mail *letter = WEFT__CONTAINER(mail, task_mail, mail);
    weft__posted posted = letter->posted;
    weft__free(letter);
    posted.task(loop, posted.context);
}

weft_status weft_loop_post(weft_loop *loop, weft_loop_task task, void *context)
{
    weft__posted posted = {task, context};
    if (weft_loop_is_current(loop)) {
        if (loop->is_shut) return WEFT_ECLOSED;
        if (loop->turn_depth == 0) wake_self(loop);
        return ring_push(&loop->tasks, posted);
    }
    task_mail *letter = weft__alloc(sizeof *letter);
    if (!letter) return WEFT_ENOMEM;
    *letter = (task_mail){.mail.open = open_task_mail, .posted = posted};
    if (weft__loop_send(loop, &letter->mail)) return WEFT_OK;
    weft__free(letter);
    return WEFT_ECLOSED;
}

static void open_letters(weft_loop *loop, weft__mail *mail)
{
    while (mail) {
        weft__mail *next = mail->next;
        mail->open(loop, mail);
        mail = next;
    }
}

/* -- the end ----------------------------------------------------------------------------------- */

static void on_own_handle_closed(uv_handle_t *handle)
{
    weft_loop *loop = handle->data;
    /* Without a thread of its own nobody waits for the loop: the last handle gives the user's hold back. */
    if (--loop->handles_open == 0 && !loop->owns_thread) weft__loop_release(loop);
}

static void abort_members(weft_loop *loop)
{
    while (!weft__link_is_alone(&loop->members)) {
        weft__loop_member *member = WEFT__CONTAINER(loop->members.next, weft__loop_member, link);
        weft__link_remove(&member->link);
        member->abort(member);
    }
}

static void shut_down(weft_loop *loop)
{
    abort_members(loop);
    loop->is_shut = true;
    open_letters(loop, weft__mailbox_close(&loop->mailbox));
    size_t all = SIZE_MAX;
    run_tasks(loop, &all);
    abort_members(loop); /* what the letters and tasks have begun */
    while (atomic_load_explicit(&loop->senders, memory_order_acquire) > 0)
        sched_yield();
    uv_close((uv_handle_t *)&loop->wake, on_own_handle_closed);
    uv_close((uv_handle_t *)&loop->alarm, on_own_handle_closed);
}

static void on_wake(uv_async_t *wake)
{
    weft_loop *loop = wake->data;
    if (loop->owns_thread) {
        weft__exit_guard_pass(&loop->guarded);
    } else {
        uv_unref((uv_handle_t *)wake);
    }
    weft__turn_begin(loop);
    open_letters(loop, weft__mailbox_take_all(&loop->mailbox));
    if (weft__loop_is_closing(loop)) shut_down(loop);
    weft__turn_end(loop);
}

/* -- opening and closing ----------------------------------------------------------------------- */

weft__buffer *weft__loop_borrow_buffer(weft_loop *loop)
{
    if (loop->spare_count > 0) return loop->spares[--loop->spare_count];
    return weft__alloc_zeroed(sizeof(weft__buffer));
}

void weft__loop_return_buffer(weft_loop *loop, weft__buffer *buffer)
{
    if (loop->spare_count == WEFT__SPARE_BUFFERS || buffer->capacity > WEFT__SPARE_BUFFER_MAX) {
        weft__buffer_clear(buffer);
        weft__free(buffer);
        return;
    }
    weft__buffer_reset(buffer);
    loop->spares[loop->spare_count++] = buffer;
}

void weft__loop_join(weft_loop *loop, weft__loop_member *member)
{
    weft__list_append(&loop->members, &member->link);
}

static weft_loop *new_loop(void)
{
    weft_loop *loop = weft__alloc(sizeof *loop);
    if (!loop) return NULL;
    memset(loop, 0, offsetof(weft_loop, receive_buffer)); /* the buffer's pages stay untouched until a read */
    loop->holders = 1;
    loop->alarm_due_ms = UINT64_MAX;
    weft__link_init(&loop->turn_end_hooks);
    weft__link_init(&loop->members);
    return loop;
}

static weft_status open_handles(weft_loop *loop)
{
    if (uv_async_init(loop->uv, &loop->wake, on_wake) != 0) return WEFT_ESYSTEM;
    uv_timer_init(loop->uv, &loop->alarm);
    loop->wake.data = loop->alarm.data = loop;
    loop->handles_open = 2;
    weft__wheel_init(&loop->wheel, uv_now(loop->uv));
    return WEFT_OK;
}

static void run(void *context)
{
    weft_loop *loop = context;
    uv_run(loop->uv, UV_RUN_DEFAULT);
    OPENSSL_thread_stop(); /* its own end of thread may come behind that of OpenSSL, when the program ends */
    weft__exit_guard_remove(&loop->guarded);
    uv_loop_close(loop->uv);
    weft__loop_release(loop);
}

/* A new thread inherits the mask: signals are for the program's own threads. */
static int start_thread(weft_loop *loop)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = uv_thread_create(&loop->thread, run, loop);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result;
}

weft_status weft_loop_open(weft_loop **out)
{
    *out = NULL;
    weft_loop *loop = new_loop();
    if (!loop) return WEFT_ENOMEM;
    loop->owns_thread = true;
    loop->uv = &loop->own_uv;
    if (uv_loop_init(loop->uv) != 0) goto fail_loop;
    if (open_handles(loop) != WEFT_OK) goto fail_uv;
    if (weft__exit_guard_add(&loop->guarded) != WEFT_OK) goto fail_handles;
    weft__loop_retain(loop); /* the thread's */
    if (start_thread(loop) != 0) goto fail_guard;
    *out = loop;
    return WEFT_OK;

fail_guard:
    weft__exit_guard_remove(&loop->guarded);
fail_handles:
    uv_close((uv_handle_t *)&loop->wake, NULL);
    uv_close((uv_handle_t *)&loop->alarm, NULL);
    uv_run(loop->uv, UV_RUN_DEFAULT);
fail_uv:
    uv_loop_close(loop->uv);
fail_loop:
    weft__free(loop);
    return WEFT_ESYSTEM;
}

weft_status weft_loop_attach(weft_loop **out, struct uv_loop_s *uv)
{
    *out = NULL;
    weft_loop *loop = new_loop();
    if (!loop) return WEFT_ENOMEM;
    loop->uv = uv;
    loop->thread = uv_thread_self();
    if (open_handles(loop) != WEFT_OK) {
        weft__free(loop);
        return WEFT_ESYSTEM;
    }
    uv_unref((uv_handle_t *)&loop->wake); /* an idle Weft does not keep the user's loop running */
    uv_unref((uv_handle_t *)&loop->alarm);
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, NULL);
    *out = loop;
    return WEFT_OK;
}

void weft_loop_close(weft_loop *loop)
{
    if (!loop) return;
    bool owns_thread = loop->owns_thread, is_current = weft_loop_is_current(loop);
    uv_thread_t thread = loop->thread;
    atomic_fetch_add_explicit(&loop->senders, 1, memory_order_relaxed);
    atomic_store_explicit(&loop->is_closing, true, memory_order_release);
    wake_up(loop);
    atomic_fetch_sub_explicit(&loop->senders, 1, memory_order_release);
    if (!owns_thread) return;
    if (is_current) {
        pthread_detach(thread);
    } else if (!weft__exit_guard_has_begun()) { /* at the exit nobody answers any more */
        uv_thread_join(&thread);
    }
    weft__loop_release(loop);
}
