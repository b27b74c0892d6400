"""Our captioners and encoders by name; installed packages add others (docs/extend.md).

The names alone: each module is imported only when its name is asked for, so the config can check names for free.
"""

# name -> module with `load(config, threads) -> Captioner`
CAPTIONERS = {
    "metadata": "caption.captioners.metadata",
    "transformers": "caption.captioners.vlm",
    "server": "caption.captioners.server",
}

# name -> module with `from_config(config, threads, batch_size) -> Encoder` and `from_details(details) -> Encoder`
ENCODERS = {
    "open_clip": "caption.encoders.open_clip",
    "conse": "caption.encoders.conse",
}
