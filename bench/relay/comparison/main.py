"""`./dev bench`: turnd, coturn and a floor of the same sockets, in turns.

CPU time of the server for each unit, loss and latency, by workload. Writes report.md, report.json and charts (SVG) into the
output directory, and says which targets are met. Exit status: 0, or 1 when a run failed or was interrupted; a target that
is not met is a result."""
import argparse
import datetime
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import time

from . import charts, report as reports, running, servers
from .workloads import BY_NAME, FULL, WORKLOADS

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__)))))
PUBLISHED = os.path.join(ROOT, "docs", "bench")
MOST_BUSY = 0.05  # of the machine, before the first run


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    extent = parser.add_mutually_exclusive_group()
    extent.add_argument("--quick", action="store_true", help="one short round: to see that it works, in under 3 minutes")
    extent.add_argument("--full", action="store_true", help="all workloads and servers, however long it takes")
    extent.add_argument("--publish", action="store_true", help="measure nothing: put the last report into docs/bench")
    parser.add_argument("--workload", action="append", choices=list(BY_NAME), metavar="NAME",
                        help="only this one; repeatable: " + "; ".join(BY_NAME))
    parser.add_argument("--server", action="append", choices=servers.NAMES, metavar="NAME",
                        help="only this one; repeatable: " + "; ".join(servers.NAMES))
    parser.add_argument("--rounds", type=int, help="[6, quick: 1]")
    parser.add_argument("--window", type=float, help="seconds that are measured [4, quick: 1]")
    parser.add_argument("--warm-up", type=float, help="seconds before that [1, quick: 0.3]")
    parser.add_argument("--threads", type=int, default=1, help="of each server [1]")
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "release"), help="where the programs were built")
    parser.add_argument("--output", help="directory for the report [bench in the build directory]")
    o = parser.parse_args(arguments)
    for name, usual, quick in ("rounds", 6, 1), ("window", 4.0, 1.0), ("warm_up", 1.0, 0.3):
        if getattr(o, name) is None:
            setattr(o, name, quick if o.quick else usual)
    if o.rounds < 1 or o.window <= 0 or o.warm_up < 0 or o.threads < 1:
        parser.error("rounds, window and threads are more than nothing")
    o.build = os.path.abspath(o.build)
    o.output = os.path.abspath(o.output or os.path.join(o.build, "bench"))
    return o


def busy_share(seconds=0.5):
    """Of the machine, while we do nothing."""
    def times():
        with open("/proc/stat", encoding="ascii") as file:
            spent = [int(each) for each in file.readline().split()[1:]]
        return sum(spent), spent[3] + spent[4]  # idle and waiting for input and output

    all_before, idle_before = times()
    time.sleep(seconds)
    all_after, idle_after = times()
    return 1 - (idle_after - idle_before) / max(all_after - all_before, 1)


def commit():
    """Of the working tree, if git knows."""
    said = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, check=False) if shutil.which("git") else None
    return said.stdout.strip() if said and said.returncode == 0 else "unknown"


def machine(options, measured, arguments):
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = re.search(r"model name\s*: (.*)", file.read())
    return {
        "when": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "machine": f"{os.cpu_count()} × {model[1] if model else platform.machine()}, Linux {platform.release()}",
        "versions": ", ".join(dict.fromkeys(each.version() for each in measured)) + f"; commit {commit()}",
        "threads of each server": options.threads,
        "rounds": f"{options.rounds}, of {options.window:g} s after {options.warm_up:g} s",
        "command": shlex.join(["./dev", "bench", *arguments]),
    }


def write(report, output):
    reports.finish(report)
    drawn = charts.draw(report)
    files = {name: svg for name, (_, svg) in drawn.items()}
    files["report.md"] = reports.markdown(report, {name: title for name, (title, _) in drawn.items()})
    files["report.json"] = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
    os.makedirs(output, exist_ok=True)
    for old in os.listdir(output):
        if old.endswith(".svg"):
            os.remove(os.path.join(output, old))  # of another run
    for name, content in files.items():
        with open(os.path.join(output, name), "w", encoding="utf-8") as file:
            file.write(content)
    return files["report.md"]


def publish(output, place):
    """The README shows what lies in docs/bench: only a whole run belongs there."""
    try:
        with open(os.path.join(output, "report.json"), encoding="utf-8") as file:
            report = json.load(file)
    except FileNotFoundError:
        sys.exit(f"there is no report in {output}: run ./dev bench first")
    wrong = report["failures"] or report["interrupted"] or reports.short_of_a_measurement(report["options"])
    if wrong:
        sys.exit(f"this run is not for showing: {wrong if isinstance(wrong, str) else '; '.join(wrong)}")
    names = [each for each in os.listdir(output) if each.endswith(".svg")] + ["report.md", "report.json"]
    for old in os.listdir(place):
        if old != "README.md":
            os.remove(os.path.join(place, old))
    for name in names:
        shutil.copy(os.path.join(output, name), place)
    print(f"docs/bench has the run of {report['machine']['when']}: {', '.join(sorted(names))}")


def reduce(workloads, descriptors, quick, report):
    """To what the machine allows, and who asks has time for; what is reduced meets no target."""
    if quick:
        shortened = [each.shortened() for each in workloads]
        for wanted, possible in zip(workloads, shortened):
            if wanted is not possible:
                report["reduced"][wanted.name] = " ".join(possible.load)
                report["left_out"].append(f"{wanted.name}: {' '.join(possible.load)} instead of all of it (--quick)")
        workloads = shortened
    fitting = [each.within(descriptors) for each in workloads]
    for wanted, possible in zip(workloads, fitting):
        if wanted is not possible:
            report["reduced"][wanted.name] = possible.allocations
            report["left_out"].append(f"{wanted.name}: {possible.allocations} instead, since a process may open "
                                      f"{descriptors} descriptors only (ulimit -Hn)")
    return fitting


def main(arguments):
    o = parse_arguments(arguments)
    if o.publish:
        publish(o.output, PUBLISHED)
        return 0
    workloads = [each for each in WORKLOADS
                 if (each.name in o.workload if o.workload else o.full or each.group != FULL)]
    try:
        measured, left_out = servers.choose(o.build, o.threads, o.server or (servers.NAMES if o.full else servers.USUAL))
    except running.Trouble as trouble:
        sys.exit(str(trouble))
    if not measured:
        sys.exit("nothing to measure: " + "; ".join(left_out))
    report = {"machine": machine(o, measured, arguments),
              "options": {"rounds": o.rounds, "window": o.window, "warm_up": o.warm_up, "threads": o.threads},
              "verdicts": [], "summary": {}, "doubts": [], "failures": [], "left_out": left_out, "reduced": {},
              "interrupted": "", "runs": {}}
    workloads = reduce(workloads, running.raise_descriptor_limit(), o.quick, report)
    for each in report["left_out"]:
        print(f"left out: {each}", file=sys.stderr)
    running.end_on_signals()
    try:
        if (busy := busy_share()) > MOST_BUSY:
            report["doubts"].append(f"the machine was {busy:.0%} busy before the first run")
        running.run_all(workloads, measured, o, report)
    except running.Interrupted as interrupted:
        report["interrupted"] = str(interrupted)
    finally:
        running.ignore_signals()
        running.kill_all()
    print(write(report, o.output))
    print(f"written to {o.output}", file=sys.stderr)
    return 1 if report["failures"] or report["interrupted"] else 0
