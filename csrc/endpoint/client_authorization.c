/* Who a client is, asked anew for each attempt. */
#include "endpoint/client.h"

#include "base/allocator.h"
#include "http/fields.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

/* The user's answer on its way to the loop. */
typedef struct weft__authorization {
    weft__mail mail;
    weft_client *client; /* held */
    uint32_t attempt;
    weft_status status;
    uint32_t retry_after_ms; /* with a failure */
    size_t length;
    char text[]; /* the field's value, or the sentence that says why there is none; closed by a NUL */
} weft__authorization;

static bool is_value(weft_string text)
{
    for (size_t i = 0; i < text.length; i++) {
        if (text.bytes[i] < ' ' || text.bytes[i] > '~') return false;
    }
    return text.length > 0 && text.bytes[0] != ' ' && text.bytes[text.length - 1] != ' ';
}

/* Where the request has its empty line, which comes last. */
static weft_status insert(weft_client *client, weft_string value)
{
    weft__buffer *request = &client->authorized_request;
    size_t length = weft__buffer_length(&client->request) - 2;
    weft__buffer_reset(request);
    weft_status status =
        weft__buffer_append_secret(request, weft__buffer_front(&client->request), length, SIZE_MAX);
    if (status == WEFT_OK) status = weft__buffer_append_secret(request, "Authorization: ", 15, SIZE_MAX);
    if (status == WEFT_OK) status = weft__buffer_append_secret(request, value.bytes, value.length, SIZE_MAX);
    if (status == WEFT_OK) status = weft__buffer_append_secret(request, "\r\n\r\n", 4, SIZE_MAX);
    return status;
}

static void take(weft_client *client, const weft__authorization *answer)
{
    bool is_late = client->state != WEFT__CLIENT_AUTHORIZING || answer->attempt != client->retry.done + 1;
    if (is_late) return;
    weft_status status = answer->status;
    if (status == WEFT_OK) {
        status = insert(client, (weft_string){answer->text, answer->length});
        if (status == WEFT_OK) status = weft__client_dial(client);
        if (status != WEFT_OK) weft__client_fail(client, status, weft_status_text(status));
    } else {
        client->retry_after_ms = answer->retry_after_ms;
        weft__client_fail(client, status, answer->text);
    }
}

static void open_answer_mail(weft_loop *loop, weft__mail *mail)
{
    weft__authorization *answer = WEFT__CONTAINER(mail, weft__authorization, mail);
    (void)loop;
    take(answer->client, answer);
    weft_client_release(answer->client);
    OPENSSL_cleanse(answer->text, answer->length);
    weft__free(answer);
}

static weft_status send_answer(weft_client *client, uint32_t attempt, weft_status status, weft_string text,
                               uint32_t retry_after_ms)
{
    weft__authorization *answer = weft__alloc(sizeof *answer + text.length + 1);
    if (!answer) return WEFT_ENOMEM;
    *answer = (weft__authorization){.mail.open = open_answer_mail,
                                    .client = client,
                                    .attempt = attempt,
                                    .status = status,
                                    .retry_after_ms = retry_after_ms,
                                    .length = text.length};
    memcpy(answer->text, text.bytes, text.length);
    answer->text[text.length] = '\0';
    weft_client_retain(client);
    if (weft__loop_send(client->loop, &answer->mail)) return WEFT_OK;
    weft_client_release(client);
    OPENSSL_cleanse(answer->text, answer->length);
    weft__free(answer);
    return WEFT_ECLOSED;
}

void weft__client_ask_authorization(weft_client *client)
{
    client->state = WEFT__CLIENT_AUTHORIZING;
    client->on_authorize(client->context, client, client->retry.done + 1);
}

weft_status weft_client_authorize(weft_client *client, uint32_t attempt, weft_string authorization)
{
    if (!is_value(authorization)) return WEFT_EINVAL;
    return send_answer(client, attempt, WEFT_OK, authorization, 0);
}

weft_status weft_client_decline(weft_client *client, uint32_t attempt, weft_status status, const char *detail,
                                uint32_t retry_after_ms)
{
    if (status >= WEFT_OK) return WEFT_EINVAL;
    weft_string text = weft__string(detail ? detail : weft_status_text(status));
    return send_answer(client, attempt, status, text, retry_after_ms);
}
