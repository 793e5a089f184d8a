import tempfile, sys, cProfile, pstats
from pathlib import Path
from tests.benchmarks import queueing, places
with tempfile.TemporaryDirectory(dir="/dev/shm") as d, places.installed(Path(d)/'x') as i:
    q=queueing.Queue(i, finished=int(sys.argv[1]))
    print(q.drain(queueing.InstantKind(),300), q.drain(queueing.InstantKind(),300))
    p=cProfile.Profile(); p.enable(); q.drain(queueing.InstantKind(),500); p.disable()
    pstats.Stats(p).sort_stats('cumtime').print_stats(45)
    print(q.ask_singly(200))
    p=cProfile.Profile(); p.enable(); q.ask_singly(300); p.disable()
    pstats.Stats(p).sort_stats('cumtime').print_stats(40)
