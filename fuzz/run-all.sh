#!/usr/bin/env bash
# Gives every fuzz target MINUTES of CPU time, in turns of a minute, AT_ONCE targets at a time: run-all.sh MINUTES [AT_ONCE]
#
# CPU time is what the target itself has used (user and system), however busy the machine is. It is counted in
# fuzz/corpus/TARGET.seconds, next to the corpus, so that an interrupted run goes on where it was; remove fuzz/corpus/ to
# begin anew. A target that finds something stops, is named with its file, and is skipped until that file is gone from
# fuzz/artifacts/TARGET/. With BINARIES=FOLDER the targets there are run, and nothing is built.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ $# -lt 1 ]; then
    echo "usage: fuzz/run-all.sh MINUTES [AT_ONCE]" >&2
    exit 2
fi
# 72 is how libFuzzer ends when it is interrupted.
export WANTED=$(($1 * 60)) TURN=60 INTERRUPTED=72 BINARIES="${BINARIES:-}"
at_once="${2:-2}"

if [ -z "$BINARIES" ]; then
    cargo fuzz build -s none
    built="$(cargo metadata --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')"
    # Copies, for what is built meanwhile is not what has been run so far.
    BINARIES="$(mktemp -d)"
    trap 'rm -rf "$BINARIES"' EXIT
    for source in fuzz/fuzz_targets/*.rs; do
        cp "$built/$(rustc -vV | sed -n 's/^host: //p')/release/$(basename "$source" .rs)" "$BINARIES/"
    done
fi

seconds_of() {
    cat "fuzz/corpus/$1.seconds" 2>/dev/null || echo 0
}

finding_of() {
    find "fuzz/artifacts/$1" \( -name 'crash-*' -o -name 'oom-*' -o -name 'timeout-*' -o -name 'leak-*' \) 2>/dev/null | head -1
}

turn() {
    local target="$1" corpus="fuzz/corpus/$1" artifacts="fuzz/artifacts/$1" dictionary longest cpu
    mkdir -p "$corpus" "$artifacts"
    dictionary="$(sed -n "s/^| \`$target\` .* \`\([a-z0-9]*\.dict\)\` |.*/\1/p" fuzz/README.md)"
    # No seed is cut short.
    longest="$({ find "fuzz/seeds/$target" -type f -printf '%s\n'; echo 512; } | sort -n | tail -1)"
    TIMEFORMAT='%U %S'
    # A hang is told by the wall clock: 60 seconds of it leave room on a busy machine.
    cpu="$({ time "$BINARIES/$target" "$corpus" "fuzz/seeds/$target" -max_len="$longest" \
        -dict="fuzz/dictionaries/$dictionary" -max_total_time="$TURN" -timeout=60 -rss_limit_mb=2048 \
        -artifact_prefix="$artifacts/" >"$artifacts/log" 2>&1 || [ $? -eq "$INTERRUPTED" ] || touch "$corpus.failed"; } 2>&1)"
    echo "$(seconds_of "$target") $cpu" | awk '{ printf "%.1f\n", $1 + $2 + $3 }' >"$corpus.new-seconds"
    mv "$corpus.new-seconds" "$corpus.seconds"
    echo "$target: $(seconds_of "$target") of $WANTED s, $(find "$corpus" -type f | wc -l) inputs in its corpus"
    # What ends without having found anything, as for want of memory, would be begun again for ever.
    if [ -e "$corpus.failed" ] && [ -z "$(finding_of "$target")" ]; then
        cp "$artifacts/log" "$artifacts/crash-without-input"
    fi
    rm -f "$corpus.failed"
    if [ -n "$(finding_of "$target")" ]; then
        echo "$target: FOUND $(finding_of "$target"), see $artifacts/log"
    fi
}
export -f turn seconds_of finding_of

while :; do
    waiting=()
    for source in fuzz/fuzz_targets/*.rs; do
        target="$(basename "$source" .rs)"
        if [ -z "$(finding_of "$target")" ] && awk "BEGIN { exit !($(seconds_of "$target") < $WANTED) }"; then
            waiting+=("$target")
        fi
    done
    [ ${#waiting[@]} -gt 0 ] || break
    printf '%s\n' "${waiting[@]}" | xargs -P "$at_once" -I{} bash -c 'set -euo pipefail; turn {}'
done

found=0
for source in fuzz/fuzz_targets/*.rs; do
    target="$(basename "$source" .rs)"
    finding="$(finding_of "$target")"
    [ -z "$finding" ] || found=1
    echo "$target: $(seconds_of "$target") s${finding:+, stopped by $finding}"
done
exit "$found"
