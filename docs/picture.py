#!/usr/bin/env python3
"""Turns the demo's coloured output into docs/demo.svg, the picture in the README.

    CLICOLOR_FORCE=1 bpfnews demo | docs/picture.py FROM TO > docs/demo.svg

FROM and TO are the first and the last line to show, counted from 1.
"""
import html
import re
import sys

COLOURS = {30: "#8b949e", 31: "#ff7b72", 32: "#7ee787", 33: "#f2cc60", 34: "#79c0ff", 35: "#d2a8ff",
           36: "#76e3ea", 37: "#e6edf3", 90: "#8b949e", 95: "#f0a8ff"}
LINE, CHAR, PAD = 19, 8.43, 16
first, last = int(sys.argv[1]), int(sys.argv[2])
lines = sys.stdin.read().split("\n")[first - 1:last]
plain = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]
width, height = int(max(map(len, plain)) * CHAR + 2 * PAD), len(lines) * LINE + 2 * PAD
out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
       'role="img" aria-label="The demo: posts about patch series, commits and articles on a terminal">',
       f'<rect width="{width}" height="{height}" rx="8" fill="#0d1117"/>',
       '<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, \'DejaVu Sans Mono\', monospace" '
       'font-size="14" fill="#e6edf3" xml:space="preserve">']
colour, bold, dim = None, False, False
for row, line in enumerate(lines):
    column, spans = 0, []
    for piece in re.split(r"(\x1b\[[0-9;]*m)", line):
        if piece.startswith("\x1b["):
            for code in (int(c or 0) for c in piece[2:-1].split(";")):
                if code == 0:
                    colour, bold, dim = None, False, False
                elif code == 1:
                    bold = True
                elif code == 2:
                    dim = True
                elif code in COLOURS:
                    colour = COLOURS[code]
        elif piece:
            style = f' fill="{colour}"' if colour else ""
            style += ' font-weight="bold"' if bold else ""
            style += ' fill-opacity="0.65"' if dim else ""
            spans.append(f'<tspan x="{PAD + column * CHAR:.2f}"{style}>{html.escape(piece)}</tspan>')
            column += len(piece)
    out.append(f'<text y="{PAD + row * LINE + 14}">{"".join(spans)}</text>')
print("\n".join([*out, "</g>", "</svg>"]))
