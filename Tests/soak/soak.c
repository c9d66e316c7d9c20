/* One of the soak's loads: connections of the C API whose every echoed byte is compared. Each lives for some
 * messages and is then closed, dropped, or cut by the relay that some of the URLs lead through; another one
 * follows it.
 *
 * For each line on its standard input, the seconds of a round, it runs one, waits until all connections have
 * ended, and prints what it has counted so far as a line of JSON. */

#define _POSIX_C_SOURCE 200809L

#include <weft/weft.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    LONGEST_BITS = 20, /* messages are shorter than 1 MiB, */
    COMMON_BITS = 16,  /* most of them than 64 KiB */
    LONG_ONES = 32,    /* one in so many may be longer */
    HEADER = 18,       /* what begins a message that is long enough, see write_header */
    MOST_MESSAGES = 60,
    MOST_AHEAD = 16,
    MOST_URLS = 64,
};

typedef enum ending {
    CLOSED_WHEN_ECHOED, /* the only one after which every message must have come back */
    CLOSED_AT_ONCE,
    ABORTED,
    ENDINGS
} ending;

typedef struct life {
    weft_connection *connection;
    const char *url;
    uint64_t seed;
    uint32_t number; /* of this life, over all */
    uint32_t planned, sent, received, ahead;
    ending ending;
    uint16_t close_code; /* ours, once it is sent */
    bool may_be_cut;
    bool is_over;
} life;

static struct {
    uint64_t lives, messages, bytes, lost, duplicated, corrupted, cut, aborted, unexpected;
} counts;

/* Fixed once the loop runs. */
static weft_loop *loop;
static weft_tls *tls;
static const char *urls[MOST_URLS];
static size_t url_count;
static int done_pipe[2];

/* Loop thread only, but for the start of a round. */
static uint64_t random_state;
static uint32_t lives_begun;
static size_t lives_running;
static double round_end;

static const char *const letters[] = {"a", "e", "n", " ", "ä", "ß", "λ", "Ж", "€", "語", "ह", "😀", "🧵"};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* splitmix64 */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
}

static uint32_t below(uint64_t *state, uint32_t limit)
{
    return (uint32_t)(next_random(state) % limit);
}

/* -- messages ---------------------------------------------------------------------------------- */

static void fill_text(uint64_t *state, uint8_t *out, size_t length)
{
    size_t at = 0;
    uint64_t word = 0;
    for (unsigned used = 0; at < length; used++) {
        if (used % 8 == 0) word = next_random(state);
        const char *letter = letters[(word >> used % 8 * 8 & 0xFF) % (sizeof letters / sizeof *letters)];
        size_t size = strlen(letter);
        if (size > length - at) letter = "x", size = 1;
        memcpy(out + at, letter, size);
        at += size;
    }
}

static void fill_binary(uint64_t *state, uint8_t *out, size_t length)
{
    for (size_t at = 0; at < length; at += sizeof(uint64_t)) {
        uint64_t word = next_random(state);
        size_t size = length - at < sizeof word ? length - at : sizeof word;
        memcpy(out + at, &word, size);
    }
}

/* Message `number` of a life, the same each time. The caller's block is of 1 << LONGEST_BITS bytes. */
static size_t make_message(const life *life, uint32_t number, weft_message_type *type, uint8_t *out)
{
    uint64_t state = life->seed + number;
    uint32_t bits = below(&state, (below(&state, LONG_ONES) ? COMMON_BITS : LONGEST_BITS) + 1);
    size_t length = next_random(&state) & ((1u << bits) - 1), at = 0;
    *type = next_random(&state) & 1 ? WEFT_TEXT : WEFT_BINARY;
    if (length >= HEADER) {
        char header[HEADER + 1];
        snprintf(header, sizeof header, "%08" PRIx32 ":%08" PRIx32 ";", life->number, number);
        memcpy(out, header, HEADER);
        at = HEADER;
    }
    if (*type == WEFT_TEXT)
        fill_text(&state, out + at, length - at);
    else
        fill_binary(&state, out + at, length - at);
    return length;
}

/* What the wrong message is, as far as its header says. */
static void count_wrong(const life *life, const uint8_t *bytes, size_t length)
{
    char header[HEADER + 1] = "";
    uint32_t number, place;
    if (length >= HEADER) memcpy(header, bytes, HEADER);
    bool is_ours =
        sscanf(header, "%8" SCNx32 ":%8" SCNx32 ";", &number, &place) == 2 && number == life->number;
    if (is_ours && place < life->received) {
        counts.duplicated++;
    } else if (is_ours && place > life->received) {
        counts.lost += place - life->received;
    } else {
        counts.corrupted++;
    }
}

/* -- one life ---------------------------------------------------------------------------------- */

static void begin_life(void);

static void count_unexpected(const life *life, const char *what, const char *detail)
{
    if (life->may_be_cut) {
        counts.cut++;
        return;
    }
    counts.unexpected++;
    fprintf(stderr, "life %" PRIu32 " at %s, %u messages, ending %u: %s: %s\n", life->number, life->url,
            (unsigned)life->planned, (unsigned)life->ending, what, detail);
}

static void end_life(life *life)
{
    if (life->is_over) return;
    life->is_over = true;
    if (life->ending == ABORTED) {
        counts.aborted++;
        weft_connection_abort(life->connection);
        return;
    }
    char reason[64] = "";
    uint64_t state = life->seed;
    if (below(&state, 2)) fill_text(&state, (uint8_t *)reason, below(&state, sizeof reason));
    life->close_code = below(&state, 2) ? 1000 : (uint16_t)(3000 + below(&state, 2000));
    weft_connection_close(life->connection, life->close_code, reason, strlen(reason), 0);
}

static void send_some(life *life)
{
    static uint8_t bytes[1 << LONGEST_BITS];
    while (!life->is_over && life->sent < life->planned && life->sent - life->received < life->ahead) {
        weft_message_type type;
        size_t length = make_message(life, life->sent, &type, bytes);
        if (weft_connection_send(life->connection, type, bytes, length) != WEFT_OK)
            return; /* on_close follows */
        if (length % 7 == 0) weft_connection_ping(life->connection, bytes, length % 126);
        life->sent++;
    }
    bool is_through =
        life->ending == CLOSED_WHEN_ECHOED ? life->received == life->planned : life->sent == life->planned;
    if (is_through) end_life(life);
}

static void on_open(void *context, weft_connection *connection)
{
    life *life = context;
    life->connection = connection;
    send_some(life);
}

static void on_message(void *context, weft_connection *connection, weft_message_type type,
                       const uint8_t *bytes, size_t length)
{
    static uint8_t expected[1 << LONGEST_BITS];
    life *life = context;
    weft_message_type expected_type;
    size_t expected_length = make_message(life, life->received, &expected_type, expected);
    bool is_right = life->received < life->sent && type == expected_type && length == expected_length &&
                    memcmp(bytes, expected, length) == 0;
    if (!is_right) {
        count_wrong(life, bytes, length);
        life->is_over = true;
        life->may_be_cut = true; /* it is counted already */
        weft_connection_abort(connection);
        return;
    }
    life->received++;
    counts.messages++;
    counts.bytes += length;
    send_some(life);
}

static void on_error(void *context, weft_connection *connection, weft_status reason, const char *detail)
{
    (void)connection;
    (void)reason;
    count_unexpected(context, "error", detail);
}

static void on_close(void *context, weft_connection *connection, uint16_t code, const char *reason,
                     size_t length)
{
    life *life = context;
    (void)connection;
    if (life->may_be_cut || life->ending == ABORTED) return;
    if (!life->close_code || code != life->close_code) {
        char detail[160];
        snprintf(detail, sizeof detail, "%u %.*s instead of %u", code, (int)length, reason, life->close_code);
        count_unexpected(life, "close", detail);
    } else if (life->ending == CLOSED_WHEN_ECHOED) {
        counts.lost += life->planned - life->received;
    }
}

static void on_failure(void *context, weft_status status, const char *detail)
{
    (void)status;
    count_unexpected(context, "failure", detail);
}

static void follow(weft_loop *on, void *context)
{
    (void)on;
    free(context);
    if (now() < round_end) {
        begin_life();
    } else if (--lives_running == 0 && write(done_pipe[1], "", 1) != 1) {
        abort();
    }
}

static void on_release(void *context)
{
    if (weft_loop_post(loop, follow, context) != WEFT_OK) abort();
}

static weft_compression random_compression(void)
{
    weft_compression compression;
    weft_compression_init(&compression, WEFT_CLIENT);
    compression.enabled = below(&random_state, 3) > 0;
    compression.server_no_context_takeover = below(&random_state, 2);
    compression.client_no_context_takeover = below(&random_state, 2);
    compression.server_max_window_bits = (uint8_t)(9 + below(&random_state, 7));
    compression.client_max_window_bits = (uint8_t)(9 + below(&random_state, 7));
    compression.level = (uint8_t)(1 + below(&random_state, 9));
    if (below(&random_state, 2)) compression.memory = WEFT_COMPRESSION_SHARED;
    if (below(&random_state, 2)) compression.threshold = 0;
    return compression;
}

static void begin_life(void)
{
    life *life = calloc(1, sizeof *life);
    if (!life) abort();
    const char *url = urls[below(&random_state, (uint32_t)url_count)];
    life->may_be_cut = *url == '~';
    life->url = url;
    life->seed = next_random(&random_state);
    life->number = lives_begun++;
    life->planned = below(&random_state, MOST_MESSAGES);
    life->ahead = 1 + below(&random_state, MOST_AHEAD);
    life->ending = (ending)below(&random_state, ENDINGS);
    counts.lives++;

    weft_service service;
    weft_service_init(&service);
    service.on_open = on_open;
    service.on_message = on_message;
    service.on_error = on_error;
    service.on_close = on_close;
    service.on_release = on_release;

    weft_compression compression = random_compression();
    weft_client_config config;
    weft_client_config_init(&config);
    config.loop = loop;
    config.url = (weft_string){url + life->may_be_cut, strlen(url + life->may_be_cut)};
    config.service = &service;
    config.context = life;
    config.on_failure = on_failure;
    config.compression = &compression;
    config.tls = tls;

    char detail[256];
    weft_client *client;
    if (weft_client_connect(&client, &config, detail, sizeof detail) != WEFT_OK) {
        fprintf(stderr, "%s\n", detail);
        abort();
    }
    weft_client_release(client);
}

/* -- rounds ------------------------------------------------------------------------------------ */

static void begin_round(weft_loop *on, void *context)
{
    const size_t *connections = context;
    (void)on;
    lives_running = *connections;
    for (size_t i = 0; i < *connections; i++)
        begin_life();
}

static void print_counts(void)
{
    printf("{\"lives\": %" PRIu64 ", \"messages\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"lost\": %" PRIu64
           ", \"duplicated\": %" PRIu64 ", \"corrupted\": %" PRIu64 ", \"cut\": %" PRIu64
           ", \"aborted\": %" PRIu64 ", \"unexpected\": %" PRIu64 "}\n",
           counts.lives, counts.messages, counts.bytes, counts.lost, counts.duplicated, counts.corrupted,
           counts.cut, counts.aborted, counts.unexpected);
    fflush(stdout);
}

static bool open_tls(const char *authority)
{
    char detail[256];
    weft_tls_config config;
    weft_tls_config_init(&config);
    config.trust_file = authority;
    config.handshake_timeout_ms = 60000; /* the machine may be busy */
    if (weft_tls_open_client(&tls, &config, detail, sizeof detail) == WEFT_OK) return true;
    fprintf(stderr, "%s\n", detail);
    return false;
}

int main(int count, char **words)
{
    if (count < 5 || count - 4 > MOST_URLS) {
        fputs("usage: soak SEED AUTHORITY CONNECTIONS URL...   (~ before one that may be cut)\n", stderr);
        return 2;
    }
    random_state = strtoull(words[1], NULL, 10);
    size_t connections = strtoul(words[3], NULL, 10);
    for (int i = 4; i < count; i++)
        urls[url_count++] = words[i];
    if (!open_tls(words[2]) || pipe(done_pipe) != 0 || weft_loop_open(&loop) != WEFT_OK) return 1;

    char line[32], done;
    while (fgets(line, sizeof line, stdin)) {
        round_end = now() + strtod(line, NULL); /* the loop is idle: all lives of the last round are over */
        if (weft_loop_post(loop, begin_round, &connections) != WEFT_OK) return 1;
        if (read(done_pipe[0], &done, 1) != 1) return 1;
        print_counts();
    }
    weft_loop_close(loop);
    weft_tls_release(tls);
    return 0;
}
