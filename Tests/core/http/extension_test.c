#include "check.h"

#include "http/extension.h"

#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define NAME "Sec-WebSocket-Extensions"

static weft_compression settings_of(weft_role role)
{
    weft_compression settings;
    weft_compression_init(&settings, role);
    settings.memory = WEFT_COMPRESSION_DEDICATED;
    return settings;
}

/* A head with one field for each value, up to the first NULL. */
typedef struct fields {
    weft_field items[4];
    weft__fields list;
} fields;

static void fields_init(fields *fields, const char *const values[3])
{
    size_t count = 0;
    fields->items[count++] = (weft_field){weft__string("Host"), weft__string("h")};
    for (size_t i = 0; i < 3 && values[i]; i++)
        fields->items[count++] = (weft_field){weft__string(NAME), weft__string(values[i])};
    fields->list = (weft__fields){.items = fields->items, .count = count, .capacity = count};
}

/* -- settings ------------------------------------------------------------------------------------ */

static void expect_refused(weft_compression settings, const char *sentence)
{
    weft_compression taken;
    weft__problem problem;
    assert_int_equal(weft__compression_take(&taken, &settings, WEFT_SERVER, &problem), WEFT_EINVAL);
    assert_string_equal(problem.text, sentence);
}

static void test_settings_out_of_range_are_named(void **state)
{
    (void)state;
    static const uint8_t wrong_bits[] = {0, 8, 16, 255}, wrong_levels[] = {0, 10, 255};
    for (size_t i = 0; i < COUNT(wrong_bits); i++) {
        weft_compression settings = settings_of(WEFT_SERVER);
        settings.server_max_window_bits = wrong_bits[i];
        expect_refused(settings, "compression: server_max_window_bits is not in 9 to 15");
        settings = settings_of(WEFT_SERVER);
        settings.client_max_window_bits = wrong_bits[i];
        expect_refused(settings, "compression: client_max_window_bits is not in 9 to 15");
    }
    for (size_t i = 0; i < COUNT(wrong_levels); i++) {
        weft_compression settings = settings_of(WEFT_SERVER);
        settings.level = wrong_levels[i];
        expect_refused(settings, "compression: level is not in 1 to 9");
    }
    weft_compression settings = settings_of(WEFT_SERVER);
    settings.memory = (weft_compression_memory)2;
    expect_refused(settings, "compression: memory is neither shared nor dedicated");
    expect_refused((weft_compression){0}, "compression: weft_compression_init was not called");
}

static void test_shared_memory_means_messages_that_stand_alone(void **state)
{
    (void)state;
    weft_compression taken;
    weft__problem problem;
    assert_int_equal(weft__compression_take(&taken, NULL, WEFT_SERVER, &problem), WEFT_OK);
    assert_true(taken.enabled && taken.server_no_context_takeover && taken.client_no_context_takeover);
    assert_int_equal(taken.memory, WEFT_COMPRESSION_SHARED);
    assert_int_equal(taken.threshold, 64);
    assert_int_equal(weft__compression_take(&taken, NULL, WEFT_CLIENT, &problem), WEFT_OK);
    assert_false(taken.server_no_context_takeover || taken.client_no_context_takeover);
}

static void test_a_struct_of_an_older_program_gets_the_rest_by_default(void **state)
{
    (void)state;
    weft_compression given, taken;
    weft__problem problem;
    weft_compression_init_sized(&given, WEFT_SERVER, offsetof(weft_compression, threshold));
    given.level = 9;
    given.threshold = 7; /* beyond what the program knows */
    assert_int_equal(weft__compression_take(&taken, &given, WEFT_SERVER, &problem), WEFT_OK);
    assert_int_equal(taken.level, 9);
    assert_int_equal(taken.threshold, 64);
}

/* -- grammar ------------------------------------------------------------------------------------- */

static void test_the_grammar_is_kept_strictly(void **state)
{
    (void)state;
    static const char *const good[] = {
        "", ",", "a", "a,b", " a ; b ; c = d , e", "a; b=\"c\"", "a;b=\"\\c\"", "a\t;\tb", "a;b=\"1\",,c",
    };
    static const char *const bad[] = {
        ";",        "a;",          "a b",      "a;b c",       "a;=b",       "a;b=",         "a=b",
        "a;b=\"\"", "a;b=\"c",     "a;b=\"\\", "a;b=\"c d\"", "a;b=\"c\"d", "a;b=c d",      "a;;b",
        "\"a\"",    "a;b=\"c,d\"", "a;b=c=d",  "a, b;",       "a/b",        "a;b=\"\\\"\"",
    };
    for (size_t i = 0; i < COUNT(good) + COUNT(bad); i++) {
        bool is_good = i < COUNT(good);
        const char *value = is_good ? good[i] : bad[i - COUNT(good)];
        fields fields;
        fields_init(&fields, (const char *const[3]){"x", value});
        if (weft__extensions_are_well_formed(&fields.list) != is_good) fail_msg("%s", value);
    }
}

/* -- the server ---------------------------------------------------------------------------------- */

typedef struct offer_case {
    const char *offer;
    const char *answer; /* "" where all is declined */
} offer_case;

static void expect_answers(const weft_compression *settings, const offer_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char text[WEFT__EXTENSION_MAX];
        weft_compression agreed;
        fields fields;
        fields_init(&fields, (const char *const[3]){cases[i].offer});
        weft_string answer = weft__compression_accept(text, &agreed, &fields.list, settings);
        if (!weft__string_equals(answer, cases[i].answer)) {
            fail_msg("%s: %.*s", cases[i].offer, (int)answer.length, answer.length ? answer.bytes : "");
        }
        assert_int_equal(agreed.enabled, answer.length > 0);
    }
}

#define PMD "permessage-deflate"

static void test_a_server_takes_what_it_can(void **state)
{
    (void)state;
    static const offer_case cases[] = {
        {PMD, PMD},
        {"x-webkit-deflate-frame, " PMD, PMD},
        {PMD "; client_max_window_bits", PMD},
        {PMD "; client_max_window_bits=8", PMD "; client_max_window_bits=8"},
        {PMD "; client_max_window_bits=\"11\"", PMD "; client_max_window_bits=11"},
        {PMD "; client_max_window_bits=15", PMD},
        {PMD "; server_max_window_bits=15", PMD "; server_max_window_bits=15"},
        {PMD ";server_max_window_bits=9", PMD "; server_max_window_bits=9"},
        {PMD "; server_no_context_takeover", PMD "; server_no_context_takeover"},
        {PMD "; client_no_context_takeover", PMD "; client_no_context_takeover"},
        {PMD "; client_max_window_bits=10; server_max_window_bits = 12; client_no_context_takeover; "
             "server_no_context_takeover",
         PMD "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12; "
             "client_max_window_bits=10"},
    };
    weft_compression settings = settings_of(WEFT_SERVER);
    expect_answers(&settings, cases, COUNT(cases));
}

static void test_a_server_declines_what_it_cannot_take(void **state)
{
    (void)state;
    static const char *const parameters[] = {
        "server_max_window_bits",
        "server_max_window_bits=8",
        "server_max_window_bits=7",
        "server_max_window_bits=16",
        "server_max_window_bits=08",
        "server_max_window_bits=010",
        "server_max_window_bits=abc",
        "server_max_window_bits=1e1",
        "server_max_window_bits=1000000000000",
        "server_max_window_bits=-9",
        "server_max_window_bits=\"+9\"",
        "client_max_window_bits=7",
        "client_max_window_bits=16",
        "client_max_window_bits=09",
        "client_max_window_bits=1",
        "server_no_context_takeover=1",
        "client_no_context_takeover=true",
        "unknown",
        "Server_no_context_takeover",
        "server_no_context_takeover; server_no_context_takeover",
        "client_no_context_takeover; client_no_context_takeover",
        "server_max_window_bits=10; server_max_window_bits=10",
        "client_max_window_bits; client_max_window_bits=10",
        "client_max_window_bits=10; client_max_window_bits",
    };
    weft_compression settings = settings_of(WEFT_SERVER);
    for (size_t i = 0; i < COUNT(parameters); i++) {
        char alone[160], with_another[160];
        snprintf(alone, sizeof alone, PMD "; %s", parameters[i]);
        snprintf(with_another, sizeof with_another, PMD "; %s, " PMD "; server_max_window_bits=10",
                 parameters[i]);
        const offer_case cases[] = {{alone, ""}, {with_another, PMD "; server_max_window_bits=10"}};
        expect_answers(&settings, cases, COUNT(cases));
    }
    static const offer_case others[] = {
        {"", ""}, {"x", ""}, {"Permessage-deflate", ""}, {"permessage-deflat", ""}};
    expect_answers(&settings, others, COUNT(others));
    settings.enabled = false;
    static const offer_case plain[] = {{PMD, ""}};
    expect_answers(&settings, plain, COUNT(plain));
}

static void test_offers_in_several_fields_are_tried_in_order(void **state)
{
    (void)state;
    char text[WEFT__EXTENSION_MAX];
    weft_compression agreed, settings = settings_of(WEFT_SERVER);
    fields fields;
    fields_init(&fields,
                (const char *const[3]){"x, " PMD "; unknown", PMD "; server_max_window_bits=11", PMD});
    weft_string answer = weft__compression_accept(text, &agreed, &fields.list, &settings);
    assert_true(weft__string_equals(answer, PMD "; server_max_window_bits=11"));
    assert_int_equal(agreed.server_max_window_bits, 11);
}

static void test_a_server_adds_its_own_terms(void **state)
{
    (void)state;
    static const offer_case cases[] = {
        {PMD, PMD "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12"},
        {PMD "; client_max_window_bits",
         PMD "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12; "
             "client_max_window_bits=10"},
        {PMD "; client_max_window_bits=9; server_max_window_bits=14",
         PMD "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12; "
             "client_max_window_bits=9"},
        {PMD "; server_max_window_bits=10",
         PMD "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10"},
    };
    weft_compression settings = settings_of(WEFT_SERVER), taken;
    weft__problem problem;
    settings.memory = WEFT_COMPRESSION_SHARED;
    settings.server_max_window_bits = 12;
    settings.client_max_window_bits = 10;
    assert_int_equal(weft__compression_take(&taken, &settings, WEFT_SERVER, &problem), WEFT_OK);
    expect_answers(&taken, cases, COUNT(cases));
}

/* -- the client ---------------------------------------------------------------------------------- */

static weft_status read_answer(weft_compression *agreed, const weft_compression *settings, const char *answer,
                               weft__problem *problem)
{
    fields fields;
    fields_init(&fields, (const char *const[3]){answer});
    return weft__compression_read_answer(agreed, &fields.list, settings, problem);
}

static void test_a_client_offers_what_it_was_told(void **state)
{
    (void)state;
    char text[WEFT__EXTENSION_MAX];
    weft_compression settings = settings_of(WEFT_CLIENT);
    weft_string offer = weft__compression_write_offer(text, &settings);
    assert_true(weft__string_equals(offer, PMD "; client_max_window_bits"));
    settings.server_max_window_bits = 10;
    settings.client_max_window_bits = 11;
    settings.server_no_context_takeover = settings.client_no_context_takeover = true;
    offer = weft__compression_write_offer(text, &settings);
    assert_true(weft__string_equals(offer, PMD "; server_no_context_takeover; client_no_context_takeover; "
                                               "server_max_window_bits=10; client_max_window_bits=11"));
    settings.enabled = false;
    assert_int_equal(weft__compression_write_offer(text, &settings).length, 0);
}

static void test_a_client_agrees_to_good_answers(void **state)
{
    (void)state;
    weft__problem problem;
    weft_compression agreed, settings = settings_of(WEFT_CLIENT);
    assert_int_equal(read_answer(&agreed, &settings, NULL, &problem), WEFT_OK);
    assert_false(agreed.enabled);
    assert_int_equal(read_answer(&agreed, &settings, PMD, &problem), WEFT_OK);
    assert_true(agreed.enabled);
    assert_false(agreed.server_no_context_takeover || agreed.client_no_context_takeover);
    assert_int_equal(agreed.server_max_window_bits, 15);
    assert_int_equal(agreed.client_max_window_bits, 15);
    const char *answer = PMD "; server_no_context_takeover; client_no_context_takeover; "
                             "server_max_window_bits=8; client_max_window_bits=\"8\"";
    assert_int_equal(read_answer(&agreed, &settings, answer, &problem), WEFT_OK);
    assert_true(agreed.server_no_context_takeover && agreed.client_no_context_takeover);
    assert_int_equal(agreed.server_max_window_bits, 8);
    assert_int_equal(agreed.client_max_window_bits, 8);
    settings.client_max_window_bits = 10; /* holds without a word of the server's */
    settings.client_no_context_takeover = true;
    assert_int_equal(read_answer(&agreed, &settings, PMD, &problem), WEFT_OK);
    assert_int_equal(agreed.client_max_window_bits, 10);
    assert_true(agreed.client_no_context_takeover);
}

static void test_a_client_refuses_bad_answers(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"x", "answer uses an extension that was not offered"},
        {PMD ", x", "answer uses an extension that was not offered"},
        {PMD ", " PMD, "answer repeats permessage-deflate"},
        {PMD ";", "answer has a malformed Sec-WebSocket-Extensions"},
        {PMD "; server_max_window_bits=1-", "parameter server_max_window_bits of permessage-deflate in the "
                                            "answer has a value that is not in 8 to 15"},
        {PMD "; a234567890123456789012345678901234567890bcd",
         "parameter a234567890123456789012345678901234567890 of permessage-deflate in the answer is not "
         "known"},
        {PMD "; odd", "parameter odd of permessage-deflate in the answer is not known"},
        {PMD "; server_no_context_takeover; server_no_context_takeover",
         "parameter server_no_context_takeover of permessage-deflate in the answer is repeated"},
        {PMD "; client_max_window_bits=9; client_max_window_bits=9",
         "parameter client_max_window_bits of permessage-deflate in the answer is repeated"},
        {PMD "; client_no_context_takeover=1", "parameter client_no_context_takeover of permessage-deflate "
                                               "in the answer has a value, where none may stand"},
        {PMD "; server_max_window_bits",
         "parameter server_max_window_bits of permessage-deflate in the answer has no value"},
        {PMD "; client_max_window_bits",
         "parameter client_max_window_bits of permessage-deflate in the answer has no value"},
        {PMD "; client_max_window_bits=7", "parameter client_max_window_bits of permessage-deflate in the "
                                           "answer has a value that is not in 8 to 15"},
        {PMD "; server_max_window_bits=015", "parameter server_max_window_bits of permessage-deflate in the "
                                             "answer has a value that is not in 8 to 15"},
    };
    weft__problem problem;
    weft_compression agreed, settings = settings_of(WEFT_CLIENT);
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(read_answer(&agreed, &settings, cases[i][0], &problem), WEFT_EHANDSHAKE);
        assert_string_equal(problem.text, cases[i][1]);
        assert_false(agreed.enabled);
    }
    settings.enabled = false;
    assert_int_equal(read_answer(&agreed, &settings, PMD, &problem), WEFT_EHANDSHAKE);
}

static void test_a_client_gets_what_it_asked_for(void **state)
{
    (void)state;
    static const char *const answers[][2] = {
        {PMD "; server_max_window_bits=10", "parameter server_no_context_takeover of permessage-deflate in "
                                            "the answer was offered and is missing"},
        {PMD "; server_no_context_takeover",
         "parameter server_max_window_bits of permessage-deflate in the answer was offered and is missing"},
        {PMD "; server_no_context_takeover; server_max_window_bits=11",
         "parameter server_max_window_bits of permessage-deflate in the answer is larger than offered"},
        {PMD "; server_no_context_takeover; server_max_window_bits=10; client_max_window_bits=12",
         "parameter client_max_window_bits of permessage-deflate in the answer is larger than offered"},
    };
    weft__problem problem;
    weft_compression agreed, settings = settings_of(WEFT_CLIENT);
    settings.server_no_context_takeover = true;
    settings.server_max_window_bits = 10;
    settings.client_max_window_bits = 11;
    for (size_t i = 0; i < COUNT(answers); i++) {
        assert_int_equal(read_answer(&agreed, &settings, answers[i][0], &problem), WEFT_EHANDSHAKE);
        assert_string_equal(problem.text, answers[i][1]);
    }
    const char *good =
        PMD "; server_no_context_takeover; server_max_window_bits=9; client_max_window_bits=11";
    assert_int_equal(read_answer(&agreed, &settings, good, &problem), WEFT_OK);
    assert_int_equal(agreed.server_max_window_bits, 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings_out_of_range_are_named),
        cmocka_unit_test(test_shared_memory_means_messages_that_stand_alone),
        cmocka_unit_test(test_a_struct_of_an_older_program_gets_the_rest_by_default),
        cmocka_unit_test(test_the_grammar_is_kept_strictly),
        cmocka_unit_test(test_a_server_takes_what_it_can),
        cmocka_unit_test(test_a_server_declines_what_it_cannot_take),
        cmocka_unit_test(test_offers_in_several_fields_are_tried_in_order),
        cmocka_unit_test(test_a_server_adds_its_own_terms),
        cmocka_unit_test(test_a_client_offers_what_it_was_told),
        cmocka_unit_test(test_a_client_agrees_to_good_answers),
        cmocka_unit_test(test_a_client_refuses_bad_answers),
        cmocka_unit_test(test_a_client_gets_what_it_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
