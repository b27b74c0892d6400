"""What the house looks like: rooms, arrows, circles, checks; and that two corpora hold the same rows."""
