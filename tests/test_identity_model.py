"""The weights of our SQL are those of Splink, pair for pair."""

from __future__ import annotations

import duckdb
import pytest
from splink import DuckDBAPI, Linker

from benchmarks.identity_world import world
from igtool.identity import model
from igtool.identity.pairs import find_all_compared
from igtool.identity.traits import make_traits
from igtool.lake import Lake


def test_our_sql_weighs_pairs_as_splink_does(lake: Lake) -> None:
    """Splink's ``predict`` over the shipped model and our expression agree on every pair that shares a core."""
    with lake.transaction():
        lake.merge("accounts", world(300, seed=6).accounts)
        lake.execute("create temp table wanted as select account_id from accounts")
        make_traits(lake, "temp.wanted")
        lake.execute("insert into account_traits by name select * exclude (handle, display_name) from temp.traits")
    find_all_compared(lake)
    shipped = model.load()
    ours = {
        (row["account_id_l"], row["account_id_r"]): row["weight"]
        for row in lake.rows(
            f"select *, {shipped.weight()} as weight from (select {_sides(lake)} from temp.compared l "
            "join temp.compared r on l.core = r.core and l.account_id < r.account_id)"
        )
    }
    connection = duckdb.connect()
    compared = lake.arrow("from temp.compared")
    connection.register("given", compared)
    connection.execute("create table records as from given")
    linker = Linker(DuckDBAPI(connection).register("records"), dict(shipped.settings), log_level=40)
    found = linker.inference.predict(threshold_match_weight=-1000).as_record_list()
    theirs = {(row["account_id_l"], row["account_id_r"]): row["match_weight"] for row in found}
    assert len(theirs) > 50
    assert theirs == pytest.approx({pair: ours[pair] for pair in theirs})


def _sides(lake: Lake) -> str:
    names = lake.arrow("from temp.compared limit 0").column_names
    return ", ".join(f"{side}.{name} as {name}_{side}" for side in "lr" for name in names)
