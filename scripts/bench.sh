#!/usr/bin/env bash
# The whole pipeline on real parts: see internal/bench. Flags go through: scripts/bench.sh -events 1000000 -live 0
set -euo pipefail
cd "$(dirname "$0")/.."
exec go run ./internal/bench "$@"
