"""Stages under Ray Data: the run reads and commits, processes of Ray compute."""

from igtool.cluster.cluster import Cluster, ClusterOptions
from igtool.cluster.site import Site

__all__ = ["Cluster", "ClusterOptions", "Site"]
