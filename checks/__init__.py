"""Campaigns that look at the whole product and take longer than a test: `make wheel-test`."""
