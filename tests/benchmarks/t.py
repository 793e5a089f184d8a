import tempfile, sys
from pathlib import Path
from tests.benchmarks import queueing, measure
sc={'tiny':measure.TINY,'quick':measure.QUICK}[sys.argv[1]]
for f in [queueing.measure_enqueue, queueing.measure_drain, queueing.measure_replies, queueing.measure_pace]:
    with tempfile.TemporaryDirectory() as d:
        print(measure.as_table(f(Path(d), sc)))
