#!/usr/bin/env bash
# Shows which lines of the library the committed inputs reach, through the properties and nothing else:
# coverage.sh [--missing] [TARGET...]
#
# Every file below fuzz/seeds/, fuzz/regressions/ and fuzz/corpora/ is replayed, or those of the named targets only. The
# rooms that read what strangers write are shown file by file; `--missing` adds each line that was not reached. Code of
# unit tests is not built, and so does not count.
set -euo pipefail
cd "$(dirname "$0")/.."

# What the sources of a room do that read nothing: load.rs finds files on a disk, the other two write JSON schemas.
readonly rooms='identity scenario source protocol'
readonly read_nothing='scenario/load.rs scenario/fields.rs source/field.rs'

missing=0
if [ "${1:-}" = --missing ]; then
    missing=1
    shift
fi

# The tools must be able to read what this compiler's LLVM writes: its own ones, or others of the same version.
llvm="$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')"
own="$(rustc --print sysroot)/lib/rustlib/$(rustc -vV | sed -n 's/^host: //p')/bin"
tool() {
    local found
    for found in "$own/$1" "$1-$llvm" "$1"; do
        if command -v "$found" >/dev/null && "$found" --version 2>/dev/null | grep -q "version $llvm\b"; then
            echo "$found"
            return
        fi
    done
    echo "coverage.sh: there is no $1 of LLVM $llvm: rustup component add llvm-tools, or apt-get install llvm-$llvm" >&2
    exit 1
}
profdata="$(tool llvm-profdata)"
cov="$(tool llvm-cov)"

# A folder of its own, for nothing else is built with these flags; and a target, so that they are kept from build scripts.
host="$(rustc -vV | sed -n 's/^host: //p')"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/coverage"
RUSTFLAGS='-C instrument-coverage' cargo build --locked --quiet --features fuzzing --example replay --target "$host"
replay="$CARGO_TARGET_DIR/$host/debug/examples/replay"

found="$(mktemp -d)"
trap 'rm -rf "$found"' EXIT
LLVM_PROFILE_FILE="$found/%p.profraw" "$replay" "$@"
"$profdata" merge -sparse "$found"/*.profraw -o "$found/profdata"
"$cov" export -format=lcov -instr-profile="$found/profdata" "$replay" >"$found/lcov"

awk -v rooms="$rooms" -v read_nothing="$read_nothing" -v missing="$missing" '
    function row(name, lines, reached) {
        printf "%-36s %6d %8d %7.1f %%\n", name, lines, reached, lines ? 100 * reached / lines : 100
    }
    BEGIN {
        split(rooms, listed, " "); for (at in listed) wanted[listed[at]] = 1
        split(read_nothing, listed, " "); for (at in listed) aside[listed[at]] = 1
    }
    /^SF:/ {
        path = substr($0, 4); file = path; room = ""
        if (sub(/.*\/harness\/src\//, "", file)) { room = file; sub(/\/.*/, "", room) }
        if (!(room in wanted)) room = ""
        if (room != "") { paths[file] = path; order[++files] = file }
    }
    /^DA:/ && room != "" {
        split(substr($0, 4), part, ",")
        lines[file]++; of_room[room]++
        if (!(file in aside)) reading[room]++
        if (part[2] > 0) {
            reached[file]++; reached_of[room]++
            if (!(file in aside)) reached_reading[room]++
        } else not_reached[file] = not_reached[file] " " part[1]
    }
    END {
        printf "%-36s %6s %8s\n", "file", "lines", "reached"
        for (at = 1; at <= files; at++) row(order[at] (order[at] in aside ? " (reads nothing)" : ""), lines[order[at]], reached[order[at]])
        print ""
        count = split(rooms, listed, " ")
        for (at = 1; at <= count; at++) {
            row(listed[at], of_room[listed[at]], reached_of[listed[at]])
            if (reading[listed[at]] != of_room[listed[at]])
                row(listed[at] ", what reads", reading[listed[at]], reached_reading[listed[at]])
        }
        if (!missing) exit
        for (at = 1; at <= files; at++) {
            file = order[at]; number = 0
            count = split(not_reached[file], listed, " ")
            if (count == 0) continue
            printf "\n%s\n", file
            split("", is_missing); for (line = 1; line <= count; line++) is_missing[listed[line]] = 1
            while ((getline text < paths[file]) > 0) if (++number in is_missing) printf "%5d %s\n", number, text
        }
    }
' "$found/lcov"
