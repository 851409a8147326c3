"""Results of runs: their records, medians over rounds, and tables; nothing here measures."""
