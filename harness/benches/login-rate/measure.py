"""Measures how fast logins are made, and what they cost the client: runs inside the container that measure.sh starts.

Every client makes the same logins to the same Dovecot, one client after the other, and that so many times over; the
table shows the medians. What counts as a login is what Dovecot's log says was one.
"""

import argparse
import os
import re
import statistics
import subprocess
import time
from dataclasses import dataclass

import accounts
from clients import CLIENTS, Hydra, PythonWithCanary

LOG = f"{accounts.RUN}/dovecot.log"
GOOD = re.compile(rb"-login: Info: Login: ")
REFUSED = re.compile(rb"-login: Info: .*auth failed, (\d+) attempts")


@dataclass
class Run:
    """What one client is to do."""

    protocol: str
    outcome: str
    jobs: int
    logins: int
    accounts: int

    def pairs(self):
        return accounts.credentials(self.outcome, self.logins, self.accounts)


@dataclass
class Measured:
    """What it came to."""

    logins: int
    connections: int
    seconds: float
    cpu: float


class Log:
    """Dovecot's log, from where it was read last."""

    def __init__(self):
        self.at = 0

    def skip(self):
        """Passes over what was logged before."""
        self.at = os.path.getsize(LOG)

    def logins(self, outcome):
        """How many logins there were, over how many connections, once Dovecot has logged the last of them."""
        size = -1
        while size != (size := os.path.getsize(LOG)):
            time.sleep(0.3)
        with open(LOG, "rb") as file:
            file.seek(self.at)
            lines = file.read()
        if outcome == "good":
            count = len(GOOD.findall(lines))
            return count, count
        attempts = [int(number) for number in REFUSED.findall(lines)]
        return sum(attempts), len(attempts)


def measure(client, run, log):
    """Has one client do one run."""
    command = client.command(run)
    log.skip()
    start = time.monotonic()
    with open(f"{accounts.RUN}/output", "w", encoding="utf-8") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        _, status, used = os.wait4(process.pid, 0)
    seconds = time.monotonic() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    client.check(run, process.returncode)
    logins, connections = log.logins(run.outcome)
    # loginspec makes a few of its own before and after; hydra and medusa may leave some out.
    if not run.logins * 0.95 <= logins <= run.logins * 1.05 + 5:
        print(f"warning: {client.name} made {logins} logins instead of {run.logins}: {' '.join(command)}", flush=True)
    return Measured(logins, connections, seconds, used.ru_utime + used.ru_stime)


def start_dovecot():
    """Starts Dovecot, and waits until it listens."""
    server = subprocess.Popen(["dovecot", "-F"])
    while not os.path.exists(LOG) or b"starting up" not in open(LOG, "rb").read():
        time.sleep(0.05)
    time.sleep(1)
    return server


def settings():
    """What the command line says."""
    parser = argparse.ArgumentParser(description="Measure logins per second, client by client.")
    names = [client.name for client in CLIENTS]
    parser.add_argument("--clients", nargs="+", choices=names, default=names)
    parser.add_argument("--protocols", nargs="+", choices=["imap", "pop3"], default=["imap", "pop3"])
    parser.add_argument("--outcomes", nargs="+", choices=["good", "refused"], default=["good", "refused"])
    parser.add_argument("--jobs", nargs="+", type=int, default=[16, 64], help="logins at once")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--accounts", type=int, default=2000)
    parser.add_argument("--good", type=int, default=2000, help="good logins of each client in each run")
    parser.add_argument("--refused", type=int, default=10000, help="refused ones")
    parser.add_argument("--hydra-good", type=int, default=150, help="hydra makes some twenty logins a second")
    parser.add_argument("--hydra-refused", type=int, default=300)
    return parser.parse_args()


def runs(given):
    """Every combination to be measured: protocol, outcome, how many at once."""
    for protocol in given.protocols:
        for outcome in given.outcomes:
            for jobs in given.jobs:
                yield protocol, outcome, jobs


def clients(given, protocol, outcome, jobs):
    """Who takes part in a run, and what each is to do."""
    for client in CLIENTS:
        logins = getattr(given, f"hydra_{outcome}" if isinstance(client, Hydra) else outcome)
        run = Run(protocol, outcome, jobs, logins, given.accounts)
        if client.name in given.clients and client.takes_part(run):
            yield client, run


def show(results, given):
    """The table: medians of the repeats, with the range of the rates."""
    for protocol, outcome, jobs in runs(given):
        print(f"\n{protocol}, {outcome}, {jobs} at once\n")
        print("| client | logins/s | lowest–highest | × medusa | client CPU per login | logins per connection |")
        print("|---|---|---|---|---|---|")
        medians = {}
        taking_part = [client.name for client, _ in clients(given, protocol, outcome, jobs)]
        for name in taking_part:
            measured = results[name, protocol, outcome, jobs]
            medians[name] = statistics.median(one.logins / one.seconds for one in measured)
        medusa = medians.get("medusa")
        for name in taking_part:
            measured = results[name, protocol, outcome, jobs]
            rates = [one.logins / one.seconds for one in measured]
            ratio = f"{medians[name] / medusa:.2f}" if medusa else ""
            cpu = statistics.median(one.cpu / max(one.logins, 1) for one in measured) * 1e6
            reuse = statistics.median(one.logins / max(one.connections, 1) for one in measured)
            print(f"| {name} | {medians[name]:.0f} | {min(rates):.0f}–{max(rates):.0f} | {ratio} "
                  f"| {cpu:.0f} µs | {reuse:.1f} |")


def main():
    given = settings()
    accounts.make(given.accounts)
    server = start_dovecot()
    log = Log()
    results = {}
    try:
        # Dovecot makes a mailbox's index files when it opens it for the first time: that is nobody's login.
        for protocol in given.protocols:
            measure(PythonWithCanary(), Run(protocol, "good", 16, given.accounts, given.accounts), log)
        for repeat in range(1, given.repeats + 1):
            for protocol, outcome, jobs in runs(given):
                taking_part = list(clients(given, protocol, outcome, jobs))
                # Dovecot has let processes go meanwhile: who comes first has to wait for new ones, so each does once.
                first = repeat % len(taking_part)
                for client, run in taking_part[first:] + taking_part[:first]:
                    measured = measure(client, run, log)
                    results.setdefault((client.name, protocol, outcome, jobs), []).append(measured)
                    print(f"{repeat}: {client.name} {protocol} {outcome} {jobs}: {measured}", flush=True)
    finally:
        server.terminate()
        server.wait()
    show(results, given)


if __name__ == "__main__":
    main()
