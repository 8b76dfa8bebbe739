"""Trims what buildx said of a failed build, of volume and never of truth: reads rawjson, writes rawjson.

Left out: transfers (`statuses`), and the middle of a step's output where it is longer than KEEP bytes; there a line in the
log says how many bytes were cut. A step's output is not touched otherwise.
"""
import base64
import json
import sys

KEEP = 24_000


def main(work):
    lines = sys.stdin.buffer.read().decode("utf-8", "surrogateescape").splitlines()
    events = []
    for line in lines:
        try:
            event = json.loads(line) if line.startswith("{") else None
        except json.JSONDecodeError:
            event = None
        events.append((line, event))
    sizes = {}
    for _, event in events:
        for log in (event or {}).get("logs") or []:
            sizes[log["vertex"]] = sizes.get(log["vertex"], 0) + len(base64.b64decode(log.get("data", "")))
    seen, said = {}, set()
    for line, event in events:
        # The directory the build was recorded in is nobody's business.
        if event is None:
            print(line.replace(work, "/work").encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
            continue
        event.pop("statuses", None)
        kept = []
        for log in event.get("logs") or []:
            vertex, data = log["vertex"], base64.b64decode(log.get("data", ""))
            before = seen.get(vertex, 0)
            seen[vertex] = before + len(data)
            if sizes[vertex] > KEEP and before > KEEP // 3 and seen[vertex] < sizes[vertex] - KEEP * 2 // 3:
                if vertex not in said:
                    said.add(vertex)
                    note = f"[corpus: the middle of {sizes[vertex]} bytes was cut here]\n"
                    kept.append({**log, "data": base64.b64encode(note.encode()).decode()})
                continue
            kept.append(log)
        if event.get("logs"):
            event["logs"] = kept
        if any(event.values()):
            print(json.dumps(event, separators=(",", ":")))


main(sys.argv[1])
