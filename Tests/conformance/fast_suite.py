"""Runs Autobahn's cases by kosoku, which has them in Python 3, and writes its report.

usage: fast_suite.py server REPORT URL [--all]    against the echo server at URL
       fast_suite.py client REPORT [--all]        for a client, which is told "port N" on standard output
"""

import argparse
import asyncio
import os

import kosoku
from kosoku._kosoku import PerMessageDeflateOffer
from kosoku._report import write_reports
from kosoku.cases import CASES

import verdicts

AT_ONCE = 2  # cases against a server


def take_uncompressed_messages(case):
    """A peer may send any message as it is (RFC 7692 section 6). kosoku hands such a one over as str, where the case,
    written for Python 2, takes bytes."""
    take = case.onMessage

    def on_message(self, message, is_binary):
        if isinstance(message, str):
            message = message.encode("latin-1" if is_binary else "utf-8")
        take(self, message, is_binary)

    case.onMessage = on_message


def ask_for_no_context_takeover(case):
    """A server may ask any client for it (RFC 7692 section 7.1.1.2), and the original suite does. kosoku takes a client
    that does not offer it by itself for one that cannot, and the case for unimplemented."""
    accept = case.SERVER_ACCEPT

    def server_accept(self, offers):
        return accept(
            self,
            [
                PerMessageDeflateOffer(
                    acceptNoContextTakeover=True,
                    acceptMaxWindowBits=offer.acceptMaxWindowBits,
                    requestNoContextTakeover=offer.requestNoContextTakeover,
                    requestMaxWindowBits=offer.requestMaxWindowBits,
                )
                for offer in offers
            ],
        )

    case.SERVER_ACCEPT = server_accept


async def run(options, cases):
    try:
        if options.role == "server":
            return await kosoku.run_fuzzingclient(options.url, cases, concurrency=AT_ONCE)
        async with kosoku.run_fuzzingserver(cases, host="127.0.0.1", port=0) as server:
            print("port", server.port, flush=True)
            return await server.get_result()
    except kosoku.FailureError as failure:
        return failure.results


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=["server", "client"])
    parser.add_argument("report")
    parser.add_argument("url", nargs="?")
    parser.add_argument("--all", action="store_true")
    options = parser.parse_args()
    for case_id, case in CASES.items():
        if case_id.startswith(("12.", "13.")):
            take_uncompressed_messages(case)
            ask_for_no_context_takeover(case)
    left_out = set() if options.all else verdicts.long_cases()
    results = asyncio.run(run(options, [case_id for case_id in CASES if case_id not in left_out]))
    write_reports(results, options.report)
    os._exit(0)  # the threads of kosoku may abort an interpreter that ends


main()
