"""Charts as plain SVG: no script, no font, nothing from elsewhere; legible on light and on dark."""
import math
from xml.sax.saxutils import escape

from .report import AGAIN, amount, points
from .workloads import BY_NAME

# server: light, dark. Of other servers: grey.
COLOURS = {"turnd": ("#0969da", "#4493f8"), "coturn": ("#bc4c00", "#f0883e"), "pion": ("#1a7f37", "#3fb950"),
           "floor": ("#6e7781", "#9198a1")}
WIDTH, LEFT, RIGHT, TOP = 760, 220, 70, 64
ROW, GAP = 18, 14


def class_of(server):
    return server if server in COLOURS else "floor"


def style():
    def rules(shade, ground, ink, faint):
        of_servers = "".join(f".{name}{{fill:{colours[shade]};stroke:{colours[shade]}}}"
                             for name, colours in COLOURS.items())
        return f"{of_servers}.ground{{fill:{ground}}}text{{fill:{ink}}}.line{{stroke:{faint}}}.ink{{stroke:{ink}}}"

    return ("<style>text{font:12px system-ui,sans-serif;stroke:none}.title{font-size:15px;font-weight:600}"
            ".small{font-size:11px}" + rules(0, "#ffffff", "#1f2328", "#d1d9e0") +
            "@media(prefers-color-scheme:dark){" + rules(1, "#0d1117", "#f0f6fc", "#3d444d") + "}.way{fill:none}</style>")


def text(x, y, words, kind="", anchor="start"):
    return (f'<text x="{x:.1f}" y="{y:.1f}"' + (f' class="{kind}"' if kind else "") +
            (f' text-anchor="{anchor}"' if anchor != "start" else "") + f">{escape(words)}</text>")


def line(x1, y1, x2, y2, kind="line", width=1):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}" stroke-width="{width}"/>'


def dot(x, y, kind, radius=4):
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" class="{kind}" stroke-width="1.5"/>'


def picture(title, below, height, parts):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" '
            f'height="{height:.0f}" role="img"><title>{escape(title)}</title>{style()}'
            f'<rect width="100%" height="100%" class="ground"/>' + text(16, 26, title, "title") +
            text(16, 45, below, "small") + "".join(parts) + "</svg>\n")


def bars(title, below, panels):
    """`panels`: {name: {server: {median, min, max}}}, each with a scale of its own: they differ a hundredfold."""
    parts, y = [], TOP
    for name, servers in panels.items():
        scale = (WIDTH - LEFT - RIGHT) / (max(each["max"] for each in servers.values()) or 1)
        parts.append(text(16, y + 13, name))
        for server, figures in servers.items():
            end, middle = LEFT + figures["median"] * scale, y + ROW / 2
            parts.append(f'<rect x="{LEFT}" y="{y + 2}" width="{max(end - LEFT, 1):.1f}" height="{ROW - 5}" '
                         f'class="{class_of(server)}" fill-opacity=".55"/>')
            if figures["max"] > figures["min"]:
                low, high = LEFT + figures["min"] * scale, LEFT + figures["max"] * scale
                parts += [line(low, middle, high, middle, "ink"), line(low, middle - 4, low, middle + 4, "ink"),
                          line(high, middle - 4, high, middle + 4, "ink")]
            parts.append(text(LEFT - 6, y + 13, server, "small", "end"))
            parts.append(text(max(end, LEFT + figures["max"] * scale) + 6, y + 13, amount(figures["median"]), "small"))
            y += ROW
        y += GAP
    return picture(title, below, y + 4, parts)


def decades(low, high):
    return [10.0**n for n in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]


def duration(microseconds):
    scale, unit = (1e6, "s") if microseconds >= 1e6 else (1e3, "ms") if microseconds >= 1e3 else (1, "µs")
    return f"{microseconds / scale:g} {unit}"


def percentiles(title, below, panels):
    """`panels`: {name: {server: (p50, p99, p99.9)}} on one logarithmic scale."""
    values = [value for servers in panels.values() for each in servers.values() for value in each]
    marks = decades(max(min(values), 0.1), max(max(values), 1))
    if len(marks) == 1:
        marks.append(marks[0] * 10)
    place = lambda value: LEFT + (math.log10(max(value, marks[0]) / marks[0]) / math.log10(marks[-1] / marks[0]) *
                                  (WIDTH - LEFT - RIGHT))
    height = TOP + sum(len(servers) * ROW + GAP for servers in panels.values())
    parts, y = [], TOP
    for mark in marks:
        parts += [line(place(mark), TOP - 4, place(mark), height - 4),
                  text(place(mark), height + 12, duration(mark), "small", "middle")]
    for name, servers in panels.items():
        parts.append(text(16, y + 13, name))
        for server, (p50, p99, rare) in servers.items():
            kind, middle = class_of(server), y + ROW / 2
            parts += [text(LEFT - 6, y + 13, server, "small", "end"), line(place(p50), middle, place(rare), middle, kind, 2),
                      dot(place(p50), middle, kind), dot(place(p99), middle, kind + " ground"),
                      line(place(rare), middle - 5, place(rare), middle + 5, kind, 2)]
            y += ROW
        y += GAP
    return picture(title, below, height + 22, parts)


def curves(title, below, of_servers, unit):
    """`of_servers`: {server: [(x, {median, min, max})]}; x logarithmic, y from nothing."""
    left, right, top, bottom = 70, 110, TOP + 6, 330
    xs = sorted({x for each in of_servers.values() for x, _ in each})
    highest = max(figures["max"] for each in of_servers.values() for _, figures in each) or 1
    step = 10.0 ** math.floor(math.log10(highest))
    step = next(each for each in (step / 5, step / 2, step, step * 2) if highest / each <= 6)
    rows = math.ceil(highest / step)
    wide = math.log(xs[-1] / xs[0]) or 1
    across = lambda x: left + math.log(x / xs[0]) / wide * (WIDTH - left - right)
    up = lambda value: bottom - value / (rows * step) * (bottom - top)
    parts = []
    for row in range(rows + 1):
        parts += [line(left, up(row * step), WIDTH - right, up(row * step)),
                  text(left - 8, up(row * step) + 4, f"{row * step:g}", "small", "end")]
    parts += [text(across(x), bottom + 18, f"{x:,}".replace(",", " "), "small", "middle") for x in xs]
    parts.append(text(left, bottom + 36, unit, "small"))
    free = []  # where names are already
    for server, each in sorted(of_servers.items(), key=lambda item: item[1][-1][1]["median"]):
        kind, each = class_of(server), sorted(each, key=lambda point: point[0])
        way = " ".join(f"{across(x):.1f},{up(figures['median']):.1f}" for x, figures in each)
        parts.append(f'<polyline points="{way}" class="{kind} way" stroke-width="2"/>')
        for x, figures in each:
            parts += [line(across(x), up(figures["min"]), across(x), up(figures["max"]), kind),
                      dot(across(x), up(figures["median"]), kind, 3)]
        at = up(each[-1][1]["median"]) + 4
        at = min([at, *(other - 14 for other in free if other - 14 < at)])
        free.append(at)
        parts.append(text(across(each[-1][0]) + 10, at, f"{server} {amount(each[-1][1]['median'])}", "small"))
    return picture(title, below, bottom + 46, parts)


def shown(summary):
    """turnd's second seat is for the table."""
    return {server: figures for server, figures in summary.items() if server != AGAIN}


CURVES = [
    ("flows.svg", "Server CPU per packet by number of flows, µs",
     "Lower is better. The same packets per second over more and more flows.", "flows", "cpu"),
    ("memory.svg", "Resident memory of the server for each allocation, bytes",
     "Lower is better. Allocations with one permission and one channel, all alive at once.", "allocations", "bytes"),
]


def draw(report):
    """{file: (what it shows, SVG)}, of what was measured."""
    summary = {name: shown(each) for name, each in report["summary"].items()}
    drawn = {}
    costs = {name: {server: f["cpu"] for server, f in each.items() if f["cpu"]} for name, each in summary.items()
             if not BY_NAME[name].flows}
    if costs := {name: each for name, each in costs.items() if each}:
        title = "Server CPU per unit, µs"
        drawn["cpu.svg"] = (title, bars(title, "Shorter is better. Median, range over the rounds; each workload has its own "
                                        "scale.", costs))
    late = {name: {server: tuple(f[p]["median"] for p in ("p50", "p99", "p99.9")) for server, f in each.items() if f["p50"]}
            for name, each in summary.items() if not BY_NAME[name].flows}
    if late := {name: each for name, each in late.items() if each}:
        title = "Latency"
        drawn["latency.svg"] = (title, percentiles(title, "Left is better. Full dot: median; hollow dot: 99 %; end: 99.9 %.",
                                                   late))
    for file, title, below, place, figure in CURVES:
        of_servers = {server: each for server, each in points(report, place, figure).items() if server != AGAIN}
        if any(len(each) > 1 for each in of_servers.values()):
            drawn[file] = (title, curves(title, below, of_servers, place))
    return drawn
