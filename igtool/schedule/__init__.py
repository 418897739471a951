"""When to look at which account again: activity tiers and cadences, and a simulation of what quotas allow."""
