"""What is measured, and what it has to come to."""
import dataclasses
import operator

JUDGED, FULL = "judged", "full"


@dataclasses.dataclass(frozen=True)
class Workload:
    """`load`: arguments of turn-load. `group`: JUDGED ones are in every run, FULL ones with --full. `flows`: its point in
    the chart of CPU by flows."""

    name: str
    load: tuple
    unit: str = "packet relayed"
    group: str = JUDGED
    floor: bool = True  # turn-floor can do it: it forwards, and answers nothing
    flows: int = 0
    client: str = "udp"  # how clients reach the server

    def arguments(self):
        return [*self.load, *(("--client", self.client) if self.client != "udp" else ())]


CONSTANT_RATE = 40000  # packets/s of all flows together, in the workloads that differ in their number

WORKLOADS = [
    Workload("audio", ("audio",)),
    Workload("indications", ("indications",)),
    Workload("video", ("video",)),
    Workload("video, GSO/GRO ends", ("video", "--segmentation")),
    Workload("one flow", ("flow",)),
    Workload("one flow, GSO/GRO ends", ("flow", "--segmentation")),
    Workload("TCP clients", ("audio",), floor=False, client="tcp"),
    Workload("TLS clients", ("audio",), floor=False, client="tls"),
    Workload("Binding", ("binding",), unit="answer", floor=False),
    Workload("allocate cycle", ("allocate",), unit="cycle", floor=False),
    Workload("audio, 20 000 packets/s", ("audio", "--clients", "200")),  # where latencies are compared
    *(Workload(f"{flows} flows", ("audio", "--clients", str(flows), "--rate", str(CONSTANT_RATE // 2 // flows)),
               group=FULL, flows=flows) for flows in (10, 100, 1000, 5000)),
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
    Target("audio, 20 000 packets/s", "p50", 1.00, "coturn"),
    Target("audio, 20 000 packets/s", "p99", 1.00, "coturn"),
]
