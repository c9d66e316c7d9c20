#include "check.h"

#include "base/list.h"
#include "net/mailbox.h"

#include <pthread.h>
#include <sched.h>

enum {
    SENDERS = 4,
    EACH = 20000
};

typedef struct letter {
    weft__mail mail;
    int sender;
    int number;
} letter;

static letter *letter_of(weft__mail *mail)
{
    return WEFT__CONTAINER(mail, letter, mail);
}

static void test_letters_come_oldest_first(void **state)
{
    (void)state;
    weft__mailbox mailbox = {0};
    letter letters[3] = {0};
    assert_null(weft__mailbox_take_all(&mailbox));
    assert_int_equal(weft__mailbox_push(&mailbox, &letters[0].mail), WEFT__MAILBOX_WAS_EMPTY);
    assert_int_equal(weft__mailbox_push(&mailbox, &letters[1].mail), WEFT__MAILBOX_WAS_FILLED);
    assert_int_equal(weft__mailbox_push(&mailbox, &letters[2].mail), WEFT__MAILBOX_WAS_FILLED);
    weft__mail *mail = weft__mailbox_take_all(&mailbox);
    for (int i = 0; i < 3; i++) {
        assert_ptr_equal(letter_of(mail), &letters[i]);
        mail = mail->next;
    }
    assert_null(mail);
    assert_int_equal(weft__mailbox_push(&mailbox, &letters[0].mail), WEFT__MAILBOX_WAS_EMPTY);
}

static void test_a_closed_mailbox_takes_nothing(void **state)
{
    (void)state;
    weft__mailbox mailbox = {0};
    letter letters[2] = {0};
    weft__mailbox_push(&mailbox, &letters[0].mail);
    assert_ptr_equal(weft__mailbox_close(&mailbox), &letters[0].mail);
    assert_int_equal(weft__mailbox_push(&mailbox, &letters[1].mail), WEFT__MAILBOX_WAS_CLOSED);
    assert_null(weft__mailbox_close(&mailbox));
}

typedef struct sender {
    weft__mailbox *mailbox;
    letter *letters;
    int name;
    int taken;
} sender;

static void *send_all(void *argument)
{
    sender *sender = argument;
    for (int i = 0; i < EACH; i++) {
        letter *letter = &sender->letters[i];
        letter->sender = sender->name;
        letter->number = i;
        if (weft__mailbox_push(sender->mailbox, &letter->mail) == WEFT__MAILBOX_WAS_CLOSED) break;
        sender->taken++;
    }
    return NULL;
}

static int read_in_order(weft__mail *mail, int *next)
{
    int count = 0;
    for (; mail; mail = mail->next, count++) {
        letter *letter = letter_of(mail);
        assert_int_equal(letter->number, next[letter->sender]++);
    }
    return count;
}

static void test_each_sender_is_heard_in_order(void **state)
{
    (void)state;
    for (int closes_early = 0; closes_early < 2; closes_early++) {
        weft__mailbox mailbox = {0};
        pthread_t threads[SENDERS];
        sender senders[SENDERS];
        for (int i = 0; i < SENDERS; i++) {
            senders[i] = (sender){&mailbox, calloc(EACH, sizeof(letter)), i, 0};
            pthread_create(&threads[i], NULL, send_all, &senders[i]);
        }
        int next[SENDERS] = {0}, read = 0, wanted = closes_early ? EACH : SENDERS * EACH;
        while (read < wanted) {
            int count = read_in_order(weft__mailbox_take_all(&mailbox), next);
            if (count == 0) sched_yield();
            read += count;
        }
        read += read_in_order(weft__mailbox_close(&mailbox), next);
        int taken = 0;
        for (int i = 0; i < SENDERS; i++) {
            pthread_join(threads[i], NULL);
            assert_int_equal(next[i], senders[i].taken);
            taken += senders[i].taken;
            free(senders[i].letters);
        }
        assert_int_equal(read, taken);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_letters_come_oldest_first),
        cmocka_unit_test(test_a_closed_mailbox_takes_nothing),
        cmocka_unit_test(test_each_sender_is_heard_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
