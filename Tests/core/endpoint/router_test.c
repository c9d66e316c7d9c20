#include "check.h"

#include "endpoint/router.h"
#include "http/fields.h"

#include <pthread.h>

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

static void set_up(weft__router *router, weft__route_group *group)
{
    assert_int_equal(weft__router_init(router), WEFT_OK);
    weft__route_group_init(group, NULL);
}

static void tear_down(weft__router *router, weft__route_group *group)
{
    weft__router_close_group(router, group);
    weft__router_clear(router);
}

static weft_status attach(weft__router *router, weft__route_group *group, const char *path,
                          const weft_route *route)
{
    const weft_path_route entry = {path, route};
    size_t failed;
    return weft__router_attach(router, group, &entry, 1, &failed);
}

static void expect_found(weft__router *router, const char *path, const char *expected)
{
    weft__attached_route *found = weft__router_find(router, weft__string(path), true);
    if (expected) {
        assert_non_null(found);
        assert_string_equal(found->path, expected);
    } else {
        assert_null(found);
    }
    weft__attached_route_release(found);
}

static void test_routes_are_found_by_their_patterns(void **state)
{
    (void)state;
    _Atomic int releases = 0;
    weft_route route = route_with(&releases);
    weft__router router;
    weft__route_group group;
    set_up(&router, &group);
    assert_int_equal(attach(&router, &group, "/", &route), WEFT_OK);
    assert_int_equal(attach(&router, &group, "/chat/{room}", &route), WEFT_OK);
    assert_int_equal(attach(&router, &group, "/chat/{other}", &route), WEFT_EDUPLICATE);
    expect_found(&router, "/", "/");
    expect_found(&router, "/chat/main", "/chat/{room}");
    expect_found(&router, "/chat", NULL);
    expect_found(&router, "*", NULL);
    expect_found(&router, "", NULL);
    assert_int_equal(attach(&router, &group, "*", &route), WEFT_OK);
    assert_int_equal(attach(&router, &group, "*", &route), WEFT_EDUPLICATE);
    expect_found(&router, "/elsewhere", "*");
    expect_found(&router, "*", "*");
    expect_found(&router, "/chat/main", "/chat/{room}");
    assert_int_equal(weft__router_detach(&router, &group, "*", NULL), WEFT_OK);
    expect_found(&router, "/elsewhere", NULL);
    assert_int_equal(releases, 1);
    tear_down(&router, &group);
    assert_int_equal(releases, 3);
}

static void test_routes_that_cannot_be_are_refused(void **state)
{
    (void)state;
    _Atomic int releases = 0;
    weft__router router;
    weft__route_group group;
    set_up(&router, &group);
    const char *paths[] = {"", "chat", "/a?b", "/a#b", "/a b", "/a\r\nb", "**", "/{}", "/{x}/{x}", "/{x*}/a"};
    weft_route route = route_with(&releases);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        assert_int_equal(attach(&router, &group, paths[i], &route), WEFT_EINVAL);
        assert_int_equal(weft__router_detach(&router, &group, paths[i], NULL), WEFT_ENOTATTACHED);
    }
    weft_route wrong = route;
    wrong.on_upgrade = NULL;
    assert_int_equal(attach(&router, &group, "/", &wrong), WEFT_EINVAL);
    wrong = route;
    wrong.origins = (weft_origin_policy)3;
    assert_int_equal(attach(&router, &group, "/", &wrong), WEFT_EINVAL);
    wrong = route;
    wrong.origin_count = 1;
    assert_int_equal(attach(&router, &group, "/", &wrong), WEFT_EINVAL);
    wrong.origin_list = &(weft_string){"https://a/", 10};
    assert_int_equal(attach(&router, &group, "/", &wrong), WEFT_EINVAL);
    wrong = route;
    wrong.size++;
    assert_int_equal(attach(&router, &group, "/", &wrong), WEFT_EINVAL);
    assert_int_equal(weft__router_detach(&router, &group, "/", NULL), WEFT_ENOTATTACHED);
    tear_down(&router, &group);
    assert_int_equal(releases, 0);
}

static void test_both_kinds_of_services_live_at_one_path(void **state)
{
    (void)state;
    _Atomic int upgrades = 0, pages = 0, nobody = 0;
    weft_route upgrade = route_with(&upgrades), page = route_with(&pages);
    page.on_upgrade = NULL;
    page.on_request = on_upgrade;
    weft__router router;
    weft__route_group group;
    set_up(&router, &group);
    assert_int_equal(attach(&router, &group, "/a/{x}", &upgrade), WEFT_OK);
    assert_int_equal(attach(&router, &group, "/a/{y}", &page), WEFT_OK);
    weft_route both = page;
    both.on_upgrade = on_upgrade;
    assert_int_equal(attach(&router, &group, "/a/{z}", &both), WEFT_EDUPLICATE);
    weft__attached_route *found = weft__router_find(&router, weft__string("/a/b"), false);
    assert_string_equal(found->path, "/a/{y}");
    weft__attached_route_release(found);
    expect_found(&router, "/a/b", "/a/{x}");
    assert_int_equal(weft__router_detach(&router, &group, "/a/{x}", &nobody), WEFT_ENOTATTACHED);
    assert_int_equal(weft__router_detach(&router, &group, "/a/{x}", &upgrades), WEFT_OK);
    assert_int_equal(upgrades, 1);
    expect_found(&router, "/a/b", "/a/{y}"); /* takes the upgrade as a plain request */
    assert_int_equal(attach(&router, &group, "/a/{x}", &upgrade), WEFT_OK);
    assert_int_equal(weft__router_detach(&router, &group, "/a/{any}", NULL), WEFT_OK);
    assert_int_equal(upgrades, 2);
    assert_int_equal(pages, 1);
    assert_int_equal(attach(&router, &group, "/a/{z}", &both), WEFT_OK);
    assert_int_equal(weft__router_detach(&router, &group, "/a/{z}", NULL), WEFT_OK);
    assert_int_equal(pages, 2);
    tear_down(&router, &group);
}

/* A request must not meet half of the routes of a listener that then fails to open. */
static void test_several_routes_are_attached_all_or_none(void **state)
{
    (void)state;
    _Atomic int releases = 0;
    weft_route route = route_with(&releases), wrong = route;
    wrong.on_upgrade = NULL;
    weft__router router;
    weft__route_group group;
    set_up(&router, &group);
    size_t failed;
    const weft_path_route twice[] = {{"/a", &route}, {"/b", &route}, {"/a", &route}};
    assert_int_equal(weft__router_attach(&router, &group, twice, 3, &failed), WEFT_EDUPLICATE);
    assert_int_equal(failed, 2);
    const weft_path_route bad[] = {{"/a", &route}, {"/b", &wrong}};
    assert_int_equal(weft__router_attach(&router, &group, bad, 2, &failed), WEFT_EINVAL);
    assert_int_equal(failed, 1);
    expect_found(&router, "/a", NULL);
    assert_int_equal(weft__router_attach(&router, &group, twice, 2, &failed), WEFT_OK);
    expect_found(&router, "/b", "/b");
    assert_int_equal(releases, 0);
    tear_down(&router, &group);
    assert_int_equal(releases, 2);
}

static void test_groups_share_paths_but_not_routes(void **state)
{
    (void)state;
    _Atomic int ours = 0, theirs = 0;
    weft_route our_route = route_with(&ours), their_route = route_with(&theirs);
    weft__router router;
    weft__route_group one, other;
    set_up(&router, &one);
    weft__route_group_init(&other, NULL);
    assert_int_equal(attach(&router, &one, "/one", &our_route), WEFT_OK);
    assert_int_equal(attach(&router, &other, "/one", &their_route), WEFT_EDUPLICATE);
    assert_int_equal(attach(&router, &other, "/other", &their_route), WEFT_OK);
    weft__router_close_group(&router, &other);
    assert_int_equal(theirs, 1);
    assert_int_equal(attach(&router, &other, "/other", &their_route), WEFT_ESTATE);
    expect_found(&router, "/other", NULL);
    expect_found(&router, "/one", "/one");
    tear_down(&router, &one);
    assert_int_equal(ours, 1);
}

static void test_a_detached_route_lives_until_its_last_holder(void **state)
{
    (void)state;
    _Atomic int releases = 0;
    weft_route route = route_with(&releases);
    weft__router router;
    weft__route_group group;
    set_up(&router, &group);
    assert_int_equal(attach(&router, &group, "/", &route), WEFT_OK);
    weft__attached_route *held = weft__router_find(&router, weft__string("/"), true);
    assert_int_equal(weft__router_detach(&router, &group, "/", NULL), WEFT_OK);
    expect_found(&router, "/", NULL);
    assert_int_equal(releases, 0);
    assert_int_equal(attach(&router, &group, "/", &route), WEFT_OK);
    weft__attached_route_release(held);
    assert_int_equal(releases, 1);
    tear_down(&router, &group);
    assert_int_equal(releases, 2);
}

static void test_attaching_may_run_out_of_memory(void **state)
{
    (void)state;
    _Atomic int releases = 0;
    char origin[] = "https://one.example";
    const weft_string origins[] = {weft__string(origin), weft__string("https://two.example")};
    weft_route route = route_with(&releases);
    route.origins = WEFT_ORIGIN_LIST;
    route.origin_list = origins;
    route.origin_count = 2;
    counting_allocator counter;
    allocator_count(&counter);
    weft__router router;
    weft__route_group group;
    set_up(&router, &group);
    weft_status status = WEFT_ENOMEM;
    for (size_t n = 1; status != WEFT_OK; n++) {
        assert_true(n < 20);
        counter.requests = 0;
        counter.fail_at = n;
        status = attach(&router, &group, "/a/{x}", &route);
        assert_true(status == WEFT_OK || status == WEFT_ENOMEM);
        assert_int_equal(releases, 0);
    }
    counter.fail_at = 0;
    memset(origin, 'x', sizeof origin); /* the list was copied */
    weft__attached_route *found = weft__router_find(&router, weft__string("/a/b"), true);
    assert_memory_equal(found->route.origin_list[0].bytes, "https://one.example", 19);
    weft__attached_route_release(found);
    tear_down(&router, &group);
    allocator_restore(&counter);
}

static _Atomic int shared_releases;

typedef struct busy {
    weft__router router;
    weft__route_group group;
} busy;

static void *attach_shared(void *argument)
{
    busy *busy = argument;
    weft_route route = route_with(&shared_releases);
    size_t attached = 0;
    for (int i = 0; i < 500; i++) {
        attached += attach(&busy->router, &busy->group, "/busy/{x}", &route) == WEFT_OK;
        weft__attached_route_release(weft__router_find(&busy->router, weft__string("/busy/bee"), true));
        weft__router_detach(&busy->router, &busy->group, "/busy/{x}", NULL);
    }
    return (void *)attached;
}

static void test_any_thread_may_attach_find_and_detach(void **state)
{
    (void)state;
    busy busy;
    set_up(&busy.router, &busy.group);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, attach_shared, &busy);
    size_t attached = 0;
    for (int i = 0; i < 4; i++) {
        void *one;
        pthread_join(threads[i], &one);
        attached += (size_t)one;
    }
    tear_down(&busy.router, &busy.group);
    assert_int_equal(shared_releases, attached);
}

static void test_programs_may_ask_about_patterns(void **state)
{
    (void)state;
    char out[16];
    assert_null(weft_path_pattern_problem("/a/{x}"));
    assert_string_equal(weft_path_pattern_problem("/{}"), "a parameter has no name");
    assert_null(weft_origin_problem((weft_string){"https://a", 9}));
    assert_string_equal(weft_origin_problem((weft_string){"https://a/", 10}),
                        "it has a path, be it only a slash");
    assert_int_equal(weft_path_pattern_shape("/a/{x}", out, sizeof out), WEFT_OK);
    assert_string_equal(out, "/a/{}");
    assert_int_equal(weft_path_pattern_shape("/a/{x}", out, 6), WEFT_OK);
    assert_int_equal(weft_path_pattern_shape("/a/{x}", out, 5), WEFT_EINVAL);
    assert_int_equal(weft_path_pattern_shape("/a/{x}", out, 0), WEFT_EINVAL);
    assert_int_equal(weft_path_pattern_shape("/{}", out, sizeof out), WEFT_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_routes_are_found_by_their_patterns),
        cmocka_unit_test(test_routes_that_cannot_be_are_refused),
        cmocka_unit_test(test_both_kinds_of_services_live_at_one_path),
        cmocka_unit_test(test_several_routes_are_attached_all_or_none),
        cmocka_unit_test(test_groups_share_paths_but_not_routes),
        cmocka_unit_test(test_a_detached_route_lives_until_its_last_holder),
        cmocka_unit_test(test_attaching_may_run_out_of_memory),
        cmocka_unit_test(test_any_thread_may_attach_find_and_detach),
        cmocka_unit_test(test_programs_may_ask_about_patterns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
