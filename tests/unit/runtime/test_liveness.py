"""A process that hangs is ended; a machine that stood still is no reason to end anything."""

from runtime.process.heartbeat import Liveness


class Beater:
    """Counts its beats, and how often it was ended."""

    def __init__(self) -> None:
        self.beats = 1
        self.ended = 0

    def end_hanging(self, sentence: str) -> None:
        assert sentence == "has not answered for 30 s: killing it"
        self.ended += 1
        self.beats = 0


class Watch:
    """Three processes looked at twice a second."""

    def __init__(self, count: int = 3) -> None:
        self.now = 1000.0
        self.said: list[str] = []
        self.processes = [Beater() for _ in range(count)]
        self.liveness = Liveness(self.processes, self.said.append, 30.0)
        self.liveness.look(self.now)

    def pass_by(self, seconds: float, *silent: int) -> list[int]:
        """All but the silent ones beat; how often each has been ended so far."""
        end = self.now + seconds
        while self.now < end:
            self.now += 0.5
            for index, process in enumerate(self.processes):
                if index not in silent and process.beats:
                    process.beats += 1
            self.liveness.look(self.now)
        return [process.ended for process in self.processes]


def test_one_that_is_silent_while_others_answer_is_ended_once() -> None:
    watch = Watch()
    assert watch.pass_by(29, 1) == [0, 0, 0]
    assert watch.pass_by(2, 1) == [0, 1, 0]
    assert watch.pass_by(300, 1) == [0, 1, 0]  # it has not begun to beat again
    watch.processes[1].beats = 1
    assert watch.pass_by(300) == [0, 1, 0]


def test_one_that_has_never_answered_is_not_watched() -> None:
    watch = Watch()
    watch.processes[2].beats = 0
    assert watch.pass_by(600, 2) == [0, 0, 0]


def test_a_single_process_is_watched_too() -> None:
    watch = Watch(1)
    assert watch.pass_by(40, 0) == [1]


def test_when_all_fall_silent_none_is_ended_and_it_is_said_once() -> None:
    watch = Watch()
    assert watch.pass_by(600, 0, 1, 2) == [0, 0, 0]
    assert len(watch.said) == 1
    assert "no process has answered for 30 s" in watch.said[0]
    assert watch.pass_by(10, 1, 2) == [0, 0, 0]  # the first one is back, the others have their time again
    assert watch.pass_by(30, 2) == [0, 0, 1]


def test_a_machine_that_was_asleep_wakes_up_without_a_restart() -> None:
    watch = Watch()
    for _ in range(50):
        watch.now += 3600.0  # the supervisor slept as well
        watch.liveness.look(watch.now)
        assert watch.pass_by(5) == [0, 0, 0]
    assert watch.said == []


def test_a_supervisor_that_is_rarely_scheduled_ends_nothing_too_soon() -> None:
    watch = Watch()
    for _ in range(29):
        watch.now += 60.0
        watch.processes[0].beats += 1
        watch.liveness.look(watch.now)
    assert [process.ended for process in watch.processes] == [0, 0, 0]
