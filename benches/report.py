"""The tables."""
import statistics

from workloads import WORKLOADS


def median(values):
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None


def number(value, digits=None):
    """A number with as many digits as it deserves."""
    if value is None:
        return "-"
    if digits is None:
        digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f}"


def table(title, columns, rows):
    """A Markdown table with a heading."""
    if not rows:
        return []
    marks = ["---"] + ["--:"] * (len(columns) - 1)
    lines = [columns, marks] + rows
    return ["", f"### {title}", ""] + ["| " + " | ".join(line) + " |" for line in lines]


def together(rounds):
    """The median of each figure, and all errors."""
    figures = {key: median([one[key] for one in rounds]) for key in rounds[0]}
    return {**figures, "errors": sum(one["errors"] for one in rounds)}


def summarise(raw, baseline):
    """One figure per contender and workload: medians, and ratios taken round by round."""
    for result in raw.values():
        result["summary"] = {}
    for name, result in raw.items():
        for workload, rounds in result["rounds"].items():
            good = {index: one for index, one in rounds.items() if "error" not in one}
            if not good:
                result["summary"][workload] = rounds[max(rounds)]
                continue
            summary = together(list(good.values()))
            base = raw.get(baseline, {"rounds": {}})["rounds"].get(workload, {})
            pairs = [(one, base[index]) for index, one in good.items()
                     if index in base and "error" not in base[index]]
            summary["ratio"] = median([a["rps"] / b["rps"] for a, b in pairs if b["rps"]])
            summary["cpu_ratio"] = median([a["cpu_us"] / b["cpu_us"] for a, b in pairs
                                           if b["cpu_us"]])
            result["summary"][workload] = summary
    return raw


def markdown(data):
    """All tables of a run."""
    base, results = data["baseline"], data["contenders"]
    lines = [f"Ratios (x) against {base}."]
    for workload, description in WORKLOADS.items():
        rows = []
        for name, result in results.items():
            one = result["summary"].get(workload)
            if one and "error" not in one:
                rows.append((one["rps"], [
                    f"**{name}**" if name == base else name, number(one["cpu_us"]),
                    number(one.get("cpu_ratio"), 2), number(one["user_us"]),
                    number(one["system_us"]), number(one["rps"]), number(one.get("ratio"), 2),
                    number(one["p50"]), number(one["p99"]), number(one["switches"], 2),
                    number(one["errors"], 0)]))
        rows = [row for _, row in sorted(rows, key=lambda pair: -pair[0])]
        lines += table(f"{workload}: {description.title}",
                       ["contender", "CPU µs", "x", "user", "kernel", "req/s", "x", "p50 ms",
                        "p99 ms", "switches", "errors"], rows)
    lines += _counters(results) + _starts(results) + _reloads(results) + _failures(data)
    return "\n".join(lines) + "\n"


def page(data, tables):
    """The page that is kept in the repository."""
    return (f"# Results\n\nWritten by `cargo xtask bench -- --results`; do not edit.\n\n"
            f"{data['when']} UTC. {data['machine']}. Load generators on the same CPUs, by loopback. "
            f"Rounds: {data['rounds']} of {data['duration']:g} s.\n\n"
            f"![CPU time of a request](RESULTS.svg)\n\n{tables}")


def _counters(results):
    rows = []
    for name, result in results.items():
        counts = result.get("counters")
        if counts:
            user, kernel = counts.get("instructions:u"), counts.get("instructions:k")
            total = user + kernel if user is not None and kernel is not None else None
            rows.append([name, number(total, 0), number(user, 0), number(kernel, 0),
                         number(counts.get("raw_syscalls:sys_enter"), 1),
                         number(counts.get("context-switches"), 2)])
    return table("A request of hello10, counted by perf in the whole process tree",
                 ["contender", "instructions", "user", "kernel", "system calls", "switches"], rows)


def _starts(results):
    rows = [[name, number(result["startup"] * 1000, 0), number(result.get("pss"), 1)]
            for name, result in results.items() if result.get("startup")]
    return table("Start and memory", ["contender", "first answer after ms", "PSS MiB"], rows)


def _reloads(results):
    rows = []
    for name, result in results.items():
        one = result.get("reload")
        if one and "error" not in one:
            errors = ", ".join(f"{kind}: {count}" for kind, count in one["errors"].items())
            rows.append([name, number(one["max"]), number(one["p99"]), number(one["p50"]),
                         f"{one['over100ms']} of {one['requests']}", errors or "0"])
    return table("Reload under load, of an application whose import takes a second",
                 ["contender", "max ms", "p99 ms", "p50 ms", "over 100 ms", "errors"], rows)


def _failures(data):
    lines = [f"- {name}: {why}" for name, why in data["skipped"].items()]
    for name, result in data["contenders"].items():
        found = dict(result["summary"], reload=result.get("reload") or {})
        lines += [f"- {name}, {what}: {one['error']}" for what, one in found.items()
                  if "error" in one]
    return ["", "### Not measured", ""] + lines if lines else []
