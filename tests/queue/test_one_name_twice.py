"""Two workers whose names are the same to the letter, as of two copies of one machine started in the same second."""

import threading

from forllm_server.queue import identity
from forllm_server.queue.job import Job
from forllm_server.queue.model import Status
from tests.queue.test_worker import Stage, answer, replies
from tests.queue.test_worker import stage as stage

PATIENCE_SECONDS = 20.0


def test_they_share_the_work_without_doubling_any(stage: Stage) -> None:
    pools = [stage.pool(lambda job: answer(job), threads=2) for _ in range(2)]
    assert pools[0].identity == pools[1].identity
    asked = [stage.ask() for _ in range(20)]
    for pool in pools:
        pool.start()
    stage.wait_for(lambda: all(stage.get(each).status is Status.SUCCEEDED for each in asked))
    assert sorted(replies(stage.database)) == asked
    assert {stage.get(each).attempts for each in asked} == {1}


def test_the_start_and_the_end_of_one_leave_the_work_of_the_other_alone(stage: Stage) -> None:
    begun, let_go = threading.Event(), threading.Event()

    def write(job: Job) -> None:
        job.write("ZFS.")
        job.checkpoint()
        begun.set()
        assert let_go.wait(PATIENCE_SECONDS)
        answer(job, " And a mirror.")

    asked = stage.ask()
    busy = stage.pool(write)
    busy.start()
    assert begun.wait(PATIENCE_SECONDS)
    lease = stage.get(asked).lease_token
    other = stage.pool(lambda job: answer(job, "another"))
    other.start()
    assert other.stop()
    assert (stage.get(asked).status, stage.get(asked).lease_token) == (Status.RUNNING, lease)
    let_go.set()
    stage.wait_for(lambda: stage.get(asked).status is Status.SUCCEEDED)
    assert list(replies(stage.database)) == [asked]
    assert stage.get(asked).attempts == 1


def test_it_is_told_from_one_that_is_gone_by_the_process_alone() -> None:
    assert not identity.is_gone(identity.worker_identity())
