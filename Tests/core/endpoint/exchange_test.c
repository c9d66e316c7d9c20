#include "endpoint/exchanging.h"
#include "secrets.h"
#include "tls/test_papers.h"

#include <uv.h>

static const char *url_of(const answerer *answerer)
{
    static char url[96];
    snprintf(url, sizeof url, "%s://127.0.0.1:%u/path?secret=1",
             answerer->papers || answerer->is_deaf ? "https" : "http", (unsigned)answerer->port);
    return url;
}

/* Waits for an answer or a failure. */
static void await_end(world *world)
{
    struct timespec deadline = world_deadline();
    int waited = 0;
    pthread_mutex_lock(&world->mutex);
    while (waited == 0 && !world->story_length)
        waited = pthread_cond_timedwait(&world->changed, &world->mutex, &deadline);
    pthread_mutex_unlock(&world->mutex);
    assert_int_equal(waited, 0);
}

/* Asks, and waits for whatever comes of it, which must come once and be the only thing. */
static void ask(world *world, answerer *answerer, weft_exchange_config config)
{
    weft_exchange_release(start_exchange(&config));
    await_end(world);
    answerer_end(answerer);
    weft_loop_close(world->loop);
    world->loop = NULL;
    assert_int_equal(world->story_length, 1);
}

static void expect_answer(answerer answerer, const char *said, const char *method, uint16_t http_status,
                          const char *body)
{
    world world;
    answerer_start(&answerer, said);
    world_init_client(&world);
    weft_exchange_config config = asking(&world, url_of(&answerer));
    weft_tls *tls = answerer.papers ? open_client(&all) : NULL;
    config.tls = tls;
    config.method = weft__string(method);
    ask(&world, &answerer, config);
    weft_tls_release(tls);
    assert_string_equal(world.detail, "");
    assert_int_equal(world.answer_status, http_status);
    assert_string_equal(world.body, body);
    assert_int_equal(answerer.was_told_the_end, answerer.papers != NULL);
    world_clear(&world);
}

/* `cause` is what the sentence says behind the server's name. */
static void expect_failure_of(answerer answerer, const char *said, weft_status status, const char *cause)
{
    world world;
    answerer_start(&answerer, said);
    world_init_client(&world);
    char url[96], sentence[256];
    snprintf(url, sizeof url, "%s", url_of(&answerer));
    weft_exchange_config config = asking(&world, url);
    weft_tls *tls = answerer.papers || answerer.is_deaf ? open_client(&all) : NULL;
    config.tls = tls;
    config.max_body_size = 20;
    snprintf(sentence, sizeof sentence, "%.*s: %s", (int)(strstr(url, "/path") - url), url, cause);
    ask(&world, &answerer, config);
    weft_tls_release(tls);
    assert_string_equal(world.detail, sentence);
    assert_int_equal(world.error, status);
    world_clear(&world);
}

/* -- what works ------------------------------------------------------------------------------------ */

static void test_a_request_goes_out_as_it_was_asked_for(void **state)
{
    (void)state;
    answerer answerer = {.conduct = WAITS};
    answerer_start(&answerer, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    world world;
    world_init_client(&world);
    char url[96], body[] = "grant_type=client_credentials", expected[512];
    snprintf(url, sizeof url, "%s", url_of(&answerer));
    weft_field field = {weft__string("Content-Type"), weft__string("application/x-www-form-urlencoded")};
    weft_exchange_config config = asking(&world, url);
    config.method = weft__string("POST");
    config.fields = &field;
    config.field_count = 1;
    config.body = weft__string(body);
    weft_exchange *exchange = start_exchange(&config);
    memset(body, 'x', sizeof body - 1); /* all is copied */
    memset(url, 'x', sizeof url - 1);
    field = (weft_field){{0}, {0}};
    world_await(&world, ANSWER, 1);
    weft_exchange_cancel(exchange); /* long over */
    weft_exchange_release(exchange);
    answerer_end(&answerer);
    snprintf(
        expected, sizeof expected,
        "POST /path?secret=1 HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nContent-Length: 29\r\nConnection: close\r\n"
        "Accept-Encoding: identity\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n"
        "grant_type=client_credentials",
        (unsigned)answerer.port);
    assert_string_equal(answerer.request, expected);
    world_expect_story(&world, "a");
    assert_int_equal(world.answer_status, 200);
    assert_string_equal(world.body, "ok");
    world_clear(&world);
}

static void test_answers_are_told_as_they_are(void **state)
{
    (void)state;
    static const char chunked[] =
        "HTTP/1.1 400 Bad\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n2\r\npe\r\n0\r\n\r\n";
    static const char moved[] =
        "HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\nContent-Length: 0\r\n\r\n";
    static const char late[] = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 500 Oops\r\nContent-Length: 1\r\n\r\nx";
    for (int secure = 0; secure < 2; secure++) {
        for (int drips = 0; drips < 2; drips++) {
            for (conduct conduct = WAITS; conduct <= CUTS; conduct++) {
                answerer answerer = {.drips = drips, .conduct = conduct};
                if (secure) answerer.papers = &all;
                expect_answer(answerer, chunked, "GET", 400, "nope");
                expect_answer(answerer, moved, "GET", 302, "");
                expect_answer(answerer, late, "GET", 500, "x");
            }
        }
    }
}

static void test_the_end_of_the_connection_may_end_the_body(void **state)
{
    (void)state;
    static const char said[] = "HTTP/1.1 200 OK\r\n\r\nup to here";
    expect_answer((answerer){.conduct = ENDS}, said, "GET", 200, "up to here");
    expect_answer((answerer){.conduct = ENDS, .papers = &all}, said, "GET", 200, "up to here");
}

static void test_answers_to_head_have_no_body(void **state)
{
    (void)state;
    expect_answer((answerer){.conduct = WAITS}, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HEAD", 200,
                  "");
    expect_answer((answerer){.conduct = WAITS}, "HTTP/1.1 204 No Content\r\n\r\n", "POST", 204, "");
}

static void on_long_answer(void *context, const weft_answer *answer)
{
    size_t zeros = 0;
    for (size_t i = 0; i < answer->body.length; i++)
        zeros += answer->body.bytes[i] == '0';
    assert_int_equal(answer->field_count, 1);
    assert_int_equal(zeros, 1000000);
    assert_int_equal(answer->body.length, 1000000);
    world_happened(context, ANSWER, NULL, NULL);
}

static void test_long_answers_come_whole(void **state)
{
    (void)state;
    size_t length = 1000000;
    char *said = malloc(64 + length);
    assert_non_null(said);
    size_t head = (size_t)sprintf(said, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", length);
    memset(said + head, '0', length);
    for (int secure = 0; secure < 2; secure++) {
        answerer answerer = {.conduct = WAITS, .papers = secure ? &all : NULL};
        answerer_start_with(&answerer, said, head + length);
        world world;
        world_init_client(&world);
        weft_exchange_config config = asking(&world, url_of(&answerer));
        weft_tls *tls = secure ? open_client(&all) : NULL;
        config.tls = tls;
        config.on_answer = on_long_answer;
        ask(&world, &answerer, config);
        weft_tls_release(tls);
        world_expect_story(&world, "a");
        world_clear(&world);
    }
    free(said);
}

/* -- what does not --------------------------------------------------------------------------------- */

static void test_each_failure_has_its_sentence(void **state)
{
    (void)state;
    const answerer ends = {.conduct = ENDS}, waits = {.conduct = WAITS};
    expect_failure_of(ends, NULL, WEFT_ELOST, "the server ended the connection before its answer");
    expect_failure_of(ends, "HTTP/1.1 200 OK\r\n", WEFT_ELOST,
                      "the server ended the connection within the head of its answer");
    expect_failure_of(ends, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngon", WEFT_ELOST,
                      "the server ended the connection within the body of its answer");
    expect_failure_of(ends, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ngon\r\n", WEFT_ELOST,
                      "the server ended the connection within the body of its answer");
    expect_failure_of(waits, "SSH-2.0-OpenSSH_9.2\r\n", WEFT_EHTTP,
                      "answer does not begin with an HTTP version");
    expect_failure_of(waits, "HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n", WEFT_ETOOBIG,
                      "the body of the answer is over 20 bytes");
    expect_failure_of(waits, "HTTP/1.1 200 OK\r\n\r\n012345678901234567890", WEFT_ETOOBIG,
                      "the body of the answer is over 20 bytes");
}

static void test_a_body_that_only_tcp_ends_is_no_answer_over_tls(void **state)
{
    (void)state;
    const char *const cut = "TCP ended without the close_notify of TLS";
    const char *const said[] = {"HTTP/1.1 200 OK\r\n\r\nup to",
                                "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nup to"};
    for (int i = 0; i < 2; i++)
        expect_failure_of((answerer){.conduct = CUTS, .papers = &all}, said[i], WEFT_ELOST, cut);
}

static void expect_refused(const char *url, weft_tls *tls, weft_status status, const char *begin,
                           const char *within)
{
    world world;
    world_init_client(&world);
    weft_exchange_config config = asking(&world, url);
    config.tls = tls;
    weft_exchange_release(start_exchange(&config));
    world_await(&world, FAILURE, 1);
    assert_int_equal(world.error, status);
    assert_memory_equal(world.detail, begin, strlen(begin));
    assert_non_null(strstr(world.detail, within));
    assert_null(strstr(world.detail, "secret"));
    world_expect_story(&world, "f");
    world_clear(&world);
}

static void test_a_server_that_cannot_be_reached_is_named(void **state)
{
    (void)state;
    int listening = open_listening(AF_INET, 0);
    char url[96], name[64];
    snprintf(name, sizeof name, "http://127.0.0.1:%u: ", (unsigned)port_of(listening));
    snprintf(url, sizeof url, "http://127.0.0.1:%u/?secret", (unsigned)port_of(listening));
    close(listening);
    expect_refused(url, NULL, WEFT_EREFUSED, name, "refused");
    expect_refused("http://nobody.invalid/?secret", NULL, WEFT_ERESOLVE,
                   "http://nobody.invalid:80: ", "nobody");
    expect_refused("http://[::1]:1/?secret", NULL, WEFT_EREFUSED, "http://[::1]:1: ", "refused");
}

static void test_a_certificate_of_a_stranger_is_refused(void **state)
{
    (void)state;
    world server;
    world_init(&server);
    weft_tls *tls = open_server(&all);
    server.listening.tls = tls;
    world_listen(&server);
    weft_tls_release(tls);
    char url[96], name[64];
    snprintf(name, sizeof name, "https://127.0.0.1:%u: the certificate of ", (unsigned)server.port);
    snprintf(url, sizeof url, "https://127.0.0.1:%u/?secret", (unsigned)server.port);
    expect_refused(url, NULL, WEFT_ETLS, name, "is refused"); /* by what the system trusts */
    snprintf(url, sizeof url, "http://127.0.0.1:%u/?secret", (unsigned)server.port);
    snprintf(name, sizeof name, "http://127.0.0.1:%u: ", (unsigned)server.port);
    expect_refused(url, NULL, WEFT_ELOST, name, "");
    world_end(&server);
}

static void expect_timeout(answerer answerer, const char *said, uint32_t limit_ms, uint32_t tls_limit_ms,
                           const char *within)
{
    world world;
    answerer_start(&answerer, said);
    world_init_client(&world);
    weft_tls_config settings;
    weft_tls_config_init(&settings);
    settings.handshake_timeout_ms = tls_limit_ms;
    settings.trust_file = all.root_file;
    weft_tls *tls = open_settings(&settings, false);
    weft_exchange_config config = asking(&world, url_of(&answerer));
    config.tls = tls;
    config.timeout_ms = limit_ms;
    weft_exchange_release(start_exchange(&config));
    world_await(&world, FAILURE, 1);
    assert_int_equal(world.error, WEFT_ETIMEDOUT);
    assert_non_null(strstr(world.detail, within));
    answerer_end(&answerer);
    world_expect_story(&world, "f");
    world_clear(&world);
    weft_tls_release(tls);
}

static void test_no_server_holds_an_exchange_for_ever(void **state)
{
    (void)state;
    const char *const late = ": the answer was not whole after 0.05 s";
    const answerer waits = {.conduct = WAITS}, deaf = {.conduct = WAITS, .is_deaf = true};
    expect_timeout(waits, NULL, 50, 0, late);
    expect_timeout(waits, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngon", 50, 0, late);
    expect_timeout(deaf, NULL, 50, 60000, late);
    expect_timeout(deaf, NULL, 0, 50, ": the TLS handshake was not done after 0.05 s");
    /* Behind the handshake its limit is over. */
    expect_timeout((answerer){.conduct = WAITS, .papers = &all}, NULL, 1500, 1000,
                   ": the answer was not whole after 1.5 s");
}

/* -- giving up ------------------------------------------------------------------------------------- */

static void expect_given_up(world *world, const char *within)
{
    await_end(world);
    assert_int_equal(world->error, WEFT_ECLOSED);
    assert_non_null(strstr(world->detail, within));
    weft_loop_close(world->loop);
    world->loop = NULL;
    world_expect_story(world, "f");
}

/* How far an exchange is when it is ended. */
static answerer in_state(int reached)
{
    switch (reached) {
    case 0: return (answerer){.conduct = WAITS, .is_deaf = true}; /* the TLS handshake */
    case 1: return (answerer){.conduct = WAITS};                  /* the request is out */
    case 2: return (answerer){.conduct = WAITS, .said = "HTTP/1.1 200 OK\r\nContent-Le"};
    case 3: return (answerer){.conduct = WAITS, .said = "HTTP/1.1 200 OK\r\n\r\nbegun"};
    default: return (answerer){.conduct = WAITS, .said = "HTTP/1.1 200 OK\r\n\r\nbegun", .papers = &all};
    }
}

static void test_each_state_can_be_ended(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        answerer answerer = in_state(i / 2);
        answerer_start(&answerer, answerer.said);
        world world;
        world_init_client(&world);
        weft_exchange_config config = asking(&world, url_of(&answerer));
        weft_tls *tls = open_client(&all);
        config.tls = tls;
        weft_exchange *exchange = start_exchange(&config);
        answerer_await(&answerer);
        if (i % 2) {
            weft_exchange_cancel(exchange);
            weft_exchange_cancel(exchange);
        } else {
            weft_loop_close(world.loop);
            world.loop = NULL;
        }
        expect_given_up(&world, i % 2 ? "the exchange was cancelled" : "the event loop was closed");
        weft_exchange_cancel(exchange);
        weft_exchange_release(exchange);
        answerer_end(&answerer);
        world_clear(&world);
        weft_tls_release(tls);
    }
}

/* On the loop's own thread nothing has been dialled, or nothing is connected, when it is given up. */
static void cancel_at_once(weft_loop *loop, void *context)
{
    (void)loop;
    weft_exchange *exchange = start_exchange(context);
    weft_exchange_cancel(exchange);
    weft_exchange_release(exchange);
}

static void test_an_exchange_is_cancelled_before_it_is_connected(void **state)
{
    (void)state;
    static const char *const urls[] = {"http://127.0.0.1:1/", "http://localhost:1/",
                                       "http://nobody.invalid/"};
    for (int i = 0; i < 3; i++) {
        world world;
        world_init_client(&world);
        weft_exchange_config config = asking(&world, urls[i]);
        assert_int_equal(weft_loop_post(world.loop, cancel_at_once, &config), WEFT_OK);
        expect_given_up(&world, "the exchange was cancelled");
        world_clear(&world);
    }
}

static void test_a_closed_loop_takes_no_exchange(void **state)
{
    (void)state;
    world world;
    world_init_client(&world);
    weft_exchange_config config = asking(&world, "http://127.0.0.1:1/");
    weft_exchange *exchange = start_exchange(&config); /* holds the loop's memory */
    weft_loop_close(world.loop);
    world.loop = NULL;
    char detail[64];
    weft_exchange *second;
    assert_int_equal(weft_exchange_start(&second, &config, detail, sizeof detail), WEFT_ECLOSED);
    assert_string_equal(detail, "the event loop is closed");
    assert_null(second);
    world_await(&world, FAILURE, 1);
    world_expect_story(&world, "f");
    weft_exchange_release(exchange);
    world_clear(&world);
}

/* -- from inside ----------------------------------------------------------------------------------- */

static _Atomic(weft_exchange *) inside;
static char second_url[96];

static void ask_again(world *world, weft_connection *connection, weft_request *request)
{
    (void)connection;
    (void)request;
    while (!inside)
        sched_yield(); /* until weft_exchange_start has returned */
    weft_exchange_cancel(inside);
    weft_exchange_release(inside);
    world->deeds[ANSWER] = NULL;
    weft_exchange_config config = asking(world, second_url);
    weft_exchange_release(start_exchange(&config));
}

static void test_a_callback_may_release_and_ask_again(void **state)
{
    (void)state;
    answerer first = {.conduct = ENDS}, second = {.conduct = ENDS};
    answerer_start(&first, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none");
    answerer_start(&second, "HTTP/1.1 201 OK\r\nContent-Length: 3\r\n\r\ntwo");
    world world;
    world_init_client(&world);
    world.deeds[ANSWER] = ask_again;
    snprintf(second_url, sizeof second_url, "%s", url_of(&second));
    weft_exchange_config config = asking(&world, url_of(&first));
    inside = NULL;
    inside = start_exchange(&config);
    world_await(&world, ANSWER, 2);
    assert_int_equal(world.answer_status, 201);
    assert_string_equal(world.body, "two");
    answerer_end(&first);
    answerer_end(&second);
    world_expect_story(&world, "aa");
    world_clear(&world);
}

static void test_an_attached_loop_needs_nothing_but_uv_run(void **state)
{
    (void)state;
    uv_loop_t uv;
    uv_loop_init(&uv);
    answerer answerer = {.conduct = WAITS};
    answerer_start(&answerer, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
    world world;
    world_init(&world);
    weft_loop *loop;
    assert_int_equal(weft_loop_attach(&loop, &uv), WEFT_OK);
    world.loop = loop;
    weft_exchange_config config = asking(&world, url_of(&answerer));
    weft_exchange_release(start_exchange(&config));
    uv_run(&uv, UV_RUN_DEFAULT);
    world_expect_story(&world, "a");
    weft_loop_close(loop);
    uv_run(&uv, UV_RUN_DEFAULT);
    world.loop = NULL;
    answerer_end(&answerer);
    world_clear(&world);
    assert_int_equal(uv_loop_close(&uv), 0);
}

/* -- secrets --------------------------------------------------------------------------------------- */

static void test_no_memory_is_given_back_with_a_secret_in_it(void **state)
{
    (void)state;
    for (int secure = 0; secure < 2; secure++) {
        counting_allocator counter;
        secrets_watch(&counter);
        const weft_field field = {weft__string("Authorization"), weft__string("Basic " SECRET)};
        answerer answerer = {.conduct = WAITS, .papers = secure ? &all : NULL};
        answerer_start(&answerer, "HTTP/1.1 200 OK\r\nX: " SECRET "\r\nContent-Length: 6\r\n\r\n" SECRET);
        world world;
        world_init_client(&world);
        weft_exchange_config config = asking(&world, url_of(&answerer));
        weft_tls *tls = secure ? open_client(&all) : NULL;
        config.tls = tls;
        config.fields = &field;
        config.field_count = 1;
        config.body = weft__string("password=" SECRET);
        ask(&world, &answerer, config);
        weft_tls_release(tls);
        assert_string_equal(world.body, SECRET);
        world_clear(&world);
        secrets_expect_none(&counter);
    }
}

/* -- without memory -------------------------------------------------------------------------------- */

/* Returns false until memory lasts to the end; allocation `n` from here fails. */
static bool live_through(counting_allocator *counter, bool secure, size_t n)
{
    answerer answerer = {.conduct = WAITS, .papers = secure ? &all : NULL};
    answerer_start(&answerer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n");
    world world;
    world_init(&world);
    weft_tls *tls = secure ? open_client(&all) : NULL;
    counter->fail_at = counter->requests + n;
    weft_exchange *exchange = NULL;
    bool has_begun = weft_loop_open(&world.loop) == WEFT_OK;
    weft_exchange_config config = asking(&world, url_of(&answerer));
    config.tls = tls;
    has_begun = has_begun && weft_exchange_start(&exchange, &config, NULL, 0) == WEFT_OK;
    weft_exchange_release(exchange);
    if (has_begun) await_end(&world);
    answerer_end(&answerer);
    weft_loop_close(world.loop);
    world.loop = NULL;
    bool has_failed = counter->requests >= counter->fail_at;
    counter->fail_at = 0;
    assert_int_equal(world.story_length, has_begun);
    bool is_done = world.counts[ANSWER] == 1;
    if (is_done) assert_string_equal(world.body, "body");
    weft_tls_release(tls);
    world_clear(&world);
    return is_done && !has_failed;
}

static void test_each_allocation_may_fail(void **state)
{
    (void)state;
    for (int way = 0; way < 4; way++) {
        bool is_done = false;
        for (size_t n = 1; !is_done; n++) {
            assert_true(n < 100);
            counting_allocator counter;
            allocator_count(&counter);
            counter.fails_once = way % 2;
            is_done = live_through(&counter, way / 2, n);
            allocator_restore(&counter);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request_goes_out_as_it_was_asked_for),
        cmocka_unit_test(test_answers_are_told_as_they_are),
        cmocka_unit_test(test_the_end_of_the_connection_may_end_the_body),
        cmocka_unit_test(test_answers_to_head_have_no_body),
        cmocka_unit_test(test_long_answers_come_whole),
        cmocka_unit_test(test_each_failure_has_its_sentence),
        cmocka_unit_test(test_a_body_that_only_tcp_ends_is_no_answer_over_tls),
        cmocka_unit_test(test_a_server_that_cannot_be_reached_is_named),
        cmocka_unit_test(test_a_certificate_of_a_stranger_is_refused),
        cmocka_unit_test(test_no_server_holds_an_exchange_for_ever),
        cmocka_unit_test(test_each_state_can_be_ended),
        cmocka_unit_test(test_an_exchange_is_cancelled_before_it_is_connected),
        cmocka_unit_test(test_a_closed_loop_takes_no_exchange),
        cmocka_unit_test(test_a_callback_may_release_and_ask_again),
        cmocka_unit_test(test_an_attached_loop_needs_nothing_but_uv_run),
        cmocka_unit_test(test_no_memory_is_given_back_with_a_secret_in_it),
        cmocka_unit_test(test_each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
