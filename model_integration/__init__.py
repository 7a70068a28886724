"""Independent, vectorised forms of the strategies, and the proof that they say the same."""
