#!/bin/bash -eu
# What ClusterFuzzLite calls in its image.
exec "$SRC/loginspec/fuzz/build-for-engines.sh"
