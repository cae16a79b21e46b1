"""How often a second this disk makes 4 KiB durable that were appended to a file."""

import os
import time

import measured

given = measured.arguments(__doc__, "--seconds", "--scratch")
home = measured.fresh(given.scratch)
file = os.open(f"{home}/log", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
block, waits = b"x" * 4096, []
own = measured.Own()
end = time.monotonic() + given.seconds
while (started := time.monotonic()) < end:
    os.write(file, block)
    os.fdatasync(file)
    waits.append(time.monotonic() - started)
figures = own.end()
os.close(file)
waits.sort()
per_s = len(waits) / figures["wall_s"]
p99_us = waits[len(waits) * 99 // 100] * 1e6
measured.report("outbox", "fdatasync", len(waits), figures, per_s=per_s, us_p50=waits[len(waits) // 2] * 1e6, us_p99=p99_us)
