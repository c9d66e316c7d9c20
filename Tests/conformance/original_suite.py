"""Runs the cases of the original Autobahn suite, under Python 2.7, and writes its report.

usage: original_suite.py server REPORT URL    against the echo server at URL
       original_suite.py client REPORT        for a client, which is told "port N" on standard output
"""
import os
import sys

from autobahntestsuite import fuzzing  # before the reactor, which it chooses
from twisted.internet import reactor

LOOPBACK = "127.0.0.1"


def specification(report, **more):
    return dict(more, outdir=report, cases=["*"], **{"exclude-cases": [], "exclude-agent-cases": {}})


class ServerProtocol(fuzzing.FuzzingServerProtocol):
    """Ends the run once the client has what it asked for last."""

    def connectionLost(self, reason):
        fuzzing.FuzzingServerProtocol.connectionLost(self, reason)
        if getattr(self, "path", None) == "/updateReports":
            reactor.stop()


def listen(factory, context):
    """In place of the suite's own, which would listen on every address."""
    port = reactor.listenTCP(0, factory, interface=LOOPBACK).getHost().port
    factory.externalPort = port
    os.write(answers, "port %d\n" % port)


# What the suite prints is of no interest; only the port goes to standard output.
answers = os.dup(1)
sys.stdout = open(os.devnull, "w")
role, directory = sys.argv[1:3]
if role == "server":
    fuzzing.startClient(specification(directory, servers=[{"agent": "weft", "url": sys.argv[3]}]))
else:
    fuzzing.listenWS = listen
    fuzzing.FuzzingServerFactory.protocol = ServerProtocol
    fuzzing.startServer(specification(directory, url="ws://%s:9001" % LOOPBACK), 0)
reactor.run()
