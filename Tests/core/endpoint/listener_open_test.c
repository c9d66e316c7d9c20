#include "endpoint/world.h"
#include "net/unix_socket.h"

#include <sys/un.h>

static int port_in_use(void)
{
    int other = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    setsockopt(other, SOL_SOCKET, SO_REUSEPORT, &on,
               sizeof on); /* as a neighbour would that shares its ports */
    assert_int_equal(bind(other, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(other, 1), 0);
    return other;
}

static void test_a_port_in_use_is_refused_with_a_sentence(void **state)
{
    (void)state;
    int other = port_in_use();
    struct sockaddr_in name;
    socklen_t size = sizeof name;
    getsockname(other, (struct sockaddr *)&name, &size);
    for (uint32_t threads = 1; threads <= 3; threads += 2) {
        world world;
        world_init(&world);
        world.listening.port = ntohs(name.sin_port);
        world.listening.threads = threads;
        char detail[256], expected[128];
        assert_int_equal(weft_listener_open(&world.listener, &world.listening, detail, sizeof detail),
                         WEFT_EADDRESS);
        snprintf(expected, sizeof expected, "cannot listen on 127.0.0.1:%u: address in use",
                 (unsigned)ntohs(name.sin_port));
        assert_string_equal(detail, expected);
        assert_null(world.listener);
        assert_int_equal(world.story_length, 0);
        world_clear(&world);
    }
    close(other);
}

static void expect_refused(world *world, weft_status status)
{
    char detail[128] = "";
    assert_int_equal(weft_listener_open(&world->listener, &world->listening, detail, sizeof detail), status);
    assert_true(strlen(detail) > 0);
    assert_null(world->listener);
}

static void test_settings_that_cannot_be_are_refused(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    weft_listener_config good = world.listening;
    world.listening.host = "192.0.2.1"; /* RFC 5737: nobody's */
    expect_refused(&world, WEFT_EADDRESS);
    world.listening.host = "no such host.invalid";
    expect_refused(&world, WEFT_ERESOLVE);
    world.listening = good;
    world.listening.host = NULL;
    expect_refused(&world, WEFT_EINVAL);
    world.listening = good;
    world.listening.threads = 0;
    expect_refused(&world, WEFT_EINVAL);
    world.listening = good;
    world.listening.backlog = 0;
    expect_refused(&world, WEFT_EINVAL);
    world.listening = good;
    world.listening.max_uri_length = 0;
    expect_refused(&world, WEFT_EINVAL);
    world.listening = good;
    world.listening.keep_alive = (weft_keep_alive)3;
    expect_refused(&world, WEFT_EINVAL);
    world.listening = good;
    world.listening.max_pipelined_requests = 0;
    expect_refused(&world, WEFT_EINVAL);
    world.listening = good;
    world.listening.max_entity_body_size = -2;
    expect_refused(&world, WEFT_EINVAL);
    world.listening = good;
    world.listening.server = "weft\r\nSet-Cookie: a=b";
    expect_refused(&world, WEFT_EINVAL);
    world.listening = good;
    world.listening.routes = NULL;
    world.listening.route_count = 1;
    expect_refused(&world, WEFT_EINVAL);
    world.listening = good;
    const weft_path_route twice[] = {{"/", &world.route}, {"/", &world.route}};
    world.listening.routes = twice;
    world.listening.route_count = 2;
    expect_refused(&world, WEFT_EDUPLICATE);
    assert_int_equal(world.story_length, 0);
    world_clear(&world);
}

static void test_ipv6_and_its_address(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world.listening.host = "::";
    if (world_try_listen(&world) != WEFT_OK) skip();
    assert_string_equal(weft_listener_host(world.listener), "::");
    int peer = peer_open(world.port); /* "::" takes IPv4 too */
    peer_expect_echo(peer, "hello");
    close(peer);
    world_end(&world);
}

/* -- without memory -------------------------------------------------------------------------------- */

static bool is_echoed(int peer, int patience_ms)
{
    uint8_t frame[64];
    char head[1024], echo[7];
    size_t length = peer_write_frame(frame, FIN | TEXT, "hello", 5);
    return peer_try_send(peer, peer_upgrade_request, strlen(peer_upgrade_request)) &&
           peer_is_readable(peer, patience_ms) && peer_try_read_head(peer, head, sizeof head) &&
           strstr(head, " 101 ") && peer_try_send(peer, frame, 3) &&
           peer_try_send(peer, frame + 3, length - 3) && peer_is_readable(peer, patience_ms) &&
           peer_try_read(peer, echo, 7) && memcmp(echo, "\x81\x05hello", 7) == 0;
}

/* Opens, echoes and closes as far as it gets; never hangs, crashes or leaks. */
static bool live_through(counting_allocator *counter, int patience_ms)
{
    world world;
    world_init(&world);
    world.listening.timeout_ms = 300;
    if (world_try_listen(&world) != WEFT_OK) {
        world_clear(&world);
        return false;
    }
    int peer = peer_try_connect(world.port, false);
    bool was_served = peer >= 0 && is_echoed(peer, patience_ms);
    uint8_t frame[64];
    size_t length = peer_write_frame(frame, FIN | CLOSE, "\x03\xe8", 2);
    if (was_served && peer_try_send(peer, frame, length)) peer_drain(peer);
    if (peer >= 0) close(peer);
    weft_listener_stop(world.listener, 0);
    world_await(&world, STOPPED, 1);
    counter->fail_at = 0;
    if (world.request) world_respond(world.request, 500, "");
    weft_listener_release(world.listener);
    world_await(&world, ROUTE_RELEASE, 1);
    world_clear(&world);
    assert_int_equal(world.counts[OPEN], world.counts[CLOSED]);
    return was_served;
}

static void fail_each_allocation(bool fails_once)
{
    bool is_served = false;
    for (size_t n = 1; !is_served; n++) {
        assert_true(n < 200);
        counting_allocator counter;
        allocator_count(&counter);
        counter.fails_once = fails_once;
        counter.fail_at = n;
        /* Memory that never comes back leaves a peer waiting; a single failure does not. */
        is_served = live_through(&counter, fails_once ? PEER_DEADLINE_MS : 50) && counter.requests < n;
        counter.fail_at = 0;
        allocator_restore(&counter);
    }
}

static void test_each_allocation_may_fail(void **state)
{
    (void)state;
    fail_each_allocation(true);
    fail_each_allocation(false);
}

/* -- unix domain sockets --------------------------------------------------------------------------- */

static char folder[32], path[48];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/weft-listen-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/socket", folder);
    return 0;
}

/* Fails where a file was left behind. */
static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

static int reach(const char *where)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    strcpy(name.sun_path, where);
    int peer = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(peer, (struct sockaddr *)&name, sizeof name) == 0) return peer;
    close(peer);
    return -1;
}

static void note_no_address(world *world, weft_connection *connection, weft_request *request)
{
    uint16_t port = 1;
    if (strcmp(weft_request_remote_host(request, &port), "") == 0 && port == 0) {
        world_accept(world, request);
    } else {
        world_respond(request, 500, "");
    }
    (void)connection;
}

static void test_a_unix_socket_serves_from_every_loop(void **state)
{
    (void)state;
    for (uint32_t threads = 1; threads <= 3; threads += 2) {
        world world;
        world_init(&world);
        world.has_listeners_loops = true;
        world.listening.threads = threads;
        world.listening.unix_path = path;
        world.deeds[UPGRADE] = note_no_address;
        world_listen(&world);
        assert_string_equal(weft_listener_host(world.listener), path);
        assert_int_equal(world.port, 0);
        int peers[12];
        for (int i = 0; i < 12; i++) {
            peers[i] = reach(path);
            assert_true(peers[i] >= 0);
            peer_say(peers[i], peer_upgrade_request);
        }
        for (int i = 0; i < 12; i++) {
            assert_int_equal(peer_status(peers[i]), 101);
            peer_send_text(peers[i], "hello");
            peer_expect_text(peers[i], "hello");
        }
        world_end(&world);
        assert_int_equal(reach(path), -1);
        for (int i = 0; i < 12; i++)
            close(peers[i]);
    }
}

static void test_the_file_goes_as_soon_as_nothing_is_accepted(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world.listening.unix_path = path;
    world_listen(&world);
    int peer = reach(path);
    peer_say(peer, peer_upgrade_request);
    assert_int_equal(peer_status(peer), 101);
    weft_listener_stop(world.listener, 60000);
    peer_expect_close(peer, 1001); /* the stop has begun */
    assert_int_equal(access(path, F_OK), -1);
    peer_send_close(peer, 1001);
    world_await(&world, STOPPED, 1);
    close(peer);
    world_end(&world);
}

typedef struct successor {
    int socket;
    weft__unix_file file;
} successor;

static void *succeed(void *argument)
{
    successor *successor = argument;
    char detail[256];
    while (weft__unix_listening_socket_open(&successor->socket, &successor->file, path, 8, detail,
                                            sizeof detail) != WEFT_OK) {
    }
    return NULL;
}

/* As when a new version of a program waits for the old one to go. */
static void test_the_file_of_a_successor_stays(void **state)
{
    (void)state;
    for (int round = 0; round < 300; round++) {
        pthread_t thread;
        successor successor;
        world world;
        world_init(&world);
        world.listening.unix_path = path;
        world_listen(&world);
        pthread_create(&thread, NULL, succeed, &successor);
        weft_listener_stop(world.listener, 0);
        pthread_join(thread, NULL);
        world_await(&world, STOPPED, 1);
        int peer = reach(path);
        weft__unix_file_remove(&successor.file);
        close(successor.socket);
        close(peer);
        world_end(&world);
        assert_true(peer >= 0);
    }
}

static void test_a_unix_socket_in_use_is_refused_with_a_sentence(void **state)
{
    (void)state;
    world world;
    world_init(&world);
    world.listening.unix_path = path;
    world_listen(&world);
    weft_listener *other;
    char detail[256], expected[128];
    weft_listener_config config = world.listening;
    config.route_count = 0;
    assert_int_equal(weft_listener_open(&other, &config, detail, sizeof detail), WEFT_EADDRESS);
    snprintf(expected, sizeof expected, "cannot listen on %s: address in use", path);
    assert_string_equal(detail, expected);
    close(reach(path)); /* the first one goes on */
    world_end(&world);
}

static void test_paths_of_unix_sockets_have_a_longest(void **state)
{
    (void)state;
    weft_listener *listener;
    weft_listener_config config;
    weft_listener_config_init(&config);
    char detail[256], text[256];
    memset(text, 'x', sizeof text);
    assert_true(weft_unix_path_max() >= 90 && weft_unix_path_max() < sizeof text);
    text[weft_unix_path_max() + 1] = '\0';
    config.unix_path = text;
    assert_int_equal(weft_listener_open(&listener, &config, detail, sizeof detail), WEFT_EINVAL);
    assert_string_equal(detail, "unix_path is empty or too long");
    config.unix_path = "";
    assert_int_equal(weft_listener_open(&listener, &config, detail, sizeof detail), WEFT_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_allocation_may_fail), /* first: no other listener's threads are left */
        cmocka_unit_test(test_a_port_in_use_is_refused_with_a_sentence),
        cmocka_unit_test(test_settings_that_cannot_be_are_refused),
        cmocka_unit_test(test_ipv6_and_its_address),
        cmocka_unit_test(test_paths_of_unix_sockets_have_a_longest),
        cmocka_unit_test_setup_teardown(test_a_unix_socket_serves_from_every_loop, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_the_file_goes_as_soon_as_nothing_is_accepted, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_the_file_of_a_successor_stays, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_a_unix_socket_in_use_is_refused_with_a_sentence, make_folder,
                                        remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
