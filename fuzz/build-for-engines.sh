#!/usr/bin/env bash
# Builds what ClusterFuzzLite and OSS-Fuzz run, and puts it where they look for it: in $OUT each target as a program, with
# its inputs (TARGET_seed_corpus.zip), its dictionary (TARGET.dict) and its options (TARGET.options).
#
# Their images set OUT and SANITIZER, and have a nightly compiler and cargo-fuzz. Elsewhere SANITIZER=none needs neither
# nightly nor an image; check-engines.sh does so.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${OUT:?the folder to put everything in}"

# For a coverage build the images put another cargo before ours, which knows what to do, and takes no options.
case "${SANITIZER:-address}" in
    coverage) cargo fuzz build ;;
    *) cargo fuzz build -O --debug-assertions -s "${SANITIZER:-address}" ;;
esac

built="${CARGO_TARGET_DIR:-target}/x86_64-unknown-linux-gnu/release"
staged="$(mktemp -d)"
trap 'rm -rf "$staged"' EXIT
# `cargo fuzz list` would build a second time in a coverage image.
for source in fuzz/fuzz_targets/*.rs; do
    target="$(basename "$source" .rs)"
    # A link takes no space; it is possible only on one file system.
    ln -f "$built/$target" "$OUT/$target" 2>/dev/null || cp "$built/$target" "$OUT/$target"
    # The row of the target in README.md names its dictionary.
    dictionary="$(sed -n "s/^| \`$target\` .*\`\([a-z0-9]*\.dict\)\`.*/\1/p" fuzz/README.md)"
    cp "fuzz/dictionaries/$dictionary" "$OUT/$target.dict"
    printf '[libfuzzer]\nmax_len = 4096\ntimeout = 10\n' >"$OUT/$target.options"
    # Two folders may have files of one name.
    mkdir "$staged/$target"
    for folder in seeds regressions corpora; do
        for input in "fuzz/$folder/$target"/*; do
            [ ! -f "$input" ] || cp "$input" "$staged/$target/$folder-$(basename "$input")"
        done
    done
    rm -f "$OUT/${target}_seed_corpus.zip"
    (cd "$staged/$target" && zip -q -X -r - .) >"$OUT/${target}_seed_corpus.zip"
done
