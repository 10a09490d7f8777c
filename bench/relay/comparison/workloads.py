"""What is measured, and what it has to come to."""
import dataclasses
import operator

JUDGED, FULL = "judged", "full"
TRAFFIC = ("cpu", "p50", "p99", "p99.9", "units_per_s", "loss")  # keys of report.FIGURES
OTHER_DESCRIPTORS = 1000
MEMORY = ("bytes", "allocations", "resident")
FLOOD = TRAFFIC + ("jain", "relayed_of_flood")
BULK = ("cpu", "units_per_s")
CHURN = ("growth", "before", "after", "units_per_s")


@dataclasses.dataclass(frozen=True)
class Workload:
    """`load`: arguments of turn-load. `group`: JUDGED ones are in every run, FULL ones with --full. `flows`, `allocations`:
    its point in the chart of CPU by flows, of memory by allocations."""

    name: str
    load: tuple
    unit: str = "packet relayed"
    group: str = JUDGED
    floor: bool = True  # turn-floor can do it: it forwards, and answers nothing
    flows: int = 0
    client: str = "udp"  # how clients reach the server
    tcp_too: bool = False  # some of them
    tcp_relay: bool = False  # relays over TCP, which is a client's business over TCP only
    allocations: int = 0
    limit: int = 0  # bits per second of an allocation that the server lets through; not all servers have one
    figures: tuple = TRAFFIC
    most_rounds: int = 1000  # more say nothing more
    seconds: int = 180  # after which turn-load is given up

    def arguments(self):
        return [*self.load, *(("--client", self.client) if self.client != "udp" else ()),
                *(("--clients", str(self.allocations)) if self.allocations else ())]

    def listened_for(self):
        """The last of udp, tcp and tls that the server needs."""
        return "tcp" if self.tcp_too or self.tcp_relay else self.client

    def within(self, descriptors):
        """Itself, or with as many allocations as fit: each takes a descriptor of the server, and one of turn-load."""
        most = max(descriptors - OTHER_DESCRIPTORS, 1)
        return self if self.allocations <= most else dataclasses.replace(self, allocations=most)

    def shortened(self):
        """Itself, or what `--quick` makes of one that no window ends."""
        return dataclasses.replace(self, load=(*self.load, "--bytes", str(QUICK_BYTES))) if self.tcp_relay else self


QUICK_BYTES = 50_000_000  # each way
CONSTANT_RATE = 40000  # packets/s of all flows together, in the workloads that differ in their number

WORKLOADS = [
    Workload("audio", ("audio",)),
    Workload("indications", ("indications",)),
    Workload("video", ("video",)),
    Workload("video, GSO/GRO ends", ("video", "--segmentation")),
    Workload("one flow", ("flow",)),
    Workload("one flow, GSO/GRO ends", ("flow", "--segmentation")),
    # No more than coturn's thread and turn-load keep up with: who is behind finds many messages at once, which is cheap.
    Workload("TCP clients", ("audio", "--clients", "500"), client="tcp"),
    Workload("TCP clients, video", ("video",), client="tcp"),
    Workload("TLS clients", ("audio", "--clients", "300"), floor=False, client="tls"),
    Workload("TCP clients, 100 000 packets/s", ("audio",), group=FULL, client="tcp"),
    Workload("Binding", ("binding",), unit="answer", floor=False),
    Workload("allocate cycle", ("allocate",), unit="cycle", floor=False),
    Workload("audio, 20 000 packets/s", ("audio", "--clients", "200")),  # where latencies are compared
    *(Workload(f"{flows} flows", ("audio", "--clients", str(flows), "--rate", str(CONSTANT_RATE // 2 // flows)),
               group=FULL, flows=flows) for flows in (10, 100, 1000, 5000)),
    Workload("mix", ("mix",), floor=False, tcp_too=True),
    # The one that floods sends half of what a thread can relay; the limit is four times what each of the others needs.
    Workload("flood", ("flood", "--flood-rate", "80000"), unit="packet of the equals", floor=False, figures=FLOOD,
             limit=1_000_000),
    *(Workload(f"memory, {count} allocations", ("memory",), unit="allocation", floor=False,
               group=JUDGED if count == 5000 else FULL, allocations=count, figures=MEMORY, most_rounds=2, seconds=600)
      for count in (1000, 5000, 20000, 50000)),
    Workload("TCP relay", ("tcp-relay",), unit="million bytes relayed", group=FULL, tcp_relay=True, figures=BULK,
             seconds=300),
    *(Workload(f"churn, {count} cycles", ("churn", "--cycles", str(count)), unit="cycle", floor=False, group=group,
               figures=CHURN, most_rounds=rounds, seconds=seconds)
      for count, group, rounds, seconds in ((20_000, JUDGED, 2, 180), (1_000_000, FULL, 1, 3600))),
]
BY_NAME = {each.name: each for each in WORKLOADS}


@dataclasses.dataclass(frozen=True)
class Target:
    """turnd's `figure` in `workload`, as a ratio to that of `other` when there is one, is to be `bound` `value`."""

    workload: str
    figure: str  # a key of report.FIGURES
    value: float
    other: str = ""
    bound: str = "≤"

    def holds(self, measured):
        return {"≤": operator.le, "<": operator.lt, ">": operator.gt}[self.bound](measured, self.value)


LEAST_ROUNDS, LEAST_WINDOW = 5, 4.0  # what counts as a measurement
MOST_LOSS = 0.0001  # in workloads where coturn loses nothing

TARGETS = [
    Target("audio", "cpu", 0.82, "coturn"),
    Target("indications", "cpu", 0.85, "coturn"),
    Target("video", "cpu", 0.72, "coturn"),
    Target("video, GSO/GRO ends", "cpu", 0.27, "coturn"),
    Target("one flow, GSO/GRO ends", "cpu", 0.10, "coturn"),
    Target("TCP clients", "cpu", 0.60, "coturn"),
    Target("TLS clients", "cpu", 1.00, "coturn", "<"),
    Target("Binding", "cpu", 0.85, "coturn"),
    Target("allocate cycle", "cpu", 0.33, "coturn"),
    Target("audio", "cpu", 1.12, "floor"),
    Target("video", "cpu", 1.15, "floor"),
    Target("video, GSO/GRO ends", "cpu", 1.30, "floor"),
    Target("one flow, GSO/GRO ends", "cpu", 1.30, "floor"),
    Target("TCP relay", "cpu", 0.10, "coturn"),
    Target("TCP relay", "cpu", 1.30, "floor"),
    Target("memory, 50000 allocations", "bytes", 2000),
    Target("flood", "jain", 0.95, bound=">"),
    Target("churn, 1000000 cycles", "growth", 0.10),
    Target("audio, 20 000 packets/s", "p50", 1.00, "coturn"),
    Target("audio, 20 000 packets/s", "p99", 1.00, "coturn"),
]
