"""What the benchmarks of synthesizers share: the sets, the outside judge, the cells of a run and how they are shown."""
