"""The clients that are compared: how each is told what to do, and what its success proves."""

import json
import os

import accounts

HERE = os.path.dirname(__file__)


class Client:
    """What is the same for most of them."""

    def takes_part(self, run):
        """Whether this run shows anything of this client that others do not."""
        return True

    def check(self, run, code):
        """Fails the measurement where the client did not do what it should; what it has asked Dovecot's log tells."""


class Loginspec(Client):
    """Each case is a connection of its own, and its outcome is checked: by the canary, or as a refusal."""

    name = "loginspec"

    def command(self, run):
        accounts.write_target(f"{accounts.RUN}/target.toml", run.accounts)
        scenario = f"{accounts.RUN}/{run.protocol}-{run.outcome}.toml"
        accounts.write_scenario(scenario, run.protocol, run.outcome, run.logins, run.accounts)
        self.results = f"{accounts.RUN}/results.jsonl"
        # Without --full a large matrix is thinned.
        return ["loginspec", "run", scenario, "--full", "--target", f"{accounts.RUN}/target.toml",
                "--jobs", str(run.jobs), "--json", self.results]

    def check(self, run, code):
        """Every case must have passed, and the summary must say so."""
        with open(self.results, encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        passed = sum(line.get("verdict") == "pass" for line in lines)
        opened = sum(line.get("proof") == "canary" for line in lines)
        if code != 0 or passed != run.logins or (run.outcome == "good" and opened != passed):
            raise SystemExit(f"loginspec: {passed} of {run.logins} cases passed, exit {code}: {lines[-1]}")


class Medusa(Client):
    """Believes an OK. It tries one user's passwords over one connection where the server lets it, and no option
    prevents that; so each of them is for the user in another spelling: a user of its own to medusa, not to Dovecot.
    """

    name = "medusa"

    def pairs(self, run):
        rounds = {}
        for user, secret in run.pairs():
            rounds[user] = rounds.get(user, -1) + 1
            yield accounts.spelt(user, rounds[user]), secret

    def command(self, run):
        path = f"{accounts.RUN}/medusa"
        accounts.write_pairs(path, self.pairs(run), before="127.0.0.1:")
        return ["medusa", "-C", path, "-t", str(run.jobs), "-n", str(accounts.PORTS[run.protocol]), "-M", run.protocol]


class MedusaReusing(Medusa):
    """The same without the spellings. Over POP3 medusa makes a connection for each login anyway."""

    name = "medusa, reusing"

    def takes_part(self, run):
        return run.outcome == "refused" and run.protocol == "imap"

    def pairs(self, run):
        return run.pairs()


class Hydra(Client):
    """Believes an OK. Several wrong passwords go over one connection; it waits in between, whatever it is told."""

    name = "hydra"

    def command(self, run):
        path = f"{accounts.RUN}/hydra"
        accounts.write_pairs(path, run.pairs())
        return ["hydra", "-q", "-I", "-C", path, "-t", str(run.jobs), "-s", str(accounts.PORTS[run.protocol]),
                "127.0.0.1", run.protocol]


class Python(Client):
    """A connection for each login; believes an OK."""

    name = "python"
    options = ()

    def command(self, run):
        path = f"{accounts.RUN}/python"
        accounts.write_pairs(path, run.pairs())
        script = f"{HERE}/python_client.py"
        return ["python3", script, run.protocol, run.outcome, str(run.jobs), path, *self.options]

    def check(self, run, code):
        """It exits so where a login came to something else."""
        if code != 0:
            raise SystemExit(f"{self.name}: exit {code}")


class PythonWithCanary(Python):
    """A connection for each login, and the same proof as loginspec's; where logins are refused it is no different."""

    name = "python, with canary"
    options = ("canary",)

    def takes_part(self, run):
        return run.outcome == "good"


CLIENTS = [Loginspec(), Medusa(), MedusaReusing(), Hydra(), Python(), PythonWithCanary()]
