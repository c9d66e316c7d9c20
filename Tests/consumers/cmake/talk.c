/* A client and a server in one program, without a socket: each one's output is the other's input. */

#include <weft/weft.h>

#include <stdio.h>
#include <string.h>

static int failed(const char *step)
{
    fprintf(stderr, "talk: %s failed\n", step);
    return 1;
}

static weft_string string(const char *text)
{
    weft_string view = {text, strlen(text)};
    return view;
}

/* Hands the output of one handshake to the other; the heads here end with the bytes that arrived. */
static bool carry_head(weft_handshake *from, weft_handshake *to)
{
    const uint8_t *bytes;
    size_t length;
    size_t used;
    weft_handshake_output(from, &bytes, &length);
    if (weft_handshake_receive(to, bytes, length, &used) != WEFT_OK || used != length) return false;
    weft_handshake_consume_output(from, length);
    return true;
}

static bool shake_hands(weft_handshake *client, weft_handshake *server)
{
    if (!carry_head(client, server)) return false;
    if (weft_handshake_get_state(server) != WEFT_HANDSHAKE_DECIDING) return false;
    if (weft_handshake_accept(server, string("talk"), NULL, 0) != WEFT_OK) return false;
    if (!carry_head(server, client)) return false;
    return weft_handshake_get_state(client) == WEFT_HANDSHAKE_OPEN &&
           weft_handshake_get_state(server) == WEFT_HANDSHAKE_OPEN;
}

/* Hands the output of one session to the other and checks the event that comes of it. */
static bool carry_event(weft_session *from, weft_session *to, weft_event_type type, const char *text)
{
    uint8_t copy[256];
    const uint8_t *bytes;
    size_t length;
    size_t used;
    weft_event event;
    weft_session_output(from, &bytes, &length);
    if (length > sizeof copy) return false;
    memcpy(copy, bytes, length);
    weft_session_consume_output(from, length);
    if (weft_session_next(to, &event, copy, length, &used) != WEFT_OK || used != length) return false;
    return event.type == type && event.length == strlen(text) && memcmp(event.bytes, text, event.length) == 0;
}

static bool talk(weft_session *client, weft_session *server)
{
    const char *text = "hello";
    if (weft_session_send(client, WEFT_TEXT, (const uint8_t *)text, strlen(text)) != WEFT_OK) return false;
    if (!carry_event(client, server, WEFT_EVENT_TEXT, text)) return false;
    if (weft_session_send(server, WEFT_BINARY, (const uint8_t *)text, strlen(text)) != WEFT_OK) return false;
    if (!carry_event(server, client, WEFT_EVENT_BINARY, text)) return false;
    if (weft_session_close(client, WEFT_CLOSE_NORMAL, "bye", 3) != WEFT_OK) return false;
    if (!carry_event(client, server, WEFT_EVENT_CLOSE, "bye")) return false;
    if (weft_session_close(server, WEFT_CLOSE_NORMAL, "", 0) != WEFT_OK) return false;
    if (!carry_event(server, client, WEFT_EVENT_CLOSE, "")) return false;
    return weft_session_is_over(client) && weft_session_is_over(server);
}

static bool test_handshakes(void)
{
    weft_handshake_client_config config;
    weft_handshake_client_config_init(&config);
    config.url = string("ws://localhost/talk");
    config.subprotocols = string("talk");
    weft_handshake *client = NULL;
    weft_handshake *server = NULL;
    bool is_good = weft_handshake_new_client(&client, &config) == WEFT_OK &&
                   weft_handshake_new_server(&server) == WEFT_OK && shake_hands(client, server);
    weft_handshake_free(client);
    weft_handshake_free(server);
    return is_good;
}

static bool test_sessions(void)
{
    weft_session_config config;
    weft_session_config_init(&config);
    weft_session *client = NULL;
    weft_session *server = NULL;
    bool is_good = weft_session_new(&server, &config) == WEFT_OK;
    config.role = WEFT_CLIENT;
    is_good = is_good && weft_session_new(&client, &config) == WEFT_OK && talk(client, server);
    weft_session_free(client);
    weft_session_free(server);
    return is_good;
}

/* Something of the floors that use libuv, so that the link is seen to be whole. */
static bool test_loop(void)
{
    weft_loop *loop;
    if (weft_loop_open(&loop) != WEFT_OK) return false;
    weft_loop_close(loop);
    return true;
}

int main(void)
{
    if (!test_handshakes()) return failed("the handshake");
    if (!test_sessions()) return failed("the session");
    if (!test_loop()) return failed("the loop");
    puts("talk: all is well");
    return 0;
}
