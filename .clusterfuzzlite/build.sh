#!/usr/bin/env bash
# Builds the fuzz targets for ClusterFuzzLite or OSS-Fuzz, which set these:
#   SRC        the folder that this project's folder is in; the project that this file is in
#              where it is not set
#   OUT        where the targets go, each with its seeds, its dictionary and its options
#   SANITIZER  address or another; none and coverage take none
# The same script builds them anywhere else: `OUT=somewhere .clusterfuzzlite/build.sh`.
set -euo pipefail

if [ -n "${SRC:-}" ]; then
    cd "$SRC/nommu-oracle"
else
    cd "$(dirname "$0")/.."
fi
mkdir -p "$OUT"

case "${SANITIZER:-none}" in
none | coverage | introspector) sanitizer=none ;;
*) sanitizer=$SANITIZER ;;
esac

cargo fuzz build --release --sanitizer "$sanitizer" --no-trace-compares
# What makes the seeds runs here and now, and is built without the fuzzer's flags.
env -u RUSTFLAGS -u CFLAGS -u CXXFLAGS cargo xtask fuzz --only-seeds

host=$(rustc -vV | sed -n 's/^host: //p')
built=${CARGO_TARGET_DIR:-fuzz/target}/$host/release
for target in $(cargo fuzz list); do
    cp "$built/$target" "$OUT/"
    python3 -m zipfile -c "$OUT/${target}_seed_corpus.zip" "fuzz/seeds/$target"/*
    {
        echo "[libfuzzer]"
        case "$target" in
        lockstep | lockstep_tiny | sweep)
            echo "entropic = 0"
            ;;
        specs | scope)
            echo "dict = toml.dict"
            ;;
        *)
            echo "dict = $target.dict"
            ;;
        esac
    } >"$OUT/$target.options"
done
cp fuzz/*.dict "$OUT/"
