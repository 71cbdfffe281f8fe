"""The codes that ours is measured beside, each doing the work that `work.Work` describes."""
