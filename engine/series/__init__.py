"""The graph of series: values with one element a bar, computed over a history or a bar at a time."""
