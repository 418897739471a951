"""What the larger commands say on the terminal."""
