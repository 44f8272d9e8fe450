#!/usr/bin/env bash
# Runs every fuzz target for a fixed number of inputs, from its seeds on: smoke.sh [RUNS]
#
# The inputs are the same each time. What the fuzzer finds is kept nowhere; a crash is written to fuzz/artifacts/.
set -euo pipefail
cd "$(dirname "$0")/.."

runs="${1:-5000}"
corpus="$(mktemp -d)"
trap 'rm -rf "$corpus"' EXIT

for target in $(cargo fuzz list); do
    # The row of the target in README.md names its dictionary.
    dictionary="$(sed -n "s/^| \`$target\` .* \`\([a-z0-9]*\.dict\)\` |.*/\1/p" fuzz/README.md)"
    mkdir -p "$corpus/$target"
    # What libFuzzer tells is worth reading where something went wrong.
    cargo fuzz run -s none "$target" "$corpus/$target" "fuzz/seeds/$target" -- \
        -runs="$runs" -max_len=512 -seed=1 -timeout=10 -rss_limit_mb=2048 -dict="fuzz/dictionaries/$dictionary" \
        >"$corpus/log" 2>&1 || { cat "$corpus/log"; exit 1; }
    echo "$target: $runs runs"
done
