#!/bin/sh
# Makes Temporal's two databases and brings their tables to this version. Safe to run again. Connection and password: SQL_… variables.
set -eu

prepare() {
  database=$1
  schema=$2
  # Both fail, harmlessly, where the database and its version table are there already; what is really wrong shows in the update below.
  temporal-sql-tool --db "$database" create || true
  temporal-sql-tool --db "$database" setup-schema --version 0.0 || true
  # The tables that are built into the tool: those of its own version, wherever it runs.
  temporal-sql-tool --db "$database" update-schema --schema-name "postgresql/v12/$schema"
}

prepare temporal temporal
prepare temporal_visibility visibility
