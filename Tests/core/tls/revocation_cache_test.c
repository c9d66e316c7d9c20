#include "tls/revocation_cache.h"

#include "tls/authority.h"

enum {
    NOW = 1000000
};

static void test_a_verdict_is_kept_as_long_as_it_holds(void **state)
{
    (void)state;
    paper one = issue(NULL, (wish){.common_name = "one"}), two = issue(NULL, (wish){.common_name = "two"});
    weft__revocation_cache cache;
    assert_int_equal(weft__revocation_cache_init(&cache, 10, 900), WEFT_OK);
    assert_false(weft__revocation_cache_has(&cache, one.certificate, NOW));
    weft__revocation_cache_add(&cache, one.certificate, NOW, NOW + 100);
    weft__revocation_cache_add(&cache, two.certificate, NOW, 0);
    assert_true(weft__revocation_cache_has(&cache, one.certificate, NOW + 99));
    assert_false(weft__revocation_cache_has(&cache, one.certificate, NOW + 100));
    assert_true(weft__revocation_cache_has(&cache, two.certificate, NOW + 899));
    assert_false(weft__revocation_cache_has(&cache, two.certificate, NOW + 900));
    weft__revocation_cache_add(&cache, one.certificate, NOW + 200, NOW + 100000);
    assert_true(weft__revocation_cache_has(&cache, one.certificate, NOW + 1099));
    assert_false(weft__revocation_cache_has(&cache, one.certificate, NOW + 1100));
    assert_int_equal(cache.count, 2);
    weft__revocation_cache_clear(&cache);
    weft__revocation_cache_clear(&cache);
    discard(&one);
    discard(&two);
}

static void test_the_oldest_goes(void **state)
{
    (void)state;
    paper papers[4];
    weft__revocation_cache cache;
    assert_int_equal(weft__revocation_cache_init(&cache, 3, 900), WEFT_OK);
    for (int i = 0; i < 4; i++) {
        papers[i] = issue(NULL, (wish){.common_name = "x"});
        weft__revocation_cache_add(&cache, papers[i].certificate, NOW, 0);
    }
    assert_int_equal(cache.count, 3);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(weft__revocation_cache_has(&cache, papers[i].certificate, NOW), i > 0);
        discard(&papers[i]);
    }
    weft__revocation_cache_clear(&cache);
}

static void test_without_memory_nothing_is_kept(void **state)
{
    (void)state;
    counting_allocator counter = {0};
    paper one = issue(NULL, (wish){.common_name = "one"});
    allocator_count(&counter);
    weft__revocation_cache cache;
    assert_int_equal(weft__revocation_cache_init(&cache, 3, 900), WEFT_OK);
    counter.fail_at = counter.requests + 1;
    weft__revocation_cache_add(&cache, one.certificate, NOW, 0);
    counter.fail_at = 0;
    assert_false(weft__revocation_cache_has(&cache, one.certificate, NOW));
    weft__revocation_cache_clear(&cache);
    discard(&one);
    allocator_restore(&counter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_verdict_is_kept_as_long_as_it_holds),
        cmocka_unit_test(test_the_oldest_goes),
        cmocka_unit_test(test_without_memory_nothing_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
