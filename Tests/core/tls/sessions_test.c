#include "tls/sessions.h"

#include "check.h"

#include <stdio.h>
#include <time.h>

static SSL_SESSION *new_session(int version, unsigned char number)
{
    SSL_SESSION *session = SSL_SESSION_new();
    unsigned char id[32] = {number};
    SSL_SESSION_set1_id(session, id, sizeof id);
    SSL_SESSION_set_protocol_version(session, version);
    return session;
}

static unsigned char number_of(const SSL_SESSION *session)
{
    unsigned length;
    return SSL_SESSION_get_id(session, &length)[0];
}

/* The number of the session taken, or 0. */
static int take(weft__tls_sessions *sessions, const char *server)
{
    SSL_SESSION *session = weft__tls_sessions_take(sessions, server);
    int number = session ? number_of(session) : 0;
    SSL_SESSION_free(session);
    return number;
}

static void test_the_newest_comes_first_and_once_in_tls_1_3(void **state)
{
    (void)state;
    weft__tls_sessions sessions;
    assert_int_equal(weft__tls_sessions_init(&sessions), WEFT_OK);
    weft__tls_sessions_add(&sessions, "a:443", new_session(TLS1_3_VERSION, 1));
    weft__tls_sessions_add(&sessions, "a:443", new_session(TLS1_3_VERSION, 2));
    weft__tls_sessions_add(&sessions, "b:443", new_session(TLS1_3_VERSION, 3));
    assert_int_equal(take(&sessions, "a:444"), 0);
    assert_int_equal(take(&sessions, "a:443"), 2);
    assert_int_equal(take(&sessions, "a:443"), 1);
    assert_int_equal(take(&sessions, "a:443"), 0);
    assert_int_equal(take(&sessions, "b:443"), 3);
    assert_int_equal(sessions.count, 0);
    weft__tls_sessions_clear(&sessions);
}

static void test_one_of_tls_1_2_stays(void **state)
{
    (void)state;
    weft__tls_sessions sessions;
    assert_int_equal(weft__tls_sessions_init(&sessions), WEFT_OK);
    weft__tls_sessions_add(&sessions, "a:443", new_session(TLS1_2_VERSION, 1));
    assert_int_equal(take(&sessions, "a:443"), 1);
    assert_int_equal(take(&sessions, "a:443"), 1);
    weft__tls_sessions_clear(&sessions);
    weft__tls_sessions_clear(&sessions);
}

static void test_one_that_is_over_is_let_go(void **state)
{
    (void)state;
    weft__tls_sessions sessions;
    assert_int_equal(weft__tls_sessions_init(&sessions), WEFT_OK);
    long ages_s[] = {99, 100, -3600};
    for (int i = 0; i < 3; i++) {
        SSL_SESSION *session = new_session(TLS1_2_VERSION, 1);
        SSL_SESSION_set_timeout(session, i == 0 ? 110 : 100);
        SSL_SESSION_set_time(session, (long)time(NULL) - ages_s[i]);
        weft__tls_sessions_add(&sessions, "a:443", session);
        assert_int_equal(take(&sessions, "a:443"), i == 0 ? 1 : 0);
        if (i == 0) weft__tls_sessions_clear(&sessions);
        if (i == 0) assert_int_equal(weft__tls_sessions_init(&sessions), WEFT_OK);
        assert_int_equal(sessions.count, 0);
    }
    weft__tls_sessions_clear(&sessions);
}

static void test_few_are_kept_of_each_and_some_of_all(void **state)
{
    (void)state;
    weft__tls_sessions sessions;
    assert_int_equal(weft__tls_sessions_init(&sessions), WEFT_OK);
    for (unsigned char i = 1; i <= 9; i++)
        weft__tls_sessions_add(&sessions, "a:443", new_session(TLS1_3_VERSION, i));
    assert_int_equal(sessions.count, WEFT__TLS_SESSIONS_OF_PEER);
    for (int i = 0; i < 1000; i++) {
        char server[16];
        snprintf(server, sizeof server, "%d:443", i);
        weft__tls_sessions_add(&sessions, server, new_session(TLS1_3_VERSION, 10));
    }
    assert_int_equal(sessions.count, WEFT__TLS_SESSIONS);
    assert_int_equal(take(&sessions, "a:443"), 0);
    assert_int_equal(take(&sessions, "999:443"), 10);
    weft__tls_sessions_clear(&sessions);
}

static void test_without_memory_nothing_is_kept(void **state)
{
    (void)state;
    counting_allocator counter = {0};
    allocator_count(&counter);
    weft__tls_sessions sessions;
    assert_int_equal(weft__tls_sessions_init(&sessions), WEFT_OK);
    counter.fail_at = counter.requests + 1;
    weft__tls_sessions_add(&sessions, "a:443", new_session(TLS1_3_VERSION, 1));
    counter.fail_at = 0;
    assert_int_equal(sessions.count, 0);
    weft__tls_sessions_clear(&sessions);
    allocator_restore(&counter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_newest_comes_first_and_once_in_tls_1_3),
        cmocka_unit_test(test_one_of_tls_1_2_stays),
        cmocka_unit_test(test_one_that_is_over_is_let_go),
        cmocka_unit_test(test_few_are_kept_of_each_and_some_of_all),
        cmocka_unit_test(test_without_memory_nothing_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
