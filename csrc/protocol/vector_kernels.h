/* The kernels over vectors of any width. Included once by each kernels_*.c, behind its definitions of
 * `vector`, WIDTH (bytes in one), UNROLL (vectors a step), and the functions used below; so there is no
 * guard.
 *
 * UTF-8 is checked as J. Keiser and D. Lemire found ("Validating UTF-8 in less than one instruction per
 * byte", 2021): three tables, looked up with the nibbles of a byte and of the one before it, name the faults
 * that each nibble allows; what all three allow is one. */

enum {
    STEP = UNROLL * WIDTH,

    /* Faults, by the byte before and this one. */
    TOO_SHORT = 1 << 0,     /* a lead, then no continuation */
    TOO_LONG = 1 << 1,      /* ASCII, then a continuation */
    OVERLONG_3 = 1 << 2,    /* E0, then below A0 */
    TOO_LARGE = 1 << 3,     /* F4, then above 8F; F5 and more, then above 8F */
    SURROGATE = 1 << 4,     /* ED, then above 9F */
    OVERLONG_2 = 1 << 5,    /* C0 or C1 */
    TOO_LARGE_8 = 1 << 6,   /* F5 and more, then 80 to 8F */
    OVERLONG_4 = 1 << 6,    /* F0, then below 90: no byte may be both */
    CONTINUATIONS = 1 << 7, /* two of them: right only as third or fourth byte of a character */
    ANY_LOW = TOO_SHORT | TOO_LONG | CONTINUATIONS /* whatever the low nibble before is */
};

static const uint8_t high_before[16] = {
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    CONTINUATIONS,
    CONTINUATIONS,
    CONTINUATIONS,
    CONTINUATIONS,
    TOO_SHORT | OVERLONG_2,
    TOO_SHORT,
    TOO_SHORT | OVERLONG_3 | SURROGATE,
    TOO_SHORT | TOO_LARGE | TOO_LARGE_8 | OVERLONG_4,
};

static const uint8_t low_before[16] = {
    ANY_LOW | OVERLONG_2 | OVERLONG_3 | OVERLONG_4,
    ANY_LOW | OVERLONG_2,
    ANY_LOW,
    ANY_LOW,
    ANY_LOW | TOO_LARGE,
    ANY_LOW | TOO_LARGE | TOO_LARGE_8,
    ANY_LOW | TOO_LARGE | TOO_LARGE_8,
    ANY_LOW | TOO_LARGE | TOO_LARGE_8,
    ANY_LOW | TOO_LARGE | TOO_LARGE_8,
    ANY_LOW | TOO_LARGE | TOO_LARGE_8,
    ANY_LOW | TOO_LARGE | TOO_LARGE_8,
    ANY_LOW | TOO_LARGE | TOO_LARGE_8,
    ANY_LOW | TOO_LARGE | TOO_LARGE_8,
    ANY_LOW | TOO_LARGE | TOO_LARGE_8 | SURROGATE,
    ANY_LOW | TOO_LARGE | TOO_LARGE_8,
    ANY_LOW | TOO_LARGE | TOO_LARGE_8,
};

static const uint8_t high_now[16] = {
    TOO_SHORT,
    TOO_SHORT,
    TOO_SHORT,
    TOO_SHORT,
    TOO_SHORT,
    TOO_SHORT,
    TOO_SHORT,
    TOO_SHORT,
    TOO_LONG | CONTINUATIONS | OVERLONG_2 | OVERLONG_3 | TOO_LARGE_8 | OVERLONG_4,
    TOO_LONG | CONTINUATIONS | OVERLONG_2 | OVERLONG_3 | TOO_LARGE,
    TOO_LONG | CONTINUATIONS | OVERLONG_2 | SURROGATE | TOO_LARGE,
    TOO_LONG | CONTINUATIONS | OVERLONG_2 | SURROGATE | TOO_LARGE,
    TOO_SHORT,
    TOO_SHORT,
    TOO_SHORT,
    TOO_SHORT,
};

/* The key as it meets bytes that are `offset` further on. */
static inline uint32_t turned(uint32_t key, size_t offset)
{
    unsigned bits = 8 * (unsigned)(offset & 3);
    return key >> bits | key << (-bits & 31);
}

/* Nonzero where a byte of `now`, behind those of `before`, is wrong. */
static inline vector faults(vector now, vector before)
{
    vector last = behind_1(now, before);
    vector pairs = both(both(lookup(high_before, high_nibbles(last)), lookup(low_before, low_nibbles(last))),
                        lookup(high_now, high_nibbles(now)));
    /* The third byte behind E0 and more, the fourth behind F0 and more: there the high bit stays. */
    vector thirds = minus(behind_2(now, before), fill_8(0xE0 - 0x80));
    vector fourths = minus(behind_3(now, before), fill_8(0xF0 - 0x80));
    return differing(both(either(thirds, fourths), fill_8(0x80)), pairs);
}

/* Nonzero when a character begun in `now` needs more bytes than are left of it. */
static inline vector unfinished(vector now)
{
    static const uint8_t highest[64 + 64] = {
        255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,  255,  255, /* */
        255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,  255,  255, /* */
        255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,  255,  255, /* */
        255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0xEF, 0xDF, 0xBF,
    };
    return minus(now, load(highest + 64 - WIDTH));
}

typedef struct checked {
    vector wrong;     /* nonzero: some byte was */
    vector before;    /* the last vector */
    vector left_open; /* nonzero: that ends inside a character */
} checked;

static inline checked nothing_checked(void)
{
    return (checked){fill_8(0), fill_8(0), fill_8(0)};
}

/* Whole steps from `done` on; `is_masked` is a constant where this is called. */
static inline __attribute__((always_inline)) size_t check_steps(checked *so_far, uint8_t *to,
                                                                const uint8_t *from, size_t done,
                                                                size_t length, vector key, bool is_masked)
{
    vector wrong = so_far->wrong, before = so_far->before, left_open = so_far->left_open;
    for (; done + STEP <= length; done += STEP) {
        vector now[UNROLL], all = fill_8(0);
        for (size_t j = 0; j < UNROLL; j++) {
            now[j] = load(from + done + j * WIDTH);
            if (is_masked) {
                now[j] = differing(now[j], key);
                store(to + done + j * WIDTH, now[j]);
            }
            all = either(all, now[j]);
        }
        if (is_ascii(all)) {
            wrong = either(wrong, left_open);
        } else {
            wrong = either(wrong, faults(now[0], before));
            for (size_t j = 1; j < UNROLL; j++)
                wrong = either(wrong, faults(now[j], now[j - 1]));
            left_open = unfinished(now[UNROLL - 1]);
        }
        before = now[UNROLL - 1];
    }
    *so_far = (checked){wrong, before, left_open};
    return done;
}

/* The bytes behind the steps, and the verdict on all of them; of a text of two vectors or more. */
static inline weft__utf8_state finish(checked so_far, const uint8_t *bytes, size_t done, size_t length)
{
    vector wrong = so_far.wrong, before = so_far.before;
    for (; done + WIDTH <= length; done += WIDTH) {
        vector now = load(bytes + done);
        if (!is_ascii(either(now, before))) wrong = either(wrong, faults(now, before));
        before = now;
    }
    if (done < length) { /* some of these were seen already, and are judged the same again */
        vector now = load(bytes + length - WIDTH);
        before = load(bytes + length - (size_t)2 * WIDTH);
        if (!is_ascii(either(now, before))) wrong = either(wrong, faults(now, before));
    }
    if (!is_zero(wrong)) return WEFT__UTF8_INVALID;
    /* No pair shows what is wrong with a last byte, nor what is still missing. */
    for (size_t back = 1; back <= 3 && bytes[length - back] >= 0x80; back++) {
        const uint8_t *last = bytes + length - back;
        if (*last >= 0xC0) return weft__utf8_portable(WEFT__UTF8_COMPLETE, last, back);
    }
    return WEFT__UTF8_COMPLETE;
}

static weft__utf8_state check_text(const uint8_t *bytes, size_t length)
{
    if (length < (size_t)2 * WIDTH) return NARROWER.check_text(bytes, length);
    checked so_far = nothing_checked();
    size_t done = check_steps(&so_far, NULL, bytes, 0, length, fill_8(0), false);
    return finish(so_far, bytes, done, length);
}

/* The first vector, and one that ends where `to` is aligned; what was before that one's first three bytes is
 * not looked at, and the first vector has those too. 0 where it does not. */
static inline size_t unmask_head(checked *so_far, uint8_t *to, const uint8_t *from, uint32_t key)
{
    static const uint8_t all_but_3[64] = {
        0,   0,   0,   255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, /* */
        255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, /* */
        255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, /* */
        255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    };
    size_t i = -(uintptr_t)to & (WIDTH - 1);
    if (i == 0 || i > WIDTH - 3) return 0;
    vector first = differing(load(from), fill_32(key));
    vector second = differing(load(from + i), fill_32(turned(key, i)));
    store(to, first);
    store(to + i, second);
    if (!is_ascii(either(first, second))) {
        vector later = both(faults(second, fill_8(0)), load(all_but_3));
        so_far->wrong = either(faults(first, fill_8(0)), later);
        so_far->left_open = unfinished(second);
    }
    so_far->before = second;
    return i + WIDTH;
}

static weft__utf8_state unmask_text(uint8_t *to, const uint8_t *from, size_t length, uint32_t key)
{
    if (length < (size_t)2 * WIDTH) return NARROWER.unmask_text(to, from, length, key);
    const vector last = differing(load(from + length - WIDTH), fill_32(turned(key, length - WIDTH)));
    checked so_far = nothing_checked();
    size_t done = unmask_head(&so_far, to, from, key);
    const vector keys = fill_32(turned(key, done));
    done = check_steps(&so_far, to, from, done, length, keys, true);
    for (size_t i = done; i + WIDTH <= length; i += WIDTH)
        store(to + i, differing(load(from + i), keys));
    store(to + length - WIDTH, last);
    return finish(so_far, to, done, length);
}

/* The first and the last vector overlap those between, which are aligned at `to`: a store across two lines of
 * the cache costs two. Both are read before anything is written, for in place there is nothing left to read
 * then. */
static void mask(uint8_t *to, const uint8_t *from, size_t length, uint32_t key)
{
    if (length < WIDTH) {
        NARROWER.mask(to, from, length, key);
        return;
    }
    const vector first = differing(load(from), fill_32(key));
    const vector last = differing(load(from + length - WIDTH), fill_32(turned(key, length - WIDTH)));
    size_t i = -(uintptr_t)to & (WIDTH - 1);
    const vector keys = fill_32(turned(key, i));
    for (; i + (size_t)4 * WIDTH <= length; i += (size_t)4 * WIDTH) {
        vector now[4];
        for (size_t j = 0; j < 4; j++)
            now[j] = load(from + i + j * WIDTH);
        for (size_t j = 0; j < 4; j++)
            store(to + i + j * WIDTH, differing(now[j], keys));
    }
    for (; i + WIDTH <= length; i += WIDTH)
        store(to + i, differing(load(from + i), keys));
    store(to, first);
    store(to + length - WIDTH, last);
}
