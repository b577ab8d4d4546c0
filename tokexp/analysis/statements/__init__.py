"""What a report says before its tables, as facts: who leads, why that may be no answer, what was held equal."""
