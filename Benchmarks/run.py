"""Runs the servers of servers.py under the loads of rows.py, in interleaved rounds. scripts/bench builds, then calls it."""

import argparse
import datetime
import json
import os
import pathlib
import platform
import resource
import shlex
import subprocess
import sys

import report
from instructions import DEPTHS, per_message
from rows import ROWS, TLS_ROWS, measures
from servers import BUILT, PEERS, PLAIN, SERVERS, TLS, Running, on_core, versions

LOADER = str(BUILT / "wsload")
PAGE = pathlib.Path("docs/performance.md")
FOLDER = pathlib.Path("docs/performance")
WARMUP_SECONDS = 0.3
IDLE_CONNECTIONS = 10000
IDLE_ROUNDS = 3
IDLE_SERVERS = ("weft-c", "weft-inline", "weft-async", "uws", "nio", "nio-async", "lws", "beast", "gorilla")
INSTRUCTION_SERVERS = ("weft-c", "weft-inline", "weft-async", "uws")


def say(*words):
    print("bench:", *words, file=sys.stderr, flush=True)


def names(known):
    def parse(text):
        wanted = text.split(",")
        strangers = [name for name in wanted if name not in known]
        if strangers:
            raise argparse.ArgumentTypeError(f"no {', '.join(strangers)}; there are {', '.join(known)}")
        return wanted
    return parse


def positive(kind):
    def parse(text):
        value = kind(text)
        if not value > 0:
            raise argparse.ArgumentTypeError(f"{text} is not above 0")
        return value
    return parse


def options_of(words):
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measures the echo servers side by side.")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--tls", action="store_true", help="our servers over TLS and over plain TCP, side by side")
    mode.add_argument("--idle", action="store_true", help=f"memory for each of {IDLE_CONNECTIONS:,} idle connections")
    mode.add_argument("--instructions", action="store_true", help="instructions for each echo, counted by callgrind")
    mode.add_argument("--kernels", action="store_true", help="masking and UTF-8, beside memcpy and simdutf")
    mode.add_argument("--report", action="store_true", help="only make the page and the plots anew from the results")
    parser.add_argument("--peers", action="store_true", help="build and measure other libraries' servers too")
    parser.add_argument("--rounds", type=positive(int), default=7, metavar="N",
                        help=f"interleaved rounds (7); {IDLE_ROUNDS} at most for --idle")
    parser.add_argument("--secs", type=positive(float), default=1.2, metavar="S", help="seconds of one run (1.2)")
    parser.add_argument("--rows", type=names(ROWS), metavar="A,B", help="only these loads: " + ", ".join(ROWS))
    parser.add_argument("--servers", type=names(SERVERS), metavar="A,B", help="only these: " + ", ".join(SERVERS))
    parser.add_argument("--other-most", type=positive(float), default=20, metavar="PERCENT",
                        help="a run is discarded when the rest of the machine used more of a core (20)")
    parser.add_argument("--check", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(words)


def chosen_servers(options, default):
    """Those asked for, or the default, that are built; ours must be."""
    wanted = options.servers or [name for name in default if options.peers or is_own(name)]
    missing = versions()[1]
    built = [name for name in wanted if SERVERS[name].is_built() and name.removesuffix("-async") not in missing]
    for name in wanted:
        if name not in built:
            why = missing.get(name.removesuffix("-async"), "not built; --peers builds it")
            say(f"{SERVERS[name].label} is left out: {why}")
            if is_own(name):
                sys.exit(1)
    if not built:
        sys.exit("bench: nothing to measure")
    return built


def is_own(name):
    return SERVERS[name].is_ours or SERVERS[name].is_bound


def first_line(*command):
    try:
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
    return output.splitlines()[0] if output else ""


def processor():
    try:
        for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return first_line("sysctl", "-n", "machdep.cpu.brand_string") or platform.machine()


def system():
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.platform()


def description(options):
    """The first line of a file of results: what the figures depend on."""
    libraries = {label: first_line("pkg-config", "--modversion", name)
                 for label, name in (("libuv", "libuv"), ("OpenSSL", "openssl"), ("zlib", "zlib"))}
    installed, missing = versions()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "date": datetime.date.today().isoformat(),
        "commit": first_line("git", "describe", "--always", "--dirty"),
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory),
        "kernel": f"{platform.system()} {platform.release().split('-')[0]}",
        "system": system(),
        "compilers": [first_line("cc", "--version"), first_line("swift", "--version").split(" (")[0]],
        "libraries": libraries,
        "peers": installed,
        "left_out": missing,
        "rounds": options.rounds,
        "secs": options.secs,
        "other_most": options.other_most,
    }


def generate(server, *words):
    """One run of the generator against a running server: its report, or why there is none."""
    command = [LOADER, "--port", str(server.port), "--path", "/ws", "--pid", str(server.pid), *words]
    run = subprocess.run(on_core(1, command), capture_output=True, text=True, check=False)
    said = run.stdout.strip().splitlines()
    if run.returncode != 0 or not said:
        return {"failed": (said or run.stderr.strip().splitlines() or ["no output"])[-1]}
    return json.loads(said[-1])


def one_run(server, row, options):
    """A run, and one more if the machine was busy with something else. None if it was too busy for a single message."""
    words = shlex.split(row.options)
    if SERVERS[server.name].is_bound:
        words.append("--raw")
    words += ["--secs", str(options.secs), "--warmup", str(WARMUP_SECONDS)]
    result = None
    for _ in range(2):
        said = generate(server, *words)
        if "failed" in said:
            return said
        if not said["msgs_per_s"]:
            continue
        result = {"us": said["server_us_per_msg"], "rate": said["msgs_per_s"], "p50": said["p50_us"],
                  "p99": said["p99_us"], "other": said["other_cpu"]}
        if result["other"] <= options.other_most:
            return result
    return result and result | {"noisy": True}


def one_round(number, names_of_servers, rows, options):
    """All servers are up at once, and idle but for one: so each row is measured within seconds on all of them."""
    order = names_of_servers if number % 2 else names_of_servers[::-1]
    pairs = [(row, name) for row in rows for name in order if measures(SERVERS[name], rows[row])]
    running = {}
    try:
        for row, name in pairs:
            at = (name, rows[row].feature)
            if at not in running:
                running[at] = Running(*at)
        for (name, _), server in running.items():
            try:
                server.wait()
            except RuntimeError as failure:
                if is_own(name):
                    raise
                say(failure)
        for row, name in pairs:
            server = running[name, rows[row].feature]
            result = one_run(server, rows[row], options) if server.port else {"failed": "it does not start"}
            if result is None:
                say(f"no message came back from {name} in {row}")
                continue
            if "failed" in result and SERVERS[name].is_ours:
                raise RuntimeError(f"errors against {name}, {row}: {result['failed']}")
            yield {"row": row, "server": name, "round": number} | result
    finally:
        for server in running.values():
            server.stop()


def measure(names_of_servers, rows, options):
    results = []
    say(f"{options.rounds} rounds of {len(rows)} loads, {options.secs} s each, on", ", ".join(names_of_servers))
    for number in range(1, options.rounds + 1):
        results += one_round(number, names_of_servers, rows, options)
        noisy = sum("noisy" in each for each in results if each["round"] == number)
        say(f"round {number} of {options.rounds} done", f"({noisy} runs discarded)" if noisy else "")
    return results


def keep(name, options, results):
    """Writes a file of results, one line each."""
    FOLDER.mkdir(exist_ok=True)
    lines = [json.dumps(each, ensure_ascii=False) for each in [description(options), *results]]
    (FOLDER / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def run_load(options):
    rows = {name: ROWS[name] for name in options.rows or ROWS}
    results = measure(chosen_servers(options, SERVERS), rows, options)
    if options.peers and not options.rows and not options.servers:
        keep("results.jsonl", options, results)
        report.write(PAGE, FOLDER)
    for name, row in rows.items():
        print(report.row_table(name, row, results), end="\n\n")


def run_tls(options):
    ours = [name for name in SERVERS if SERVERS[name].is_ours]
    results = measure(chosen_servers(options, ours), TLS_ROWS, options)
    print(report.tls_table(results))


def run_idle(options):
    wanted = IDLE_CONNECTIONS + 200
    limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < wanted:
        sys.exit(f"bench: {most} open files are allowed; {wanted} are needed (ulimit -n)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(limit, wanted), most))
    results = []
    servers = chosen_servers(options, IDLE_SERVERS)
    rounds = min(options.rounds, IDLE_ROUNDS)
    for number in range(1, rounds + 1):
        for name in servers:
            for feature in (PLAIN, TLS):
                if feature not in SERVERS[name].can:
                    continue
                words = ["--idle", str(IDLE_CONNECTIONS), "--src", "4", *(["--tls"] if feature == TLS else [])]
                try:
                    with Running(name, feature) as server:
                        said = generate(server, *words)
                except RuntimeError as failure:
                    said = {"failed": failure}
                if "failed" in said:
                    say(f"{name} failed: {said['failed']}")
                    continue
                results.append({"server": name, "feature": feature, "round": number,
                                "idle": said["bytes_per_conn_idle"], "echoed": said["bytes_per_conn_after_echo"]})
        say(f"round {number} of {rounds} done")
    if options.peers and not options.servers:
        keep("idle.jsonl", options, results)
        report.write(PAGE, FOLDER)
    print(report.idle_table(results))


def run_instructions(options):
    results = []
    for name in chosen_servers(options, INSTRUCTION_SERVERS):
        for depth in DEPTHS:
            try:
                results.append({"server": name, "depth": depth, "instructions": round(per_message(name, depth), 1)})
            except RuntimeError as failure:
                say(f"{name} is left out: {failure}")
    if options.peers and not options.servers:
        keep("instructions.jsonl", options, results)
        report.write(PAGE, FOLDER)
    print(report.instructions_table(results))


def run_kernels(options):
    program, library = BUILT / "kernel-rates", PEERS / "libsimdutf.so"
    words = [str(program), *([str(library)] if options.peers and library.exists() else [])]
    results = []
    for number in range(1, options.rounds + 1):
        run = subprocess.run(on_core(0, words), capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise RuntimeError(f"{program} failed: {run.stderr.strip()}")
        results += [{"round": number} | json.loads(line) for line in run.stdout.splitlines()]
        say(f"round {number} of {options.rounds} done")
    if options.peers:
        keep("kernels.jsonl", options, results)
        report.write(PAGE, FOLDER)
    print(report.kernels_table(results))


def main():
    options = options_of(sys.argv[1:])
    if options.check:
        return
    try:
        if options.report:
            report.write(PAGE, FOLDER)
        elif options.tls:
            run_tls(options)
        elif options.idle:
            run_idle(options)
        elif options.instructions:
            run_instructions(options)
        elif options.kernels:
            run_kernels(options)
        else:
            run_load(options)
    except RuntimeError as failure:
        sys.exit(f"bench: {failure}")


if __name__ == "__main__":
    main()
