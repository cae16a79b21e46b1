"""Shared by the drivers of all neighbours: timing a child, checking its work, and the line that benches/run reads."""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time

# The exit status by which benches/run learns that something is not installed.
MISSING = 77


def arguments(what, *options):
    """Reads the options that a driver names, such as "--feeds" or "archive": numbers where the name says so."""
    parser = argparse.ArgumentParser(description=what)
    for name in options:
        number = name in ("--port", "--feeds", "--mails", "--each", "--seconds", "--jobs")
        parser.add_argument(name, required=True, type=int if number else str)
    return parser.parse_args()


def need(program):
    """Ends with MISSING unless the program is installed."""
    if not shutil.which(program):
        print(f"{program} is not installed", file=sys.stderr)
        sys.exit(MISSING)


def url(port, feed, file):
    """Where a feed is: on one of sixteen addresses, as if on as many hosts."""
    return f"http://127.0.0.{1 + feed % 16}:{port}/{feed}/{file}"


def fresh(folder):
    """Makes the folder, empty."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    return os.path.abspath(folder)


def child(argv, log, **options):
    """Runs a program to its end; its and its children's wall seconds, CPU seconds and peak memory in KiB."""
    with open(log, "ab") as out:
        started = time.monotonic()
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, **options)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{argv[0]} ended with status {process.returncode}: {tail(log)}")
    return {"wall_s": wall, "cpu_s": usage.ru_utime + usage.ru_stime, "peak_kb": usage.ru_maxrss}


def tail(log):
    with open(log, "rb") as file:
        return file.read()[-600:].decode(errors="replace").strip()


class Own:
    """Measures this process itself from here on; the children that it waited for are counted in."""

    def __init__(self):
        self.wall, self.cpu = time.monotonic(), self._cpu()

    @staticmethod
    def _cpu():
        usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return sum(usage.ru_utime + usage.ru_stime for usage in usages)

    def end(self):
        return {
            "wall_s": time.monotonic() - self.wall,
            "cpu_s": self._cpu() - self.cpu,
            "peak_kb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        }


def expect(what, got, wanted):
    """A run that did not do the work is no result."""
    if got != wanted:
        sys.exit(f"{what}: {got}, but {wanted} were to be done")


def report(work, side, n, measured, **count):
    print(json.dumps({"work": work, "side": side, "n": n, **measured, "count": count}))
