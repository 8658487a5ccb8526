"""A process that records turns in lockstep with a test: it reads how many to put, and answers how far it is.

python recording_writer.py FILE [LARGEST_FILE_BYTES]

An answer is a JSON list: messages written for good, turns put, and what the recorder has complained of.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

from support.recordings import MS, gauges, hello, turn

from subsecond.engine.recording.writer import Recorder


def main() -> None:
    path = Path(sys.argv[1])
    if len(sys.argv) > 2:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
    errors: list[str] = []
    recorder = Recorder(path, hello(), on_error=errors.append, batch_s=0.005)
    number = 0
    for line in sys.stdin:
        for _ in range(int(line)):
            number += 1
            recorder.put(turn(number))
            if number % 50 == 0:
                recorder.put(gauges(number * 10 * MS))
        print(json.dumps([recorder.written, number, errors]), flush=True)
    recorder.close()
    print(json.dumps([recorder.written, number, errors]), flush=True)


if __name__ == "__main__":
    main()
