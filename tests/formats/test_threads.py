"""Work in threads: in order, bounded, and done all the same where there are no threads."""

import threading

import pytest

from cloacina_ctl.formats.threads import AHEAD, in_order


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_results_come_in_the_order_of_the_pieces(jobs):
    assert list(in_order(lambda piece: piece * 2, range(100), jobs)) == list(range(0, 200, 2))


def test_only_so_many_pieces_are_under_way():
    drawn = []

    def pieces():
        for piece in range(50):
            drawn.append(piece)
            yield piece

    results = in_order(lambda piece: piece, pieces(), 2)
    next(results)
    assert len(drawn) <= 2 + AHEAD
    results.close()


def test_an_error_is_raised_at_its_place_and_the_threads_end():
    before = threading.active_count()

    def work(piece):
        if piece == 7:
            raise ValueError(piece)
        return piece

    results = []
    with pytest.raises(ValueError, match="7"):
        results.extend(in_order(work, range(50), 3))
    assert threading.active_count() == before


def test_without_threads_the_work_is_done_all_the_same(monkeypatch):
    def refuse(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert list(in_order(str, range(20), 4)) == [str(piece) for piece in range(20)]
