"""Volume profile on bars whose rows can be filled by hand."""

import numpy as np

from engine.indicators.volume_profile import VolumeProfile


def test_volume_is_spread_over_the_rows_a_bar_overlaps():
    # Rows of 1 from 0 to 4. Bar one: 4 units over 0..4, one in each row. Bar two: 6 units over 1..2.
    poc, top, bottom = VolumeProfile(2, 4, 70.0).run([4.0, 2.0], [0.0, 1.0], [4.0, 6.0])
    assert np.isnan(poc[0])
    assert poc[1] == 1.5  # rows hold 1, 7, 1, 1
    assert (bottom[1], top[1]) == (1.0, 2.0)  # 7 of 10 is 70 %


def test_the_value_area_widens_to_the_fuller_neighbour_and_upwards_on_a_tie():
    poc, top, bottom = VolumeProfile(2, 4, 75.0).run([4.0, 2.0], [0.0, 1.0], [4.0, 6.0])
    assert poc[1] == 1.5
    assert (bottom[1], top[1]) == (1.0, 3.0)
    _, top, bottom = VolumeProfile(2, 4, 100.0).run([4.0, 2.0], [0.0, 1.0], [4.0, 6.0])
    assert (bottom[1], top[1]) == (0.0, 4.0)


def test_one_price_is_its_own_profile_and_no_volume_is_none():
    poc, top, bottom = VolumeProfile(1, 4, 70.0).run([5.0], [5.0], [3.0])
    assert (poc[0], top[0], bottom[0]) == (5.0, 5.0, 5.0)
    poc, _, _ = VolumeProfile(1, 4, 70.0).run([5.0], [4.0], [0.0])
    assert np.isnan(poc[0])


def test_all_volume_is_counted_once():
    random = np.random.default_rng(4)
    low = 100 + random.normal(size=300)
    high = low + random.uniform(0, 2, 300)
    volume = random.uniform(0, 5, 300)
    _, top, bottom = VolumeProfile(50, 24, 100.0).run(high, low, volume)
    full = slice(49, None)
    windows_low = np.lib.stride_tricks.sliding_window_view(low, 50).min(axis=1)
    windows_high = np.lib.stride_tricks.sliding_window_view(high, 50).max(axis=1)
    assert (bottom[full] >= windows_low - 1e-9).all()
    assert (top[full] <= windows_high + 1e-9).all()
