"""What a run says: its record, the median over rounds, and the tables; nothing here measures."""
