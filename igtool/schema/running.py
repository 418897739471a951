"""What the user asked for, and what runs did."""

from __future__ import annotations

from igtool.schema.table import table

TABLES = (
    table(
        "watchlist",
        "A creator the user asked about.",
        "watch_id",
        """
        watch_id VARCHAR -- list_name:platform:handle
        list_name VARCHAR -- name of the list: its file name, or `command line`
        platform VARCHAR -- instagram or youtube
        handle VARCHAR -- lower case, without @
        line BIGINT -- line of the list file on which the row starts, from 1; NULL without a file
        row JSON -- the original row: column name to cell text
        """,
    ),
    table(
        "schedule_overrides",
        "What the user set about when an account is looked at; it goes before tier and posting rate.",
        "platform handle",
        """
        platform VARCHAR -- instagram or youtube
        handle VARCHAR -- lower case, without @
        priority BIGINT -- a higher one goes first; tiers have 30, 20 and 10; NULL leaves the tier's
        every_h DOUBLE -- hours between two looks; NULL leaves the cadence
        is_watched BOOLEAN -- false: it is not looked at, until `igtool watch add`; NULL: it is
        set_at TIMESTAMPTZ -- when the user said so
        """,
    ),
    table(
        "drift",
        "Which fields the answers of a source had in a week, counted in a sample of them; nothing of their values.",
        "drift_id",
        """
        drift_id VARCHAR -- sample_id|shape|path
        sample_id VARCHAR -- source|week
        source VARCHAR -- where the answers came from: files, or the name of a live source
        week VARCHAR -- ISO week of fetched_at in UTC: 2026-W47
        shape VARCHAR -- the shape that read these answers; unknown when none did
        path VARCHAR -- keys joined by dots, [] list elements, {} keys that are data; $ the answer, … beyond 600 paths
        types JSON -- JSON type (null, bool, int, float, str, list, object, empty_list, empty_object) to answers
        seen_count BIGINT -- answers of the sample that have the field
        answer_count BIGINT -- answers of that shape in the sample
        example_answer_id VARCHAR -- one answer that has the field
        """,
    ),
    table(
        "column_fill",
        "How many rows of the sampled answers had a value in each column; what `igtool doctor` holds shapes to.",
        "fill_id",
        """
        fill_id VARCHAR -- sample_id|shape|table.column
        sample_id VARCHAR -- source|week
        source VARCHAR -- where the answers came from: files, or the name of a live source
        week VARCHAR -- ISO week of fetched_at in UTC: 2026-W47
        shape VARCHAR -- the shape that read these answers; unknown when none did
        table_name VARCHAR -- accounts (profiles only), content_items, or raw_responses: the answers themselves
        column_name VARCHAR -- the column; of raw_responses body, filled where it could be read
        filled_count BIGINT -- rows with a value in it
        row_count BIGINT -- rows
        """,
    ),
    table(
        "rejects",
        "What did not make it, and why.",
        "stage item_id",
        """
        stage VARCHAR -- list, import, or the stage that refused it
        item_id VARCHAR -- which row, file or answer
        reason VARCHAR -- slug
        detail VARCHAR -- what exactly, for a person
        path VARCHAR -- file it came from
        line BIGINT -- line in the file, from 1
        """,
    ),
    table(
        "stage_rows",
        "Which item each stage has done, from which input. Lets a run do only what is pending.",
        "stage item_id",
        """
        stage VARCHAR -- name of the stage
        item_id VARCHAR -- the item
        fingerprint VARCHAR -- MD5 of input, stage version and options
        variant VARCHAR -- which of several readers made it, with its version; NULL where there is only one
        """,
    ),
    table(
        "runs",
        "Every finished run of a command that writes.",
        "run_id",
        """
        run_id VARCHAR -- start time and process id
        command VARCHAR -- what was run
        status VARCHAR -- finished, interrupted, failed
        stages JSON -- stage name to counts: new, updated, skipped, failed
        started_at TIMESTAMPTZ -- start
        finished_at TIMESTAMPTZ -- end
        """,
    ),
)
