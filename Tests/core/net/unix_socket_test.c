#include "check.h"

#include "net/unix_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

static char folder[64], path[96];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/weft-unix-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/socket", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static bool exists(const char *file)
{
    struct stat found;
    return lstat(file, &found) == 0;
}

static weft_status open_at(const char *where, int *out, weft__unix_file *file, char detail[256])
{
    detail[0] = '\0';
    return weft__unix_listening_socket_open(out, file, where, 1, detail, 256);
}

static void test_a_socket_is_made_reached_and_removed(void **state)
{
    (void)state;
    int listening, peer, accepted;
    weft__unix_file file;
    char detail[256];
    assert_int_equal(open_at(path, &listening, &file, detail), WEFT_OK);
    assert_int_equal(weft__unix_connect(&peer, path), 0);
    int other = weft__unix_socket_duplicate(listening);
    assert_true(other >= 0);
    assert_true(fcntl(other, F_GETFD) & FD_CLOEXEC);
    accepted = accept(other, NULL, NULL); /* from the same queue */
    assert_true(accepted >= 0);
    assert_int_equal(send(peer, "x", 1, 0), 1);
    char byte;
    assert_int_equal(recv(accepted, &byte, 1, 0), 1);
    close(accepted);
    close(peer);
    close(other);
    close(listening);
    assert_true(exists(path));
    weft__unix_file_remove(&file);
    assert_false(exists(path));
    weft__unix_file_remove(&file);
    assert_string_equal(file.path, path);
    assert_int_equal(weft__unix_connect(&peer, path), ENOENT);
    assert_int_equal(peer, -1);
}

static void test_a_live_socket_stays_and_is_named(void **state)
{
    (void)state;
    int first, second;
    weft__unix_file file, other;
    char detail[256], expected[256];
    assert_int_equal(open_at(path, &first, &file, detail), WEFT_OK);
    /* With room in its backlog, and without. */
    for (int i = 0; i < 8; i++) {
        assert_int_equal(open_at(path, &second, &other, detail), WEFT_EADDRESS);
        assert_int_equal(second, -1);
        snprintf(expected, sizeof expected, "cannot listen on %s: address in use", path);
        assert_string_equal(detail, expected);
        weft__unix_file_remove(&other);
        assert_true(exists(path));
    }
    close(first);
    weft__unix_file_remove(&file);
}

static void test_a_stale_socket_is_replaced(void **state)
{
    (void)state;
    int first, second, peer;
    weft__unix_file old, file;
    char detail[256];
    assert_int_equal(open_at(path, &first, &old, detail), WEFT_OK);
    close(first); /* as a program that was killed */
    assert_int_equal(weft__unix_connect(&peer, path), ECONNREFUSED);
    assert_int_equal(open_at(path, &second, &file, detail), WEFT_OK);
    assert_int_equal(weft__unix_connect(&peer, path), 0);
    close(peer);
    close(second);
    weft__unix_file_remove(&file);
    assert_false(exists(path));
}

typedef struct rival {
    uv_barrier_t *start;
    int socket;
    weft__unix_file file;
} rival;

static void *compete(void *argument)
{
    rival *rival = argument;
    char detail[256];
    uv_barrier_wait(rival->start);
    open_at(path, &rival->socket, &rival->file, detail);
    return NULL;
}

static void leave_stale_file(void)
{
    int listening;
    weft__unix_file file;
    char detail[256];
    assert_int_equal(open_at(path, &listening, &file, detail), WEFT_OK);
    close(listening);
}

static void test_of_several_newcomers_one_replaces_a_stale_socket(void **state)
{
    (void)state;
    enum {
        RIVALS = 4
    };
    uv_barrier_t start;
    uv_barrier_init(&start, RIVALS);
    for (int round = 0; round < 300; round++) {
        pthread_t threads[RIVALS];
        rival rivals[RIVALS];
        int winners = 0;
        leave_stale_file();
        for (int i = 0; i < RIVALS; i++) {
            rivals[i].start = &start;
            pthread_create(&threads[i], NULL, compete, &rivals[i]);
        }
        for (int i = 0; i < RIVALS; i++) {
            pthread_join(threads[i], NULL);
            winners += rivals[i].socket >= 0;
        }
        for (int i = 0; i < RIVALS; i++) {
            weft__unix_file_remove(&rivals[i].file);
            if (rivals[i].socket >= 0) close(rivals[i].socket);
        }
        assert_int_equal(winners, 1);
    }
    uv_barrier_destroy(&start);
}

static void test_what_is_no_socket_is_never_removed(void **state)
{
    (void)state;
    int listening;
    weft__unix_file file;
    char detail[256];
    int made = open(path, O_CREAT | O_WRONLY, 0600);
    close(made);
    assert_int_equal(open_at(path, &listening, &file, detail), WEFT_EADDRESS);
    assert_non_null(strstr(detail, "a file that is no socket is there"));
    assert_true(exists(path));
    unlink(path);
    assert_int_equal(symlink("/tmp/weft-nowhere", path), 0);
    assert_int_equal(open_at(path, &listening, &file, detail), WEFT_EADDRESS);
    assert_true(exists(path));
    assert_int_equal(open_at(folder, &listening, &file, detail), WEFT_EADDRESS);
    assert_true(exists(folder));
}

static void test_a_file_of_somebody_else_is_not_removed(void **state)
{
    (void)state;
    int first, second;
    weft__unix_file file, other;
    char detail[256];
    assert_int_equal(open_at(path, &first, &file, detail), WEFT_OK);
    unlink(path);
    assert_int_equal(open_at(path, &second, &other, detail), WEFT_OK);
    weft__unix_file_remove(&file);
    assert_true(exists(path));
    close(first);
    close(second);
    weft__unix_file_remove(&other);
    assert_false(exists(path));
}

static void test_paths_that_cannot_be_are_refused_uncut(void **state)
{
    (void)state;
    int listening, peer;
    weft__unix_file file;
    char detail[256], text[256];
    assert_int_equal(weft__unix_path_max(), sizeof((struct sockaddr_un *)0)->sun_path - 1);
    memset(text, 'x', sizeof text);
    memcpy(text, "/tmp/", 5);
    text[weft__unix_path_max() + 1] = '\0';
    assert_int_equal(open_at(text, &listening, &file, detail), WEFT_EADDRESS);
    assert_memory_equal(detail, "the path of a unix socket has 1 to ", 35);
    assert_int_equal(weft__unix_connect(&peer, text), ENAMETOOLONG);
    text[weft__unix_path_max()] = '\0'; /* the longest one */
    assert_int_equal(open_at(text, &listening, &file, detail), WEFT_OK);
    assert_int_equal(weft__unix_connect(&peer, text), 0);
    close(peer);
    close(listening);
    weft__unix_file_remove(&file);
    assert_int_equal(open_at("", &listening, &file, detail), WEFT_EADDRESS);
    assert_int_equal(open_at("/tmp/weft-nowhere/socket", &listening, &file, detail), WEFT_EADDRESS);
    assert_string_equal(detail, "cannot listen on /tmp/weft-nowhere/socket: no such file or directory");
}

static void test_a_full_backlog_is_told_apart(void **state)
{
    (void)state;
    int listening, peers[64], result = 0, count = 0;
    weft__unix_file file;
    char detail[256];
    assert_int_equal(open_at(path, &listening, &file, detail), WEFT_OK);
    while (count < 64 && result == 0)
        result = weft__unix_connect(&peers[count++], path);
#ifdef __linux__
    assert_int_equal(result, EAGAIN);
#endif
    for (int i = 0; i < count; i++)
        if (peers[i] >= 0) close(peers[i]);
    close(listening);
    weft__unix_file_remove(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_socket_is_made_reached_and_removed, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_a_live_socket_stays_and_is_named, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_a_stale_socket_is_replaced, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_of_several_newcomers_one_replaces_a_stale_socket, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_what_is_no_socket_is_never_removed, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_a_file_of_somebody_else_is_not_removed, make_folder,
                                        remove_folder),
        cmocka_unit_test(test_paths_that_cannot_be_are_refused_uncut),
        cmocka_unit_test_setup_teardown(test_a_full_backlog_is_told_apart, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
