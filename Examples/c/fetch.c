/* One HTTP request: the status of its answer and the body are printed. */

#include <weft/weft.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What the loop's thread leaves for the main one, which reads it when the pipe has said so. */
typedef struct outcome {
    int told_pipe[2];
    int exit_code;
} outcome;

static void tell(outcome *outcome, int exit_code)
{
    outcome->exit_code = exit_code;
    if (write(outcome->told_pipe[1], "", 1) != 1) abort();
}

static void on_answer(void *context, const weft_answer *answer)
{
    printf("%u\n", (unsigned)answer->status);
    fwrite(answer->body.bytes, 1, answer->body.length, stdout);
    tell(context, 0);
}

static void on_failure(void *context, weft_status status, const char *detail)
{
    (void)status;
    fprintf(stderr, "weft-c-fetch: %s\n", detail);
    tell(context, 1);
}

static weft_string text(const char *given)
{
    return (weft_string){given, strlen(given)};
}

/* False when the words make no sense. */
static bool read_words(int count, char **words, weft_exchange_config *config, const char **trust_file)
{
    int option;
    while ((option = getopt(count, words, "X:d:c:m:t:")) != -1) {
        switch (option) {
        case 'X': config->method = text(optarg); break;
        case 'd': config->body = text(optarg); break;
        case 'c': *trust_file = optarg; break;
        case 'm': config->max_body_size = strtoull(optarg, NULL, 10); break;
        case 't': config->timeout_ms = (uint32_t)strtoul(optarg, NULL, 10); break;
        default: return false;
        }
    }
    if (optind + 1 != count) return false;
    config->url = text(words[optind]);
    return true;
}

static weft_status open_tls(weft_tls **tls, const char *trust_file, char *detail, size_t size)
{
    *tls = NULL;
    if (!trust_file) return WEFT_OK;
    weft_tls_config config;
    weft_tls_config_init(&config);
    config.trust_file = trust_file;
    return weft_tls_open_client(tls, &config, detail, size);
}

static int fetch(weft_exchange_config config, const char *trust_file)
{
    char detail[256] = "", byte;
    weft_tls *tls;
    weft_exchange *exchange = NULL;
    outcome outcome = {.exit_code = 1};
    if (pipe(outcome.told_pipe) != 0) return 1;
    config.context = &outcome;
    config.on_answer = on_answer;
    config.on_failure = on_failure;
    weft_status status = open_tls(&tls, trust_file, detail, sizeof detail);
    config.tls = tls;
    if (status == WEFT_OK) status = weft_loop_open(&config.loop);
    if (status == WEFT_OK) status = weft_exchange_start(&exchange, &config, detail, sizeof detail);
    weft_tls_release(tls);
    if (status != WEFT_OK) {
        fprintf(stderr, "weft-c-fetch: %s\n", *detail ? detail : weft_status_text(status));
    } else if (read(outcome.told_pipe[0], &byte, 1) != 1) {
        abort();
    }
    weft_exchange_release(exchange);
    weft_loop_close(config.loop);
    close(outcome.told_pipe[0]);
    close(outcome.told_pipe[1]);
    return outcome.exit_code;
}

int main(int count, char **words)
{
    weft_exchange_config config;
    const char *trust_file = NULL;
    weft_exchange_config_init(&config);
    if (!read_words(count, words, &config, &trust_file)) {
        fprintf(stderr,
                "usage: weft-c-fetch [-X METHOD] [-d BODY] [-c CA_FILE] [-m MAX_BODY_SIZE] [-t MILLISECONDS]"
                " URL\n");
        return 2;
    }
    return fetch(config, trust_file);
}
