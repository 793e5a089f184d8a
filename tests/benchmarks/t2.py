import tempfile, sys, dataclasses
from pathlib import Path
from tests.benchmarks import queueing, measure
sc=dataclasses.replace(measure.QUICK, llm_requests=1000)
for f in [queueing.measure_enqueue, queueing.measure_drain]:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as d:
        print(measure.as_table(f(Path(d), sc)))
