"""How many messages a child takes at once."""

from queueing.worker.polling import MAX_IN_HAND, Prefetch


def test_it_begins_with_one_per_thread():
    assert [Prefetch(threads).room(0) for threads in (1, 8)] == [1, 8]


def test_fast_messages_are_taken_in_growing_batches_up_to_the_limit():
    pace = Prefetch(1)
    rooms = []
    for _ in range(60):
        pace.ran(0.00001)
        rooms.append(pace.room(0))
    assert rooms == sorted(rooms)
    assert rooms[0] < 5
    assert rooms[-1] == MAX_IN_HAND


def test_one_slow_message_ends_the_batches():
    pace = Prefetch(2)
    for _ in range(60):
        pace.ran(0.00001)
    pace.ran(60.0)
    assert pace.room(0) == 2


def test_messages_in_hand_are_subtracted():
    pace = Prefetch(4)
    assert [pace.room(in_hand) for in_hand in (1, 4, 9)] == [3, 0, 0]


def test_more_threads_than_a_batch_are_all_kept_busy():
    assert Prefetch(500).room(0) == 500


def test_jobs_of_a_little_over_half_the_time_are_taken_two_per_thread():
    pace = Prefetch(32)
    for _ in range(60):
        pace.ran(0.0505)
    assert pace.room(0) == 64
