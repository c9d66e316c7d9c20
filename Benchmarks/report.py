"""Makes the page docs/performance.md and its plots from the files of results."""

import json
import re
import statistics

import plot
from rows import LATENCY_RATE, ROWS, TLS_ROWS
from servers import ANCHOR, BOUND, SERVERS

KEPT_UP = 0.97  # of the rate that the open loop asks for
PLOTTED_BYTES = 16 * 1024  # of the kernels
FEW = 3         # with fewer runs that were not discarded, all are used and it is said

NOTES = {
    "†": "† On a machine that was busy with something else: no figure to quote.",
    "§": "§ Failed in some rounds, which are not counted.",
    "‡": "‡ Does not check that text is UTF-8.",
}


class Figures:
    """The runs of one server under one load."""

    def __init__(self, row_name, runs):
        metric = "p50" if ROWS.get(row_name) and ROWS[row_name].metric == "p50" else "us"
        self.failures = [run["failed"] for run in runs if "failed" in run]
        good = [run for run in runs if "failed" not in run]
        quiet = [run for run in good if "noisy" not in run]
        self.discarded = len(good) - len(quiet)
        self.is_noisy = len(quiet) < min(FEW, len(good))
        kept = good if self.is_noisy else quiet
        self.by_round = {run["round"]: run[metric] for run in kept}
        self.rate = statistics.median(run["rate"] for run in kept) if kept else 0
        self.keeps_up = metric != "p50" or self.rate >= KEPT_UP * LATENCY_RATE
        values = list(self.by_round.values())
        self.median, self.low, self.high = spread(values) if values else (None, None, None)

    @property
    def is_there(self):
        return self.median is not None and self.keeps_up

    def against(self, other):
        """How many times cheaper than `other`, each round by itself: median, least, most. None without a common round."""
        if not (self.is_there and other and other.is_there):
            return None
        common = self.by_round.keys() & other.by_round.keys()
        ratios = [other.by_round[at] / self.by_round[at] for at in common if self.by_round[at]]
        return spread(ratios) if ratios else None


def label(name):
    return SERVERS[name].label if name in SERVERS else name


def kernels_table(results):
    sizes = sorted({each["bytes"] for each in results})
    rates = {}
    for each in results:
        rates.setdefault((each["kernel"], each["by"]), {}).setdefault(each["bytes"], []).append(each["rate"])
    lines = [[f"{kernel}: {by}", *(number(statistics.median(by_size[size])) for size in sizes)]
             for (kernel, by), by_size in rates.items()]
    return markdown(["GB/s", *(f"{size} B" if size < 1024 else f"{size // 1024} KiB" for size in sizes)], lines)


def kernel_bars(results):
    rates = {}
    for each in results:
        if each["bytes"] == PLOTTED_BYTES:
            rates.setdefault((each["kernel"], each["by"]), []).append(each["rate"])
    bars = []
    for (kernel, by), values in rates.items():
        middle, low, high = spread(values)
        kind = "anchor" if by == "simdutf" else "bound" if by == "memcpy" else "ours"
        bars.append(plot.Bar(f"{kernel}: {by}", kind, middle, low, high, number(middle)))
    return bars


def spread(values):
    return statistics.median(values), min(values), max(values)


def figures_of(row_name, results):
    """By server, in the order of servers.py."""
    runs = {}
    for each in results:
        if each["row"] == row_name:
            runs.setdefault(each["server"], []).append(each)
    return {name: Figures(row_name, runs[name]) for name in SERVERS if name in runs}


def number(value):
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def markdown(heads, lines):
    """The first column is text, the others are numbers."""
    ruler = ["---"] + ["--:"] * (len(heads) - 1)
    return "\n".join("| " + " | ".join(map(str, cells)) + " |" for cells in [heads, ruler, *lines])


def ratio_cell(ratio):
    return "–" if ratio is None else f"{ratio[0]:.2f} ({ratio[1]:.2f}–{ratio[2]:.2f})"


def row_table(row_name, row, results):
    figures = figures_of(row_name, results)
    against = ANCHOR if ANCHOR in figures else BOUND
    anchor = figures.get(against)
    lines, marks = [], set()
    for name, each in sorted(figures.items(), key=lambda item: item[1].median if item[1].is_there else float("inf")):
        shown = f"**{label(name)}**" if SERVERS[name].is_ours else label(name)
        if row.is_text and not SERVERS[name].validates:
            shown += " ‡"
            marks.add("‡")
        if each.median is None:
            lines.append([shown, "failed", "–", "–", "–"])
        elif not each.keeps_up:
            lines.append([shown, "falls behind", "–", f"{each.rate:,.0f}", "–"])
        else:
            mark = (" †" if each.is_noisy else "") + (" §" if each.failures else "")
            marks.update(mark.replace(" ", ""))
            lines.append([shown, number(each.median) + mark, f"{number(each.low)}–{number(each.high)}",
                          f"{each.rate:,.0f}", ratio_cell(each.against(anchor))])
    per = "handshakes/s" if row.metric == "handshake" else "messages/s"
    heads = [row.title, row.unit, "least–most", per, f"against {SERVERS[against].label}"]
    return "\n\n".join([markdown(heads, lines), *(NOTES[mark] for mark in sorted(marks))])


def bars_of(row_name, results):
    bars = []
    for name, each in figures_of(row_name, results).items():
        if each.is_there:
            server = SERVERS[name]
            kind = "ours" if server.is_ours else "bound" if server.is_bound else "anchor" if name == ANCHOR else "peer"
            shown = number(each.median) + (" †" if each.is_noisy else "")
            bars.append(plot.Bar(server.label, kind, each.median, each.low, each.high, shown))
    return sorted(bars, key=lambda bar: bar.value)


def overview(results):
    """One line for each load: how many times cheaper than uWebSockets."""
    shown = [name for name in SERVERS if name != ANCHOR and any(each["server"] == name for each in results)]
    lines, is_noisy = [], False
    for row_name, row in ROWS.items():
        figures = figures_of(row_name, results)
        if not figures:
            continue
        cells = []
        for name in shown:
            ratio = figures[name].against(figures.get(ANCHOR)) if name in figures else None
            mark = " †" if ratio and (figures[name].is_noisy or figures[ANCHOR].is_noisy) else ""
            is_noisy |= bool(mark)
            cells.append(f"{ratio[0]:.2f}{mark}" if ratio else "–")
        lines.append([f"[{row.title}](#{row_name})", *cells])
    table = markdown(["load", *map(label, shown)], lines)
    return f"{table}\n\n{NOTES['†']}" if is_noisy else table


def tls_table(results):
    lines = []
    for row_name, row in TLS_ROWS.items():
        if row_name.endswith("-tls"):
            continue
        plain, secure = figures_of(row_name, results), figures_of(f"{row_name}-tls", results)
        for name, each in plain.items():
            other = secure.get(name)
            if each.is_there and other and other.is_there:
                lines.append([f"{row.title}, {SERVERS[name].label}", number(each.median), number(other.median),
                              f"{other.median / each.median:.2f}", number(other.median - each.median)])
    return markdown(["load and server", "plain, µs", "TLS, µs", "ratio", "added, µs"], lines)


def idle_table(results):
    def bytes_of(name, feature, field):
        values = [each[field] for each in results if (each["server"], each["feature"]) == (name, feature)]
        return f"{statistics.median(values):,.0f}" if values else "–"

    present = [name for name in SERVERS if any(each["server"] == name for each in results)]
    lines = [[label(name), *(bytes_of(name, feature, field)
                                     for feature in ("plain", "tls") for field in ("idle", "echoed"))]
             for name in present]
    return markdown(["bytes for each connection", "idle", "after an echo", "TLS, idle", "TLS, after an echo"], lines)


def idle_bars(results, feature):
    bars = []
    for name, server in SERVERS.items():
        values = [each["idle"] for each in results if (each["server"], each["feature"]) == (name, feature)]
        if values:
            kind = "ours" if server.is_ours else "anchor" if name == ANCHOR else "peer"
            middle, low, high = spread(values)
            bars.append(plot.Bar(server.label, kind, middle, low, high, f"{middle:,.0f}"))
    return sorted(bars, key=lambda bar: bar.value)


def instructions_table(results):
    depths = sorted({each["depth"] for each in results})
    counts = {(each["server"], each["depth"]): each["instructions"] for each in results}
    lines = [[label(name), *(f"{counts[name, depth]:,.0f}" if (name, depth) in counts else "–" for depth in depths)]
             for name in SERVERS if any(each["server"] == name for each in results)]
    return markdown(["instructions for each echo", *(f"{depth} under way" for depth in depths)], lines)


def instruction_bars(results, depth):
    bars = []
    for each in results:
        if each["depth"] == depth:
            server, count = SERVERS[each["server"]], each["instructions"]
            kind = "ours" if server.is_ours else "anchor" if each["server"] == ANCHOR else "peer"
            bars.append(plot.Bar(server.label, kind, count, count, count, f"{count:,.0f}"))
    return sorted(bars, key=lambda bar: bar.value)


def machine(about):
    libraries = ", ".join(f"{name} {version}" for name, version in about["libraries"].items() if version)
    lines = [
        f"- Measured on {about['date']} at commit `{about['commit']}`.",
        f"- {about['processor']}, {about['cores']} cores, {about['memory_gib']} GiB; {about['system']}, "
        f"{about['kernel']}; the server on core 0, the generator on core 1.",
        f"- {'; '.join(filter(None, about['compilers']))}; {libraries}.",
    ]
    if about["peers"]:
        peers = "; ".join(f"{label(name)} {version}" for name, version in about["peers"].items())
        lines.append(f"- Peers: {peers}.")
    lines += [f"- Left out: {label(name)}, {why}." for name, why in about["left_out"].items()]
    lines.append(f"- {about['rounds']} rounds of {about['secs']} s; a run during which the rest of the machine "
                 f"used more than {about['other_most']:g} % of a core was made once more, and then discarded.")
    return "\n".join(lines)


def remarks():
    return "\n".join(f"- {server.label}: {server.note}." for server in SERVERS.values() if server.note)


def read(path):
    """What the file says of its machine, and its results."""
    if not path.exists():
        return None, []
    about, *results = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return about, results


def image(folder, name, title, unit, bars, better="shorter"):
    """Draws the plot; the line of the page that shows it."""
    (folder / f"{name}.svg").write_text(plot.svg(title, unit, bars, better), encoding="utf-8")
    said = ", ".join(f"{bar.label} {bar.shown}" for bar in bars)
    return f"![{title}, {unit}: {said}]({folder.name}/{name}.svg)"


def load_part(about, results, folder):
    parts = []
    for name, row in ROWS.items():
        bars = bars_of(name, results)
        if bars:
            parts += [f'<a id="{name}"></a>', f"### {row.title}",
                      f"Generator: `{row.options}`", image(folder, name, row.title, row.unit, bars),
                      row_table(name, row, results)]
    return {"machine": f"{machine(about)}\n\nThe servers:\n{remarks()}", "overview": overview(results),
            "loads": "\n\n".join(parts)}


def idle_part(about, results, folder):
    plots = [image(folder, f"idle-{feature}", f"Memory for each idle connection, {words}", "bytes", bars)
             for feature, words in (("plain", "plain TCP"), ("tls", "TLS 1.3")) if (bars := idle_bars(results, feature))]
    when = f"Measured on {about['date']} at commit `{about['commit']}`."
    return {"idle": "\n\n".join([when, *plots, idle_table(results)])}


def instructions_part(about, results, folder):
    plots = [image(folder, f"instructions-{depth}", f"Instructions for each echo of 20 bytes, {depth} under way",
                   "instructions", instruction_bars(results, depth))
             for depth in sorted({each["depth"] for each in results})]
    when = f"Counted on {about['date']} at commit `{about['commit']}`."
    return {"instructions": "\n\n".join([when, *plots, instructions_table(results)])}


def kernels_part(about, results, folder):
    when = f"Measured on {about['date']} at commit `{about['commit']}`."
    title = f"Masking and UTF-8, {PLOTTED_BYTES // 1024} KiB"
    return {"kernels": "\n\n".join([when, image(folder, "kernels", title, "GB/s", kernel_bars(results), "longer"),
                                    kernels_table(results)])}


PARTS = {"results.jsonl": load_part, "idle.jsonl": idle_part, "instructions.jsonl": instructions_part,
         "kernels.jsonl": kernels_part}


def write(page, folder):
    """Puts what the files of results say between the page's marks, and leaves the rest of it as it is."""
    text = page.read_text(encoding="utf-8")
    for name, part in PARTS.items():
        about, results = read(folder / name)
        if about is None:
            continue
        for mark, content in part(about, results, folder).items():
            pattern = re.compile(rf"(<!-- bench: {mark} -->\n).*?(<!-- end -->)", re.DOTALL)
            text, count = pattern.subn(lambda found, new=content: f"{found.group(1)}{new}\n{found.group(2)}", text)
            if count != 1:
                raise RuntimeError(f"{page} has no place for {mark}")
    page.write_text(text, encoding="utf-8")
