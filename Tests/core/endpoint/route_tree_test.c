#include "check.h"

#include "endpoint/route_tree.h"
#include "http/fields.h"

#include <stdio.h>
#include <time.h>

/* Places only keep these pointers; here they point to the pattern. */
static struct weft__attached_route *mark(const char *pattern)
{
    return (struct weft__attached_route *)(uintptr_t)pattern;
}

static void add(weft__route_tree *tree, const char *pattern)
{
    weft__route_place *place;
    assert_int_equal(weft__route_tree_open(tree, weft__string(pattern), &place), WEFT_OK);
    assert_null(place->upgrade);
    place->upgrade = mark(pattern);
}

static void drop(weft__route_tree *tree, const char *pattern)
{
    weft__route_place *place = weft__route_tree_find(tree, weft__string(pattern));
    assert_non_null(place);
    place->upgrade = NULL;
    weft__route_tree_prune(place);
}

static void expect(weft__route_tree *tree, const char *path, const char *pattern)
{
    weft__route_place *place = weft__route_tree_match(tree, weft__string(path));
    assert_int_equal(place != NULL, pattern != NULL);
    if (place) assert_string_equal((const char *)place->upgrade, pattern);
}

static void test_the_better_way_is_taken_segment_by_segment(void **state)
{
    (void)state;
    static const char *const patterns[] = {
        "/",
        "/{rest*}",
        "/chat",
        "/chat/",
        "/chat/{room}",
        "/chat/main",
        "/chat/{room}/in",
        "/chat/{room*}",
        "/{any}/main",
        "/files/{path*}",
        "/a/{x}/c",
        "/a/b/{y}",
        "/caf\xc3\xa9/%2F",
    };
    weft__route_tree tree = {0};
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
        add(&tree, patterns[i]);
    expect(&tree, "/", "/");
    expect(&tree, "//", "/{rest*}");
    expect(&tree, "/else", "/{rest*}");
    expect(&tree, "/chat", "/chat");
    expect(&tree, "/%63hat", "/chat");
    expect(&tree, "/Chat", "/{rest*}");
    expect(&tree, "/chat/", "/chat/");
    expect(&tree, "/chat/main", "/chat/main");
    expect(&tree, "/chat/other", "/chat/{room}");
    expect(&tree, "/chat/main%2Fin", "/chat/{room}");
    expect(&tree, "/chat/main/in", "/chat/{room}/in"); /* the literal led nowhere */
    expect(&tree, "/chat/main/out", "/chat/{room*}");
    expect(&tree, "/chat//in", "/chat/{room*}"); /* a parameter is not empty */
    expect(&tree, "/chat/../in", "/chat/{room}/in");
    expect(&tree, "/else/main", "/{any}/main");
    expect(&tree, "/else/other", "/{rest*}");
    expect(&tree, "/files", "/{rest*}");
    expect(&tree, "/files/", "/files/{path*}");
    expect(&tree, "/files/a/b", "/files/{path*}");
    expect(&tree, "/a/b/c", "/a/b/{y}");
    expect(&tree, "/a/x/c", "/a/{x}/c");
    expect(&tree, "/caf%c3%A9/%2f", "/caf\xc3\xa9/%2F");
    drop(&tree, "/chat/main"); /* then the next best one takes its paths */
    expect(&tree, "/chat/main", "/chat/{room}");
    drop(&tree, "/chat/{x}");
    expect(&tree, "/chat/main", "/chat/{room*}");
    drop(&tree, "/chat/{x*}");
    expect(&tree, "/chat/main", "/{any}/main");
    drop(&tree, "/{x}/main");
    expect(&tree, "/chat/main", "/{rest*}");
    drop(&tree, "/{x*}");
    expect(&tree, "/chat/main", NULL);
    static const char *const left[] = {
        "/",        "/chat",    "/chat/",          "/chat/{room}/in", "/files/{path*}",
        "/a/{x}/c", "/a/b/{y}", "/caf\xc3\xa9/%2F"};
    for (size_t i = 0; i < sizeof left / sizeof *left; i++)
        drop(&tree, left[i]);
    expect(&tree, "/chat", NULL);
}

static void test_names_do_not_make_another_place(void **state)
{
    (void)state;
    weft__route_tree tree = {0};
    add(&tree, "/a/{x}/b");
    weft__route_place *place, *same;
    assert_int_equal(weft__route_tree_open(&tree, weft__string("/a/{x}/b"), &place), WEFT_OK);
    assert_int_equal(weft__route_tree_open(&tree, weft__string("/%61/{other}/b"), &same), WEFT_OK);
    assert_ptr_equal(place, same);
    assert_ptr_equal(weft__route_tree_find(&tree, weft__string("/a/{y}/b")), place);
    assert_null(weft__route_tree_find(&tree, weft__string("/a/{y*}")));
    assert_null(weft__route_tree_find(&tree, weft__string("/a/x/b")));
    drop(&tree, "/a/{x}/b");
}

static void test_nothing_is_left_without_memory_or_routes(void **state)
{
    (void)state;
    counting_allocator counter;
    allocator_count(&counter);
    weft__route_tree tree = {0};
    weft_status status = WEFT_ENOMEM;
    for (size_t n = 1; status != WEFT_OK; n++) {
        weft__route_place *place;
        counter.requests = 0;
        counter.fail_at = n;
        status = weft__route_tree_open(&tree, weft__string("/a/{b}/c/{d*}"), &place);
        if (status == WEFT_OK) weft__route_tree_prune(place);
        assert_int_equal(counter.blocks, 0);
    }
    allocator_restore(&counter);
}

/* A linear search takes minutes for this under the sanitizers. */
static void test_ten_thousand_routes_are_no_burden(void **state)
{
    (void)state;
    enum {
        MANY = 10000
    };
    static char patterns[MANY][40];
    weft__route_tree tree = {0};
    for (int i = 0; i < MANY; i++) {
        snprintf(patterns[i], sizeof patterns[i], i % 2 ? "/flat-%d" : "/deep/%d/{id}/members", i);
        add(&tree, patterns[i]);
    }
    clock_t start = clock();
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < MANY; i++) {
            char path[40];
            snprintf(path, sizeof path, i % 2 ? "/flat-%d" : "/deep/%d/x/members", i);
            weft__route_place *place = weft__route_tree_match(&tree, weft__string(path));
            assert_ptr_equal(place->upgrade, mark(patterns[i]));
        }
    }
    assert_true(clock() - start < 5 * CLOCKS_PER_SEC);
    for (int i = 0; i < MANY; i++)
        drop(&tree, patterns[i]);
    assert_null(weft__route_tree_match(&tree, weft__string("/flat-1")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_better_way_is_taken_segment_by_segment),
        cmocka_unit_test(test_names_do_not_make_another_place),
        cmocka_unit_test(test_nothing_is_left_without_memory_or_routes),
        cmocka_unit_test(test_ten_thousand_routes_are_no_burden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
