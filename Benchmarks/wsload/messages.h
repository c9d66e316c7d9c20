/* The messages, built at start. RING messages lie one behind the other, masked and framed, so any run of them
 * is one send. plain[i] is message i before masking (before compression too). */
#ifndef WSLOAD_MESSAGES_H
#define WSLOAD_MESSAGES_H

#include "measure.h"

#include <zlib.h>

static unsigned ring;
static size_t *ring_at; /* ring + 1 offsets into ring_bytes */
static uint8_t *ring_bytes;
static uint8_t **plain;

static size_t put_header(uint8_t *p, uint8_t b0, size_t len, const uint8_t mask[4])
{
    size_t n = 2;
    p[0] = b0;
    if (len < 126)
        p[1] = (uint8_t)(0x80 | len);
    else if (len < 65536) {
        p[1] = 0x80 | 126;
        p[2] = (uint8_t)(len >> 8);
        p[3] = (uint8_t)len;
        n = 4;
    } else {
        p[1] = 0x80 | 127;
        for (int i = 0; i < 8; i++)
            p[2 + i] = (uint8_t)((uint64_t)len >> (56 - 8 * i));
        n = 10;
    }
    memcpy(p + n, mask, 4);
    return n + 4;
}

static size_t put_frame(uint8_t *p, uint8_t b0, const uint8_t *data, size_t len)
{
    uint8_t mask[4];
    uint32_t r = (uint32_t)(rng() >> 16);
    memcpy(mask, &r, 4);
    size_t h = put_header(p, b0, len, mask);
    for (size_t i = 0; i < len; i++)
        p[h + i] = data[i] ^ mask[i & 3];
    return h + len;
}

static void fill_payload(uint8_t *p, size_t n, unsigned index)
{
    static const char utf8[] =
        "Gr\xC3\xBC\xC3\x9F"
        "e an alle, \xE4\xB8\x96\xE7\x95\x8C! "
        "\xD0\x9F\xD1\x80\xD0\xB8\xD0\xB2\xD0\xB5\xD1\x82 \xF0\x9F\x98\x80 plain words too. ";
    size_t i = 0;
    if (opt.kind == 'b') {
        for (; i < n; i++)
            p[i] = (uint8_t)(rng() >> 32);
    } else if (opt.kind == 't') {
        for (; i < n; i++)
            p[i] = (uint8_t)(' ' + rng() % 95);
    } else if (opt.kind == 'u') {
        while (i < n) {
            const char *s = utf8;
            while (*s && i < n) {
                unsigned char c = (unsigned char)*s;
                size_t w = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
                if (i + w > n) {
                    p[i++] = 'x';
                    continue;
                }
                memcpy(p + i, s, w);
                i += w;
                s += w;
            }
        }
    } else {
        while (i < n) {
            char rec[160];
            int w =
                snprintf(rec, sizeof rec,
                         "{\"id\":%u,\"user\":\"user%03u\",\"price\":%u.%02u,\"side\":\"%s\",\"ok\":true},",
                         (unsigned)(rng() % 1000000), (unsigned)(rng() % 1000), (unsigned)(rng() % 500),
                         (unsigned)(rng() % 100), rng() & 1 ? "buy" : "sell");
            size_t m = (size_t)w < n - i ? (size_t)w : n - i;
            memcpy(p + i, rec, m);
            i += m;
        }
    }
    char tag[9]; /* the message's number, so that --check sees a wrong order */
    snprintf(tag, sizeof tag, "%08x", index);
    if (n >= 8 && opt.kind != 'u') memcpy(p, tag, 8);
    if (n >= 32 && opt.kind == 'u') { /* replace whole characters, then fill up */
        size_t end = 8;
        while (end < n && (p[end] & 0xC0) == 0x80)
            end++;
        memcpy(p, tag, 8);
        for (size_t k = 8; k < end; k++)
            p[k] = '.';
    }
}

static void build_ring(void)
{
    size_t n = opt.size;
    unsigned want = (unsigned)(262144 / (n + 14));
    if (want > 1024) want = 1024;
    if (want < 8) want = 8;
    ring = want;
    ring_at = xmalloc((ring + 1) * sizeof *ring_at);
    plain = xmalloc(ring * sizeof *plain);
    size_t step = opt.frag && opt.frag < n ? opt.frag : n;
    size_t frames = n && step ? (n + step - 1) / step : 1;
    ring_bytes = xmalloc(ring * (n + n / 8 + 128 + frames * 14));
    size_t at = 0;
    for (unsigned i = 0; i < ring; i++) {
        uint8_t *p = plain[i] = xmalloc(n);
        fill_payload(p, n, i);
        ring_at[i] = at;
        if (opt.raw) {
            memcpy(ring_bytes + at, p, n);
            at += n;
            continue;
        }
        uint8_t op = opt.kind == 'b' ? 2 : 1;
        const uint8_t *src = p;
        size_t len = n;
        uint8_t *zbuf = NULL;
        if (opt.deflate) {
            z_stream z = {0};
            if (deflateInit2(&z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK) die("deflateInit2");
            zbuf = xmalloc(n + n / 8 + 128);
            z.next_in = p;
            z.avail_in = (uInt)n;
            z.next_out = zbuf;
            z.avail_out = (uInt)(n + n / 8 + 128);
            if (deflate(&z, Z_SYNC_FLUSH) != Z_OK) die("deflate");
            len = z.total_out - 4; /* without 00 00 FF FF (RFC 7692, 7.2.1) */
            src = zbuf;
            op |= 0x40;
            deflateEnd(&z);
        }
        if (!opt.frag || opt.frag >= len) {
            at += put_frame(ring_bytes + at, 0x80 | op, src, len);
        } else {
            for (size_t o = 0; o < len; o += opt.frag) {
                size_t m = len - o < opt.frag ? len - o : opt.frag;
                at += put_frame(ring_bytes + at, (uint8_t)((o + m == len ? 0x80 : 0) | (o ? 0 : op)), src + o,
                                m);
            }
        }
        free(zbuf);
    }
    ring_at[ring] = at;
}

#endif
