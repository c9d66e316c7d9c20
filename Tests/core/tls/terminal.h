/* Notices OpenSSL asking for a password at the terminal, and files that would have it ask. */
#ifndef WEFT_TESTS_TLS_TERMINAL_H
#define WEFT_TESTS_TLS_TERMINAL_H

#include "check.h"

#include <openssl/ui.h>
#include <stdio.h>

static UI_METHOD *terminal;
static size_t terminal_questions;

static inline int count_question(UI *ui)
{
    (void)ui;
    terminal_questions++;
    return 0; /* there is no terminal */
}

static inline void terminal_watch(void)
{
    terminal_questions = 0;
    terminal = UI_create_method("no terminal");
    assert_non_null(terminal);
    UI_method_set_opener(terminal, count_question);
    UI_set_default_method(terminal);
}

static inline void terminal_expect_no_question(void)
{
    UI_set_default_method(UI_OpenSSL());
    UI_destroy_method(terminal);
    assert_int_equal(terminal_questions, 0);
}

/* PEM of something that says it is encrypted (RFC 1421 section 4.6), which only private keys ever are. */
static inline const char *locked_pem(char *out, size_t size, const char *kind)
{
    snprintf(out, size,
             "-----BEGIN %s-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,"
             "00112233445566778899AABBCCDDEEFF\n\nAAAAAAAAAAAAAAAAAAAAAA==\n-----END %s-----\n",
             kind, kind);
    return out;
}

#endif
