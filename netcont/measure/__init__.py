"""From samples to verdicts: gaps, fates, attribution, floors. Pure: no clock, file or socket."""
