"""How each server is started, told to be ready, and checked after its end."""
import json
import os
import re
import shutil
import socket
import subprocess
import time

from .running import Trouble

ADDRESS = "127.0.0.1"
MANY_PORTS = 1024, 65535  # for relays: the usual 16 384 are too few for 50 000 allocations


def configuration(name):
    """A file of bench/relay/servers."""
    return os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "servers", name)


class Server:
    """A program under test."""

    target = "turn"  # as turn-load calls it

    def __init__(self, name, program, threads):
        self.name, self.program, self.threads = name, program, threads

    def version(self):
        raise NotImplementedError

    def command(self, run):
        raise NotImplementedError

    def does(self, _workload):
        return True

    def wait_until_ready(self, process, run):
        wait_for_binding_answer(process, run.port)
        if run.workload.listened_for() != "udp":
            wait_for_listener(process, run.tls_port if run.workload.client == "tls" else run.port)

    def check(self, _said, _run):
        """After the server's end: raises Trouble when its books disagree with the generator's."""


class Turnd(Server):
    def version(self):
        return subprocess.run([self.program, "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()

    def command(self, run):
        command = [self.program, "--config", configuration("turnd.toml"), "--listen", f"{ADDRESS}:{run.port}",
                   "--threads", str(self.threads), "--counters-file", run.file("counters.json"),
                   *(("--tcp-relay",) if run.workload.tcp_relay else ())]
        if run.workload.client == "tls":
            command += ["--tls-listen", f"{ADDRESS}:{run.tls_port}", "--cert", run.file("cert.pem"),
                        "--key", run.file("key.pem")]
        if run.workload.allocations:
            command += ["--relay-ports", f"{MANY_PORTS[0]}-{MANY_PORTS[1]}"]
        if run.workload.limit:
            command += ["--bandwidth-per-allocation", str(run.workload.limit)]
        return command

    def check(self, said, run):
        """Conservation: what was sent to turnd it relayed, but for what it or the kernel dropped, and counted."""
        with open(run.file("counters.json"), encoding="utf-8") as file:
            counters = json.load(file)
        total = counters["total"]
        for what in "allocations", "permissions", "channels":
            if total[what] != 0:
                raise Trouble(f"it ends with {total[what]} {what}")
        if "whole_run" not in said:
            return
        drops = counters_sum(counters, "kernel-drops")
        missing = 0
        for way in "up", "down":
            sent, arrived = said["whole_run"]["sent"][way], said["whole_run"]["arrived"][way]
            relayed = total["relayed"][way]["packets"]
            if not arrived <= relayed <= sent:
                raise Trouble(f"{way}: sent {sent}, relayed {relayed}, arrived {arrived}")
            missing += sent - relayed - sum(total["dropped"][way].values())
        if missing > drops + said["dropped_by_generator"]:
            raise Trouble(f"{missing} packets are in nobody's books (the kernel dropped {drops})")


class Coturn(Server):
    def version(self):
        said = subprocess.run([self.program, "--version"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)
        found = re.search(r"\d+\.\d+\.\d+", said.stdout)
        return "coturn " + (found[0] if found else "?")

    def command(self, run):
        # It reads one file only.
        with open(run.file("coturn.conf"), "w", encoding="utf-8") as all_of_it:
            many = ["coturn-memory.conf"] if run.workload.allocations else []
            many += [] if run.workload.tcp_relay else ["coturn-udp-relay.conf"]
            for part in "coturn.conf", f"coturn-{run.workload.listened_for()}.conf", *many:
                with open(configuration(part), encoding="utf-8") as file:
                    all_of_it.write(file.read())
        return [self.program, "-c", run.file("coturn.conf"), "--listening-port", str(run.port),
                "--tls-listening-port", str(run.tls_port), "--relay-threads", str(self.threads),
                "--userdb", run.file("turndb"), "--pidfile", run.file("pid"),
                *(("--max-bps", str(run.workload.limit // 8)) if run.workload.limit else ())]  # bytes, for all its name


class Pion(Server):
    """A program of ours around Debian's package of the library: it has to be compiled, which takes Go."""

    PACKAGES = "golang-go golang-github-pion-turn.v2-dev"
    GOPATH = "/usr/share/gocode"  # where Debian puts libraries

    def does(self, workload):
        return not workload.limit and not workload.tcp_relay  # it has neither

    @classmethod
    def why_not(cls):
        if shutil.which("go") is None:
            return f"pion: Go is not installed (apt-get install {cls.PACKAGES})"
        if not os.path.isdir(os.path.join(cls.GOPATH, "src/github.com/pion/turn/v2")):
            return f"pion: its Debian package is not installed (apt-get install {cls.PACKAGES})"
        return ""

    def compile(self):
        """From the installed sources alone: nothing is fetched, nothing is kept outside of the build directory."""
        place = os.path.dirname(self.program)
        environment = {**os.environ, "GO111MODULE": "off", "GOFLAGS": "", "GOPATH": self.GOPATH, "CGO_ENABLED": "0",
                       "GOCACHE": os.path.join(place, "go-cache")}
        run = subprocess.run(["go", "build", "-o", self.program, "."], cwd=configuration("pion"),
                             env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if run.returncode != 0:
            raise Trouble(f"pion cannot be compiled: {run.stdout.strip()}")

    def version(self):
        said = subprocess.run(["dpkg-query", "-W", "-f=${Version}", "golang-github-pion-turn.v2-dev"],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False).stdout
        go = subprocess.run(["go", "env", "GOVERSION"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
        return f"pion turn {said or '?'} ({go})"

    def command(self, run):
        command = ["env", f"GOMAXPROCS={self.threads}", self.program, "-listen", f"{ADDRESS}:{run.port}"]
        if run.workload.client == "tls":
            command += ["-tls-listen", f"{ADDRESS}:{run.tls_port}", "-cert", run.file("cert.pem"),
                        "-key", run.file("key.pem")]
        if run.workload.allocations:
            command += ["-min-port", str(MANY_PORTS[0])]
        return command


class Floor(Server):
    target = "floor"

    def version(self):
        return "turn-floor"

    def command(self, run):
        bench = os.path.dirname(self.program)
        if run.workload.tcp_relay:
            return [os.path.join(bench, "turn-splice-floor"), f"{ADDRESS}:{run.port}"]
        program = os.path.join(bench, "turn-stream-floor") if run.workload.client == "tcp" else self.program
        return [program, f"{ADDRESS}:{run.port}", str(self.threads)]

    def does(self, workload):
        return workload.floor

    def wait_until_ready(self, process, run):
        """Sockets for datagrams are all bound before the first of them, and clients repeat their lessons."""
        if run.workload.tcp_relay or run.workload.client == "tcp":
            wait_for_listener(process, run.port)


def counters_sum(tree, name):
    """Everything of this name in turnd's counters, per shard or in total."""
    if not isinstance(tree, dict):
        return 0
    return sum(value if key == name else counters_sum(value, name) for key, value in tree.items())


def wait_for_binding_answer(process, port):
    """RFC 8489, 12: until a Binding request is answered, 10 s at most."""
    request = bytes.fromhex("000100002112a442") + os.urandom(12)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect((ADDRESS, port))
        client.settimeout(0.05)
        for _ in range(200):
            if process.poll() is not None:
                raise Trouble("it ended instead of serving")
            try:
                client.send(request)
                if client.recv(2048)[8:20] == request[8:20]:
                    return
            except socket.timeout:
                continue
            except ConnectionRefusedError:
                time.sleep(0.05)
    raise Trouble("it does not answer")


def wait_for_listener(process, port):
    """Until a connection is accepted, 10 s at most."""
    for _ in range(200):
        if process.poll() is not None:
            raise Trouble("it ended instead of serving")
        try:
            socket.create_connection((ADDRESS, port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise Trouble("it accepts no connection")


def choose(build, threads, names):
    """(servers in the order of a round, those left out and why)"""
    turnd = os.path.join(build, "turnd", "turnd")
    bench = os.path.join(build, "bench")
    coturn = shutil.which("turnserver")
    if "coturn" in names and coturn is None:
        raise Trouble("turnserver is not installed: apt-get install coturn")
    servers = [Turnd("turnd", turnd, threads), Coturn("coturn", coturn, threads),
               Pion("pion", os.path.join(bench, "turn-pion"), threads),
               Floor("floor", os.path.join(bench, "turn-floor"), threads), Turnd("turnd again", turnd, threads)]
    servers = [each for each in servers if each.name in names]
    left_out = [reason for each in servers if isinstance(each, Pion) and (reason := each.why_not())]
    if left_out:
        servers = [each for each in servers if not isinstance(each, Pion)]
    for each in servers:
        if isinstance(each, Pion):
            each.compile()
    return servers, left_out


NAMES = ["turnd", "coturn", "pion", "floor", "turnd again"]
USUAL = [each for each in NAMES if each != "pion"]  # which is for --full, or for who asks
