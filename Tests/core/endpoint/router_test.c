#include "check.h"

#include "endpoint/router.h"

#include <pthread.h>

static weft_string text(const char *bytes)
{
    return (weft_string){bytes, strlen(bytes)};
}

static void on_upgrade(void *context, weft_request *request)
{
    (void)context;
    (void)request;
}

static void count(void *context)
{
    ++*(_Atomic int *)context;
}

static weft_route route_with(_Atomic int *releases)
{
    weft_route route;
    weft_route_init(&route);
    route.context = releases;
    route.on_upgrade = on_upgrade;
    route.on_release = count;
    return route;
}

static void expect_found(weft__router *router, const char *path, const char *expected)
{
    weft__attached_route *found = weft__router_find(router, text(path));
    if (expected) {
        assert_non_null(found);
        assert_string_equal(found->path, expected);
    } else {
        assert_null(found);
    }
    weft__attached_route_release(found);
}

static void test_paths_are_compared_exactly(void **state)
{
    (void)state;
    _Atomic int releases = 0;
    weft_route route = route_with(&releases);
    weft__router router;
    assert_int_equal(weft__router_init(&router), WEFT_OK);
    assert_int_equal(weft__router_attach(&router, "/", &route), WEFT_OK);
    assert_int_equal(weft__router_attach(&router, "/chat", &route), WEFT_OK);
    assert_int_equal(weft__router_attach(&router, "/chat", &route), WEFT_EDUPLICATE);
    expect_found(&router, "/", "/");
    expect_found(&router, "/chat", "/chat");
    expect_found(&router, "/chat/", NULL);
    expect_found(&router, "/Chat", NULL);
    expect_found(&router, "/ch", NULL);
    expect_found(&router, "", NULL);
    assert_int_equal(weft__router_attach(&router, "*", &route), WEFT_OK);
    expect_found(&router, "/elsewhere", "*");
    expect_found(&router, "/chat", "/chat");
    assert_int_equal(releases, 0);
    weft__router_clear(&router);
    assert_int_equal(releases, 3);
}

static void test_routes_that_cannot_be_are_refused(void **state)
{
    (void)state;
    _Atomic int releases = 0;
    weft__router router;
    assert_int_equal(weft__router_init(&router), WEFT_OK);
    const char *paths[] = {"", "chat", "/a?b", "/a#b", "/a b", "/a\r\nb", "**"};
    weft_route route = route_with(&releases);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        assert_int_equal(weft__router_attach(&router, paths[i], &route), WEFT_EINVAL);
    }
    weft_route wrong = route;
    wrong.on_upgrade = NULL;
    assert_int_equal(weft__router_attach(&router, "/", &wrong), WEFT_EINVAL);
    wrong = route;
    wrong.origins = (weft_origin_policy)3;
    assert_int_equal(weft__router_attach(&router, "/", &wrong), WEFT_EINVAL);
    wrong = route;
    wrong.origin_count = 1;
    assert_int_equal(weft__router_attach(&router, "/", &wrong), WEFT_EINVAL);
    wrong = route;
    wrong.size++;
    assert_int_equal(weft__router_attach(&router, "/", &wrong), WEFT_EINVAL);
    assert_int_equal(weft__router_detach(&router, "/"), WEFT_ENOTATTACHED);
    weft__router_clear(&router);
    assert_int_equal(releases, 0);
}

static void test_a_detached_route_lives_until_its_last_holder(void **state)
{
    (void)state;
    _Atomic int releases = 0;
    weft_route route = route_with(&releases);
    weft__router router;
    assert_int_equal(weft__router_init(&router), WEFT_OK);
    assert_int_equal(weft__router_attach(&router, "/", &route), WEFT_OK);
    weft__attached_route *held = weft__router_find(&router, text("/"));
    assert_int_equal(weft__router_detach(&router, "/"), WEFT_OK);
    expect_found(&router, "/", NULL);
    assert_int_equal(releases, 0);
    assert_int_equal(weft__router_attach(&router, "/", &route), WEFT_OK);
    weft__attached_route_release(held);
    assert_int_equal(releases, 1);
    weft__router_clear(&router);
    assert_int_equal(releases, 2);
}

static void test_attaching_may_run_out_of_memory(void **state)
{
    (void)state;
    _Atomic int releases = 0;
    char origin[] = "https://one.example";
    const weft_string origins[] = {text(origin), text("https://two.example")};
    weft_route route = route_with(&releases);
    route.origins = WEFT_ORIGIN_LIST;
    route.origin_list = origins;
    route.origin_count = 2;
    counting_allocator counter;
    allocator_count(&counter);
    weft__router router;
    assert_int_equal(weft__router_init(&router), WEFT_OK);
    weft_status status = WEFT_ENOMEM;
    for (size_t n = 1; status != WEFT_OK; n++) {
        assert_true(n < 10);
        counter.requests = 0;
        counter.fail_at = n;
        status = weft__router_attach(&router, "/", &route);
        assert_true(status == WEFT_OK || status == WEFT_ENOMEM);
        assert_int_equal(releases, 0);
    }
    counter.fail_at = 0;
    memset(origin, 'x', sizeof origin); /* the list was copied */
    weft__attached_route *found = weft__router_find(&router, text("/"));
    assert_memory_equal(found->route.origin_list[0].bytes, "https://one.example", 19);
    weft__attached_route_release(found);
    weft__router_clear(&router);
    allocator_restore(&counter);
}

static _Atomic int shared_releases;

static void *attach_shared(void *argument)
{
    weft__router *router = argument;
    weft_route route = route_with(&shared_releases);
    size_t attached = 0;
    for (int i = 0; i < 500; i++) {
        attached += weft__router_attach(router, "/busy", &route) == WEFT_OK;
        weft__attached_route_release(weft__router_find(router, text("/busy")));
        weft__router_detach(router, "/busy");
    }
    return (void *)attached;
}

static void test_any_thread_may_attach_find_and_detach(void **state)
{
    (void)state;
    weft__router router;
    assert_int_equal(weft__router_init(&router), WEFT_OK);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, attach_shared, &router);
    size_t attached = 0;
    for (int i = 0; i < 4; i++) {
        void *one;
        pthread_join(threads[i], &one);
        attached += (size_t)one;
    }
    weft__router_clear(&router);
    assert_int_equal(shared_releases, attached);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths_are_compared_exactly),
        cmocka_unit_test(test_routes_that_cannot_be_are_refused),
        cmocka_unit_test(test_a_detached_route_lives_until_its_last_holder),
        cmocka_unit_test(test_attaching_may_run_out_of_memory),
        cmocka_unit_test(test_any_thread_may_attach_find_and_detach),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
