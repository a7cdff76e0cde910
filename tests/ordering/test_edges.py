"""The order of visits, compared with what follows from its definition by brute force."""

import numpy as np
from apcampaign.ordering.edges import find_overlapping_later, overlap_edges, serial_edges
from hypothesis import given
from hypothesis import strategies as st

NODES = st.lists(
    st.tuples(st.sets(st.integers(0, 12), min_size=1, max_size=5), st.integers(0, 7)), max_size=12
)


def edges_of(nodes):
    footprints = [np.array(sorted(pixels), dtype=np.int64) for pixels, _ in nodes]
    return overlap_edges(footprints, [rank for _, rank in nodes])


def closure(count, edges):
    reach = np.zeros((count, count), dtype=bool)
    for parent, child in edges:
        reach[parent, child] = True
    for middle in range(count):
        reach |= np.outer(reach[:, middle], reach[middle])
    return reach


def brute_force(nodes):
    """Every pair that shares a pixel, the earlier visit first."""
    return {
        (i, j)
        for i, (first, rank) in enumerate(nodes)
        for j, (second, later) in enumerate(nodes)
        if rank < later and first & second
    }


@given(NODES)
def test_whoever_shares_sky_waits_for_the_earlier_and_nobody_else_does(nodes):
    waits = closure(len(nodes), edges_of(nodes))
    assert (waits == closure(len(nodes), brute_force(nodes))).all()


@given(NODES)
def test_no_edge_follows_from_others(nodes):
    edges = edges_of(nodes)
    assert len(edges) == len(set(edges))
    for edge in edges:
        others = closure(len(nodes), [other for other in edges if other != edge])
        assert not others[edge]


def test_detectors_of_one_visit_do_not_wait_for_each_other():
    assert edges_of([({1}, 3), ({1}, 3)]) == []


def test_a_stack_of_visits_needs_one_edge_a_visit():
    nodes = [({5}, rank) for rank in range(100)]
    assert edges_of(nodes) == [(i, i + 1) for i in range(99)]


def test_a_large_survey_is_ordered_in_blocks_as_a_small_one():
    footprints = [np.arange(i % 2, 3000, 2) for i in range(500)]
    assert sorted(overlap_edges(footprints, range(500))) == [(i, i + 2) for i in range(498)]


def test_nothing_to_order_is_no_edges():
    assert edges_of([]) == []


def test_a_total_order_has_all_wait_for_the_one_before():
    assert serial_edges([(2, 0), (1, 5), (1, 3)]) == [(2, 1), (1, 0)]


@given(NODES, st.lists(st.booleans(), min_size=12, max_size=12))
def test_whoever_comes_too_late_is_found_with_the_latest_visit_that_overlaps_it(nodes, done):
    footprints = [np.array(sorted(pixels), dtype=np.int64) for pixels, _ in nodes]
    found = find_overlapping_later(footprints, [rank for _, rank in nodes], done[: len(nodes)])
    past = {
        i: {j for early, j in brute_force(nodes) if early == i and done[j]}
        for i in range(len(nodes))
        if not done[i]
    }
    assert set(found) == {i for i, later in past.items() if later}
    for i, j in found.items():
        assert j in past[i]
        assert nodes[j][1] == max(nodes[k][1] for k in past[i])
