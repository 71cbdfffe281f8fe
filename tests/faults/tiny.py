"""The smallest run that has every phase: two bands, two free parameters, six saves."""

CONFIG = """
[model]
bands = ["sdss_g", "sdss_r"]
[model.parameters]
sfh_tsnorm_peak_lbt_frac = [0.1, 0.9]
redshift = [0.02, 0.1]
[data]
rows = 192
shards = 3
pool = 64
chunk = 64
reuse = 2
[network]
width = 8
depth = 1
knots = 4
features = 2
[optimiser]
batch = 32
late_batch = 32
[run]
steps = 24
dispatch = 4
validation_rows = 32
evaluation_rows = 64
timing_rows = 0
jacobian_rows = 0
save_seconds = 0.0
validate_seconds = 1000.0
log_seconds = 1000.0
"""
