"""SigLIP and CLIP, as torch has them, to files that `igtool.vision.tower` and `igtool.vision.prompts` read.

torch and transformers come with the extra ``export``. Only `original` and `graph` import them, and both are imported
when something is exported.
"""
