"""What people say of tags: which ones wait for them, their word written down, and thresholds fitted to it."""
