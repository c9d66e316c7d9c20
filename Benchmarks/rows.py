"""What is measured: one row is one load, the same for every server."""

import dataclasses

from servers import DEFLATE, PLAIN, TLS


@dataclasses.dataclass(frozen=True)
class Row:
    title: str
    options: str
    feature: str = PLAIN
    metric: str = "us"
    on_raw: bool = True

    @property
    def is_text(self):
        return "--binary" not in self.options and self.metric != "handshake"

    @property
    def unit(self):
        return {"us": "CPU µs/message", "handshake": "CPU µs/handshake", "p50": "median latency, µs"}[self.metric]


LATENCY_RATE = 80000
ROWS = {
    "text-20": Row("20 bytes of text", "--conns 100 --size 20 --depth 1 --text"),
    "text-20-deep": Row("20 bytes of text, 16 messages under way on each connection",
                        "--conns 100 --size 20 --depth 16 --text"),
    "utf8-1k": Row("1 KiB of text, characters of 1 to 4 bytes", "--conns 50 --size 1024 --utf8"),
    "binary-16k": Row("16 KiB, binary", "--conns 50 --size 16384 --binary"),
    "utf8-16k": Row("16 KiB of text, characters of 1 to 4 bytes", "--conns 50 --size 16384 --utf8"),
    "binary-1m": Row("1 MiB, binary", "--conns 8 --size 1048576 --binary"),
    "utf8-1m": Row("1 MiB of text, characters of 1 to 4 bytes", "--conns 8 --size 1048576 --utf8"),
    "deflate-1k": Row("1 KiB of JSON, permessage-deflate without context takeover, level 6",
                      "--conns 50 --size 1024 --json --deflate", DEFLATE),
    "tls-1k": Row("1 KiB, binary, TLS 1.3", "--conns 50 --size 1024 --binary --tls", TLS),
    "tls-16k": Row("16 KiB, binary, TLS 1.3", "--conns 50 --size 16384 --binary --tls", TLS),
    "handshake": Row("TCP connection, upgrade and reset", "--conns 50 --handshakes", PLAIN, "handshake", False),
    "latency": Row(f"20 bytes of text at {LATENCY_RATE:,} messages/s",
                   f"--conns 100 --size 20 --text --rate {LATENCY_RATE}", PLAIN, "p50"),
}

# What --tls compares: label -> the row without and the row with TLS.
TLS_ROWS = {
    "binary-20": Row("20 B", "--conns 100 --size 20 --binary"),
    "binary-1k": Row("1 KiB", "--conns 100 --size 1024 --binary"),
    "binary-16k-wide": Row("16 KiB", "--conns 100 --size 16384 --binary"),
}
TLS_ROWS |= {f"{name}-tls": Row(row.title, row.options + " --tls", TLS) for name, row in TLS_ROWS.items()}


def measures(server, row):
    """Whether that server can take part in that row."""
    return row.feature in server.can and (row.on_raw or not server.is_bound)
