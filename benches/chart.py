"""The chart: CPU time of one request, a bar for each contender."""
from html import escape

ROW, LABEL, WIDTH, TOP = 22, 190, 820, 46
OURS, OTHERS = "#2563a8", "#9aa5b1"


def svg(data, workload="hello10"):
    """Bars for the first workload, the shortest on top; text that reads on light and dark."""
    found = {name: result["summary"].get(workload, {}).get("cpu_us")
             for name, result in data["contenders"].items()}
    bars = sorted((value, name) for name, value in found.items() if value)
    longest = max((value for value, _ in bars), default=1)
    height = TOP + ROW * len(bars) + 12
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
             f'role="img" aria-label="CPU time of a request in microseconds, less is better" '
             f'font-family="system-ui, sans-serif" font-size="13">',
             f'<rect width="{WIDTH}" height="{height}" rx="6" fill="#ffffff"/>',
             '<text x="12" y="26" font-size="15" font-weight="600" fill="#1b2733">CPU time of a request '
             '(hello, 10 keep-alive connections), µs: less is better</text>']
    for index, (value, name) in enumerate(bars):
        y = TOP + ROW * index
        length = (WIDTH - LABEL - 80) * value / longest
        color = OURS if name.startswith("ours") else OTHERS
        weight = "600" if name.startswith("ours") else "400"
        lines += [f'<text x="{LABEL - 8}" y="{y + 14}" text-anchor="end" font-weight="{weight}" '
                  f'fill="#1b2733">{escape(name)}</text>',
                  f'<rect x="{LABEL}" y="{y + 2}" width="{length:.1f}" height="{ROW - 6}" rx="2" '
                  f'fill="{color}"/>',
                  f'<text x="{LABEL + length + 6:.1f}" y="{y + 14}" fill="#1b2733">{value:.0f}</text>']
    return "\n".join([*lines, "</svg>"]) + "\n"
