"""Distances, p-values, associations, neighbours and separations on samples small enough to count by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from builder.stats import association, distances, neighbours, two_sample


def floats(*values: float) -> distances.Floats:
    return np.array(values, dtype=np.float64)


def test_ks_steps_over_ties_at_once() -> None:
    assert distances.ks(floats(1, 1, 2), floats(1, 1, 2)) == 0
    assert distances.ks(floats(1, 1, 1, 2), floats(1, 2, 2, 2)) == 0.5
    assert distances.ks(floats(1, 2), floats(3, 4, 5)) == 1
    assert distances.ks(floats(3, 4, 5), floats(1, 2)) == 1


def test_ks_is_that_of_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 9, 80).astype(float), rng.integers(1, 10, 60).astype(float)
    assert distances.ks(x, y) == pytest.approx(stats.ks_2samp(x, y).statistic)
    assert distances.wasserstein(x, y) == pytest.approx(stats.wasserstein_distance(x, y))
    assert distances.welch(x, y) == pytest.approx(stats.ttest_ind(x, y, equal_var=False).pvalue)
    assert distances.ks_p(0.3, 80, 60) == pytest.approx(0.0031, rel=0.02)
    assert distances.ks_p(0.0, 80, 60) == 1


def test_a_mean_shifts_by_the_deviations_of_the_reference() -> None:
    assert distances.mean_shift(floats(4, 4), floats(0, 2)) == pytest.approx(3 / math.sqrt(2))
    assert distances.mean_shift(floats(-2, 0), floats(1, 1)) == pytest.approx(-2 / math.sqrt(2))
    assert distances.mean_shift(floats(5), floats(3)) == 2
    assert distances.unit(floats(1, 3), floats(2, 2)) == pytest.approx(math.sqrt(2))


def test_bins_have_equal_shares_and_a_value_on_an_edge_is_below_it() -> None:
    eight = np.arange(1, 9, dtype=np.float64)
    edges = distances.quantile_edges(eight, 4)
    assert edges.tolist() == [2, 4, 6]
    assert distances.histogram(eight, edges).tolist() == [2, 2, 2, 2]
    assert distances.histogram(floats(2, 2.5, 9), edges).tolist() == [1, 1, 0, 1]
    assert len(distances.quantile_edges(np.arange(1000.0))) == 9
    assert distances.quantile_edges(floats(1, 1, 1, 1), 4).tolist() == [1]


def test_divergences_of_counts() -> None:
    x, y = floats(30, 10), floats(10, 30)
    assert distances.total_variation(x, y) == 0.5
    assert distances.kl(x, y) == pytest.approx(
        (30.5 * math.log(30.5 / 10.5) + 10.5 * math.log(10.5 / 30.5)) / 41
    )
    assert distances.psi(x, y) == pytest.approx(2 * 20 / 41 * math.log(30.5 / 10.5) - 2 / 40)
    assert distances.psi(x, x) == 0
    assert distances.js(floats(1, 0), floats(0, 1)) == pytest.approx(math.log(2))
    assert distances.js(x, x) == 0


def test_chi_square_counts_the_cells_that_are_there() -> None:
    pytest.importorskip("scipy")
    statistic, freedom = distances.pearson(np.array([[10.0, 20, 0], [20, 10, 0]]))
    assert statistic == pytest.approx(20 / 3)
    assert freedom == 1
    assert distances.chi_square(floats(10, 20), floats(20, 10)) == pytest.approx(0.00982, abs=1e-5)
    assert distances.chi_square(floats(10), floats(20)) == 1
    assert distances.chi_square_p(3.841459, 1) == pytest.approx(0.05, abs=1e-6)


def test_welch_of_constants_is_certain() -> None:
    pytest.importorskip("scipy")
    assert distances.welch(floats(1, 1, 1), floats(1, 1)) == 1
    assert distances.welch(floats(1, 1, 1), floats(2, 2)) == 0


def test_binomial_counts_the_hits_themselves() -> None:
    pytest.importorskip("scipy")
    assert distances.binomial(0, 10, 0.5) == 1
    assert distances.binomial(10, 10, 0.5) == pytest.approx(2**-10)
    assert distances.binomial(9, 10, 0.5) == pytest.approx(11 * 2**-10)


def test_holm_never_falls_and_never_passes_one() -> None:
    assert distances.holm([0.01, 0.02, 0.03]).tolist() == pytest.approx([0.03, 0.04, 0.04])
    assert distances.holm([0.9, 0.6]).tolist() == [1, 1]
    assert distances.holm([]).tolist() == []


def test_cramers_v_is_one_for_copies_and_nothing_for_chance() -> None:
    assert association.cramer(np.diag([20.0, 30, 50])) == pytest.approx(1)
    assert association.cramer(np.full((2, 3), 10.0)) == 0
    assert association.cramer(np.array([[5.0, 5]])) == 0
    assert association.cramer(np.array([[30.0, 10], [10, 30]])) == pytest.approx(
        math.sqrt((0.25 - 1 / 79) / (1 - 1 / 79))
    )


def test_associations_are_symmetric_and_of_each_kind() -> None:
    numbers = floats(1, 2, 3, 4, 5, 6)
    codes = np.array([0, 0, 0, 1, 1, 1])
    strengths = association.matrix([numbers, -numbers, codes, codes])
    assert strengths[0, 1] == pytest.approx(-1)
    assert strengths[2, 3] == pytest.approx(1)
    assert strengths[0, 2] == pytest.approx(math.sqrt(1 - (1 - 2.25 / (35 / 12)) * 5 / 4))
    assert np.array_equal(strengths, strengths.T)
    assert np.diag(strengths).tolist() == [1, 1, 1, 1]


def test_ranks_share_the_middle_and_missing_is_the_mean() -> None:
    ranked = association.ranks(floats(5, math.nan, 7, 5))
    assert ranked[0] == ranked[3] < 0 < ranked[2]
    assert ranked[1] == 0
    assert ranked.std() == pytest.approx(1)
    assert association.ranks(floats(math.nan, math.nan)).tolist() == [0, 0]


def test_neighbours_are_those_of_all_distances() -> None:
    rng = np.random.default_rng(1)
    points, others = rng.normal(size=(1500, 3)), rng.normal(size=(40, 3))
    apart = np.sqrt(((points[:, None] - others[None]) ** 2).sum(2))
    assert np.allclose(neighbours.nearest(points, others), apart.min(1))
    assert np.allclose(neighbours.squares(points, others), apart**2)
    among = np.sqrt(((others[:, None] - others[None]) ** 2).sum(2))
    assert np.allclose(neighbours.radii(others, 2), np.sort(among, axis=1)[:, 2] ** 2)
    assert np.allclose(neighbours.nearest(others), np.sort(among, axis=1)[:, 1])


def test_a_point_that_stands_twice_has_a_neighbour_at_no_distance() -> None:
    points = np.array([[1e3, 1e-3], [1e3, 1e-3], [0.0, 0.0]])
    assert neighbours.nearest(points).tolist()[:2] == [0, 0]


def test_mixed_rows_are_as_far_as_their_columns_together() -> None:
    numbers = (np.array([0.0, 1.0], np.float32), np.array([0.25, 1.0], np.float32), False)
    codes = (np.array([0, 1], np.float32), np.array([0, 0], np.float32), True)
    assert neighbours.nearest_mixed([numbers, codes], 2, 2).tolist() == [0.25, 1.0]


def test_auc_counts_ties_half() -> None:
    assert two_sample.auc(floats(2, 3), floats(0, 1)) == 1
    assert two_sample.auc(floats(0, 1), floats(2, 3)) == 0
    assert two_sample.auc(floats(1, 2), floats(1)) == 0.75
    assert two_sample.auc_error(10, 10) == pytest.approx(math.sqrt(21 / 1200))


def test_separations_are_averaged_and_told_from_chance() -> None:
    pytest.importorskip("scipy")
    assert two_sample.separation([(0.5, 0.1), (0.5, 0.2)]) == (0.5, 0.5)
    apart = two_sample.separation([(0.9, 0.1), (0.7, 0.1)])
    assert apart.auc == pytest.approx(0.8)
    assert apart.p == pytest.approx(1.1e-5, rel=0.02)


def test_too_few_points_are_no_samples() -> None:
    pytest.importorskip("scipy")
    rng = np.random.default_rng(2)
    points = rng.normal(size=(40, 2))
    assert 0.2 < two_sample.ridge(points, rng.normal(size=(40, 2)), rng).auc < 0.8
    with pytest.raises(ValueError, match="too few points"):
        two_sample.ridge(points[:39], points, rng)


def test_kmeans_finds_heaps_and_gives_the_same_for_the_same_seed() -> None:
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(3)
    points = np.concatenate([rng.normal(10 * k, 0.1, (20, 2)) for k in range(3)])
    owner = neighbours.clusters(points, 3, np.random.default_rng(0))
    assert [len(set(owner[k : k + 20])) for k in (0, 20, 40)] == [1, 1, 1]
    assert sorted(set(owner.tolist())) == [0, 1, 2]
    assert np.array_equal(owner, neighbours.clusters(points, 3, np.random.default_rng(0)))
    assert set(neighbours.clusters(np.ones((5, 2)), 3, rng).tolist()) == {0}
