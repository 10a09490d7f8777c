"""From what turn-load said of each run to medians, verdicts and Markdown."""
import statistics

from .workloads import BY_NAME, LEAST_ROUNDS, LEAST_WINDOW, MOST_LOSS, TARGETS, WORKLOADS

AGAIN = "turnd again"  # turnd against itself: what a run can tell apart


def inside(said, *names):
    """said[one][two], or None."""
    for name in names:
        said = said.get(name) if said is not None else None
    return said


# A run's figures by what they are called here; None where a workload has no such figure.
FIGURES = {
    "cpu": lambda said: said.get("cpu_us_per_unit"),
    "p50": lambda said: inside(said, "latency_us", "p50"),
    "p99": lambda said: inside(said, "latency_us", "p99"),
    "p99.9": lambda said: inside(said, "latency_us", "p99.9"),
    "units_per_s": lambda said: said.get("units_per_s"),
    "bytes": lambda said: inside(said, "memory", "bytes_per_allocation"),
    "allocations": lambda said: inside(said, "memory", "allocations"),
    "resident": lambda said: inside(said, "memory", "full", "rss"),
    "before": lambda said: inside(said, "memory", "before", "rss"),
    "after": lambda said: inside(said, "memory", "after", "rss"),
    "jain": lambda said: inside(said, "fairness", "jain"),
    "relayed_of_flood": lambda said: inside(said, "fairness", "flood", "relayed_share"),
    "growth": lambda said: inside(said, "memory", "growth"),
}
TITLES = {"cpu": "CPU", "p50": "latency p50", "p99": "latency p99", "bytes": "bytes for each",
          "jain": "Jain's index of the equals", "growth": "growth of the resident memory"}  # what is judged


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)} if values else None


def ratios(runs, figure, server, other):
    """Median and range of the ratios of each round; None if the two never met."""
    read = FIGURES[figure]
    pairs = [(read(each[server]), read(each[other])) for each in runs if server in each and other in each]
    return spread([mine / theirs for mine, theirs in pairs if mine is not None and theirs])


def loss(runs, server):
    """Of all rounds together: most of them lose nothing, and a median would hide the others."""
    mine = [each[server] for each in runs if server in each and "lost" in each[server]]
    sent = sum(said["sent"] for said in mine)
    return sum(said["lost"] for said in mine) / sent if sent else None


def summarize(workload, runs):
    """{server: figures} of one workload; runs: one {server: what turn-load said} a round."""
    known = BY_NAME[workload].figures
    servers = dict.fromkeys(name for each in runs for name in each)
    summary = {}
    for server in servers:
        mine = [each[server] for each in runs if server in each]
        figures = {name: spread([value for said in mine if (value := read(said)) is not None]) if name in known else None
                   for name, read in FIGURES.items()}
        figures["loss"] = loss(runs, server) if "loss" in known else None
        figures["rounds"] = len(mine)
        figures["cipher"] = next((said["cipher"] for said in mine if "cipher" in said), "")
        figures["ratio"] = {name: {other: ratios(runs, name, server, other) for other in servers if other != server}
                            for name in TITLES if name in known}
        summary[server] = figures
    return summary


def judge(report):
    """Each target with what was measured; `met` is None where nothing was."""
    verdicts = []
    for target in TARGETS:
        summary = report["summary"].get(target.workload, {})
        mine = summary.get("turnd", {})
        found = mine.get("ratio", {}).get(target.figure, {}).get(target.other) if target.other else mine.get(target.figure)
        again = summary.get(AGAIN, {}).get("ratio", {}).get(target.figure, {}).get("turnd")
        beyond = failed(report, target.workload) or target.workload in report["reduced"]
        verdicts.append({
            "what": f"{target.workload}: {TITLES[target.figure]}" + (f" / {target.other}'s" if target.other else ""),
            "bound": f"{target.bound} {target.value:g}", "measured": found, "again": again,
            "met": False if beyond else target.holds(found["median"]) if found else None,
        })
    return verdicts + [judge_loss(report["summary"])]


def failed(report, workload):
    """A round of turnd: what it cannot do is not met, whatever the other rounds say."""
    return any(each.startswith(f"{workload}, round ") and ", turnd: " in each for each in report["failures"])


def judge_loss(summary):
    """The worst of the workloads in which coturn loses nothing."""
    losses = {name: figures["turnd"]["loss"] for name, figures in summary.items()
              if figures.get("turnd", {}).get("loss") is not None and figures.get("coturn", {}).get("loss") == 0}
    worst = max(losses, key=losses.get, default=None)
    return {"what": "loss where coturn has none" + (f" ({len(losses)} workloads; worst: {worst})" if losses else ""),
            "bound": f"≤ {MOST_LOSS:.2%}", "measured": spread([losses[worst]]) if losses else None, "again": None,
            "met": losses[worst] <= MOST_LOSS if losses else None}


def short_of_a_measurement(options):
    """Why the figures do not count, or nothing."""
    if options["rounds"] >= LEAST_ROUNDS and options["window"] >= LEAST_WINDOW:
        return ""
    rounds = f"{options['rounds']} round" + ("s" if options["rounds"] != 1 else "")
    return f"Too short to count: {rounds} of {options['window']:g} s, not at least {LEAST_ROUNDS} of {LEAST_WINDOW:g} s."


def finish(report):
    """Everything that follows from the runs."""
    report["summary"] = {name: summarize(name, runs) for name, runs in report["runs"].items()}
    report["verdicts"] = judge(report)


def amount(value):
    """Three digits that mean something."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def with_range(figures, write=amount):
    if figures is None:
        return ""
    low, high = write(figures["min"]), write(figures["max"])
    return write(figures["median"]) + (f" ({low}–{high})" if low != high else "")


def verdict_lines(report):
    lines = ["## Verdict", ""]
    if short := short_of_a_measurement(report["options"]):
        lines += [f"**{short}**", ""]
    lines += ["| turnd | has to be | measured (range) | A/A (range) | |", "|---|---|---|---|---|"]
    say = {True: "met", False: "**not met**", None: "not measured"}
    for each in report["verdicts"]:
        write = "{:.4%}".format if each["bound"].endswith("%") else lambda value: f"{value:.{3 if value < 100 else 0}f}"
        lines.append(f"| {each['what']} | {each['bound']} | {with_range(each['measured'], write)} | "
                     f"{with_range(each['again'], write)} | {say[each['met']]} |")
    return lines + ["", "Ratios are medians of the ratios of each round. A/A is turnd against itself, started as another "
                    "server of the same rounds: what lies within its range, this run cannot tell apart.", ""]


def with_figure(report, figure):
    return [(name, summary) for name, summary in report["summary"].items() if figure in BY_NAME[name].figures]


def memory_lines(report):
    if not with_figure(report, "bytes"):
        return []
    lines = ["## Memory", "", "Resident memory that an allocation with one permission and one channel adds to the server "
             "(the kernel's sockets are not part of it), and the server's whole then.", "",
             "| allocations | server | bytes for each | / coturn | resident, MB |", "|---|---|---|---|---|"]
    for _, summary in with_figure(report, "bytes"):
        for server, f in summary.items():
            ratio = f"{r['median']:.2f}" if (r := f["ratio"]["bytes"].get("coturn")) else ""
            resident = with_range(f["resident"], lambda value: amount(value / 1e6))
            lines.append(f"| {with_range(f['allocations'])} | {server} | {with_range(f['bytes'])} | {ratio} | "
                         f"{resident} |")
    return lines + [""]


def churn_lines(report):
    if not with_figure(report, "growth"):
        return []
    lines = ["## Churn", "", "Allocations made and ended, as fast as they are answered: the server's resident memory after "
             "the first 1000 and at the end.", "",
             "| workload | server | before, MB | after, MB | growth | cycles/s |", "|---|---|---|---|---|---|"]
    megabytes = lambda value: amount(value / 1e6)
    for workload, summary in with_figure(report, "growth"):
        for server, f in summary.items():
            lines.append(f"| {workload} | {server} | {with_range(f['before'], megabytes)} | "
                         f"{with_range(f['after'], megabytes)} | {with_range(f['growth'], '{:.1%}'.format)} | "
                         f"{with_range(f['units_per_s'])} |")
    return lines + [""]


def flood_lines(report):
    if not with_figure(report, "jain"):
        return []
    lines = ["## Fairness", "", "Equal clients beside one that floods, at a server that limits what an allocation may relay: "
             "Jain's index of what each of the equals got (1: all the same), and what was relayed of the flood.", "",
             "| workload | server | Jain's index | loss of the equals | relayed of the flood |", "|---|---|---|---|---|"]
    for workload, summary in with_figure(report, "jain"):
        for server, f in summary.items():
            lines.append(f"| {workload} | {server} | {with_range(f['jain'], '{:.4f}'.format)} | {f['loss']:.4%} | "
                         f"{with_range(f['relayed_of_flood'], '{:.1%}'.format)} |")
    return lines + [""]


def figure_lines(report):
    if not with_figure(report, "cpu"):
        return []
    lines = ["## Figures", "", "CPU is the server's user and system time for each unit: median and range over the rounds. "
             "Latency is the generator's, there and back through its own sockets.", "",
             "| workload | unit | server | CPU µs/unit | / coturn | / floor | units/s | loss | p50 µs | p99 µs | p99.9 µs |",
             "|---|---|---|---|---|---|---|---|---|---|---|"]
    for workload, summary in with_figure(report, "cpu"):
        for server, f in summary.items():
            ratio = [f"{r['median']:.2f}" if (r := f["ratio"]["cpu"].get(other)) else "" for other in ("coturn", "floor")]
            lost = "" if f["loss"] is None else f"{f['loss']:.4%}"
            late = [amount(f[p]["median"]) if f[p] else "" for p in ("p50", "p99", "p99.9")]
            rate = f"{f['units_per_s']['median']:.0f}" if f["units_per_s"] else ""
            lines.append("| " + " | ".join([workload, BY_NAME[workload].unit, server, with_range(f["cpu"]), *ratio, rate,
                                            lost, *late]) + " |")
    ciphers = [f"{workload}: " + ", ".join(f"{server} {f['cipher']}" for server, f in summary.items() if f["cipher"])
               for workload, summary in report["summary"].items() if any(f["cipher"] for f in summary.values())]
    return lines + [""] + [f"Ciphers, {each}." for each in ciphers] + [""]


def what_went_wrong(report):
    lines = []
    if report["interrupted"]:
        lines += [f"**Interrupted by {report['interrupted']}: the report has what was measured until then.**", ""]
    if report["failures"]:
        lines += ["**Runs that failed:**", ""] + [f"- {each}" for each in report["failures"]] + [""]
    if report["doubts"]:
        lines += ["**Doubtful:**", ""] + [f"- {each}" for each in report["doubts"]] + [""]
    if report["left_out"]:
        lines += ["**Left out:**", ""] + [f"- {each}" for each in report["left_out"]] + [""]
    return lines


def markdown(report, charts):
    """`charts`: {file: what it shows}"""
    lines = ["# Relay benchmark", ""]
    lines += [f"- {key}: {value}" for key, value in report["machine"].items()] + [""]
    lines += what_went_wrong(report) + verdict_lines(report)
    for file, title in charts.items():
        lines += [f"![{title}]({file})", ""]
    for part in figure_lines, flood_lines, memory_lines, churn_lines:
        lines += part(report)
    return "\n".join(lines).rstrip() + "\n"


def points(report, place, figure):
    """{server: [(number, figures)]}; `place`: what of a workload is its number."""
    found = {}
    for workload in WORKLOADS:
        if not getattr(workload, place):
            continue
        number = report["reduced"].get(workload.name, getattr(workload, place))
        for server, figures in report["summary"].get(workload.name, {}).items():
            if figures[figure]:
                found.setdefault(server, []).append((number, figures[figure]))
    return found
