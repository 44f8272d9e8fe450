#!/usr/bin/env bash
# Builds what ClusterFuzzLite and OSS-Fuzz run, without a sanitizer and so on stable Rust, and sees that each target finds
# there what it needs: its inputs, all of them, its dictionary and its options; and that it runs over its inputs.
set -euo pipefail
cd "$(dirname "$0")/.."

for tool in zip unzip; do
    command -v "$tool" >/dev/null || { echo "check-engines.sh: $tool is missing: apt-get install $tool" >&2; exit 1; }
done

# In the folder of the build: programs are linked there rather than copied, more than 1 GB of them.
built="${CARGO_TARGET_DIR:-target}"
mkdir -p "$built"
OUT="$(cd "$built" && mktemp -d "$PWD/engines.XXXXXX")"
export OUT SANITIZER=none
trap 'rm -rf "$OUT"' EXIT
fuzz/build-for-engines.sh >"$OUT/log" 2>&1 || { cat "$OUT/log"; exit 1; }

fail() {
    echo "check-engines.sh: $1" >&2
    exit 1
}

targets="$(cargo fuzz list)"
for target in $targets; do
    for file in "$target" "${target}_seed_corpus.zip" "$target.dict" "$target.options"; do
        [ -s "$OUT/$file" ] || fail "there is no $file for the engines"
    done
    inputs="$OUT/inputs/$target"
    mkdir -p "$inputs"
    unzip -q "$OUT/${target}_seed_corpus.zip" -d "$inputs"
    committed=0
    for input in fuzz/{seeds,regressions,corpora}/"$target"/*; do
        [ ! -f "$input" ] || committed=$((committed + 1))
    done
    zipped="$(find "$inputs" -type f | wc -l)"
    [ "$committed" = "$zipped" ] || fail "$target has $committed inputs, and $zipped of them in its archive"
    # As an engine starts it: from there, with these options, over these inputs.
    options="$(sed -n 's/^\([a-z_]*\) = \(.*\)/-\1=\2/p' "$OUT/$target.options")"
    (cd "$OUT" && "./$target" -runs=0 $options -dict="$target.dict" "inputs/$target") >"$OUT/log" 2>&1 ||
        { cat "$OUT/log"; fail "$target does not run over its inputs"; }
done
echo "check-engines.sh: $(wc -w <<<"$targets") targets, $(find "$OUT/inputs" -type f | wc -l) inputs"
