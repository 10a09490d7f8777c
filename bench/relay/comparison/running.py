"""Servers in turns, one at a time, each afresh for each run; nothing that is started here outlives it."""
import ctypes
import dataclasses
import json
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time

from .report import inside

CREDENTIALS = ["--user", "load", "--password", "secret"]
SERVER_ENDS = 15  # seconds
DESCRIPTORS = 262144
MOST_SKIPPED = 0.01  # of a run's load; with more, the server met another load than the others

_libc = ctypes.CDLL(None)


class Trouble(Exception):
    """A server or a run that is not as it must be; the text is for people."""


class LoadTrouble(Trouble):
    """What turn-load says, of a server that may be well."""


class Interrupted(Exception):
    """Somebody wants us to end."""


SIGNALS = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
_living = {}  # what was started and not ended, by process id


def end_on_signals():
    """The first signal ends the run and what it started; more of them do not get in the way of that."""
    def end(number, _frame):
        ignore_signals()
        raise Interrupted(signal.Signals(number).name)

    for each in SIGNALS:
        signal.signal(each, end)


def ignore_signals():
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)


def raise_descriptor_limit():
    """For us and what we start, as far as we may: a client, a connection and a relay each take one. The limit then."""
    for most in DESCRIPTORS, resource.getrlimit(resource.RLIMIT_NOFILE)[1]:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, max(most, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
            break
        except (ValueError, OSError):
            continue
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def start(command, **options):
    """A process in a group of its own (the terminal's Ctrl-C is for us alone), which the kernel ends if we are killed."""
    parent = os.getpid()
    set_death_signal = 1  # PR_SET_PDEATHSIG
    held = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # no signal comes between its start and its entry

    def in_the_child():
        _libc.prctl(set_death_signal, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)  # we were killed before that
        signal.pthread_sigmask(signal.SIG_SETMASK, held)

    try:
        process = subprocess.Popen(command, start_new_session=True, preexec_fn=in_the_child, **options)
        _living[process.pid] = process
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
    return process


def kill(process):
    """At once, with whatever it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
    _living.pop(process.pid, None)


def kill_all():
    """Whatever a signal kept from being ended."""
    for each in list(_living.values()):
        kill(each)


def stop(process):
    """As an operator would. What it leaves behind, or if it stays, is killed; says what was wrong."""
    process.stdin.close()
    process.terminate()
    try:
        status = process.wait(SERVER_ENDS)
    except subprocess.TimeoutExpired:
        return f"it did not end within {SERVER_ENDS} s of SIGTERM"
    finally:
        kill(process)
    return "" if status in (0, -signal.SIGTERM) else f"it ended with status {status}"


def free_ports(count):
    """Ports that are free for UDP and TCP, outside of relay and ephemeral ports."""
    found = []
    for port in random.sample(range(20000, 30000), 100):
        try:
            for kind in socket.SOCK_DGRAM, socket.SOCK_STREAM:
                with socket.socket(socket.AF_INET, kind) as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        found.append(port)
        if len(found) == count:
            return found
    raise Trouble("no free port")


def make_certificate(room):
    """For 127.0.0.1, signed by itself; the same kind for each server."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-keyout", os.path.join(room, "key.pem"), "-out", os.path.join(room, "cert.pem"),
                    "-subj", "/CN=bench", "-addext", "subjectAltName=IP:127.0.0.1"],
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)


def run_load(command, server, seconds):
    load = start(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + seconds
    try:
        while True:
            try:
                out, err = load.communicate(timeout=0.5)
                break
            except subprocess.TimeoutExpired:
                if server.poll() is not None:
                    raise Trouble("it ended during the run") from None
                if time.monotonic() > deadline:
                    raise LoadTrouble(f"turn-load did not end within {seconds} s") from None
    finally:
        kill(load)
    if load.returncode != 0:
        words = " ".join(err.split()) or f"turn-load: {in_short(out) or f'status {load.returncode}'}"
        raise LoadTrouble(words)
    return json.loads(out)


def in_short(out):
    """Of a run that was not valid."""
    try:
        said = json.loads(out)
    except ValueError:
        return out.strip()
    return (f"{said['units']} units, {said['wrong']} payloads wrong, {said['failed']} requests failed" +
            (f", the first: {said['failure']}" if "failure" in said else ""))


@dataclasses.dataclass
class Run:
    """What a server has to know of one run; `room` is a directory for it, with cert.pem and key.pem if clients use TLS."""

    workload: object
    port: int
    tls_port: int
    room: str = ""

    def file(self, name):
        return os.path.join(self.room, name)


def measure(server, workload, load, timing):
    """One run: what turn-load said of it. Raises Trouble when server or run were not as they must be."""
    run = Run(workload, *free_ports(2))
    with tempfile.TemporaryDirectory(prefix="turn-bench-") as run.room:
        if workload.client == "tls":
            make_certificate(run.room)
        with open(run.file("log"), "w+b") as log:
            try:
                process = start(server.command(run), cwd=run.room, stdin=subprocess.PIPE,
                                stdout=subprocess.DEVNULL, stderr=log)
            except OSError as e:
                raise Trouble(f"it cannot be started: {e.strerror}") from e
            try:
                server.wait_until_ready(process, run)
                said = run_load([load, *workload.arguments(), *timing, *CREDENTIALS, "--target", server.target,
                                 "--server", f"127.0.0.1:{run.tls_port if workload.client == 'tls' else run.port}",
                                 "--pid", str(process.pid)], process, workload.seconds)
                wrong = stop(process)
                if wrong:
                    raise Trouble(wrong)
            except Trouble as trouble:
                of_the_load = isinstance(trouble, LoadTrouble) and process.poll() is None
                raise Trouble(f"{trouble}{'' if of_the_load else last_words(process, log)}") from trouble
            finally:
                kill(process)
        server.check(said, run)
    return said


def last_words(process, log):
    """What a person would look at next: how the server ended, if it did, and its last line."""
    status = process.poll()
    log.seek(0)
    lines = log.read().decode(errors="replace").strip().splitlines()
    words = f"; status {status}" if status not in (None, 0, -signal.SIGTERM) else ""
    return words + (f"; its last words: {lines[-1].strip()[:200]}" if lines else "")


def turns(servers, rounds):
    """(round, server), A B C D, D C B A, ..., so that what changes on the machine changes for all."""
    return [(number, each) for number in range(rounds) for each in (servers if number % 2 == 0 else servers[::-1])]


def skipped_share(said):
    """Of what should have been sent within the window, what was not; of a flood, if that is more."""
    loads = [said, inside(said, "fairness", "flood") or said]
    return max(each["skipped"] / max(each["sent"] + each["skipped"], 1) for each in loads)


def headline(said):
    if "fairness" in said:
        return f"Jain's index {said['fairness']['jain']:.4f}"
    memory = said.get("memory", {})
    if "growth" in memory:
        return f"{memory['growth']:+.1%} of resident memory"
    if "bytes_per_allocation" in memory:
        return f"{memory['bytes_per_allocation']:.0f} bytes for each"
    return f"{said['cpu_us_per_unit']:.2f} µs"


def run_all(workloads, servers, options, report):
    """Fills the report's runs, doubts and failures, until the end or until Interrupted."""
    load = os.path.join(options.build, "bench", "turn-load")
    timing = ["--warm-up", str(options.warm_up), "--window", str(options.window)]
    plan = [(workload, number, server) for workload in workloads
            for number, server in turns([each for each in servers if each.does(workload)],
                                        min(options.rounds, workload.most_rounds))]
    for done, (workload, number, server) in enumerate(plan, 1):
        runs = report["runs"].setdefault(workload.name, [{} for _ in range(min(options.rounds, workload.most_rounds))])
        name = f"{workload.name}, round {number + 1}, {server.name}"
        try:
            said = runs[number][server.name] = measure(server, workload, load, timing)
        except Trouble as trouble:
            report["failures"].append(f"{name}: {trouble}")
            print(f"[{done}/{len(plan)}] failed: {report['failures'][-1]}", file=sys.stderr)
            continue
        print(f"[{done}/{len(plan)}] {name}: {headline(said)}", file=sys.stderr)
        if (share := skipped_share(said)) > MOST_SKIPPED:
            report["doubts"].append(f"{name} ({share:.0%} not sent)")
