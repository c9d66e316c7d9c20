/* The part of a listener that lives on one loop. */

#include "endpoint/site.h"

#include "endpoint/listener.h"
#include "endpoint/request.h"
#include "endpoint/stapler.h"

/* -- what lives on it -------------------------------------------------------------------------- */

void weft__site_settle(weft__site *site)
{
    weft_listener *listener = site->listener;
    bool is_empty = weft__link_is_alone(&site->streams) && weft__link_is_alone(&site->requests) &&
                    weft__link_is_alone(&site->host.connections);
    if (!site->is_alive || !site->is_stopping || !is_empty) return;
    site->is_alive = false;
    weft__timer_stop(&site->deadline);
    weft__link_remove(&site->member.link);
    weft__listener_site_ended(listener);
    weft__listener_release(listener);
}

void weft__site_leave(weft__site *site, bool was_counted)
{
    if (was_counted) {
        weft_listener *listener = site->listener;
        atomic_fetch_sub_explicit(&listener->connections, 1, memory_order_relaxed);
        atomic_fetch_sub_explicit(&weft__listener_of_port(listener)->port_connections, 1,
                                  memory_order_relaxed);
    }
    weft__site_settle(site);
}

void weft__site_move_connection(weft__site *from, weft__site *to)
{
    if (from == to) return;
    atomic_fetch_sub_explicit(&from->listener->connections, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&to->listener->connections, 1, memory_order_relaxed);
    weft__site_settle(from);
}

static void on_connection_gone(weft__connection_host *host)
{
    weft__site_leave(WEFT__CONTAINER(host, weft__site, host), true);
}

static void on_accept(void *owner, weft__stream *stream)
{
    weft__site *site = owner;
    weft_listener *listener = site->listener;
    uint64_t others = atomic_fetch_add_explicit(&listener->port_connections, 1, memory_order_relaxed);
    bool counts = others < listener->config.max_connections;
    if (counts) {
        atomic_fetch_add_explicit(&listener->connections, 1, memory_order_relaxed);
    } else {
        atomic_fetch_sub_explicit(&listener->port_connections, 1, memory_order_relaxed);
    }
    if (weft__http_connection_open(site, stream, !counts) == WEFT_OK) return;
    weft__stream_close(stream);
    weft__site_leave(site, counts);
}

static weft__http_connection *stream_of(weft__link *link)
{
    return WEFT__CONTAINER(link, weft__http_connection, link);
}

static weft_request *request_of(weft__link *link)
{
    return WEFT__CONTAINER(link, weft_request, site_link);
}

static void warn(weft_listener *listener, weft_status status, const char *detail)
{
    const weft_listener_config *config = &listener->config;
    if (config->on_warning) config->on_warning(config->context, status, detail);
}

/* The descriptors are the process's: the first site to starve and the last to recover speak for all. */
static void on_starved(void *owner, weft_status status, const char *detail)
{
    weft_listener *listener = ((weft__site *)owner)->listener;
    if (atomic_fetch_add(&listener->starved_sites, 1) == 0) warn(listener, status, detail);
}

static void on_recovered(void *owner)
{
    weft_listener *listener = ((weft__site *)owner)->listener;
    if (atomic_fetch_sub(&listener->starved_sites, 1) == 1)
        warn(listener, WEFT_OK, "connections are accepted again");
}

static const weft__acceptor_events acceptor_events = {on_accept, on_starved, on_recovered};

static weft_connection *connection_of(weft__link *link)
{
    return WEFT__CONTAINER(link, weft_connection, host_link);
}

static void abort_all(weft__site *site)
{
    while (!weft__link_is_alone(&site->streams))
        weft__http_connection_abort(stream_of(site->streams.next));
    while (!weft__link_is_alone(&site->requests)) /* on streams of the listener that owns the port */
        weft__http_connection_abort(request_of(site->requests.next)->connection);
    weft__link *next;
    weft__link *connections = &site->host.connections;
    for (weft__link *link = connections->next; link != connections; link = next) {
        next = link->next; /* a connection leaves the list at the end of the turn */
        weft_connection_abort(connection_of(link));
    }
}

static void stop_gently(weft__site *site, uint32_t timeout_ms)
{
    bool waits_shorter = weft__timer_is_running(&site->deadline) &&
                         site->deadline.due_ms <= weft__loop_now(site->loop) + timeout_ms;
    if (!waits_shorter) weft__loop_start_timer(site->loop, &site->deadline, timeout_ms);
    weft__link *next;
    for (weft__link *link = site->streams.next; link != &site->streams; link = next) {
        next = link->next;
        weft__http_connection_stop(stream_of(link));
    }
    weft__link *connections = &site->host.connections;
    for (weft__link *link = connections->next; link != connections; link = next) {
        next = link->next;
        weft__connection_stop(connection_of(link), timeout_ms);
    }
}

void weft__site_stop_connection(weft__site *site, weft_connection *connection)
{
    uint64_t now = weft__loop_now(site->loop), due = site->deadline.due_ms;
    weft__connection_stop(connection, due > now ? (uint32_t)(due - now) : 1);
}

static void stop_accepting(weft__site *site)
{
    if (site->is_stopping) return;
    site->is_stopping = true;
    weft__listener_stop_accepting(site->listener);
    weft__stapler_cancel(site);
    weft__acceptor_stop(site->acceptor);
    site->acceptor = NULL;
}

static void stop_site(weft__site *site, uint32_t timeout_ms)
{
    if (!site->is_alive) return;
    stop_accepting(site);
    weft__listener_retain(site->listener); /* the last connection may take the site along */
    weft__listener_withdraw(site->listener);
    if (timeout_ms > 0) {
        stop_gently(site, timeout_ms);
    } else {
        abort_all(site);
    }
    weft__site_settle(site);
    weft__listener_release(site->listener);
}

static void on_deadline(weft__timer *timer)
{
    stop_site(WEFT__CONTAINER(timer, weft__site, deadline), 0);
}

static void on_loop_closing(weft__loop_member *member)
{
    weft__site *site = WEFT__CONTAINER(member, weft__site, member);
    weft__link *connections = &site->host.connections;
    for (weft__link *link = connections->next; link != connections; link = link->next)
        weft__connection_end_with_loop(connection_of(link)); /* it leaves the list at the end of the turn */
    stop_site(site, 0);
}

static void open_start_mail(weft_loop *loop, weft__mail *mail)
{
    weft__site *site = WEFT__CONTAINER(mail, weft__site, start_mail);
    weft_listener *listener = site->listener;
    int socket = site->socket;
    site->socket = -1;
    if (site->is_stopping) { /* before it began */
        weft__listening_socket_close(socket);
    } else {
        weft_status status = WEFT_OK;
        weft__loop_join(loop, &site->member);
        if (!listener->owner)
            status = weft__acceptor_start(&site->acceptor, loop, socket, &acceptor_events, site);
        if (status != WEFT_OK) { /* better gone, and on_closed said, than deaf */
            warn(listener, status, "an event loop cannot accept connections: the listener ends");
            stop_site(site, 0);
        } else if (!listener->owner) {
            weft_tls *tls = weft__listener_tls(listener);
            weft__stapler_refresh(site, tls);
            weft_tls_release(tls);
        }
    }
    weft__listener_release(listener);
}

bool weft__site_start(weft__site *site)
{
    weft__listener_retain(site->listener);
    if (weft__loop_send(site->loop, &site->start_mail)) return true;
    weft__listener_release(site->listener);
    return false;
}

static void open_stop_mail(weft_loop *loop, weft__mail *mail)
{
    weft__site *site = WEFT__CONTAINER(mail, weft__site, stop_mail);
    weft_listener *listener = site->listener;
    (void)loop;
    atomic_store(&site->stop_is_posted, false);
    stop_site(site, atomic_load(&site->stop_timeout_ms));
    weft__listener_release(listener);
}

void weft__site_stop(weft__site *site, uint32_t timeout_ms)
{
    weft_listener *listener = site->listener;
    uint32_t before = atomic_load(&site->stop_timeout_ms);
    while (timeout_ms < before &&
           !atomic_compare_exchange_weak(&site->stop_timeout_ms, &before, timeout_ms)) {
    }
    if (!site->loop || atomic_exchange(&site->stop_is_posted, true)) return;
    weft__listener_retain(listener);
    if (weft__loop_send(site->loop, &site->stop_mail)) return;
    weft__listener_release(listener); /* the loop is closed, and has stopped its site */
}

void weft__site_init(weft__site *site, weft_listener *listener)
{
    site->listener = listener;
    site->socket = -1;
    site->member.abort = on_loop_closing;
    weft__link_init(&site->member.link);
    weft__link_init(&site->streams);
    weft__link_init(&site->requests);
    weft__link_init(&site->host.connections);
    site->host.on_gone = on_connection_gone;
    site->stop_timeout_ms = UINT32_MAX;
    site->start_mail.open = open_start_mail;
    site->stop_mail.open = open_stop_mail;
    weft__timer_init(&site->deadline, on_deadline);
}
